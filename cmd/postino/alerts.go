package main

import (
	"context"

	"github.com/postino-mail/postino/internal/app"
)

type alertsCommand struct {
	storeFlags
	All  bool `help:"Those that were resolved in the last 30 days too."`
	JSON bool `help:"Print JSON." name:"json"`
}

// Help shows examples below the flags.
func (alertsCommand) Help() string {
	return `Examples:
  postino alerts
  postino alerts --all --json

What ends or runs out: certificates, secrets, daily budgets, refused credentials, mail that waits.
A running server looks at them every minute; [watch] of its configuration says whom it mails.`
}

func (c *alertsCommand) Run(ctx context.Context, std stdio, cli *commands) error {
	return app.AlertCommands{Storage: c.storage(), JSON: c.JSON, Language: cli.language(), Stdout: std.out}.List(ctx, c.All)
}
