package main

import (
	"context"
	"time"

	"github.com/postino-mail/postino/internal/app"
)

type queueCommand struct {
	List    queueList    `cmd:"" aliases:"find" help:"List deliveries, newest first, or those that a search finds."`
	Show    queueShow    `cmd:"" help:"Show one delivery with every attempt."`
	Retry   queueRetry   `cmd:"" help:"Send again now, also what has failed."`
	Cancel  queueCancel  `cmd:"" help:"Give up what has not left."`
	Hold    queueHold    `cmd:"" help:"Keep from being sent until released."`
	Release queueRelease `cmd:"" help:"Let go what was held."`
	Stats   queueStats   `cmd:"" help:"The queue in numbers."`
	History queueHistory `cmd:"" help:"What happened by the hour: sent, waiting, held, failed."`
	Lanes   queueLanes   `cmd:"" help:"The mailboxes with their limits: what waits, the day's recipients, pauses."`
	Export  queueExport  `cmd:"" help:"Write messages and their records as files, or print a list of them."`
}

// queueFlags are common to all commands on the queue.
type queueFlags struct {
	storeFlags
	JSON bool `help:"Print JSON." name:"json"`
}

func (f queueFlags) format() app.Format {
	if f.JSON {
		return app.JSON
	}
	return app.Text
}

func (f queueFlags) jobs(std stdio, cli *commands) app.QueueCommands {
	return app.QueueCommands{Storage: f.storage(), Format: f.format(), Language: cli.language(), Stdout: std.out}
}

// filterFlags choose deliveries.
type filterFlags struct {
	State      []string     `help:"queued, unverified, sending, held, sent, failed, expired, cancelled." placeholder:"STATE"`
	Connection string       `help:"Of this connection." placeholder:"NAME"`
	Client     string       `help:"Of this client." placeholder:"NAME"`
	From       string       `help:"From this sender." placeholder:"ADDRESS"`
	To         string       `help:"To a recipient with an address, or a word of it, that begins with this." placeholder:"TEXT"`
	MessageID  string       `help:"With this Message-ID." placeholder:"<ID>"`
	Tag        string       `help:"With this tag." placeholder:"TAG"`
	Since      app.Duration `help:"Not older than this: 90m, 24h, 7d." placeholder:"24h"`
	Query      string       `help:"That this search finds; see queue list --help." short:"q" placeholder:"QUERY"`
}

func (f filterFlags) filter() app.QueueFilter {
	return app.QueueFilter{States: f.State, Connection: f.Connection, Client: f.Client, From: f.From, To: f.To, MessageID: f.MessageID,
		Tag: f.Tag, Since: time.Duration(f.Since), Query: f.Query}
}

type queueList struct {
	queueFlags
	filterFlags
	Search  []string `arg:"" optional:"" name:"query" help:"What to look for; see below."`
	Refused bool     `help:"Only those that some recipient was refused of."`
	JSONL   bool     `help:"Print JSON, one delivery a line." name:"jsonl"`
	Limit   int      `help:"At most so many; 0: all." default:"50"`
}

// Help shows examples below the flags.
func (queueList) Help() string {
	return `Examples:
  postino queue list --state queued --state held
  postino queue list fattura to:@example.com after:7d
  postino queue find state:failed connection:"Ufficio Nord"
  postino queue list --to fabrikam --since 24h --json
  postino queue list --refused --since 7d     # also what went to the other recipients

A search has words and conditions; all must hold:
  word  word*  "two words"    in subject, names and addresses; word* is how it begins
  from:  to:                  an address, @example.com with its sub-domains, or a word of an address
  subject:  tag:              words of the subject; the tag
  state:                      queued, unverified, sending, held, sent, failed, expired, cancelled
  connection:  client:        by name or id
  id:                         of a message or a delivery, or a Message-ID
  after:  before:             2d, 12h, 2026-11-30, 2026-11-30T10:00, today, yesterday
A minus in front excludes: -- -subject:test`
}

func (c *queueList) Run(ctx context.Context, std stdio, cli *commands) error {
	f, jobs := c.filter(), c.jobs(std, cli)
	f.Refused, f.Words = c.Refused, c.Search
	if c.JSONL {
		jobs.Format = app.JSONL
	}
	return jobs.List(ctx, f, c.Limit)
}

type queueShow struct {
	queueFlags
	ID string `arg:"" help:"Id of the delivery."`
}

// Help shows examples below the flags.
func (queueShow) Help() string { return "Example:\n  postino queue show 01ka8z…" }

func (c *queueShow) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Show(ctx, c.ID)
}

// actFlags choose what a verb is applied to.
type actFlags struct {
	queueFlags
	filterFlags
	ID  []string `arg:"" optional:"" help:"Ids of deliveries."`
	All bool     `help:"Everything that the filter chooses; a filter must be given."`
}

func (c *actFlags) act(ctx context.Context, std stdio, cli *commands, v string) error {
	return c.jobs(std, cli).Act(ctx, v, c.ID, c.filter(), c.All)
}

type queueRetry struct{ actFlags }

// Help shows examples below the flags.
func (queueRetry) Help() string {
	return `Examples:
  postino queue retry 01ka8z…
  postino queue retry --all --state failed --since 24h
  postino queue retry --all --connection Ufficio

Without --state, --all takes what is queued, failed or expired alone. What was cancelled or
held, or may have been sent already, goes out again only where its
id or its --state is given: look into the mailbox's Sent folder first. Recipients that have
it already do not get it again.`
}

func (c *queueRetry) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.act(ctx, std, cli, "retry")
}

type queueCancel struct{ actFlags }

// Help shows examples below the flags.
func (queueCancel) Help() string {
	return `Examples:
  postino queue cancel 01ka8z…
  postino queue cancel --all --tag newsletter

What is sent, or being sent at this moment, cannot be cancelled. No one is notified.`
}

func (c *queueCancel) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.act(ctx, std, cli, "cancel")
}

type queueHold struct{ actFlags }

// Help shows examples below the flags.
func (queueHold) Help() string {
	return `Examples:
  postino queue hold --all --connection Ufficio
  postino queue hold --all --state queued     # all that waits

Held mail waits until release lets it go, for as long as that takes; its sender is told of
the delay as usual.`
}

func (c *queueHold) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.act(ctx, std, cli, "hold")
}

type queueRelease struct{ actFlags }

// Help shows examples below the flags.
func (queueRelease) Help() string {
	return `Examples:
  postino queue release 01ka8z…
  postino queue release --all --connection Ufficio
  postino queue release --all --state held     # all that is held

That takes too what waits for a person because it may have been sent: the provider is asked
about it first, and where it cannot say, the connection's on_unknown decides.`
}

func (c *queueRelease) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.act(ctx, std, cli, "release")
}

type queueStats struct{ queueFlags }

// Help shows examples below the flags.
func (queueStats) Help() string { return "Example:\n  postino queue stats --json" }

func (c *queueStats) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Stats(ctx)
}

type queueHistory struct {
	queueFlags
	Hours      int    `help:"How many hours, the one that runs included; at most 2160." default:"24"`
	Connection string `help:"Of this connection; else of all." placeholder:"NAME"`
}

// Help shows examples below the flags.
func (queueHistory) Help() string {
	return `Examples:
  postino queue history
  postino queue history --hours 168 --connection Ufficio --json

WAITING is what waited at the end of the hour. DELAYED and THROTTLED count attempts that failed
for now, or that the provider put off; the other columns count messages. Hours are kept for 90 days.`
}

func (c *queueHistory) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).History(ctx, min(max(c.Hours, 1), 2160), c.Connection)
}

type queueLanes struct{ queueFlags }

// Help shows examples below the flags.
func (queueLanes) Help() string {
	return "Example:\n  postino queue lanes\n\nA lane is everything that shares one mailbox's limits. connection resume ends its pauses."
}

func (c *queueLanes) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Lanes(ctx)
}

type queueExport struct {
	queueFlags
	filterFlags
	Dir    string `help:"Folder to write messages and records into." type:"path" placeholder:"DIR"`
	Format string `help:"List to print in place of that: csv or jsonl." placeholder:"FORMAT"`
}

// Help shows examples below the flags.
func (queueExport) Help() string {
	return `Examples:
  postino queue export --state failed --since 7d --dir ./failed
  postino queue export --state failed --since 7d --format csv > failed.csv

--dir writes ID.eml and ID.json for each delivery; --format prints one row for each.`
}

func (c *queueExport) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Export(ctx, c.filter(), c.Dir, c.Format)
}
