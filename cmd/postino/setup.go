package main

import (
	"context"

	"github.com/postino-mail/postino/internal/app"
)

type setupCommand struct {
	storeFlags
	CAFile string   `help:"PEM with further certificate authorities." name:"ca-file" type:"existingfile" placeholder:"FILE"`
	Set    []string `help:"Setting of the connection that is not asked for." sep:"none" placeholder:"PATH=V"`
}

// Help shows examples below the flags.
func (setupCommand) Help() string {
	return `Examples:
  postino setup
  postino setup --data /var/lib/postino --lang it

Asks for the language, the folder, the address that sends, its provider and credential, sends a test message, and then
stores the connection and a first client. Nothing is stored before the test message went out.`
}

func (c *setupCommand) Run(ctx context.Context, std stdio, cli *commands) error {
	return app.Setup(ctx, app.SetupOptions{Storage: c.storage(), CAFile: c.CAFile, Set: c.Set, Language: cli.language(),
		AskLang: cli.Lang == "", Chosen: func(lang string) { cli.Lang = lang }, Stdin: std.in, Stdout: std.out})
}
