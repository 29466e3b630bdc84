package api

import (
	"net/netip"
	"sync"
	"time"
)

// How many wrong credentials a payer may send: this many at once, then one
// each interval.
const (
	failuresAtOnce  = 10
	failureInterval = 6 * time.Second
	maxGuarded      = 10_000
)

// A guard counts wrong credentials by whom they come from: a network or a user
// of this machine (origin.payer). Safe for concurrent use.
type guard struct {
	now func() time.Time

	mu sync.Mutex
	at map[string]time.Time // when the debt of each is paid
}

func newGuard(now func() time.Time) *guard { return &guard{now: now, at: map[string]time.Time{}} }

// network is what one attacker has at hand: an IPv6 subscriber has a /64.
func network(a netip.Addr) netip.Addr {
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

// blocked is how long the payer must wait; 0: it may try.
func (g *guard) blocked(payer string) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.wait(payer, g.now())
}

func (g *guard) wait(payer string, now time.Time) time.Duration {
	paid := g.at[payer]
	if !paid.After(now) {
		return 0
	}
	return max(0, paid.Sub(now)-failuresAtOnce*failureInterval)
}

// failed counts one failure and says as blocked does whether it was one too many.
func (g *guard) failed(payer string) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if len(g.at) >= maxGuarded {
		for k, t := range g.at {
			if !t.After(now) {
				delete(g.at, k)
			}
		}
		if len(g.at) >= maxGuarded { // a flood from everywhere: start anew rather than grow
			clear(g.at)
		}
	}
	if over := g.wait(payer, now); over > 0 {
		return over
	}
	t := g.at[payer]
	if t.Before(now) {
		t = now
	}
	g.at[payer] = t.Add(failureInterval)
	return g.wait(payer, now)
}
