package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/prompt"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/scratch"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// inEditor has a person change the JSON of a connection, secrets left out, in the
// editor of the environment. What cannot be read as a connection opens again, as
// it was written; where the person gives up, it is kept in a file.
func (k ConnectionCommands) inEditor(ctx context.Context, p *prompt.Prompt, c *gateway.Connection) (next *gateway.Connection,
	err error) {
	words, err := k.editor()
	if err != nil {
		return nil, err
	}
	dir, err := scratch.New()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	before, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir.Path(), "connection.json")
	if err := os.WriteFile(file, append(before, '\n'), 0o600); err != nil {
		return nil, err
	}
	for {
		run := exec.CommandContext(ctx, words[0], append(words[1:], file)...)
		run.Stdin, run.Stdout, run.Stderr = k.Stdin, os.Stdout, os.Stderr // the editor draws on the terminal itself
		if err := run.Run(); err != nil {
			return nil, exit(ExitFailure, texterr.Wrap(mime.NewText("cli.editor_failed",
				"the editor ended with an error: nothing was changed"), err))
		}
		after, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if bytes.Equal(bytes.TrimSpace(after), before) {
			return nil, wrong(ExitOK, mime.NewText("cli.nothing_changed", "nothing was changed"))
		}
		next, wrongAs := registry.Replace(c, adapters.PlainText(after), true)
		if wrongAs == nil {
			return next, nil
		}
		if again, err := k.editAgain(ctx, p, wrongAs); err == nil && again {
			continue
		}
		return nil, k.keepEdited(after, wrongAs)
	}
}

// editor is the command of the person's editor.
func (k ConnectionCommands) editor() ([]string, error) {
	getenv := k.Getenv
	if getenv == nil {
		getenv = os.Getenv
	}
	editor := getenv("VISUAL")
	if editor == "" {
		editor = getenv("EDITOR")
	}
	words := strings.Fields(editor)
	if len(words) == 0 {
		return nil, wrong(ExitUsage, mime.NewText("cli.no_editor", "there is no editor: set EDITOR, or name settings by flags or --file"))
	}
	return words, nil
}

// editAgain says what is wrong and asks whether the person puts it right.
func (k ConnectionCommands) editAgain(ctx context.Context, p *prompt.Prompt, wrongAs error) (bool, error) {
	if _, err := fmt.Fprintln(p.Out(), texterr.In(wrongAs, k.Language)); err != nil {
		return false, err
	}
	choice, err := p.Choose(ctx, text("cli.ask_edit_again", "The connection is not stored").In(k.Language), "1, 2",
		prompt.Option{Value: "edit", Text: text("cli.edit_again", "edit it again").In(k.Language)},
		prompt.Option{Value: "stop", Text: text("cli.edit_stop", "stop, and keep the text in a file").In(k.Language)})
	return choice == "edit", err
}

// keepEdited keeps what a person wrote, which may have a secret in it, in a file
// that its owner alone reads.
func (k ConnectionCommands) keepEdited(content []byte, wrongAs error) error {
	f, err := os.CreateTemp("", "postino-connection-*.json") // 0600
	if err != nil {
		return errors.Join(exit(ExitConfig, wrongAs), err)
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(exit(ExitConfig, wrongAs), err, os.Remove(f.Name()))
	}
	return wrong(ExitConfig, text("cli.edit_kept", "nothing was changed: what you wrote is in {file}; put it right and give it by --file",
		"file", f.Name()))
}
