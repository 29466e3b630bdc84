package main

import (
	"context"

	"github.com/postino-mail/postino/internal/app"
)

type demoCommand struct {
	Keep bool `help:"Leave the sandbox up until Ctrl-C, with connections to try."`
}

// Help shows examples below the flags.
func (demoCommand) Help() string {
	return `Starts fake Entra, Graph, Google, Gmail and SMTP servers on 127.0.0.1, builds one invoice with a
PDF and an inline logo, sends it through each route and shows what arrived; then one failure of
each class. Needs no network and changes nothing.

Examples:
  postino demo
  postino --lang it demo
  postino demo --keep`
}

func (c *demoCommand) Run(ctx context.Context, std stdio, cli *commands) error {
	return app.Demo(ctx, app.DemoOptions{Keep: c.Keep, Language: cli.language(), Stdout: std.out})
}
