package main

import (
	"context"

	"github.com/postino-mail/postino/internal/app"
)

type auditCommand struct {
	storeFlags
	CSV  []string `help:"Table of other programs' SMTP settings, - for standard input; once for each." name:"csv" placeholder:"FILE"`
	JSON bool     `help:"Print JSON." name:"json"`
}

// Help shows examples below the flags.
func (auditCommand) Help() string {
	return `Examples:
  postino audit
  postino audit --csv smtp-parameters.csv
  postino audit --csv - --json < export.csv

Which connections, and which programs, stop when providers retire passwords: why, when and how to move each.
Columns of a table are known by their names, in Italian or English: server, port, encryption, login, password, from.
Of a password its form alone is looked at.`
}

func (c *auditCommand) Run(ctx context.Context, std stdio, cli *commands) error {
	return app.AuditCommands{Storage: c.storage(), JSON: c.JSON, Language: cli.language(), Stdin: std.in, Stdout: std.out}.Audit(ctx, c.CSV)
}

type clientPrograms struct {
	clientFlags
	Name string `arg:"" optional:"" help:"Login of the client; none: all."`
}

// Help shows examples below the flags.
func (clientPrograms) Help() string {
	return `Examples:
  postino client programs
  postino client programs erp --json

Programs and devices are told apart by address, EHLO, login, TLS version and the traits of their messages.
The last 64 of each client are kept. WILL IT SEND is the answer for the connection of the last message: see 'postino audit'.`
}

func (c *clientPrograms) Run(ctx context.Context, std stdio, cli *commands) error {
	return app.AuditCommands{Storage: c.storage(), JSON: c.JSON, Language: cli.language(), Stdin: std.in, Stdout: std.out}.Programs(ctx,
		c.Name)
}
