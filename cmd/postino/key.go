package main

import (
	"context"
	"time"

	"github.com/postino-mail/postino/internal/app"
)

type keyCommand struct {
	Add    keyAdd    `cmd:"" help:"Make a key of the HTTP API and print it, once."`
	List   keyList   `cmd:"" help:"List the keys, without showing them."`
	Revoke keyRevoke `cmd:"" help:"End a key."`
}

// keyFlags are common to all commands on keys.
type keyFlags struct {
	storeFlags
	JSON bool `help:"Print JSON." name:"json"`
}

func (f keyFlags) jobs(std stdio, cli *commands) app.KeyCommands {
	return app.KeyCommands{Storage: f.storage(), JSON: f.JSON, Language: cli.language(), Stdin: std.in, Stdout: std.out}
}

type keyAdd struct {
	keyFlags
	Name     string       `arg:"" optional:"" help:"What the key is for; without any of the flags, on a terminal: asked for."`
	Client   string       `help:"Client that the key is for: the key sends as that client, and sees its messages alone." placeholder:"NAME"`
	Person   string       `help:"Person that the key is for: it may what they may, and ends with them." placeholder:"ADDRESS"`
	Scope    []string     `help:"What it may do, once for each; without --client and --scope: admin, everything." placeholder:"SCOPE"`
	Lifetime app.Duration `help:"How long it lives; 0: until it is revoked." placeholder:"30d"`
}

// Help shows examples below the flags.
func (keyAdd) Help() string {
	return `Examples:
  postino key add                                       # asks
  postino key add "web shop" --client shop              # may send, and see what it sent
  postino key add monitoring --scope messages:read --scope connections:read
  postino key add laptop --person anna@contoso.it        # may what Anna may
  postino key add "my laptop" --lifetime 30d            # the administrator's

Scopes: messages:send, messages:read, events:read (these three alone for a client's key),
connections:read, connections:write, clients:write, admin.

Give it as "Authorization: Bearer pk_…". It is printed once; only its hash is kept.`
}

func (c *keyAdd) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Add(ctx, app.NewKey{Name: c.Name, Client: c.Client, Person: c.Person,
		Scopes: c.Scope, Lifetime: time.Duration(c.Lifetime)})
}

type keyList struct {
	keyFlags
	Client string `help:"Of this client." placeholder:"NAME"`
	Person string `help:"Of this person." placeholder:"ADDRESS"`
}

// Help shows examples below the flags.
func (keyList) Help() string {
	return "Examples:\n  postino key list\n  postino key list --client shop --json"
}

func (c *keyList) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).List(ctx, c.Client, c.Person)
}

type keyRevoke struct {
	keyFlags
	Name string `arg:"" help:"Id of the key, or its name."`
}

// Help shows examples below the flags.
func (keyRevoke) Help() string {
	return "Examples:\n  postino key revoke 06h26zxkmny0s4j3ggrw4ttetw\n  postino key revoke \"web shop\"\n\nRunning servers refuse it " +
		"within a second."
}

func (c *keyRevoke) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Revoke(ctx, c.Name)
}
