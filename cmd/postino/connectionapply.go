package main

import (
	"context"

	"github.com/postino-mail/postino/internal/app"
)

type connectionExport struct {
	connectionFlags
	Names     []string `arg:"" optional:"" name:"name" help:"Connections to export; left out: all."`
	Format    string   `help:"json or csv." default:"json" enum:"json,csv"`
	Output    string   `help:"File to write, for its owner alone; left out: standard output." short:"o" type:"path" placeholder:"FILE"`
	Recipient []string `help:"Public key of age for which the secrets are sealed, once for each." placeholder:"age1..."`
	Clear     bool     `help:"Write the secrets as they are: whoever reads the file has them." name:"secrets-in-clear"`
	Separator string   `help:"Between the cells of CSV; in Italian a semicolon, else a comma." placeholder:"C"`
}

// Help shows examples below the flags.
func (connectionExport) Help() string {
	return `Examples:
  postino connection export > connections.json
  postino connection export --format csv --output connections.csv
  postino connection export --recipient age1... --output connections.json

For 'postino connection import' and 'apply'. Secrets are left out, or sealed to public keys of age (age-keygen makes a
pair): 'import --identity' opens them with the private key, and only for the server, account and mailbox they were for.`
}

func (c *connectionExport) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Export(ctx, app.ExportOptions{Names: c.Names, Format: c.Format, Separator: c.Separator, Output: c.Output,
		Recipients: c.Recipient, Clear: c.Clear})
}

// planFlags are of commands that show a plan before they change anything.
type planFlags struct {
	Identity       string `help:"File of the private key of age that opens sealed secrets." placeholder:"FILE"`
	WithoutSecrets bool   `help:"Leave sealed secrets out: what is stored stays."`
	Plan           bool   `help:"Only show what would change; exit 2 if anything would."`
	Yes            bool   `help:"Do not ask."`
}

func (f planFlags) options(file string) app.ApplyOptions {
	return app.ApplyOptions{File: file, Identity: f.Identity, WithoutSecrets: f.WithoutSecrets, Plan: f.Plan, Yes: f.Yes}
}

type connectionImport struct {
	connectionFlags
	waitFlag
	planFlags
	File   string `arg:"" help:"File of connections in JSON, CSV or TOML, - for standard input."`
	Format string `help:"json, csv or toml; left out: by the file." default:"" enum:",json,csv,toml" placeholder:"F"`
}

// Help shows examples below the flags.
func (connectionImport) Help() string {
	return `Examples:
  postino connection import connections.csv --plan
  postino connection import connections.json --identity key.txt --yes

Adds the connections of a file and changes those that are there, by name; nothing is removed. Shows a plan first and does
all of it or nothing. CSV has a row for each connection, with separator and encoding as the spreadsheet writes them;
settings without a column stay as they are.`
}

func (c *connectionImport) Run(ctx context.Context, std stdio, cli *commands) error {
	o := c.options(c.File)
	o.Format = c.Format
	return c.waitFlag.jobs(c.connectionFlags.jobs(std, cli)).Apply(ctx, o)
}

type connectionApply struct {
	connectionFlags
	waitFlag
	planFlags
	File  string `help:"File in JSON, TOML or CSV, or a folder of them; - for standard input." short:"f" required:"" placeholder:"PATH"`
	Prune bool   `help:"Remove connections that the file does not name."`
}

// Help shows examples below the flags.
func (connectionApply) Help() string {
	return `Examples:
  postino connection apply -f connections.json --plan
  postino connection apply -f connections.d/ --prune --yes

Shows a plan first: what is created, changed and removed, with the names of the fields, never a secret. Secrets that the
file leaves out stay. All of the plan is done, or nothing where something was changed since it was made.`
}

func (c *connectionApply) Run(ctx context.Context, std stdio, cli *commands) error {
	o := c.options(c.File)
	o.Prune = c.Prune
	return c.waitFlag.jobs(c.connectionFlags.jobs(std, cli)).Apply(ctx, o)
}
