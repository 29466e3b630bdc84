package main

import (
	"context"

	"github.com/postino-mail/postino/internal/app"
)

// storeFlags are where the store is.
type storeFlags struct {
	Data     string `help:"Folder of the store." default:"postino-data" env:"POSTINO_DATA" type:"path" placeholder:"DIR"`
	Database string `help:"PostgreSQL in place of the embedded store." env:"POSTINO_DATABASE" placeholder:"URL"`
}

func (f storeFlags) storage() app.Storage { return app.Storage{Data: f.Data, Database: f.Database} }

type connectionCommand struct {
	Add     connectionAdd     `cmd:"" help:"Add the connection of a JSON file."`
	List    connectionList    `cmd:"" help:"List the connections."`
	Show    connectionShow    `cmd:"" help:"Show one as JSON, without its secrets."`
	Edit    connectionEdit    `cmd:"" help:"Change one with a JSON merge patch."`
	Remove  connectionRemove  `cmd:"" help:"Remove one that no unfinished message needs."`
	Enable  connectionEnable  `cmd:"" help:"Switch one on."`
	Disable connectionDisable `cmd:"" help:"Switch one off: its mail waits."`
	Default connectionDefault `cmd:"" help:"Make one the default."`
	Resume  connectionResume  `cmd:"" help:"End its pauses and close the breaker."`

	Presets connectionPresets `cmd:"" help:"List the providers that are known by name."`
	Detect  connectionDetect  `cmd:"" help:"Find the provider of an address."`
	Test    connectionTest    `cmd:"" help:"Test one stage by stage: name, TLS, token, mailbox, sender, a real message."`
}

// connectionFlags are common to all commands on connections.
type connectionFlags struct {
	storeFlags
	JSON bool `help:"Print JSON." name:"json"`
}

func (f connectionFlags) jobs(std stdio, cli *commands) app.ConnectionCommands {
	return app.ConnectionCommands{Storage: f.storage(), JSON: f.JSON, Language: cli.language(), Stdin: std.in, Stdout: std.out}
}

type connectionAdd struct {
	connectionFlags
	File string `help:"JSON of the connection, - for standard input." required:"" short:"f" placeholder:"FILE"`
}

// Help shows examples below the flags.
func (connectionAdd) Help() string {
	return `Examples:
  postino connection add --file ufficio.json
  postino connection add --data /var/lib/postino --file - < ufficio.json

The secret is sealed when it is stored and never shown again.`
}

func (c *connectionAdd) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Add(ctx, c.File)
}

type connectionList struct{ connectionFlags }

// Help shows examples below the flags.
func (connectionList) Help() string {
	return "Examples:\n  postino connection list\n  postino connection list --json"
}

func (c *connectionList) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).List(ctx)
}

// connectionName is the argument of commands on one connection.
type connectionName struct {
	connectionFlags
	Name string `arg:"" help:"Name or id of the connection."`
}

type connectionShow struct{ connectionName }

// Help shows examples below the flags.
func (connectionShow) Help() string { return "Example:\n  postino connection show Ufficio" }

func (c *connectionShow) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Show(ctx, c.Name)
}

type connectionEdit struct {
	connectionName
	File string `help:"JSON merge patch (RFC 7396), - for standard input." required:"" short:"f" placeholder:"FILE"`
}

// Help shows examples below the flags.
func (connectionEdit) Help() string {
	return `Examples:
  echo '{"limits":{"per_minute":20},"fallback":["Aruba"]}' | postino connection edit Ufficio --file -
  echo '{"graph":{"client_secret":"NEW"}}' | postino connection edit Ufficio --file -

Members that are left out stay, null removes, secrets stay unless given.`
}

func (c *connectionEdit) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Edit(ctx, c.Name, c.File)
}

type connectionRemove struct{ connectionName }

// Help shows examples below the flags.
func (connectionRemove) Help() string { return "Example:\n  postino connection remove Vecchia" }

func (c *connectionRemove) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Remove(ctx, c.Name)
}

type connectionEnable struct{ connectionName }

// Help shows examples below the flags.
func (connectionEnable) Help() string { return "Example:\n  postino connection enable Ufficio" }

func (c *connectionEnable) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).SetActive(ctx, c.Name, true)
}

type connectionDisable struct{ connectionName }

// Help shows examples below the flags.
func (connectionDisable) Help() string { return "Example:\n  postino connection disable Ufficio" }

func (c *connectionDisable) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).SetActive(ctx, c.Name, false)
}

type connectionDefault struct {
	connectionName
	Mode string `help:"unrouted: for mail without a route; always: for all mail; no: for none." default:"unrouted" enum:"no,unrouted,always"`
}

// Help shows examples below the flags.
func (connectionDefault) Help() string {
	return `Examples:
  postino connection default Ufficio
  postino connection default Ufficio --mode always

Only one connection can be the default: making one takes it from the others.`
}

func (c *connectionDefault) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).SetDefault(ctx, c.Name, c.Mode)
}

type connectionResume struct{ connectionName }

// Help shows examples below the flags.
func (connectionResume) Help() string {
	return "Example:\n  postino connection resume Ufficio   # after the credential was put right"
}

func (c *connectionResume) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Resume(ctx, c.Name)
}
