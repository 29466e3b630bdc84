package tokens

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/postino-mail/postino/adapters"
)

// A want is one kind of token: how it is told apart and how it is got.
type want struct {
	key      key // without stamp
	audience adapters.Audience
	provider adapters.Provider
	file     string // credential file: a new content makes another credential; may be empty
	host     string // who is asked, for the words of a failure
	fetch    fetchFunc
}

// A fetchFunc gets one token through x. fresh asks to go past any cache of a
// vendor library. An *adapters.Error says that the credential could not even
// be read; any other error is told by x.
type fetchFunc func(ctx context.Context, x *exchange, fresh bool) (value string, life time.Duration, err error)

func (w *want) currentKey() key {
	k := w.key
	k.stamp = fileStamp(w.file)
	return k
}

// A source is a connection's hold on an entry.
type source struct {
	cache      *Cache
	want       want
	entry      atomic.Pointer[entry]
	refreshing atomic.Bool
}

// Token implements adapters.TokenSource.
func (s *source) Token(ctx context.Context) (string, error) {
	e := s.entry.Load()
	if t := e.token.Load(); t != nil {
		now := s.cache.opt.Now().UnixNano()
		if now < t.renew {
			if now-e.used.Load() > usedResolution {
				e.used.Store(now)
			}
			if now >= t.refresh && now >= e.retryAt.Load() {
				s.refreshAhead()
			}
			if hit := s.cache.opt.Metrics.Hit; hit != nil {
				hit(s.want.audience)
			}
			return t.value, nil
		}
	}
	e = s.resolve()
	s.entry.Store(e)
	t, err := s.obtain(ctx, e, "", false)
	if err != nil {
		return "", err
	}
	return t.value, nil
}

// Renew implements adapters.TokenSource.
func (s *source) Renew(ctx context.Context, rejected string) (string, error) {
	e := s.resolve()
	s.entry.Store(e)
	t, err := s.obtain(ctx, e, rejected, false)
	if err != nil {
		return "", err
	}
	if t.value == rejected {
		return "", rejectedError(s.want.provider)
	}
	return t.value, nil
}

// resolve finds the entry of the credential as it is now.
func (s *source) resolve() *entry {
	k := s.want.currentKey()
	if e := s.entry.Load(); e.key == k && !e.evicted.Load() {
		return e
	}
	return s.cache.lookup(k)
}

// obtain returns a token of e: the cached one, the result of the fetch under
// way, or of a new one. A token equal to rejected does not count as cached.
func (s *source) obtain(ctx context.Context, e *entry, rejected string, background bool) (*token, error) {
	if err := ctx.Err(); err != nil {
		return nil, adapters.NetworkError(s.want.provider, s.want.host, err, s.cache.opt.Now())
	}
	t, f, err := s.join(e, rejected, background)
	if err != nil {
		return nil, err
	}
	if f == nil {
		return t, nil
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, adapters.NetworkError(s.want.provider, s.want.host, ctx.Err(), s.cache.opt.Now())
	}
	if f.err == nil {
		return f.token, nil
	}
	if t != nil && t.value != rejected && s.cache.opt.Now().UnixNano() < t.end {
		return t, nil // the old one is still good
	}
	shared := *f.err // every caller gets a copy of its own
	return nil, &shared
}

// join returns the token to use, or the flight to wait for and the old token
// that may serve if it fails.
func (s *source) join(e *entry, rejected string, background bool) (*token, *flight, error) {
	now := s.cache.opt.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.token.Load()
	usable := t != nil && t.value != rejected
	forced := t != nil && t.value == rejected
	switch {
	case usable && (now.UnixNano() < t.refresh || !background && now.UnixNano() < t.renew):
		return t, nil, nil
	case e.flight != nil:
		return t, e.flight, nil
	}
	if err := e.remembered(now); err != nil {
		if usable && now.UnixNano() < t.end {
			return t, nil, nil
		}
		return nil, nil, err
	}
	if forced && now.Before(e.renewAfter) {
		return nil, nil, rejectedError(s.want.provider)
	}
	f := &flight{done: make(chan struct{})}
	if !s.cache.goRun(func() { s.fly(e, f, forced, background) }) {
		return nil, nil, closedError(s.want.provider)
	}
	e.flight = f
	return t, f, nil
}

// fly fetches a token for everyone who waits at f. Its context is the
// cache's: a caller who leaves takes nothing from the others.
func (s *source) fly(e *entry, f *flight, forced, background bool) {
	c := s.cache
	ctx, cancel := context.WithTimeout(c.ctx, fetchTimeout)
	defer cancel()
	client := c.client
	if s.want.key.credential == "managed" {
		client = c.direct
	}
	x := &exchange{ctx: ctx, client: client, direct: c.direct, getenv: c.opt.Getenv, now: c.opt.Now, host: s.want.host}
	start := c.opt.Now()
	value, life, err := s.want.fetch(ctx, x, forced)
	now := c.opt.Now()

	var failed *adapters.Error
	if err == nil && (!usableToken(value) || life <= 0) {
		err = errors.New("no usable access token in the answer")
	}
	if err != nil {
		if !errors.As(err, &failed) {
			failed = x.failure(s.want)
		}
		failed.Provider, failed.Scope = s.want.provider, adapters.ScopeConnection
	}
	e.mu.Lock()
	switch {
	case failed == nil:
		f.token = newToken(value, life, now)
		e.succeed(f.token, forced, now)
	case c.ctx.Err() == nil:
		e.remember(failed, x.requests == 0, now)
		fallthrough
	default:
		f.err = failed
	}
	e.flight = nil
	e.mu.Unlock()
	close(f.done)
	s.report(failed, background, now.Sub(start))
}

func (s *source) report(failed *adapters.Error, background bool, took time.Duration) {
	r := Request{Issuer: s.want.key.issuer, Audience: s.want.audience, Background: background, Took: took, Class: adapters.Accepted}
	level := slog.LevelDebug
	if failed != nil {
		r.Class, r.Code, r.ProviderCode = failed.Class, failed.Code, failed.ProviderCode
		level = slog.LevelWarn
	}
	s.cache.opt.Log.LogAttrs(context.Background(), level, "token request",
		slog.String("issuer", r.Issuer), slog.String("audience", string(r.Audience)), slog.String("tenant", s.want.key.tenant),
		slog.String("client", s.want.key.client), slog.String("subject", s.want.key.subject), slog.Bool("background", background),
		slog.Duration("took", took), slog.String("class", string(r.Class)), slog.String("code", string(r.Code)),
		slog.String("provider_code", r.ProviderCode))
	if report := s.cache.opt.Metrics.Request; report != nil {
		report(r)
	}
}

// refreshAhead fetches the next token while the callers use the old one. A
// refresh that finds no free slot is left to a later call.
func (s *source) refreshAhead() {
	if !s.refreshing.CompareAndSwap(false, true) {
		return
	}
	c := s.cache
	select {
	case c.slots <- struct{}{}:
	default:
		s.refreshing.Store(false)
		return
	}
	leave := func() { <-c.slots; s.refreshing.Store(false) }
	if !c.goRun(func() {
		defer leave()
		e := s.resolve() // the file may hold another credential by now
		if t, err := s.obtain(c.ctx, e, "", true); err == nil && t == e.token.Load() {
			s.entry.Store(e)
		}
	}) {
		leave()
	}
}

// usableToken keeps bytes out of the Authorization header that have no place there.
func usableToken(t string) bool {
	for i := range len(t) {
		if t[i] <= ' ' || t[i] >= 0x7f {
			return false
		}
	}
	return t != ""
}
