package main

import (
	"context"
	"time"

	"github.com/postino-mail/postino/internal/app"
	"github.com/postino-mail/postino/internal/connections"
)

// storeFlags are where the store is.
type storeFlags struct {
	Data     string `help:"Folder of the store." default:"postino-data" env:"POSTINO_DATA" type:"path" placeholder:"DIR"`
	Database string `help:"PostgreSQL in place of the embedded store." env:"POSTINO_DATABASE" placeholder:"URL"`
}

func (f storeFlags) storage() app.Storage { return app.Storage{Data: f.Data, Database: f.Database} }

type connectionCommand struct {
	Add       connectionAdd       `cmd:"" help:"Add a connection: by flags, from a JSON file, or by questions."`
	List      connectionList      `cmd:"" help:"List the connections."`
	Show      connectionShow      `cmd:"" help:"Show one as JSON, without its secrets."`
	Edit      connectionEdit      `cmd:"" help:"Change one: by flags, with a JSON merge patch, or in an editor."`
	Rename    connectionRename    `cmd:"" help:"Give one another name; fallbacks follow."`
	Duplicate connectionDuplicate `cmd:"" help:"Make a copy under another name."`
	Owner     connectionOwner     `cmd:"" help:"Set the owner of one."`
	Remove    connectionRemove    `cmd:"" help:"Remove one that no unfinished message needs, or move its mail first."`
	Move      connectionMove      `cmd:"" help:"Give what waits on one to another."`
	Enable    connectionEnable    `cmd:"" help:"Switch one on."`
	Disable   connectionDisable   `cmd:"" help:"Switch one off: its mail waits."`
	Default   connectionDefault   `cmd:"" help:"Make one the default."`
	Resume    connectionResume    `cmd:"" help:"End its pauses and close the breaker."`

	Route   connectionRoute   `cmd:"" help:"Say which connection a message would take, and why."`
	Export  connectionExport  `cmd:"" help:"Write them as JSON or CSV, secrets left out or sealed."`
	Import  connectionImport  `cmd:"" help:"Add and change connections from a file, with a plan shown first."`
	Apply   connectionApply   `cmd:"" help:"Make the connections those of a file or folder, with a plan shown first."`
	Presets connectionPresets `cmd:"" help:"List the providers that are known by name."`
	Detect  connectionDetect  `cmd:"" help:"Find the provider of an address."`
	Test    connectionTest    `cmd:"" help:"Test one stage by stage: name, TLS, token, mailbox, sender, a real message."`
	Migrate connectionMigrate `cmd:"" help:"Have a new connection to Graph or Gmail take one's place, or take that back."`

	Certificate connectionCertificate `cmd:"" help:"Certificates that postino makes for Microsoft 365."`
	Script      connectionScript      `cmd:"" help:"Print the commands that allow a connection to send."`
}

// connectionFlags are common to all commands on connections.
type connectionFlags struct {
	storeFlags
	JSON bool `help:"Print JSON." name:"json"`
}

func (f connectionFlags) jobs(std stdio, cli *commands) app.ConnectionCommands {
	return app.ConnectionCommands{Storage: f.storage(), JSON: f.JSON, Language: cli.language(), Stdin: std.in, Stdout: std.out}
}

// waitFlag is of commands that change how mail goes out.
type waitFlag struct {
	Wait time.Duration `help:"How long to wait for messages that are being handed over; 0: not at all." default:"10s"`
}

// jobs adds the wait to those of other flags.
func (f waitFlag) jobs(k app.ConnectionCommands) app.ConnectionCommands {
	if k.Wait = f.Wait; f.Wait <= 0 {
		k.Wait = -1
	}
	return k
}

type connectionAdd struct {
	connectionFlags
	settingFlags
	Name string `arg:"" optional:"" help:"Name of the connection."`
}

// Help shows examples below the flags.
func (connectionAdd) Help() string {
	return `Examples:
  postino connection add                        # asks
  postino connection add Aruba --from shop@contoso.it --host smtps.aruba.it --port 465 --login shop@contoso.it --secret-prompt
  postino connection add Ufficio --from erp@contoso.it --tenant contoso.it --client-id ID --secret-file secret.txt
  postino connection add --file ufficio.json
  postino connection add --data /var/lib/postino --file - < ufficio.json

A secret never stands on the command line. It is sealed when it is stored and never shown again.`
}

func (c *connectionAdd) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Add(ctx, c.Name, c.changes())
}

type connectionList struct {
	connectionFlags
	Search   string `help:"A part of name, address, host, tenant, login or owner." placeholder:"TEXT"`
	Provider string `help:"graph, gmail or smtp." placeholder:"P"`
	Owner    string `help:"Only those of this owner." placeholder:"PERSON"`
	State    string `help:"ok, off, paused or closed (a secret does not open)." placeholder:"STATE"`
}

// Help shows examples below the flags.
func (connectionList) Help() string {
	return "Examples:\n  postino connection list\n  postino connection list --search contoso --state paused\n  postino connection list --json"
}

func (c *connectionList) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).List(ctx, connections.Query{Search: c.Search, Provider: c.Provider, Owner: c.Owner, State: c.State})
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
	settingFlags
	waitFlag
}

// Help shows examples below the flags.
func (connectionEdit) Help() string {
	return `Examples:
  postino connection edit Ufficio --per-minute 20 --fallback Aruba
  postino connection edit Aruba --host smtp.example.com --secret-prompt
  echo '{"limits":{"per_minute":20},"fallback":["Aruba"]}' | postino connection edit Ufficio --file -
  EDITOR=nano postino connection edit Ufficio   # the whole JSON, in an editor

A file is a JSON merge patch (RFC 7396): members that are left out stay, null removes, secrets stay unless given.
Whoever changes server, login or mailbox gives the secret again in the same command. The answer comes when no message
goes out by the settings of before any more.`
}

func (c *connectionEdit) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.waitFlag.jobs(c.connectionFlags.jobs(std, cli)).Edit(ctx, c.Name, c.changes())
}

type connectionRename struct {
	connectionName
	To string `arg:"" help:"New name."`
}

// Help shows examples below the flags.
func (connectionRename) Help() string {
	return "Example:\n  postino connection rename Ufficio 'Ufficio Milano'"
}

func (c *connectionRename) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Rename(ctx, c.Name, c.To)
}

type connectionDuplicate struct {
	connectionName
	To string `arg:"" help:"Name of the copy."`
	settingFlags
}

// Help shows examples below the flags.
func (connectionDuplicate) Help() string {
	return `Examples:
  postino connection duplicate Ufficio Magazzino --from magazzino@contoso.it
  postino connection duplicate Aruba Prova --host smtp.example.com --secret-prompt

The copy is switched off until it is enabled. It has the secret of the first one only where it goes to the same server,
account and mailbox; else the secret is given again.`
}

func (c *connectionDuplicate) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Duplicate(ctx, c.Name, c.To, c.changes())
}

type connectionOwner struct {
	connectionName
	Owner string `arg:"" optional:"" help:"Address of the person; left out: no one."`
}

// Help shows examples below the flags.
func (connectionOwner) Help() string {
	return "Example:\n  postino connection owner Ufficio anna@contoso.it"
}

func (c *connectionOwner) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).SetOwner(ctx, c.Name, c.Owner)
}

type connectionRemove struct {
	connectionName
	waitFlag
	MoveTo string `help:"Connection that takes what waits, and the place in fallbacks and with clients." placeholder:"NAME"`
}

// Help shows examples below the flags.
func (connectionRemove) Help() string {
	return `Examples:
  postino connection remove Vecchia
  postino connection remove Vecchia --move-to Nuova

Refused while mail waits, unless it is moved. What is being sent, or may have been sent, is never moved: it ends, or is
verified, where it is.`
}

func (c *connectionRemove) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.waitFlag.jobs(c.connectionFlags.jobs(std, cli)).Remove(ctx, c.Name, c.MoveTo)
}

type connectionMove struct {
	connectionName
	To string `arg:"" help:"Connection that takes what waits."`
}

// Help shows examples below the flags.
func (connectionMove) Help() string { return "Example:\n  postino connection move Vecchia Nuova" }

func (c *connectionMove) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Move(ctx, c.Name, c.To)
}

type connectionEnable struct {
	connectionName
	waitFlag
}

// Help shows examples below the flags.
func (connectionEnable) Help() string { return "Example:\n  postino connection enable Ufficio" }

func (c *connectionEnable) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.waitFlag.jobs(c.connectionFlags.jobs(std, cli)).SetActive(ctx, c.Name, true)
}

type connectionDisable struct {
	connectionName
	waitFlag
}

// Help shows examples below the flags.
func (connectionDisable) Help() string { return "Example:\n  postino connection disable Ufficio" }

func (c *connectionDisable) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.waitFlag.jobs(c.connectionFlags.jobs(std, cli)).SetActive(ctx, c.Name, false)
}

type connectionDefault struct {
	connectionName
	waitFlag
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
	return c.waitFlag.jobs(c.connectionFlags.jobs(std, cli)).SetDefault(ctx, c.Name, c.Mode)
}

type connectionResume struct{ connectionName }

// Help shows examples below the flags.
func (connectionResume) Help() string {
	return "Example:\n  postino connection resume Ufficio   # after the credential was put right"
}

func (c *connectionResume) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Resume(ctx, c.Name)
}
