package main

import (
	"context"
	"path/filepath"

	"github.com/postino-mail/postino/internal/app"
)

type setupCommand struct {
	storeFlags
	CAFile  string   `help:"PEM with further certificate authorities." name:"ca-file" type:"existingfile" placeholder:"FILE"`
	Set     []string `help:"Setting of the connection that is not asked for." sep:"none" placeholder:"PATH=V"`
	Again   bool     `help:"Begin again: drop the answers of a setup that was interrupted."`
	Answers string   `help:"File that keeps the answers until the end (default: in the home folder)." type:"path" placeholder:"FILE"`
}

// Help shows examples below the flags.
func (setupCommand) Help() string {
	return `Examples:
  postino setup
  postino setup --data /var/lib/postino --lang it
  sudo -u postino postino setup     # after the package was installed

Asks for the language, the folder, the address that sends, its provider and credential, sends a test message, and then
stores the connection and a first client. Nothing is stored before the test message went out. What was answered is kept,
secrets apart: after an interruption the next setup continues there.`
}

func (c *setupCommand) Run(ctx context.Context, std stdio, cli *commands) error {
	usual, err := filepath.Abs("postino-data")
	if err != nil {
		return err
	}
	return app.Setup(ctx, app.SetupOptions{Storage: c.storage(), DataGiven: c.Data != usual, Again: c.Again, Answers: c.Answers,
		CAFile: c.CAFile, Set: c.Set, Language: cli.language(), AskLang: cli.Lang == "", Chosen: func(lang string) { cli.Lang = lang },
		Stdin: std.in, Stdout: std.out})
}
