package main

import (
	"context"
	"fmt"
	"os"

	"github.com/postino-mail/postino/internal/app"
	"github.com/postino-mail/postino/internal/winservice"
)

type serveCommand struct {
	Config   string   `help:"Configuration file (TOML)." env:"POSTINO_CONFIG" placeholder:"FILE" type:"existingfile"`
	Data     string   `help:"Folder of the store (default: ./postino-data)." placeholder:"DIR" type:"path"`
	Database string   `help:"PostgreSQL in place of the embedded store." placeholder:"URL"`
	SMTP     []string `help:"Address of the SMTP listener (default: 127.0.0.1:2525)." placeholder:"ADDR" name:"smtp"`
	HTTP     string   `help:"Address of the HTTP listener (default: 127.0.0.1:8025)." placeholder:"ADDR" name:"http"`
	CAFile   string   `help:"PEM file of a further authority to trust." placeholder:"FILE" name:"ca-file" env:"POSTINO_CA_FILE"`
}

// Help shows examples below the flags.
func (serveCommand) Help() string {
	return `Examples:
  postino serve
  postino serve --data /var/lib/postino --smtp 127.0.0.1:2525 --http 127.0.0.1:8025
  postino serve --config /etc/postino/postino.toml
  postino serve --database postgres://postino@db/postino

SIGTERM ends it after what is in flight is finished or released, 35 s at most; a second
one, or Ctrl-C, ends it at once. SIGHUP reads the configuration's log level and the
certificates again.`
}

func (c *serveCommand) Run(ctx context.Context, std stdio, cli *commands) error {
	return app.Serve(ctx, app.ServeOptions{ConfigFile: c.Config, Data: c.Data, Database: c.Database, SMTP: c.SMTP, HTTP: c.HTTP,
		CAFile: c.CAFile,
		Stderr: std.err, Getenv: os.Getenv, Ready: func(a app.Addresses) {
			winservice.Ready(ctx)
			for _, addr := range a.SMTP {
				fmt.Fprintf(std.out, "smtp %s\n", addr)
			}
			if a.HTTP != "" {
				fmt.Fprintf(std.out, "http %s\n", a.HTTP)
			}
			if a.Socket != "" {
				fmt.Fprintf(std.out, "socket %s\n", a.Socket)
			}
			if a.FirstStart != nil {
				a.FirstStart.Print(std.out, cli.language())
			}
		}})
}
