package main

import (
	"context"
	"time"

	"github.com/postino-mail/postino/internal/app"
)

type peopleCommand struct {
	Add      peopleAdd      `cmd:"" help:"Add a person and print a link by which they choose a password."`
	List     peopleList     `cmd:"" help:"List the people."`
	Show     peopleShow     `cmd:"" help:"Show one person."`
	Disable  peopleDisable  `cmd:"" help:"Keep a person from signing in; ends their sessions."`
	Enable   peopleEnable   `cmd:"" help:"Let a disabled person sign in again."`
	Role     peopleRole     `cmd:"" help:"Make a person an administrator or an operator."`
	Invite   peopleInvite   `cmd:"" help:"Print a link to choose a new password, good once and for a day."`
	Remove   peopleRemove   `cmd:"" help:"Remove a person with their sessions and keys."`
	Password peoplePassword `cmd:"" help:"Set a person's password; ends their sessions."`
	Unlink   peopleUnlink   `cmd:"" help:"Unlink a person's account at the identity provider; ends their sessions."`
	Sessions peopleSessions `cmd:"" help:"List a person's sessions, or end them."`
	Audit    peopleAudit    `cmd:"" help:"List the audit trail: who changed what, when and from where."`
}

// peopleFlags are common to all commands on people.
type peopleFlags struct {
	storeFlags
	JSON bool `help:"Print JSON." name:"json"`
}

func (f peopleFlags) jobs(std stdio, cli *commands) app.PeopleCommands {
	k := app.PeopleCommands{Storage: f.storage(), Language: cli.language(), Stdin: std.in, Stdout: std.out}
	if f.JSON {
		k.Format = app.JSON
	}
	return k
}

type peopleAdd struct {
	peopleFlags
	Email        string `arg:"" help:"Address with which they sign in."`
	Name         string `help:"Their name."`
	Role         string `help:"admin: everything; operator: the connections that they own." enum:"admin,operator" default:"operator"`
	Language     string `help:"Language in which they are addressed: en or it." placeholder:"LANG"`
	PasswordFile string `help:"File with their password (-: standard input); without it a link is printed." placeholder:"FILE"`
	URL          string `help:"Address of the server, for the link; absent: as noted at its last start." name:"url" placeholder:"URL"`
}

// Help shows examples below the flags.
func (peopleAdd) Help() string {
	return `Examples:
  postino people add anna@contoso.it --name "Anna Rossi" --role admin
  postino people add bruno@contoso.it --url https://mail.contoso.it

The link is printed once, and is good once and for a day. 'postino people password' sets a password
without it.`
}

func (c *peopleAdd) Run(ctx context.Context, std stdio, cli *commands) error {
	k := c.jobs(std, cli)
	k.URL = c.URL
	return k.Add(ctx, app.NewPerson{Email: c.Email, Name: c.Name, Language: c.Language, Role: c.Role, PasswordFile: c.PasswordFile})
}

type peopleList struct{ peopleFlags }

// Help shows examples below the flags.
func (peopleList) Help() string { return "Example:\n  postino people list --json" }

func (c *peopleList) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).List(ctx)
}

// onePerson are the flags of commands on one person.
type onePerson struct {
	peopleFlags
	Person string `arg:"" help:"Address or id of the person."`
}

type peopleShow struct{ onePerson }

// Help shows examples below the flags.
func (peopleShow) Help() string { return "Example:\n  postino people show anna@contoso.it" }

func (c *peopleShow) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Show(ctx, c.Person)
}

type peopleDisable struct{ onePerson }

// Help shows examples below the flags.
func (peopleDisable) Help() string {
	return "Example:\n  postino people disable bruno@contoso.it\n\nTheir sessions end and their keys are refused within 200 milliseconds. " +
		"The last active administrator cannot be disabled."
}

func (c *peopleDisable) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Disable(ctx, c.Person)
}

type peopleEnable struct{ onePerson }

// Help shows examples below the flags.
func (peopleEnable) Help() string { return "Example:\n  postino people enable bruno@contoso.it" }

func (c *peopleEnable) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Enable(ctx, c.Person)
}

type peopleRole struct {
	onePerson
	Role string `arg:"" help:"admin or operator." enum:"admin,operator"`
}

// Help shows examples below the flags.
func (peopleRole) Help() string { return "Example:\n  postino people role bruno@contoso.it admin" }

func (c *peopleRole) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Role(ctx, c.Person, c.Role)
}

type peopleInvite struct {
	onePerson
	URL string `help:"Address of the server, for the link; absent: as noted at its last start." name:"url" placeholder:"URL"`
}

// Help shows examples below the flags.
func (peopleInvite) Help() string {
	return "Example:\n  postino people invite bruno@contoso.it --url https://mail.contoso.it\n\nLinks made for them before are void."
}

func (c *peopleInvite) Run(ctx context.Context, std stdio, cli *commands) error {
	k := c.jobs(std, cli)
	k.URL = c.URL
	return k.Invite(ctx, c.Person)
}

type peopleRemove struct{ onePerson }

// Help shows examples below the flags.
func (peopleRemove) Help() string {
	return "Example:\n  postino people remove bruno@contoso.it\n\nTheir connections stay, and are the administrators'."
}

func (c *peopleRemove) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Remove(ctx, c.Person)
}

type peopleUnlink struct{ onePerson }

// Help shows examples below the flags.
func (peopleUnlink) Help() string {
	return "Example:\n  postino people unlink bruno@contoso.it\n\nThey sign in by password or passkey, or link an account again under " +
		"Settings. Who has neither needs an invitation\n(postino people invite)."
}

func (c *peopleUnlink) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Unlink(ctx, c.Person)
}

type peoplePassword struct {
	onePerson
	PasswordFile string `help:"File with the password (-: standard input); without it the terminal is asked." placeholder:"FILE"`
}

// Help shows examples below the flags.
func (peoplePassword) Help() string {
	return "Examples:\n  postino people password anna@contoso.it\n  postino people password anna@contoso.it --password-file - < password.txt"
}

func (c *peoplePassword) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Password(ctx, c.Person, c.PasswordFile)
}

type peopleSessions struct {
	onePerson
	End bool `help:"End them all."`
}

// Help shows examples below the flags.
func (peopleSessions) Help() string {
	return "Examples:\n  postino people sessions anna@contoso.it\n  postino people sessions anna@contoso.it --end"
}

func (c *peopleSessions) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Sessions(ctx, c.Person, c.End)
}

type peopleAudit struct {
	peopleFlags
	Since  app.Duration `help:"Not older than this: 90m, 24h, 7d." placeholder:"24h"`
	Person string       `help:"What this person did, also by their keys." placeholder:"ADDRESS"`
	Kind   string       `help:"Of this kind of object, such as connection or person." placeholder:"KIND"`
	Object string       `help:"Of the object with this id." placeholder:"ID"`
	JSONL  bool         `help:"Print JSON, one entry a line." name:"jsonl"`
	CSV    bool         `help:"Print a table for spreadsheets." name:"csv"`
	Limit  int          `help:"At most so many; 0: all." default:"50"`
}

// Help shows examples below the flags.
func (peopleAudit) Help() string {
	return `Examples:
  postino people audit --since 7d
  postino people audit --person anna@contoso.it --kind connection
  postino people audit --limit 0 --csv > audit.csv

A secret is never in it.`
}

func (c *peopleAudit) Run(ctx context.Context, std stdio, cli *commands) error {
	k := c.jobs(std, cli)
	switch {
	case c.JSONL:
		k.Format = app.JSONL
	case c.CSV:
		k.Format = app.CSV
	}
	return k.Audit(ctx, app.AuditChoice{Since: time.Duration(c.Since), Person: c.Person, Kind: c.Kind, Object: c.Object, Limit: c.Limit})
}
