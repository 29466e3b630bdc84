package core

import (
	"maps"
	"sync"
)

// counters counts requests by name.
type counters struct {
	mu sync.Mutex
	n  map[string]int
}

// Count counts one request, at its very beginning.
func (c *Core) Count(name string) {
	c.counters.add(name)
}

func (c *counters) add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = make(map[string]int)
	}
	c.n[name]++
}

func (c *counters) snapshot() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		return map[string]int{}
	}
	return maps.Clone(c.n)
}

func (c *counters) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n = nil
}

type flightKey struct{ service, mailbox string }

// flights knows how much each mailbox has in work.
type flights struct {
	mu   sync.Mutex
	open map[flightKey]int
	most map[string]int // by service
}

// Enter notes that the mailbox has one more request in work; n includes it.
// leave is to be called once.
func (c *Core) Enter(service, mailbox string) (n int, leave func()) {
	f := &c.flights
	k := flightKey{service, mailbox}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open == nil {
		f.open, f.most = make(map[flightKey]int), make(map[string]int)
	}
	f.open[k]++
	n = f.open[k]
	f.most[service] = max(f.most[service], n)
	return n, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.open[k]--; f.open[k] == 0 {
			delete(f.open, k)
		}
	}
}

func (f *flights) max(service string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.most[service]
}

// now is how many requests all mailboxes of a service have in work.
func (f *flights) now(service string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for k, open := range f.open {
		if k.service == service {
			n += open
		}
	}
	return n
}

func (f *flights) snapshot() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make(map[string]int, len(f.most))
	maps.Copy(out, f.most)
	return out
}

// reset forgets the maxima; what is open now stays open.
func (f *flights) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.most)
}

// Counters counts requests by "service.op".
func (c *Core) Counters() map[string]int { return c.counters.snapshot() }

// MaxInFlight is the largest number of requests that one mailbox of the service had
// open at the same time.
func (c *Core) MaxInFlight(service string) int { return c.flights.max(service) }

// InFlight is how many requests the service has in work now.
func (c *Core) InFlight(service string) int { return c.flights.now(service) }

// MaxInFlights is MaxInFlight of every service.
func (c *Core) MaxInFlights() map[string]int { return c.flights.snapshot() }
