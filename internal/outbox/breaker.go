package outbox

import (
	"context"
	"sync"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
)

// The breaker of a connection: so many failures in a row that concern the
// connection itself open it, and it stays open for a time that doubles with
// every probe that fails. While it is open the connection is paused, so the
// state is seen, shared by all nodes, and reset by a person through the store.
const (
	breakerAfter = 5
	breakerFirst = time.Minute
	breakerMax   = 15 * time.Minute
	refusedFirst = 5 * time.Minute
	refusedMax   = time.Hour
	// Failures so close together are one trouble: a token service that failed
	// once fails all who ask within its answer's life.
	sameTrouble = time.Second
	// Attempts that begin so soon after a refusal were claimed before its pause
	// was written.
	raced = 5 * time.Second
)

type breakers struct {
	mu sync.Mutex
	m  map[string]*breakerState
}

type breakerState struct {
	revision int64
	failures int
	opened   int // times in a row
	refused  int // credential refusals in a row
	until    time.Time
	counted  time.Time // the failure that was counted last
	at       time.Time // of the last refusal
}

func newBreakers() *breakers { return &breakers{m: make(map[string]*breakerState)} }

// breaker is the breaker of one connection, as a decision uses it.
type breaker struct {
	all  *breakers
	conn *gateway.Connection
}

func (b *breakers) of(c *gateway.Connection) breaker { return breaker{b, c} }

// state returns the entry; an edited connection starts again. The lock is held.
func (b breaker) state() *breakerState {
	s := b.all.m[b.conn.ID]
	if s == nil || s.revision != b.conn.Revision {
		s = &breakerState{revision: b.conn.Revision}
		b.all.m[b.conn.ID] = s
	}
	return s
}

// failed counts a failure of the connection by an attempt that began at since;
// not nil: the breaker opens. Attempts that were under way together see one
// trouble: they count once, or a single hiccup would stop a busy connection.
func (b breaker) failed(since, now time.Time, e *adapters.Error) *store.ConnectionChange {
	b.all.mu.Lock()
	defer b.all.mu.Unlock()
	s := b.state()
	if s.opened == 0 && (since.Before(s.counted) || now.Sub(s.counted) < sameTrouble) {
		return nil
	}
	s.counted = now
	s.failures++
	if s.failures < breakerAfter && s.opened == 0 {
		return nil
	}
	if now.Before(s.until) { // was in flight when it opened
		return &store.ConnectionChange{}
	}
	s.until = now.Add(min(breakerFirst<<min(s.opened, 8), breakerMax))
	s.opened++
	return &store.ConnectionChange{PauseUntil: &s.until, Error: shown(e),
		Breaker: &store.Breaker{State: "open", Failures: s.failures, OpenUntil: s.until, OpenedAt: now}}
}

// refused counts a refused credential and returns until when to leave it alone.
func (b breaker) refused(now time.Time, e *adapters.Error) (time.Time, *store.ConnectionChange) {
	b.all.mu.Lock()
	defer b.all.mu.Unlock()
	s := b.state()
	if !now.Before(s.until) {
		s.until = now.Add(max(e.RetryAfter, min(refusedFirst<<min(s.refused, 8), refusedMax)))
		s.refused++
	}
	s.at = now
	until := s.until
	if e.NoRetry { // another attempt may lock the account: a person goes on
		until = store.Never()
	}
	return until, &store.ConnectionChange{PauseUntil: &until, Error: shown(e),
		Breaker: &store.Breaker{State: "open", Failures: s.failures, OpenUntil: until, OpenedAt: now}}
}

// succeeded closes the breaker after an attempt that began at since; nil: it was
// closed, or a credential was refused since or just before, of which the success
// knows nothing.
func (b breaker) succeeded(since, now time.Time) *store.ConnectionChange {
	b.all.mu.Lock()
	defer b.all.mu.Unlock()
	s := b.all.m[b.conn.ID]
	if s == nil || since.Before(s.at.Add(raced)) {
		return nil
	}
	delete(b.all.m, b.conn.ID)
	if s.opened == 0 && s.refused == 0 {
		return nil
	}
	return &store.ConnectionChange{PauseUntil: &now, Breaker: &store.Breaker{State: "closed"}}
}

// shown is e without its cause, which no record may keep.
func shown(e *adapters.Error) *adapters.Error {
	c := *e
	c.Err = nil
	return &c
}

// loadBreakers takes over what an earlier process knew.
func (o *Outbox) loadBreakers(ctx context.Context) {
	states, err := o.opt.Store.ConnectionStates(ctx)
	if err != nil {
		o.opt.Log.Warn("the state of the connections cannot be read; breakers start closed", "err", err)
		return
	}
	o.adoptBreakers(ctx, states)
}

// adoptBreakers takes over breakers that another process opened, so that a
// success here closes them.
func (o *Outbox) adoptBreakers(ctx context.Context, states []store.ConnectionState) {
	for _, st := range states {
		if st.Breaker.State != "open" {
			continue
		}
		if c, err := o.conns.ByID(ctx, st.Connection); err == nil {
			o.brk.adopt(c, st.Breaker)
		}
	}
}

func (b *breakers) adopt(c *gateway.Connection, from store.Breaker) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.m[c.ID]; s == nil || s.revision != c.Revision {
		b.m[c.ID] = &breakerState{revision: c.Revision, failures: from.Failures, opened: 1, until: from.OpenUntil}
	}
}
