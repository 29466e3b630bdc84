package main

import (
	"context"

	"github.com/postino-mail/postino/internal/app"
)

type vaultCommand struct {
	Rotate  vaultRotate  `cmd:"" help:"Make a new key and seal every secret again with it."`
	DropOld vaultDropOld `cmd:"" help:"Remove the old keys, once nothing needs them."`
}

type vaultRotate struct {
	storeFlags
	Prepare bool `help:"Only add the new key, for nodes that have a key file of their own."`
}

// Help shows examples below the flags.
func (vaultRotate) Help() string {
	return `Examples:
  postino vault rotate --data /var/lib/postino
  postino vault rotate --prepare   # several nodes on PostgreSQL: then copy key.json to all, then rotate

Runs beside a server, which needs no restart. Ended at any moment, everything stays readable: run it again. The old key
stays until 'postino vault drop-old'.`
}

func (c *vaultRotate) Run(ctx context.Context, std stdio, cli *commands) error {
	jobs := app.VaultCommands{Storage: c.storage(), Language: cli.language(), Stdout: std.out}
	if c.Prepare {
		return jobs.Prepare(ctx)
	}
	return jobs.Rotate(ctx)
}

type vaultDropOld struct{ storeFlags }

// Help shows examples below the flags.
func (vaultDropOld) Help() string {
	return "Example:\n  postino vault drop-old --data /var/lib/postino"
}

func (c *vaultDropOld) Run(ctx context.Context, std stdio, cli *commands) error {
	return app.VaultCommands{Storage: c.storage(), Language: cli.language(), Stdout: std.out}.DropOld(ctx)
}
