package tokens

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postino-mail/postino/adapters"
)

const (
	maxLife      = 28 * time.Hour // contracts A3.4
	renewFloor   = time.Minute    // between two renewals after a 401
	renewCeiling = 16 * time.Minute
)

// An entry is what is known for one key.
type entry struct {
	key     key
	token   atomic.Pointer[token]
	used    atomic.Int64 // last use, Unix nanoseconds, exact to usedResolution
	retryAt atomic.Int64 // no refresh ahead of time before; Unix nanoseconds
	evicted atomic.Bool

	mu         sync.Mutex
	flight     *flight
	failure    *failure
	renewDelay time.Duration
	renewAfter time.Time
}

// A flight is one fetch under way; token and err are set before done is closed.
type flight struct {
	done  chan struct{}
	token *token
	err   *adapters.Error
}

type failure struct {
	err   *adapters.Error
	until time.Time
	delay time.Duration
}

// A token with the moments of its life in Unix nanoseconds: from refresh on a
// new one is fetched behind the callers' backs, from renew on they wait for
// it, from end on the old one is not given out even when no new one comes.
type token struct {
	value               string
	refresh, renew, end int64
	renewed             bool // came from Renew
}

// newToken plans the life of a token. Entra's own library calls a token
// expired 5 minutes before its end, whatever its life (contracts A6.8): one
// that lives shorter must still serve here until near its end.
func newToken(value string, life time.Duration, now time.Time) *token {
	life = min(life, maxLife)
	ahead := max(5*time.Minute, life/5)
	if ahead > life/2 {
		ahead = life / 5
	}
	ahead += rand.N(life/20 + 1) // many connections must not refresh in one moment
	end := now.Add(life)
	return &token{value: value,
		refresh: end.Add(-ahead).UnixNano(),
		renew:   end.Add(-min(2*time.Minute, life/10)).UnixNano(),
		end:     end.Add(-min(10*time.Second, life/20)).UnixNano(),
	}
}

// remember keeps a failure for a growing time, so that a wrong secret does
// not cause a request a message (contracts A6.9, A5: 50196, 90055).
func (e *entry) remember(err *adapters.Error, local bool, now time.Time) {
	first, most := 5*time.Second, 5*time.Minute
	switch {
	case err.ProviderCode == codeLoop:
		first, most = 5*time.Minute, time.Hour
	case err.Class == adapters.Throttled:
		first, most = 30*time.Second, 10*time.Minute
	case local:
		most = first // only a file is read: look again soon
	}
	delay := first
	if e.failure != nil {
		delay = min(max(e.failure.delay*2, first), most)
	}
	wait := max(delay, err.RetryAfter)
	until := now.Add(wait + rand.N(delay/10+1))
	e.failure = &failure{err: err, until: until, delay: delay}
	e.retryAt.Store(until.UnixNano())
}

func (e *entry) succeed(t *token, renewed bool, now time.Time) {
	old := e.token.Load()
	e.failure = nil
	e.retryAt.Store(0)
	if renewed {
		if old != nil && old.renewed { // the provider refused a renewed one again
			e.renewDelay = min(max(e.renewDelay*2, renewFloor), renewCeiling)
		} else {
			e.renewDelay = renewFloor
		}
		e.renewAfter = now.Add(e.renewDelay)
		t.renewed = true
	}
	e.token.Store(t)
}

// remembered is the failure that still holds, nil when there is none. Its wait
// is told again where the provider had set one.
func (e *entry) remembered(now time.Time) *adapters.Error {
	f := e.failure
	if f == nil || !now.Before(f.until) {
		return nil
	}
	err := *f.err
	if err.Class == adapters.Throttled || err.RetryAfter > 0 {
		err.RetryAfter = f.until.Sub(now)
	}
	return &err
}

func (e *entry) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failure != nil && e.failure.err.ProviderCode == codeLoop {
		return
	}
	e.failure, e.renewAfter, e.renewDelay = nil, time.Time{}, 0
	e.retryAt.Store(0)
	e.token.Store(nil)
}

// idle reports, and marks, an entry that may be dropped. A source that still
// holds it looks its key up again before it fetches.
func (e *entry) idle(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	unused := now.Sub(time.Unix(0, e.used.Load()))
	t := e.token.Load()
	usable := t != nil && now.UnixNano() < t.end
	held := e.failure != nil && now.Before(e.failure.until)
	if e.flight != nil || held || unused < idleWithout || usable && unused < idleWith {
		return false
	}
	e.evicted.Store(true)
	return true
}
