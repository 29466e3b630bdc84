package gmail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/internal/sharedtransport"
	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/mime"
)

const (
	// contracts C1.2, C3.2.

	// MaxSize is the largest message in bytes.
	MaxSize = 36_700_160
	// MaxRecipients of one message.
	MaxRecipients = 100

	defaultURL = "https://gmail.googleapis.com"
	mediaLimit = 5_000_000 // above: resumable (contracts C1.6, "up to 5 MB")
	chunkUnit  = 256 << 10 // contracts C1.8
	chunkSize  = 32 * chunkUnit
	quietTime  = 2 * time.Minute // a request may be silent for so long
)

// Options of adapters; only Tokens is required.
type Options struct {
	Tokens     adapters.TokenSources
	HTTPClient *http.Client     // nil: one with the environment's proxy settings
	RootCAs    *x509.CertPool   // of that client; nil: the system's trust store
	Now        func() time.Time // nil: time.Now
}

// An Adapter sends over one connection. It is an adapters.Adapter and an
// adapters.Verifier, safe for concurrent use.
type Adapter struct {
	conn   *adapters.Connection
	tokens adapters.TokenSources
	client *http.Client
	end    func() // ends kept connections; nil when the client is the caller's
	base   string // scheme and host; uploads live at its root (contracts C2.8)
	now    func() time.Time
	chunk  int64 // bytes of an upload at once, a multiple of chunkUnit
	quiet  time.Duration
	pause  func(context.Context, time.Duration) error

	mu      sync.Mutex
	sources map[sourceKey]adapters.TokenSource
}

type sourceKey struct {
	mailbox  string
	audience adapters.Audience
}

var (
	_ adapters.Adapter  = (*Adapter)(nil)
	_ adapters.Verifier = (*Adapter)(nil)
)

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

func newTransport(roots *x509.CertPool) *http.Transport {
	proxies := adapters.NewProxies()
	return &http.Transport{Proxy: proxies.For, OnProxyConnectResponse: proxies.Refused, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 64,
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second, DisableCompression: true}
}

// New makes the adapter of a Gmail connection without touching the network.
func New(conn *adapters.Connection, opt Options) (*Adapter, error) {
	if conn == nil || SettingsOf(conn) == nil {
		return nil, adapters.ConfigError(adapters.Gmail, mime.NewText("gmail.no_settings", "the connection has no gmail object"))
	}
	if opt.Tokens == nil {
		return nil, adapters.ConfigError(adapters.Gmail, mime.NewText("gmail.no_tokens", "Options.Tokens is missing"))
	}
	a := &Adapter{conn: conn, tokens: opt.Tokens, base: defaultURL, now: opt.Now, chunk: chunkSize, quiet: quietTime, pause: pause.For,
		sources: make(map[sourceKey]adapters.TokenSource)}
	if url := SettingsOf(conn).GmailURL; url != "" {
		a.base = strings.TrimSuffix(url, "/")
	}
	if a.now == nil {
		a.now = time.Now
	}
	var client http.Client
	if opt.HTTPClient != nil {
		client = *opt.HTTPClient
	} else {
		transport := newTransport(opt.RootCAs)
		client.Transport, a.end = transport, transport.CloseIdleConnections
	}
	client.Transport = adapters.NotedTransport(client.Transport)
	// A redirect would repeat a send elsewhere, and 308 is part of resumable uploads.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	a.client = &client
	return a, nil
}

// MaxSize implements adapters.Adapter.
func (a *Adapter) MaxSize() int64 { return MaxSize }

// Close implements adapters.Adapter: it ends kept connections that no other adapter uses.
func (a *Adapter) Close() error {
	if a.end != nil {
		a.end()
	}
	return nil
}

// maxSources bounds what a connection for a whole domain keeps.
const maxSources = 1024

// source gives the token source of a mailbox. A connection for "*@domain"
// without a subject acts for each sender's own mailbox.
func (a *Adapter) source(mailbox string, audience adapters.Audience) (adapters.TokenSource, error) {
	k := sourceKey{mailbox, audience}
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.sources[k]; s != nil {
		return s, nil
	}
	conn := a.conn
	if SettingsOf(conn).Subject == "" && mailbox != "" {
		conn = conn.Clone()
		SettingsOf(conn).Subject = mailbox
	}
	s, err := a.tokens.TokenSource(conn, audience)
	if err != nil {
		return nil, err
	}
	if len(a.sources) >= maxSources {
		clear(a.sources)
	}
	a.sources[k] = s
	return s, nil
}
