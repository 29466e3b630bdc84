package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/all"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/internal/scratch"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
	demofiles "github.com/postino-mail/postino/testdata/demo"
)

// DemoOptions of `postino demo`.
type DemoOptions struct {
	Keep     bool // leave the sandbox up until the context ends
	Language string
	Stdout   io.Writer
}

// The people of the demo. example and .example names are reserved (RFC 2606).
const (
	demoFrom = "erp@contoso.example"
	demoTo   = "niccolo.pero@fabrikam.example"
	demoCc   = "acquisti@fabrikam.example"
	demoBcc  = "archivio@contoso.example"
)

// Demo sends one real message through all three routes of a sandbox, shows
// what arrived, then one failure of each class. Any surprise is an error.
func Demo(ctx context.Context, o DemoOptions) (err error) {
	dir, err := scratch.New()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	s, err := sandbox.Start(sandbox.Options{Dir: dir.Path()})
	if err != nil {
		return texterr.Wrap(mime.NewText("demo.sandbox_not_started", "the sandbox does not start"), err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	sender := newSender(s.CertPool(), nil, nil, nil, nil)
	defer func() { err = errors.Join(err, sender.Close()) }()
	d := &demo{ctx: ctx, out: o.Stdout, lang: o.Language, sandbox: s, sender: sender}
	message, err := demoMessage()
	if err != nil {
		return err
	}
	d.routes(message)
	d.envelope(message)
	d.failures(message)
	if d.err != nil {
		return d.err
	}
	if o.Keep {
		if err := describeSandbox(s, SandboxOptions{Dir: s.Dir(), From: demoFrom, Stdout: o.Stdout}); err != nil {
			return err
		}
		<-ctx.Done()
	}
	return nil
}

// demoMessage builds the message, once: an Italian invoice with a PDF, a logo
// inside the HTML and one hidden recipient.
func demoMessage() (*mime.Message, error) {
	plain, err := demofiles.FS.ReadFile("body.txt")
	if err != nil {
		return nil, err
	}
	html, err := demofiles.FS.ReadFile("body.html")
	if err != nil {
		return nil, err
	}
	file := func(name string) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { return demofiles.FS.Open(name) }
	}
	people, err := mime.ParseAddressList("Contoso Società Cooperativa <" + demoFrom + ">, Niccolò Però <" + demoTo + ">, Ufficio Acquisti <" +
		demoCc + ">, " + demoBcc)
	if err != nil {
		return nil, err
	}
	return mime.Build(&mime.Draft{
		From: people[0], To: people[1:2], Cc: people[2:3], Bcc: people[3:],
		Subject: "Fattura n° 42 del 22/11/2026 – perché la qualità è già qui",
		Text:    string(plain), HTML: string(html),
		Attachments: []mime.Attachment{
			{Filename: "logo.png", ContentID: "logo", Inline: true, Open: file("logo.png")},
			{Filename: "Fattura n° 42 – Società.pdf", ContentType: "application/pdf", Open: file("fattura.pdf")},
		},
	})
}

// demo carries what every step needs; the first error stops the steps.
type demo struct {
	ctx     context.Context
	out     io.Writer
	lang    string
	sandbox *sandbox.Sandbox
	sender  *all.Sender
	err     error
}

func (d *demo) printf(format string, args ...any) {
	if d.err == nil {
		_, d.err = fmt.Fprintf(d.out, format, args...)
	}
}

// say prints a text as a line of its own.
func (d *demo) say(indent string, t mime.Text) { d.printf("%s%s\n", indent, t.In(d.lang)) }

// field prints a label, padded to width, and its value.
func (d *demo) field(indent string, width int, label mime.Text, value string) {
	d.printf("%s%s %s\n", indent, padded(label.In(d.lang), width), value)
}

func (d *demo) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
}

// outgoing is the message for those of its recipients that are named; for all
// where none is.
func (d *demo) outgoing(m *mime.Message, rcpts ...string) adapters.Outgoing {
	env, err := m.Envelope()
	if err != nil {
		d.fail("%w", err)
	}
	if len(rcpts) > 0 {
		env.Recipients = slices.DeleteFunc(env.Recipients, func(r mime.Recipient) bool { return !slices.Contains(rcpts, r.Address.String()) })
	}
	return adapters.Outgoing{Message: m, ID: uuid.NewString(), Envelope: env}
}

func (d *demo) connections() []*adapters.Connection {
	return sandboxConnections(d.sandbox, demoFrom)[:3]
}

// routes sends the message through each route, twice, and compares.
func (d *demo) routes(m *mime.Message) {
	d.say("", text("demo.built", "One message, built once: {bytes} bytes", "bytes", m.Size()))
	d.printf("  From     %s\n  To       %s\n  Cc       %s\n", demoFrom, demoTo, demoCc)
	d.say("  Bcc      ", text("demo.hidden", "{address} (hidden)", "address", demoBcc))
	d.printf("  Subject  %s\n", m.Subject())
	d.field("  ", 8, text("demo.carries", "carries"), strings.Join(demoParts(m), ", ")+"\n")
	content := ""
	for i, c := range d.connections() {
		if d.err != nil {
			return
		}
		began := time.Now()
		receipt, err := d.sender.Send(d.ctx, c, d.outgoing(m))
		if err != nil {
			d.fail("%s: %w", c.Name, err)
			return
		}
		got, ok := d.last(c)
		if !ok {
			return
		}
		if content == "" {
			content = got.ContentSHA256
		}
		d.printf("%d. %s\n", i+1, demoTitle(c.Provider).In(d.lang))
		d.field("   ", 9, text("demo.label_accepted", "accepted"), text("demo.accepted", "status {status}, route {route}, {time}",
			"status", receipt.Status, "route", got.Route, "time", time.Since(began).Round(time.Millisecond).String()).In(d.lang))
		d.field("   ", 9, text("demo.label_arrived", "arrived"), text("demo.arrived", "for {recipients}",
			"recipients", strings.Join(got.Recipients, ", ")).In(d.lang))
		d.field("   ", 9, text("demo.label_bytes", "bytes"), text("demo.bytes",
			"{size} sent, SHA-256 {sum}…; without address lines {content}… {same}", "size", got.Size, "sum", got.SHA256[:16],
			"content", got.ContentSHA256[:16], "same", same(got.ContentSHA256 == content)).In(d.lang))
		d.field("   ", 9, text("demo.label_hidden", "hidden"), d.hidden(got))
		d.field("   ", 9, text("demo.label_tokens", "tokens"), d.tokenRequests(c.Provider).In(d.lang))
		if got.ContentSHA256 != content || got.SHA256 != receipt.SHA256 {
			d.fail("%s: the bytes that arrived are not the bytes that were built", c.Name)
		}
		if want := slices.Sorted(slices.Values([]string{demoTo, demoCc, demoBcc})); !slices.Equal(got.Recipients, want) {
			d.fail("%s: arrived for %v, the envelope was %v", c.Name, got.Recipients, want)
		}
	}
	d.printf("\n")
}

func same(ok bool) mime.Text {
	if ok {
		return text("demo.same", "(the same on every route)")
	}
	return text("demo.different", "(DIFFERENT)")
}

func demoTitle(p adapters.Provider) mime.Text {
	switch p {
	case adapters.Graph:
		return text("demo.title_graph", "Microsoft Graph sendMail")
	case adapters.Gmail:
		return text("demo.title_gmail", "Gmail API messages.send")
	}
	return text("demo.title_smtp", "SMTP with STARTTLS and AUTH")
}

func demoParts(m *mime.Message) []string {
	tree, err := m.Structure()
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	var walk func(p *mime.Part)
	walk = func(p *mime.Part) {
		for _, sub := range p.Parts {
			walk(sub)
		}
		if len(p.Parts) == 0 {
			out = append(out, strings.TrimSpace(p.MediaType+" "+p.Filename))
		}
	}
	walk(tree)
	return out
}

// last is the newest delivery of the connection's service.
func (d *demo) last(c *adapters.Connection) (sandbox.Delivery, bool) {
	all := d.sandbox.Deliveries()
	for _, got := range slices.Backward(all) {
		if got.Service == string(c.Provider) {
			return got, true
		}
	}
	d.fail("%s accepted the message, but nothing arrived", c.Name)
	return sandbox.Delivery{}, false
}

// hidden reports whether the recipients' view names the hidden recipient.
func (d *demo) hidden(got sandbox.Delivery) string {
	r, err := d.sandbox.OpenShown(got)
	if err != nil {
		d.fail("the delivered message cannot be read: %w", err)
		return ""
	}
	defer r.Close()
	shown, err := io.ReadAll(r)
	if err != nil {
		d.fail("the delivered message cannot be read: %w", err)
		return ""
	}
	if bytes.Contains(shown, []byte(demoBcc)) {
		d.fail("the hidden recipient shows")
		return text("demo.shown", "SHOWN").In(d.lang)
	}
	return text("demo.not_shown", "{address} got a copy and appears in no one's", "address", demoBcc).In(d.lang)
}

func (d *demo) tokenRequests(p adapters.Provider) mime.Text {
	n := d.sandbox.Counters()
	switch p {
	case adapters.Graph:
		return mime.NewCount("demo.tokens_entra", n["entra.token"], "{count} request to Entra", "{count} requests to Entra")
	case adapters.Gmail:
		return mime.NewCount("demo.tokens_google", n["google.token"], "{count} request to Google", "{count} requests to Google")
	}
	return text("demo.tokens_none", "none: login and password")
}
