package app

import (
	"context"

	"github.com/postino-mail/postino/internal/prompt"
	"github.com/postino-mail/postino/mime"
)

// addByQuestions adds a connection by questions, where there is a person to ask.
func (k ConnectionCommands) addByQuestions(_ context.Context, _ string) error {
	if _, err := prompt.New(k.Stdin, k.Stdout); err != nil {
		return wrong(ExitUsage, mime.NewText("cli.add_nothing",
			"what to add? name its settings by flags, or a JSON file by --file; on a terminal, without either, postino asks"))
	}
	return nil
}
