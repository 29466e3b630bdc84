package main

import (
	"context"
	"os"
	"time"

	"github.com/postino-mail/postino/internal/app"
)

type webhookCommand struct {
	Add        webhookAdd        `cmd:"" help:"Add a webhook: by flags or by questions."`
	List       webhookList       `cmd:"" help:"List the webhooks."`
	Edit       webhookEdit       `cmd:"" help:"Change one, or activate it again."`
	Remove     webhookRemove     `cmd:"" help:"Remove one."`
	Rotate     webhookRotate     `cmd:"" help:"Give one a new secret."`
	Test       webhookTest       `cmd:"" help:"Send one a test event, and show what its receiver answers."`
	Deliveries webhookDeliveries `cmd:"" help:"Show the last calls of one, and how much waits."`
	Replay     webhookReplay     `cmd:"" help:"Send one events again."`
}

// webhookFlags are common to all commands on webhooks.
type webhookFlags struct {
	storeFlags
	JSON bool `help:"Print JSON." name:"json"`
}

func (f webhookFlags) jobs(std stdio, cli *commands) app.WebhookCommands {
	return app.WebhookCommands{Storage: f.storage(), JSON: f.JSON, Language: cli.language(), Getenv: os.Getenv, Stdin: std.in,
		Stdout: std.out}
}

// receiverFlags are of commands that look at a receiver's address.
type receiverFlags struct {
	Config string `help:"Configuration of the server, for its webhook networks." env:"POSTINO_CONFIG" placeholder:"FILE" type:"existingfile"`
}

func (f receiverFlags) jobs(k app.WebhookCommands) app.WebhookCommands {
	k.Config = f.Config
	return k
}

// webhookID is the argument of commands on one webhook.
type webhookID struct {
	webhookFlags
	ID string `arg:"" help:"Id of the webhook, or the beginning of it."`
}

type webhookAdd struct {
	webhookFlags
	receiverFlags
	URL      string   `arg:"" optional:"" help:"Address that the events are sent to."`
	Type     []string `help:"Type of events, such as delivery.failed, once for each (default: all)." placeholder:"TYPE"`
	Client   string   `help:"Only the events of this client." placeholder:"NAME"`
	Person   string   `help:"Only those of the connections that this operator owns." placeholder:"ADDRESS"`
	Inactive bool     `help:"Send nothing yet."`
}

// Help shows examples below the flags.
func (webhookAdd) Help() string {
	return `Examples:
  postino webhook add                                       # asks
  postino webhook add https://erp.contoso.it/hooks/postino --type delivery.failed --type delivery.sent
  postino webhook add http://10.0.0.7:8080/hook --config /etc/postino/postino.toml

Events are signed as Standard Webhooks asks. The secret is printed once.`
}

func (c *webhookAdd) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.receiverFlags.jobs(c.webhookFlags.jobs(std, cli)).Add(ctx, app.NewWebhook{URL: c.URL, Types: c.Type, Client: c.Client,
		Person: c.Person, Inactive: c.Inactive})
}

type webhookList struct {
	webhookFlags
	Person string `help:"Only those of this operator." placeholder:"ADDRESS"`
}

// Help shows examples below the flags.
func (webhookList) Help() string { return "Example:\n  postino webhook list" }

func (c *webhookList) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).List(ctx, c.Person)
}

type webhookEdit struct {
	webhookID
	receiverFlags
	URL      *string  `help:"New address." placeholder:"URL"`
	Type     []string `help:"Type of events, once for each; 'all' for all of them." placeholder:"TYPE"`
	Activate bool     `help:"Send what waits, from now on." xor:"active"`
	Pause    bool     `help:"Send nothing; events are kept as long as all others." xor:"active"`
}

// Help shows examples below the flags.
func (webhookEdit) Help() string {
	return `Examples:
  postino webhook edit 06h26zxk --type delivery.failed
  postino webhook edit 06h26zxk --activate      # after the receiver works again
  postino webhook edit 06h26zxk                 # asks`
}

func (c *webhookEdit) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.receiverFlags.jobs(c.webhookFlags.jobs(std, cli)).Edit(ctx, c.ID, app.WebhookChanges{URL: c.URL, Types: c.Type,
		Activate: c.Activate, Pause: c.Pause})
}

type webhookRemove struct{ webhookID }

// Help shows examples below the flags.
func (webhookRemove) Help() string { return "Example:\n  postino webhook remove 06h26zxk" }

func (c *webhookRemove) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Remove(ctx, c.ID)
}

type webhookRotate struct{ webhookID }

// Help shows examples below the flags.
func (webhookRotate) Help() string {
	return "Example:\n  postino webhook rotate 06h26zxk\n\nThe old secret ends at once."
}

func (c *webhookRotate) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Rotate(ctx, c.ID)
}

type webhookTest struct {
	webhookID
	receiverFlags
}

// Help shows examples below the flags.
func (webhookTest) Help() string {
	return "Example:\n  postino webhook test 06h26zxk\n\nThe event has the type webhook.test and is signed as every other one. Exit code 1 " +
		"where the receiver\ndoes not confirm."
}

func (c *webhookTest) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.receiverFlags.jobs(c.webhookFlags.jobs(std, cli)).Test(ctx, c.ID)
}

type webhookDeliveries struct{ webhookID }

// Help shows examples below the flags.
func (webhookDeliveries) Help() string { return "Example:\n  postino webhook deliveries 06h26zxk" }

func (c *webhookDeliveries) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Deliveries(ctx, c.ID)
}

type webhookReplay struct {
	webhookID
	After *int64       `help:"Every event after this one (its seq); 0: all that are kept." placeholder:"SEQ" xor:"from"`
	Since app.Duration `help:"Every event of the last hours or days." placeholder:"2h" xor:"from"`
}

// Help shows examples below the flags.
func (webhookReplay) Help() string {
	return "Examples:\n  postino webhook replay 06h26zxk --since 2h\n  postino webhook replay 06h26zxk --after 4711\n\nAn event has the " +
		"same webhook-id as before, by which receivers know it again."
}

func (c *webhookReplay) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Replay(ctx, c.ID, c.After, time.Duration(c.Since))
}
