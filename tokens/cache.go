package tokens

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/postino-mail/postino/adapters"
)

const (
	fetchTimeout   = 30 * time.Second
	maxBackground  = 8 // refreshes ahead of time that run at once, over all connections
	sweepInterval  = 10 * time.Minute
	idleWithout    = time.Hour      // an entry without a usable token is dropped after so long
	idleWith       = 24 * time.Hour // and any entry after so long
	usedResolution = int64(time.Minute)
)

// Options of a Cache; all may be zero.
type Options struct {
	// HTTPClient reaches Entra, Google and the managed identity service. nil: the
	// system's proxy settings and trust store. Redirects are never followed: they
	// would carry the credential elsewhere.
	HTTPClient *http.Client
	RootCAs    *x509.CertPool      // of the cache's own client; nil: the system's trust store
	Getenv     func(string) string // where GCE_METADATA_HOST is looked for; nil: os.Getenv
	Now        func() time.Time    // nil: time.Now
	Log        *slog.Logger        // nil: silent
	Metrics    Metrics
}

// Metrics are called where something happened; nil ones are skipped. They run
// on the caller's path and must be quick and safe for concurrent use.
type Metrics struct {
	Request func(Request)           // a token was requested, or could not be
	Hit     func(adapters.Audience) // a token came from the cache
}

// A Request tells of one fetch that ended.
type Request struct {
	Issuer     string // "entra" or "google"
	Audience   adapters.Audience
	Background bool // ahead of the old token's end
	Took       time.Duration
	Class      adapters.Class // adapters.Accepted: a token came
	Code       adapters.Code  // of the adapters.Error, empty on success
	// ProviderCode is the issuer's own code of a refusal ("AADSTS7000222").
	ProviderCode string
}

// A Cache returns the tokens of all connections. It implements
// adapters.TokenSources. Safe for concurrent use.
type Cache struct {
	opt    Options
	find   func(*adapters.Connection, adapters.Audience) (want, error)
	client *http.Client
	direct *http.Client    // past every proxy: identity services answer for the machine that asks
	own    *http.Transport // of client; nil when the client is the caller's
	near   *http.Transport // of direct
	ctx    context.Context
	cancel context.CancelFunc
	slots  chan struct{}

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
	entries map[key]*entry
	swept   time.Time
}

// A key tells credentials and audiences apart; connections with equal keys
// share one token (contracts A6.7; field "several tenants").
type key struct {
	issuer     string
	authority  string // Entra: authority host; Google: token URL
	tenant     string
	client     string
	credential string // fingerprint of a secret, or kind and path of a file
	stamp      string // state of the credential file: another file is another credential
	subject    string // Google: the mailbox user
	scope      string
}

// NewCache makes an empty cache. Close ends its background work.
func NewCache(opt Options) *Cache {
	if opt.Getenv == nil {
		opt.Getenv = os.Getenv
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	c := &Cache{opt: opt, find: wantOf, slots: make(chan struct{}, maxBackground), entries: make(map[key]*entry), swept: opt.Now()}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	if opt.HTTPClient == nil {
		proxies := adapters.NewProxies()
		c.own = &http.Transport{Proxy: proxies.For, OnProxyConnectResponse: proxies.Refused, ForceAttemptHTTP2: true, MaxIdleConns: 32,
			TLSClientConfig: &tls.Config{RootCAs: opt.RootCAs, MinVersion: tls.VersionTLS12},
			IdleConnTimeout: 30 * time.Second, TLSHandshakeTimeout: 10 * time.Second}
		c.client = &http.Client{Transport: c.own}
		c.near = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: opt.RootCAs, MinVersion: tls.VersionTLS12},
			IdleConnTimeout: 30 * time.Second, TLSHandshakeTimeout: 10 * time.Second}
		c.direct = &http.Client{Transport: c.near}
	} else {
		shallow := *opt.HTTPClient
		c.client, c.direct = &shallow, &shallow
	}
	c.direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// TokenSource returns the source of the connection's tokens for an audience,
// without any network. The error is an *adapters.Error of class Auth: the
// connection's settings cannot give such tokens. The source may be kept as
// long as the connection's settings are.
func (c *Cache) TokenSource(conn *adapters.Connection, a adapters.Audience) (adapters.TokenSource, error) {
	w, err := c.find(conn, a)
	if err != nil {
		return nil, err
	}
	s := &source{cache: c, want: w}
	s.entry.Store(c.lookup(w.currentKey()))
	return s, nil
}

// Forget drops what is remembered for a connection, failures and tokens: a
// person changed something at the provider and wants to know whether it works
// now. The memory of a request loop (AADSTS50196) stays.
func (c *Cache) Forget(conn *adapters.Connection) {
	for _, a := range audiencesOf(conn) {
		w, err := c.find(conn, a)
		if err != nil {
			continue // no such tokens, nothing to forget
		}
		c.lookup(w.currentKey()).forget()
	}
}

// Close ends background work and makes waiting callers return.
func (c *Cache) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.running.Wait()
	if c.own != nil {
		c.own.CloseIdleConnections()
		c.near.CloseIdleConnections()
	}
	return nil
}

// goRun runs f in a goroutine that Close waits for; false when already closed.
func (c *Cache) goRun(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.running.Go(f)
	return true
}

func (c *Cache) lookup(k key) *entry {
	now := c.opt.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.swept) >= sweepInterval {
		c.swept = now
		for k, e := range c.entries {
			if e.idle(now) {
				delete(c.entries, k)
			}
		}
	}
	e := c.entries[k]
	if e == nil {
		e = &entry{key: k}
		c.entries[k] = e
	}
	e.used.Store(now.UnixNano())
	return e
}

// fileStamp is the state of a file as far as it shows without reading it. The
// mode counts: a permission that was repaired is another state.
func fileStamp(path string) string {
	if path == "" {
		return ""
	}
	fi, err := os.Stat(path)
	if err != nil {
		return "absent"
	}
	return strconv.FormatInt(fi.ModTime().UnixNano(), 36) + "/" + strconv.FormatInt(fi.Size(), 36) + "/" + fi.Mode().String()
}
