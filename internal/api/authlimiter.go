package api

import (
	"context"
	"net/netip"
	"time"
)

// How many wrong credentials one origin may send: this many at once, then one
// each interval.
const (
	failuresAtOnce        = 10
	accountFailuresAtOnce = 100
	failureInterval       = 6 * time.Second
)

// An authLimiter counts wrong credentials by whom they come from: a network or a user
// of this machine (origin.limitKey). Safe for concurrent use.
type authLimiter struct {
	*rateLimiter
	under map[string]*underway // guarded by the rateLimiter's mutex
}

// underway are the attempts of one origin that are being checked.
type underway struct {
	n     int
	ended chan struct{} // closed when one of them ends
}

func newAuthLimiter(now func() time.Time) *authLimiter {
	return &authLimiter{rateLimiter: newRateLimiter(now, failuresAtOnce, failureInterval), under: map[string]*underway{}}
}

// newAccountLimiter counts wrong passwords by the account, from wherever they
// come: more of them at once than one address has.
func newAccountLimiter(now func() time.Time) *authLimiter {
	return &authLimiter{rateLimiter: newRateLimiter(now, accountFailuresAtOnce, failureInterval), under: map[string]*underway{}}
}

// network is what one attacker has at hand: an IPv6 subscriber has a /64.
func network(a netip.Addr) netip.Addr {
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

// begin charges an attempt before it is checked, so that many at once are no more
// than one after the other; end refunds it unless it failed. An attempt that
// fits only if those under way do not fail waits for them. The error is a
// *failure, or that of ctx.
func (l *authLimiter) begin(ctx context.Context, key string) (end func(failed bool), err error) {
	for {
		ended, wait := l.reserve(key)
		switch {
		case wait > 0:
			return nil, tooManyFailures(wait)
		case ended == nil:
			return func(failed bool) { l.release(key, failed) }, nil
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// reserve charges an attempt, unless it must wait for one under way to end, or so
// long.
func (l *authLimiter) reserve(key string) (ended <-chan struct{}, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	room := l.atOnce*l.interval - max(0, l.at[key].Sub(now))
	if room < l.interval {
		return nil, l.interval - room
	}
	u := l.under[key]
	if u == nil {
		u = &underway{ended: make(chan struct{})}
		l.under[key] = u
	}
	if room < time.Duration(u.n+1)*l.interval {
		return u.ended, 0
	}
	u.n++
	return nil, 0
}

func (l *authLimiter) release(key string, failed bool) {
	if failed {
		l.charge(key)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.under[key]
	close(u.ended)
	u.ended = make(chan struct{})
	if u.n--; u.n == 0 {
		delete(l.under, key)
	}
}
