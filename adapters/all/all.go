// Package all sends mail over the connections of every provider that postino knows: Microsoft Graph, Gmail and SMTP.
package all

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/gmail"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway/policy"
	"github.com/postino-mail/postino/mime"
	"github.com/postino-mail/postino/tokens"
)

// Options of a Sender; all fields may be zero.
type Options struct {
	// HTTPClient reaches the issuers of tokens, Graph and Gmail. nil: clients of
	// the Sender's own, with the proxy settings of the environment.
	HTTPClient *http.Client
	RootCAs    *x509.CertPool        // of those clients and of SMTP; nil: the system's trust store
	Tokens     adapters.TokenSources // nil: a token cache of the Sender's own
	SMTP       fallback.Options      // of plain SMTP; its fields Tokens, RootCAs, Now and Log are filled in where they are zero
	Now        func() time.Time      // nil: time.Now
	Log        *slog.Logger          // nil: silent; never sees a secret or a message
}

// A Sender sends over any number of connections. It keeps an adapter for each
// and the tokens of all of them. Safe for concurrent use; a program needs one.
type Sender struct {
	router *adapters.Router
	cache  *tokens.Cache // nil where the tokens are the caller's
}

// New makes a Sender without touching the network. Close ends it.
func New(opt Options) *Sender {
	s := &Sender{}
	if opt.Tokens == nil {
		s.cache = tokens.NewCache(tokens.Options{HTTPClient: opt.HTTPClient, RootCAs: opt.RootCAs, Now: opt.Now, Log: opt.Log})
		opt.Tokens = s.cache
	}
	s.router = adapters.NewRouter(opt.factories())
	return s
}

// A provider is how its settings are read and its adapters made.
type provider struct {
	settings func() adapters.Settings
	factory  func(Options) adapters.Factory
}

// providers are all that a Sender sends over.
func providers() map[adapters.Provider]provider {
	return map[adapters.Provider]provider{
		adapters.Graph: {graph.NewSettings, func(o Options) adapters.Factory {
			return graph.Factory(graph.Options{Tokens: o.Tokens, HTTPClient: o.HTTPClient, RootCAs: o.RootCAs, Now: o.Now, Log: o.Log})
		}},
		adapters.Gmail: {gmail.NewSettings, func(o Options) adapters.Factory {
			return gmail.Factory(gmail.Options{Tokens: o.Tokens, HTTPClient: o.HTTPClient, RootCAs: o.RootCAs, Now: o.Now})
		}},
		adapters.SMTP: {fallback.NewSettings, func(o Options) adapters.Factory { return fallback.Factory(o.smtp()) }},
	}
}

func (o Options) factories() map[adapters.Provider]adapters.Factory {
	out := map[adapters.Provider]adapters.Factory{}
	for name, p := range providers() {
		out[name] = p.factory(o)
	}
	return out
}

// smtp fills in what the options of plain SMTP leave out.
func (o Options) smtp() fallback.Options {
	smtp := o.SMTP
	if smtp.Tokens == nil {
		smtp.Tokens = o.Tokens
	}
	if smtp.RootCAs == nil {
		smtp.RootCAs = o.RootCAs
	}
	if smtp.Now == nil {
		smtp.Now = o.Now
	}
	if smtp.Log == nil {
		smtp.Log = o.Log
	}
	return smtp
}

// Providers make the settings of every provider, for adapters.Decode.
func Providers() adapters.Providers {
	out := adapters.Providers{}
	for name, p := range providers() {
		out[name] = p.settings
	}
	return out
}

// ParseConnection reads and validates the JSON of one connection. One file serves
// the gateway and a program of one's own: what the gateway alone knows (owner,
// class, default ...) is skipped. The error is an *adapters.InvalidError, which
// names each field that is wrong.
func ParseConnection(data []byte) (*adapters.Connection, error) {
	c, err := adapters.Decode(data, Providers(), new(policy.Shown))
	if err != nil {
		return nil, err
	}
	return c, c.Validate()
}

// SendDraft builds the message and sends it once to the recipients that the
// draft names. The error of a wrong draft is a *mime.Error, and nothing is sent;
// every other error is an *adapters.Error. The whole message is in memory:
// compose large ones with mime.Compose and use Send.
func (s *Sender) SendDraft(ctx context.Context, conn *adapters.Connection, draft *mime.Draft) (adapters.Receipt, error) {
	msg, err := mime.Build(draft)
	if err != nil {
		return adapters.Receipt{}, err
	}
	env, err := msg.Envelope()
	if err != nil {
		return adapters.Receipt{}, err
	}
	return s.Send(ctx, conn, adapters.Outgoing{Message: msg, Envelope: env})
}

// Send makes one attempt to send out over conn: see adapters.Adapter. Nothing is
// repeated, so that an outcome of class Unknown can be verified first.
func (s *Sender) Send(ctx context.Context, conn *adapters.Connection, out adapters.Outgoing) (adapters.Receipt, error) {
	return s.router.Send(ctx, conn, out)
}

// Adapter returns the adapter of conn, which is made once and kept until the
// connection changes: for Check, Probe and, where it is an adapters.Verifier,
// Verify.
func (s *Sender) Adapter(conn *adapters.Connection) (adapters.Adapter, error) {
	return s.router.Adapter(conn)
}

// Forget drops what is kept for a connection that was changed or removed: its
// adapter, its tokens and the failures that are remembered of it. Sends in flight
// finish. Tokens of a source that is the caller's stay.
func (s *Sender) Forget(conn *adapters.Connection) error {
	if s.cache != nil {
		s.cache.Forget(conn)
	}
	return s.router.Forget(conn)
}

// Close ends kept connections and background work. Sends in flight may fail.
func (s *Sender) Close() error {
	err := s.router.Close()
	if s.cache != nil {
		err = errors.Join(err, s.cache.Close())
	}
	return err
}
