package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/presets"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

// PresetCommands are the jobs of `postino connection presets` and `detect`.
type PresetCommands struct {
	JSON     bool
	Language string
	Stdout   io.Writer
	Resolver presets.Resolver // nil: the system's
	Client   *http.Client     // nil: one that may ask every server
}

// List prints the presets, or one of them.
func (k PresetCommands) List(name string) error {
	if name != "" {
		p, ok := presets.Lookup(name)
		if !ok {
			return wrong(ExitUsage, text("cli.no_preset", "there is no preset {name}: see 'postino connection presets'", "name",
				strconv.Quote(name)))
		}
		return k.one(p)
	}
	all, err := presets.All()
	if err != nil {
		return err
	}
	if k.JSON {
		out := make([]view.Preset, len(all))
		for i, p := range all {
			out[i] = view.OfPreset(p, k.Language)
		}
		return writeJSON(k.Stdout, out)
	}
	w := terminal.NewTable(k.Stdout, headings(k.Language, text("cli.heading_name", "NAME"), text("cli.heading_title", "TITLE"),
		text("cli.heading_kind", "KIND"), text("cli.heading_server", "SERVER"), text("cli.heading_credential", "CREDENTIAL"))...).Whole(0)
	for _, p := range all {
		w.Row(p.Name, p.Title, kindText(p.Kind).In(k.Language), serverText(p, 0), credentialText(p.Credential).In(k.Language))
	}
	return w.Flush()
}

func (k PresetCommands) one(p *presets.Preset) error {
	if k.JSON {
		return writeJSON(k.Stdout, view.OfPreset(p, k.Language))
	}
	t := terminal.NewTable(k.Stdout)
	row := func(label mime.Text, value string) {
		if value != "" {
			t.Row(label.In(k.Language), value)
		}
	}
	row(text("cli.field_name", "name"), strings.Join(append([]string{p.Name}, p.Aliases...), ", "))
	row(text("cli.field_title", "title"), p.Title)
	row(text("cli.field_kind", "kind"), kindText(p.Kind).In(k.Language))
	row(text("cli.field_provider", "provider"), string(p.Provider))
	for i := range p.Servers {
		row(text("cli.field_server", "server"), serverText(p, i))
	}
	row(text("cli.field_credential", "credential"), credentialText(p.Credential).In(k.Language))
	row(text("cli.field_login", "login"), loginText(p).In(k.Language))
	row(text("cli.field_limits", "limits"), k.limits(p.Limits))
	row(text("cli.field_domains", "domains"), strings.Join(p.Domains, " "))
	for _, n := range p.Notes() {
		row(text("cli.field_note", "note"), n.In(k.Language))
	}
	row(text("cli.field_source", "source"), text("cli.preset_source", "{source}, read on {date} ({certainty})", "source", p.Source,
		"date", p.Date.Format(time.DateOnly), "certainty", certaintyText(p.Certainty)).In(k.Language))
	return t.Flush()
}

// serverText is the nth server of a preset, for the APIs what stands for it.
func serverText(p *presets.Preset, n int) string {
	if n >= len(p.Servers) {
		return string(p.Provider) + " API"
	}
	s := p.Servers[n]
	return s.Host + ":" + strconv.Itoa(s.Port) + " " + string(s.Encryption)
}

func (k PresetCommands) limits(l presets.Limits) string {
	var out []string
	add := func(n int, t mime.Text) {
		if n > 0 {
			out = append(out, t.In(k.Language))
		}
	}
	add(l.Concurrency, text("cli.limit_concurrency", "{n} at once", "n", l.Concurrency))
	add(l.PerMinute, text("cli.limit_per_minute", "{n} a minute", "n", l.PerMinute))
	add(l.RecipientsPerDay, mime.NewCount("cli.limit_recipients_per_day", l.RecipientsPerDay, "one recipient a day",
		"{count} recipients a day"))
	add(l.RecipientsPerMessage, mime.NewCount("cli.limit_recipients_per_message", l.RecipientsPerMessage, "one recipient a message",
		"{count} recipients a message"))
	add(int(l.MessageBytes), mime.NewCount("cli.limit_message_bytes", int(l.MessageBytes), "one byte a message", "{count} bytes a message"))
	return strings.Join(out, ", ")
}

// Detect prints what may fit an address.
func (k PresetCommands) Detect(ctx context.Context, address string) error {
	resolver, client := k.Resolver, k.Client
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	if client == nil {
		client = presets.NewClient(presets.Everywhere())
	}
	d, err := presets.Detect(ctx, resolver, client, address)
	if err != nil {
		return exit(ExitUsage, err)
	}
	if k.JSON {
		return writeJSON(k.Stdout, view.OfDetection(d, k.Language))
	}
	return k.detection(d)
}

func (k PresetCommands) detection(d *presets.Detection) error {
	print := func(format string, args ...any) error {
		_, err := fmt.Fprintf(k.Stdout, format, args...)
		return err
	}
	if d.Offline {
		if err := print("%s\n\n", text("cli.detect_offline",
			"No look-up was answered: this rests on what postino knows itself. Check the network and the DNS server.").In(k.Language)); err != nil {
			return err
		}
	}
	if len(d.Proposals) == 0 {
		if err := print("%s\n", text("cli.detect_nothing", "Nothing is known of {domain}: ask the provider for the SMTP server, port and login.",
			"domain", d.Domain).In(k.Language)); err != nil {
			return err
		}
	}
	for _, p := range d.Proposals {
		head := string(p.Provider)
		if p.Provider == adapters.SMTP {
			head = p.Server.Host + ":" + strconv.Itoa(p.Server.Port) + " " + string(p.Server.Encryption)
		}
		name := p.Title
		if p.Preset != nil {
			name += " (" + p.Preset.Name + ")"
		}
		if err := print("%d. %s: %s\n", p.Rank, terminal.Line(name), terminal.Line(head)); err != nil {
			return err
		}
		lines := []string{text("cli.detect_credential", "credential: {credential}", "credential", credentialText(p.Credential)).In(k.Language)}
		if p.Login != "" {
			lines = append(lines, text("cli.detect_login", "login: {login}", "login", p.Login).In(k.Language))
		}
		for _, t := range append(p.Reasons[:len(p.Reasons):len(p.Reasons)], p.Notes...) {
			lines = append(lines, t.In(k.Language))
		}
		for _, l := range lines {
			if err := print("   - %s\n", terminal.Line(l)); err != nil {
				return err
			}
		}
	}
	if err := print("\n"); err != nil {
		return err
	}
	t := terminal.NewTable(k.Stdout)
	for _, c := range d.Checks {
		t.Row(string(c.Source), outcomeText(c.Outcome).In(k.Language), c.Message.In(k.Language))
	}
	return t.Flush()
}
