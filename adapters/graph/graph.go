package graph

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/internal/sharedtransport"
	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/mime"
)

// Sizes in bytes of the message as it goes to the API.
const (
	// contracts B2.2, B2.3, B2.4, B7.11.

	// MIMECeiling is the largest message that sendMail takes as MIME: base64
	// makes 4,000,000 of it, which passes whether "4 MB" is decimal or not.
	MIMECeiling = 3_000_000
	// MaxSize is the largest message of the draft and upload-session path.
	// Mailboxes allow 35 MB unless their administrator
	// raised that.
	MaxSize = 150_000_000
	// MaxRecipients is what no mailbox can exceed. Between 500
	// and this the tenant's own setting decides, which only the provider knows.
	MaxRecipients = 1000
)

// Options of adapters; only Tokens is required.
type Options struct {
	Tokens     adapters.TokenSources
	HTTPClient *http.Client     // nil: one with the package's own transport
	RootCAs    *x509.CertPool   // of that transport; nil: the system's trust store
	Now        func() time.Time // nil: time.Now
	Log        *slog.Logger     // nil: silent
}

// An Adapter sends over one connection. It is an adapters.Adapter and an
// adapters.Verifier, safe for concurrent use.
type Adapter struct {
	conn    *adapters.Connection
	tokens  adapters.TokenSource
	client  *http.Client
	end     func() // ends kept connections; nil when the client is the caller's
	base    string // https://host/v1.0
	now     func() time.Time
	log     *slog.Logger
	quiet   time.Duration // how long a request may make no progress
	wait    func(context.Context, time.Duration) error
	ceiling int64 // MIMECeiling, sessionMin and chunkSize, smaller in tests
	session int64
	chunk   int64
	cleanup time.Duration // for requests that tidy up after a failure
}

var (
	_ adapters.Adapter  = (*Adapter)(nil)
	_ adapters.Verifier = (*Adapter)(nil)
)

// New makes the adapter of a graph connection without touching the network.
func New(conn *adapters.Connection, opt Options) (*Adapter, error) {
	if conn == nil || SettingsOf(conn) == nil {
		return nil, adapters.ConfigError(adapters.Graph, mime.NewText("graph.no_settings", "the connection has no graph object"))
	}
	if opt.Tokens == nil {
		return nil, adapters.ConfigError(adapters.Graph, mime.NewText("graph.no_tokens", "Options.Tokens is missing"))
	}
	src, err := opt.Tokens.TokenSource(conn, adapters.AudienceGraph)
	if err != nil {
		return nil, err
	}
	a := &Adapter{conn: conn, tokens: src, base: baseURL(SettingsOf(conn)), now: opt.Now, log: opt.Log,
		quiet: quietTime, wait: pause.For, ceiling: MIMECeiling, session: sessionMin, chunk: chunkSize, cleanup: 15 * time.Second}
	if a.now == nil {
		a.now = time.Now
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	client := http.Client{Transport: nil}
	if opt.HTTPClient != nil {
		client = *opt.HTTPClient
	} else {
		transport := newTransport(opt.RootCAs)
		client.Transport, a.end = transport, transport.CloseIdleConnections
	}
	client.Transport = adapters.NotedTransport(client.Transport)
	// A redirect is no answer of Graph, and following one would send again.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	a.client = &client
	return a, nil
}

// Factory makes adapters that share one HTTP client. Where it is the factory's own,
// its kept connections end with the last adapter.
func Factory(opt Options) adapters.Factory {
	if opt.HTTPClient != nil {
		return adapters.FactoryOf(func(c *adapters.Connection) (*Adapter, error) { return New(c, opt) })
	}
	shared := &sharedtransport.Transport{Transport: newTransport(opt.RootCAs)}
	opt.HTTPClient = &http.Client{Transport: shared.Transport}
	return adapters.FactoryOf(func(c *adapters.Connection) (*Adapter, error) {
		a, err := New(c, opt)
		if err != nil {
			return nil, err
		}
		a.end = shared.Use()
		return a, nil
	})
}

// baseURL is where the connection's Graph answers (contracts A4).
func baseURL(g *Settings) string {
	host := g.GraphURL
	if host == "" {
		switch g.Cloud {
		case "gcchigh":
			host = "https://graph.microsoft.us"
		case "dod":
			host = "https://dod-graph.microsoft.us"
		case "china":
			host = "https://microsoftgraph.chinacloudapi.cn"
		default:
			host = "https://graph.microsoft.com"
		}
	}
	return strings.TrimRight(host, "/") + "/v1.0"
}

// MaxSize is the largest message that the upload path carries.
func (a *Adapter) MaxSize() int64 { return MaxSize }

// Close ends kept connections that no other adapter uses.
func (a *Adapter) Close() error {
	if a.end != nil {
		a.end()
	}
	return nil
}

// Check refuses what can be known to fail: sender, number of recipients, size,
// a protected message that would have to be rebuilt, text that is too long, a
// large attachment that cannot be decoded.
func (a *Adapter) Check(out adapters.Outgoing) error {
	job, err := a.prepare(out)
	if err != nil {
		return err
	}
	if job.view.Size() <= a.ceiling {
		return nil
	}
	_, err = a.plan(context.Background(), out.Message, job.view)
	return err
}

// A job is one message made ready for this connection.
type job struct {
	out     adapters.Outgoing
	view    mime.Source
	mailbox string
	from    mime.Mailbox
}

// prepare settles sender, mailbox and view, all without the network.
func (a *Adapter) prepare(out adapters.Outgoing) (*job, error) {
	j := &job{out: out}
	var err error
	if j.from, j.mailbox, err = a.sender(out.Message); err != nil {
		return nil, err
	}
	switch n := len(out.Envelope.Recipients); {
	case n == 0: // contracts B5.3
		return nil, a.refuse(adapters.CodeNoRecipients, "5.1.3",
			mime.NewText("graph.message_no_recipient", "the message has no recipient"),
			mime.NewText("graph.give_least_one_recipient", "give at least one recipient"))
	case n > MaxRecipients:
		return nil, a.refuse(adapters.CodeTooManyRecipients, "5.5.3",
			mime.NewText("graph.too_many_recipients",
				"the message has more recipients than Microsoft 365 allows for one message (1,000)"),
			mime.NewText("graph.send_in_parts",
				"send it in several messages, or use a service made for bulk mail"))
	}
	if j.view, err = out.Message.ForAPI(out.Addresses()); err != nil {
		return nil, a.local(err)
	}
	if j.view.Size() > MaxSize {
		e := a.refuse("message_too_large", "5.3.4",
			mime.NewText("graph.over_150_mb",
				"the message is larger than the 150 MB that Microsoft Graph carries"),
			mime.NewText("graph.send_link", "send a link to the file in place of the file"))
		e.TooLarge = true
		return nil, e
	}
	return j, nil
}

// sender finds the header's sender and the mailbox that it leaves through
// (contracts B4.6, F7, F8).
func (a *Adapter) sender(m *mime.Message) (from mime.Mailbox, mailbox string, err error) {
	if from, err = adapters.Author(adapters.Graph, m); err != nil {
		return mime.Mailbox{}, "", err
	}
	for _, f := range slices.Concat(m.From(), []mime.Address{{Address: from}}) {
		if !a.conn.AllowsFrom(f.Address) {
			return mime.Mailbox{}, "", a.notAllowed(f.Address, from)
		}
	}
	return from, a.conn.Mailbox(from), nil
}

// notAllowed refuses an address that the connection does not send as; from is
// the header's sender.
func (a *Adapter) notAllowed(address, from mime.Mailbox) *adapters.Error {
	return a.refuse(adapters.CodeSenderNotAllowed, "5.7.1",
		mime.NewText("graph.connection_may_not_send", "this connection may not send as {address}", "address", address),
		mime.NewText("graph.send_as_from_or_alias",
			"send as {from}, or add the address to the connection's aliases and grant the mailbox Send As on it in "+
				"the Exchange admin center",
			"from", a.conn.Mailbox(from)))
}
