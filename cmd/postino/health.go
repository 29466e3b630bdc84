package main

import (
	"context"

	"github.com/postino-mail/postino/internal/app"
)

type healthCommand struct {
	Data string `help:"Folder of the store, with the server's socket." default:"postino-data" env:"POSTINO_DATA" type:"path" placeholder:"DIR"`
	URL  string `help:"Ask there instead of the socket." name:"url" placeholder:"URL"`
}

// Help shows examples below the flags.
func (healthCommand) Help() string {
	return `Examples:
  postino health --data /var/lib/postino
  postino health --url http://127.0.0.1:8025/readyz

Exit codes: 0 it would store a message now, 69 nothing answers, 75 it answers and cannot.`
}

func (c *healthCommand) Run(ctx context.Context) error { return app.Health(ctx, c.Data, c.URL) }
