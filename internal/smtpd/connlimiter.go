package smtpd

import (
	"net/netip"
	"sync"
	"time"
)

// A connLimiter bounds the sessions of one listener, in all and by address. When
// there is no room for another, the least useful one is closed: a thousand
// connections of strangers, whatever they do, keep no client out.
type connLimiter struct {
	max, maxPerAddress int

	mu         sync.Mutex
	sessions   map[*session]struct{}
	perAddress map[netip.Addr]int
	leaving    int // told to close, not gone yet
}

func newConnLimiter(max, maxPerAddress int) *connLimiter {
	return &connLimiter{max: max, maxPerAddress: maxPerAddress, sessions: map[*session]struct{}{}, perAddress: map[netip.Addr]int{}}
}

// admit adds a session, or reports false when there is no room. Programs on this
// machine share one address, so only the total counts for them.
func (c *connLimiter) admit(n *session) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := limitKey(n.remote)
	if c.perAddress[p] >= c.maxPerAddress && !p.IsLoopback() && !c.evict(func(o *session) bool { return limitKey(o.remote) == p }) {
		return false
	}
	if len(c.sessions)-c.leaving >= c.max && !c.evict(func(*session) bool { return true }) {
		return false
	}
	c.sessions[n] = struct{}{}
	c.perAddress[p]++
	return true
}

// evict closes, of the sessions that ok selects, the one that is the least useful (session.evictionRank).
func (c *connLimiter) evict(ok func(*session) bool) bool {
	if c.leaving >= c.max {
		return false // those told to close are not gone yet
	}
	var least *session
	var longest time.Duration
	rank := 0
	for o := range c.sessions {
		if o.evicted || !ok(o) {
			continue
		}
		if r, d := o.evictionRank(); r > rank || r == rank && r > 0 && d > longest {
			least, longest, rank = o, d, r
		}
	}
	if least == nil {
		return false
	}
	c.closeSession(least, closeForRoom)
	return true
}

func (c *connLimiter) closeSession(o *session, why closeReason) {
	o.evicted = true
	c.leaving++
	c.perAddress[limitKey(o.remote)]--
	o.requestClose(why)
}

// makeRoom closes one session.
func (c *connLimiter) makeRoom() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.evict(func(*session) bool { return true })
}

func (c *connLimiter) remove(n *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, is := c.sessions[n]; !is {
		return
	}
	delete(c.sessions, n)
	p := limitKey(n.remote)
	if n.evicted {
		c.leaving--
	} else {
		c.perAddress[p]--
	}
	if c.perAddress[p] <= 0 {
		delete(c.perAddress, p)
	}
}

// closeAll tells all sessions to close when they next wait for a command.
func (c *connLimiter) closeAll(why closeReason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n := range c.sessions {
		if !n.evicted {
			c.closeSession(n, why)
		}
	}
}

// abortAll ends all sessions at once.
func (c *connLimiter) abortAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n := range c.sessions {
		_ = n.raw.Close() // its session notices
	}
}
