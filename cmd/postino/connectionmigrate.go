package main

import (
	"context"

	"github.com/postino-mail/postino/internal/app"
)

type connectionMigrate struct {
	connectionName
	To     string `help:"Provider to move to: graph or gmail." enum:",graph,gmail" default:"" placeholder:"PROVIDER"`
	File   string `help:"JSON of the new connection, - for standard input." short:"f" placeholder:"FILE"`
	Undo   bool   `help:"Take the last migration back."`
	Config string `help:"Configuration of the server, for its networks and listeners." env:"POSTINO_CONFIG" placeholder:"FILE"`
	CAFile string `help:"PEM file of a further authority to trust." placeholder:"FILE" name:"ca-file" env:"POSTINO_CA_FILE"`
}

// Help shows examples below the flags.
func (connectionMigrate) Help() string {
	return `Examples:
  postino connection migrate Ufficio --to graph --file new.json
  postino connection migrate Ufficio --undo

The file has at least the object of the provider: {"graph": {"tenant": ..., "client_id": ..., "client_secret": ...}}.
Sender, aliases, class and owner are the old connection's where the file leaves them out.
The new one is tested first; when a stage fails nothing changes.`
}

func (c *connectionMigrate) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Migrate(ctx, c.Name, app.Migration{To: c.To, File: c.File, Undo: c.Undo, ConfigFile: c.Config, CAFile: c.CAFile})
}
