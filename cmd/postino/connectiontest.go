package main

import (
	"context"
	"os"

	"github.com/postino-mail/postino/internal/app"
)

type connectionTest struct {
	connectionFlags
	Name   string `arg:"" optional:"" help:"Name or id of a stored connection."`
	File   string `help:"JSON of a connection that is not stored, - for standard input." short:"f" placeholder:"FILE"`
	To     string `help:"Send a real message there, and follow it." placeholder:"ADDRESS"`
	From   string `help:"Sender to test (default: the connection's own)." placeholder:"ADDRESS"`
	Config string `help:"Configuration of the server, for its networks and listeners." env:"POSTINO_CONFIG" placeholder:"FILE"`
	CAFile string `help:"PEM file of a further authority to trust." placeholder:"FILE" name:"ca-file" env:"POSTINO_CA_FILE"`
}

// Help shows examples below the flags.
func (connectionTest) Help() string {
	return `Examples:
  postino connection test Ufficio
  postino connection test Ufficio --to me@example.com
  postino connection test --file ufficio.json --json
  postino --lang it connection test Ufficio --from fatture@contoso.it

Without --to nothing is sent. A stage is ok, failed, skipped (a stage before it failed, or it
does not apply) or unproven (only a message can prove it).
Exit codes (sysexits.h): 0 nothing failed, 69 refused for good, 75 try later, 76 outcome unknown,
77 credential or permission, 78 wrong connection.`
}

func (c *connectionTest) Run(ctx context.Context, std stdio, cli *commands) error {
	return app.TestConnection(ctx, app.ConnectionTestOptions{Storage: c.storage(), Name: c.Name, File: c.File, From: c.From, To: c.To,
		ConfigFile: c.Config, CAFile: c.CAFile, JSON: c.JSON, Language: cli.language(), Getenv: os.Getenv, Stdin: std.in, Stdout: std.out})
}
