package main

import (
	"context"

	"github.com/postino-mail/postino/internal/app"
)

type connectionExport struct {
	connectionFlags
	Names []string `arg:"" optional:"" name:"name" help:"Connections to export; left out: all."`
}

// Help shows examples below the flags.
func (connectionExport) Help() string {
	return "Example:\n  postino connection export > connections.json\n\nJSON for 'postino connection apply'; secrets are left out."
}

func (c *connectionExport) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Export(ctx, c.Names)
}

type connectionApply struct {
	connectionFlags
	waitFlag
	File  string `help:"JSON of one connection or an array of them, - for standard input." short:"f" required:"" placeholder:"FILE"`
	Plan  bool   `help:"Only show what would change; exit 2 if anything would."`
	Prune bool   `help:"Remove connections that the file does not name."`
	Yes   bool   `help:"Do not ask."`
}

// Help shows examples below the flags.
func (connectionApply) Help() string {
	return `Examples:
  postino connection apply -f connections.json --plan
  postino connection apply -f connections.json --prune --yes

Shows a plan first: what is created, changed and removed, with the names of the fields, never a secret. Secrets that the
file leaves out stay. What was changed since the plan was made is left alone.`
}

func (c *connectionApply) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.waitFlag.jobs(c.connectionFlags.jobs(std, cli)).Apply(ctx, app.ApplyOptions{File: c.File, Plan: c.Plan, Prune: c.Prune,
		Yes: c.Yes})
}
