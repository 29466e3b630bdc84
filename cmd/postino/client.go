package main

import (
	"context"
	"time"

	"github.com/postino-mail/postino/internal/app"
)

type clientCommand struct {
	Add      clientAdd      `cmd:"" help:"Add a program or device that may submit."`
	List     clientList     `cmd:"" help:"List the clients."`
	Show     clientShow     `cmd:"" help:"Show a client, and when it was used and refused the last time."`
	Remove   clientRemove   `cmd:"" help:"Remove a client and its keys."`
	Rotate   clientRotate   `cmd:"" help:"Make a new secret for a client."`
	Programs clientPrograms `cmd:"" help:"List the programs that submit, and whether they will still send."`
	Key      clientKey      `cmd:"" hidden:"" help:"The same as 'postino key add'."`
}

// clientFlags are common to all commands on clients.
type clientFlags struct {
	storeFlags
	JSON bool `help:"Print JSON." name:"json"`
}

func (f clientFlags) jobs(std stdio, cli *commands) app.ClientCommands {
	return app.ClientCommands{Storage: f.storage(), JSON: f.JSON, Language: cli.language(), Stdin: std.in, Stdout: std.out}
}

type clientAdd struct {
	clientFlags
	Name       string   `arg:"" optional:"" help:"Login of the client; without it, on a terminal: asked for."`
	Network    []string `help:"Address range that it is known by, once for each." placeholder:"CIDR"`
	Sender     []string `help:"Sender it may use: an address or *@domain." placeholder:"ADDRESS"`
	Allow      []string `help:"Connection it may use (default: any)." placeholder:"NAME"`
	Connection string   `help:"Its own connection, where nothing else decides." placeholder:"NAME"`
	PerMinute  int      `help:"Submissions a minute; 0: no limit." placeholder:"N"`
	Class      string   `help:"Class of its messages: transactional or bulk." placeholder:"CLASS"`
	NoNotify   bool     `help:"Send no notifications of failed deliveries."`
	NoSecret   bool     `help:"Make no secret: the networks alone say who it is."`

	ResubmitMinutes *int `help:"Minutes in which the same message again gets the first one's id (default: 60; 0: never)." placeholder:"N"`
}

// Help shows examples below the flags.
func (clientAdd) Help() string {
	return `Examples:
  postino client add                            # asks
  postino client add erp --sender '*@contoso.it'
  postino client add scanner --network 192.168.1.40 --no-secret --sender scanner@contoso.it

The secret is printed once; only its hash is kept.`
}

func (c *clientAdd) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Add(ctx, app.NewClient{Name: c.Name, Networks: c.Network, Senders: c.Sender, Connections: c.Allow,
		Connection: c.Connection,
		PerMinute:  c.PerMinute, Class: c.Class, NotifyOff: c.NoNotify, NoSecret: c.NoSecret,
		ResubmitMinutes: c.ResubmitMinutes})
}

type clientList struct{ clientFlags }

// Help shows examples below the flags.
func (clientList) Help() string { return "Example:\n  postino client list --json" }

func (c *clientList) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).List(ctx)
}

type clientShow struct {
	clientFlags
	Name string `arg:"" help:"Login of the client."`
}

// Help shows examples below the flags.
func (clientShow) Help() string { return "Example:\n  postino client show erp" }

func (c *clientShow) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Show(ctx, c.Name)
}

type clientRemove struct {
	clientFlags
	Name string `arg:"" help:"Login of the client."`
}

// Help shows examples below the flags.
func (clientRemove) Help() string { return "Example:\n  postino client remove scanner" }

func (c *clientRemove) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Remove(ctx, c.Name)
}

type clientRotate struct {
	clientFlags
	Name string `arg:"" help:"Login of the client."`
}

// Help shows examples below the flags.
func (clientRotate) Help() string { return "Example:\n  postino client rotate erp" }

func (c *clientRotate) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Rotate(ctx, c.Name)
}

type clientKey struct {
	clientFlags
	Name     string       `arg:"" optional:"" help:"Login of the client; none: a key of the administrator."`
	Label    string       `help:"What the key is for." default:"command line"`
	Lifetime app.Duration `help:"How long it lives; 0: until it is revoked." placeholder:"30d"`
}

// Help shows examples below the flags.
func (clientKey) Help() string {
	return `Examples:
  postino client key erp
  postino client key --label "web page"      # the administrator's

Give it as "Authorization: Bearer pk_…". It is printed once; only its hash is kept.`
}

func (c *clientKey) Run(ctx context.Context, std stdio, cli *commands) error {
	return app.KeyCommands{Storage: c.storage(), JSON: c.JSON, Language: cli.language(), Stdout: std.out}.Add(ctx,
		app.NewKey{Name: c.Label, Client: c.Name, Lifetime: time.Duration(c.Lifetime)})
}
