package smtpd

import (
	"net/netip"
	"sync"
	"time"
)

// A crowd is the sessions of one listener. When there is no room for another,
// the one that is missed least leaves: a thousand connections that prove
// nothing, whatever they do, take the place of nobody.
type crowd struct {
	most, mostEach int

	mu      sync.Mutex
	in      map[*session]struct{}
	parties map[netip.Addr]int
	going   int // told to leave, still there
}

func newCrowd(most, mostEach int) *crowd {
	return &crowd{most: most, mostEach: mostEach, in: map[*session]struct{}{}, parties: map[netip.Addr]int{}}
}

// join lets a session in. Programs on this machine share one address, so only
// the number in all counts for them.
func (c *crowd) join(n *session) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := party(n.remote)
	if c.parties[p] >= c.mostEach && !p.IsLoopback() && !c.evict(func(o *session) bool { return party(o.remote) == p }) {
		return false
	}
	if len(c.in)-c.going >= c.most && !c.evict(func(*session) bool { return true }) {
		return false
	}
	c.in[n] = struct{}{}
	c.parties[p]++
	return true
}

// evict sends away the session that is missed least (session.expendable).
func (c *crowd) evict(ok func(*session) bool) bool {
	if c.going >= c.most {
		return false // those told to leave are not gone yet
	}
	var least *session
	var longest time.Duration
	rank := 0
	for o := range c.in {
		if o.dismissed || !ok(o) {
			continue
		}
		if r, d := o.expendable(); r > rank || r == rank && r > 0 && d > longest {
			least, longest, rank = o, d, r
		}
	}
	if least == nil {
		return false
	}
	c.sendAway(least, byeCrowded)
	return true
}

func (c *crowd) sendAway(o *session, why bye) {
	o.dismissed = true
	c.going++
	c.parties[party(o.remote)]--
	o.dismiss(why)
}

// makeRoom sends one idle session away.
func (c *crowd) makeRoom() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.evict(func(*session) bool { return true })
}

func (c *crowd) leave(n *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, is := c.in[n]; !is {
		return
	}
	delete(c.in, n)
	p := party(n.remote)
	if n.dismissed {
		c.going--
	} else {
		c.parties[p]--
	}
	if c.parties[p] <= 0 {
		delete(c.parties, p)
	}
}

// dismiss tells all sessions to end as soon as they wait for a command.
func (c *crowd) dismiss(why bye) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n := range c.in {
		if !n.dismissed {
			c.sendAway(n, why)
		}
	}
}

// cut ends all sessions at once.
func (c *crowd) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n := range c.in {
		_ = n.raw.Close() // its session notices
	}
}
