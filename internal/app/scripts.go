package app

import (
	"context"
	"io"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/script"
	"github.com/postino-mail/postino/internal/store"
)

// Script prints the commands that allow a connection to send: of the store by
// its name, or of a JSON file that may still lack values.
func (k ConnectionCommands) Script(ctx context.Context, name, file, target string) error {
	if (name == "") == (file == "") {
		return wrong(ExitUsage, text("cli.certificate_which", "give either the name of a connection or --file"))
	}
	if file == "" {
		return k.storedConnection(ctx, name, func(_ store.Store, c *gateway.Connection) error { return k.script(c, target) })
	}
	content, err := k.read(text("cli.connection_file_unreadable", "the connection file cannot be read"), file)
	if err != nil {
		return err
	}
	c, err := gateway.DecodeShown(content)
	if err != nil {
		return exit(ExitConfig, err)
	}
	return k.script(c, target)
}

func (k ConnectionCommands) script(c *gateway.Connection, target string) error {
	values, err := script.Of(c)
	if err != nil {
		return exit(ExitConfig, err)
	}
	out, err := script.Write(script.Target(target), values, k.Language)
	if err != nil {
		return exit(ExitConfig, err)
	}
	_, err = io.WriteString(k.Stdout, out)
	return err
}
