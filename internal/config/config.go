// Package config reads the settings of the server from a TOML file, environment
// variables and the command line, the later ones overriding the earlier.
// Connections and clients are not settings: they live in the store.
package config

import (
	"errors"
	"math"
	"net/netip"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// A Config is everything that `postino serve` can be told.
type Config struct {
	Data     string `toml:"data"`     // folder of the embedded store and of the key
	Database string `toml:"database"` // postgres://…; empty: the embedded store
	Hostname string `toml:"hostname"` // name of this gateway: greeting, Message-IDs, notifications
	// Postmaster is whom RCPT TO:<postmaster> means, without a domain (RFC 5321 section 4.5.1); empty: it is refused.
	Postmaster string `toml:"postmaster"`
	// PostmasterMailbox is Postmaster as Validate has read it.
	PostmasterMailbox mime.Mailbox `toml:"-"`
	Node              string       `toml:"node"`    // name of this node among several; the host's when empty
	Workers           int          `toml:"workers"` // most deliveries in work at once

	Log       Log        `toml:"log"`
	HTTP      HTTP       `toml:"http"`
	SMTP      []Listener `toml:"smtp"`
	Limits    Limits     `toml:"limits"`
	Outbox    Outbox     `toml:"outbox"`
	Notify    Notify     `toml:"notify"`
	Retention Retention  `toml:"retention"`
	Pickup    Pickup     `toml:"pickup"`
	Maildrop  Maildrop   `toml:"maildrop"`
	Webhooks  Webhooks   `toml:"webhooks"`

	Connections Connections `toml:"connections"`
	Watch       Watch       `toml:"watch"`

	Warnings []string `toml:"-"` // what was asked for and has no effect
}

// Log is what is logged and how.
type Log struct {
	Level  string `toml:"level"`  // debug, info (default), warn, error
	Format string `toml:"format"` // text (default) or json
}

// Limits of submissions.
type Limits struct {
	MaxSize       Size     `toml:"max_size"`       // 150 MiB
	MaxRecipients int      `toml:"max_recipients"` // 10,000
	JoinWindow    Duration `toml:"join_window"`    // 2s; negative: never wait for siblings

	// Of the disk, for uploads under way.
	SpoolReserve   Size `toml:"spool_reserve"`    // free space that they leave; 256 MiB
	SpoolTotal     Size `toml:"spool_total"`      // of all; half of what is free beyond the reserve
	SpoolPerClient Size `toml:"spool_per_client"` // of one client or address; a quarter of the total

	// Of one client.
	Webhooks int `toml:"webhooks"` // 20
	Streams  int `toml:"streams"`  // event streams open at once; 10
	Keys     int `toml:"keys"`     // API keys that are valid; 50
}

// Outbox is the pace of sending.
type Outbox struct {
	Lease         Duration `toml:"lease"`
	RetryFirst    Duration `toml:"retry_first"`
	RetryMax      Duration `toml:"retry_max"`
	GiveUp        Duration `toml:"give_up"`
	VerifyAfter   Duration `toml:"verify_after"`
	Settle        Duration `toml:"settle"`
	FailoverAfter Duration `toml:"failover_after"`
	Grace         Duration `toml:"grace"`
}

// Notify is how senders are notified of failures.
type Notify struct {
	Off       bool     `toml:"off"`
	WarnAfter Duration `toml:"warn_after"` // 4h; negative: never
}

// Retention is how long what was finished is kept; 0 keeps it for ever.
type Retention struct {
	Bodies  Duration `toml:"bodies"`  // 30 days
	Records Duration `toml:"records"` // 400 days
	Events  Duration `toml:"events"`  // 30 days
	Audit   Duration `toml:"audit"`   // entries of the audit trail; 730 days
}

// Pickup is a folder that messages are dropped into.
type Pickup struct {
	Dir    string   `toml:"dir"`    // empty: none
	Client string   `toml:"client"` // name of the client that they count as
	Pause  Duration `toml:"pause"`  // a file is taken once it has not changed for this long; 2s
}

// Maildrop is the folder in which sendmail leaves messages while the server is
// down; POSTINO_MAILDROP names it.
type Maildrop struct {
	Client string `toml:"client"` // name of the client that they count as; empty: this machine
}

// Webhooks is where events may be sent besides the open Internet.
type Webhooks struct {
	Networks []string `toml:"networks"` // receivers here may be called, without TLS too; empty: none
}

// Prefixes are the Networks; a single address is a prefix of its own.
func (w *Webhooks) Prefixes() ([]netip.Prefix, error) { return ParsePrefixes(w.Networks) }

func (w *Webhooks) validate() error {
	list, err := w.Prefixes()
	if err != nil {
		return err
	}
	if Everyone(list) {
		return texterr.New(mime.NewText("config.webhook_networks_everyone",
			"networks are everyone: whoever may create a webhook could call any service inside; name the receivers"))
	}
	return nil
}

// Connections is what those who are no administrators may connect to.
type Connections struct {
	Networks []string `toml:"networks"` // servers here may be named by them too, besides public addresses; empty: none
}

// Prefixes are the Networks; a single address is a prefix of its own.
func (c *Connections) Prefixes() ([]netip.Prefix, error) { return ParsePrefixes(c.Networks) }

func (c *Connections) validate() error {
	list, err := c.Prefixes()
	if err == nil && Everyone(list) {
		err = texterr.New(mime.NewText("config.connection_networks_everyone",
			"networks are everyone: whoever may edit a connection could call any server inside; name the servers"))
	}
	return err
}

const maxDays = 100_000 // of a Duration: more nanoseconds than that do not fit

// A Duration is written as Go does, with days: "90s", "4h", "30d".
type Duration time.Duration

// UnmarshalText reads a Duration.
func (d *Duration) UnmarshalText(b []byte) error {
	s := string(b)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		if err != nil || !(math.Abs(n) < maxDays) { // NaN is not less either
			return texterr.New(notADuration(strconv.Quote(s)))
		}
		*d = Duration(n * 24 * float64(time.Hour))
		return nil
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return texterr.New(notADuration(strconv.Quote(s)))
	}
	*d = Duration(v)
	return nil
}

// A Size is bytes, with the units KiB, MiB and GiB.
type Size int64

// UnmarshalText reads a Size.
func (z *Size) UnmarshalText(b []byte) error {
	s := strings.TrimSpace(string(b))
	unit := int64(1)
	for suffix, n := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if rest, ok := strings.CutSuffix(s, suffix); ok {
			s, unit = strings.TrimSpace(rest), n
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return texterr.New(notASize(strconv.Quote(string(b))))
	}
	*z = Size(n * unit)
	return nil
}

// Default is the configuration of `postino serve` without anything.
func Default() Config {
	return Config{
		Data: "postino-data",
		HTTP: HTTP{Address: "127.0.0.1:8025"},
		SMTP: []Listener{{Address: "127.0.0.1:2525"}},
		Retention: Retention{Bodies: Duration(30 * 24 * time.Hour), Records: Duration(400 * 24 * time.Hour),
			Events: Duration(30 * 24 * time.Hour), Audit: Duration(730 * 24 * time.Hour)},
	}
}

// Load reads file over the default ("" reads none), then the environment.
// Unknown keys are errors: a misspelt limit must not be silently without effect.
func Load(file string, getenv func(string) string) (Config, error) {
	c, inFile := Default(), false
	if file != "" {
		own := c.SMTP
		c.SMTP = nil // listeners of the file replace the default one
		meta, err := toml.DecodeFile(file, &c)
		if err != nil {
			return c, texterr.Wrap(mime.NewText("config.unreadable", "the configuration cannot be read"), brackets(file, err))
		}
		if unknown := meta.Undecoded(); len(unknown) > 0 {
			return c, texterr.New(mime.NewText("config.unknown_setting", "{file}: unknown setting {setting}", "file", file, "setting",
				strconv.Quote(unknown[0].String())))
		}
		if inFile = meta.IsDefined("smtp"); !inFile {
			c.SMTP = own
		}
	}
	for name, dst := range map[string]*string{"POSTINO_DATA": &c.Data, "POSTINO_DATABASE": &c.Database, "POSTINO_HOSTNAME": &c.Hostname,
		"POSTINO_NODE": &c.Node, "POSTINO_HTTP": &c.HTTP.Address} {
		if v := getenv(name); v != "" {
			*dst = v
		}
	}
	if v := getenv("POSTINO_SMTP"); v != "" {
		if inFile { // it may be meant for sendmail, and listeners have policies
			c.Warnings = append(c.Warnings, "POSTINO_SMTP has no effect: the configuration file names the listeners")
		} else {
			c.SMTP = []Listener{{Address: v}}
		}
	}
	return c, nil
}

// brackets tells of tables written as lists, or the other way round, in words
// that say what to write; any other error stays as it is.
func brackets(file string, err error) error {
	var tree map[string]any
	if _, terr := toml.DecodeFile(file, &tree); terr != nil {
		return unreadable(err)
	}
	t := reflect.TypeFor[Config]()
	for i := range t.NumField() {
		name := t.Field(i).Tag.Get("toml")
		_, table := tree[name].(map[string]any)
		_, list := tree[name].([]map[string]any)
		switch kind := t.Field(i).Type.Kind(); {
		case table && kind == reflect.Slice:
			return texterr.New(mime.NewText("config.write_two_brackets",
				"there can be several {section}: write [[{section}]] with two brackets above each, in place of [{section}]", "section", name))
		case list && kind == reflect.Struct:
			return texterr.New(mime.NewText("config.write_one_bracket",
				"there is one {section}: write [{section}] with one bracket, in place of [[{section}]]", "section", name))
		}
	}
	return unreadable(err)
}

// Validate fills in host names and checks what can be checked without opening
// anything. A configuration that would relay for strangers does not pass.
func (c *Config) Validate() error {
	var errs []error
	if c.Hostname == "" {
		host, err := os.Hostname()
		if err != nil || !strings.Contains(host, ".") {
			host = "postino.localdomain"
		}
		c.Hostname = host
	}
	if c.Node == "" {
		node, err := os.Hostname()
		if err != nil {
			node = "node"
		}
		c.Node = node
	}
	if c.Postmaster != "" {
		var err error
		if c.PostmasterMailbox, err = mime.ParseMailbox(c.Postmaster); err != nil {
			errs = append(errs, texterr.Wrap(mime.NewText("config.of_section", "{section}", "section", "postmaster"), err))
		}
	}
	for i := range c.SMTP {
		if err := c.SMTP[i].validate(); err != nil {
			errs = append(errs, texterr.Wrap(mime.NewText("config.of_smtp_listener", "smtp listener {address}", "address", c.SMTP[i].Address), err))
		}
	}
	errs = append(errs, c.negative()...)
	if err := c.HTTP.validate(); err != nil {
		errs = append(errs, texterr.Wrap(mime.NewText("config.of_section", "{section}", "section", "http"), err))
	}
	if err := c.Webhooks.validate(); err != nil {
		errs = append(errs, texterr.Wrap(mime.NewText("config.of_section", "{section}", "section", "webhooks"), err))
	}
	if err := c.Connections.validate(); err != nil {
		errs = append(errs, texterr.Wrap(mime.NewText("config.of_section", "{section}", "section", "connections"), err))
	}
	if err := c.Watch.validate(); err != nil {
		errs = append(errs, texterr.Wrap(mime.NewText("config.of_section", "{section}", "section", "watch"), err))
	}
	return errors.Join(errs...)
}

// A setting is one number of a configuration.
type setting struct {
	name  string
	value int64
}

func refuseNegative(list []setting) (errs []error) {
	for _, s := range list {
		if s.value < 0 {
			errs = append(errs, texterr.New(mime.NewText("config.negative", "{setting} is negative: leave it out for the default", "setting",
				s.name)))
		}
	}
	return errs
}

// negative refuses numbers below zero. limits.join_window, notify.warn_after
// and watch.waiting are not among them: there they mean never.
func (c *Config) negative() []error {
	o, r := &c.Outbox, &c.Retention
	limits := c.Limits
	return refuseNegative([]setting{
		{"workers", int64(c.Workers)}, {"pickup.pause", int64(c.Pickup.Pause)},
		{"limits.max_size", int64(limits.MaxSize)}, {"limits.max_recipients", int64(limits.MaxRecipients)},
		{"limits.webhooks", int64(limits.Webhooks)}, {"limits.streams", int64(limits.Streams)}, {"limits.keys", int64(limits.Keys)},
		{"limits.spool_reserve", int64(limits.SpoolReserve)}, {"limits.spool_total", int64(limits.SpoolTotal)},
		{"limits.spool_per_client", int64(limits.SpoolPerClient)}, {"outbox.lease", int64(o.Lease)}, {"outbox.grace", int64(o.Grace)},
		{"outbox.retry_first", int64(o.RetryFirst)}, {"outbox.retry_max", int64(o.RetryMax)}, {"outbox.give_up", int64(o.GiveUp)},
		{"outbox.verify_after", int64(o.VerifyAfter)}, {"outbox.settle", int64(o.Settle)},
		{"outbox.failover_after", int64(o.FailoverAfter)}, {"retention.bodies", int64(r.Bodies)},
		{"retention.records", int64(r.Records)}, {"retention.events", int64(r.Events)}, {"retention.audit", int64(r.Audit)},
		{"watch.budget", int64(c.Watch.Budget)},
	})
}

func oneOf(v string, allowed ...string) bool {
	for _, a := range allowed {
		if v == a {
			return true
		}
	}
	return false
}
