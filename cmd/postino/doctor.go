package main

import (
	"context"
	"os"

	"github.com/postino-mail/postino/internal/app"
)

type doctorCommand struct {
	Config   string `help:"Configuration file (TOML) of the server." env:"POSTINO_CONFIG" placeholder:"FILE" type:"existingfile"`
	Data     string `help:"Folder of the store (default: ./postino-data)." placeholder:"DIR" type:"path"`
	Database string `help:"PostgreSQL in place of the embedded store." placeholder:"URL"`
	CAFile   string `help:"PEM file of a further authority to trust." placeholder:"FILE" name:"ca-file" env:"POSTINO_CA_FILE"`
	JSON     bool   `help:"Print JSON." name:"json"`
}

// Help shows examples below the flags.
func (doctorCommand) Help() string {
	return `Examples:
  postino doctor --config /etc/postino/postino.toml
  postino doctor --data /var/lib/postino --json

Looks at clock, disk, fsync, listeners, certificates, DNS, the servers that connections need,
source addresses, store, secrets, mailboxes, queue and configuration. Nothing is sent, and no
credential is used: 'postino connection test' tests those.
Exit codes: 0 nothing failed (warnings count as such), 1 something failed.`
}

func (c *doctorCommand) Run(ctx context.Context, std stdio, cli *commands) error {
	return app.Doctor(ctx, app.DoctorOptions{ConfigFile: c.Config, Data: c.Data, Database: c.Database, CAFile: c.CAFile, JSON: c.JSON,
		Language: cli.language(), Getenv: os.Getenv, Stdout: std.out})
}
