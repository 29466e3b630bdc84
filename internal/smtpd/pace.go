package smtpd

import (
	"net/netip"
	"sync"
	"time"
)

// A pace bounds the messages a minute of each address; nil bounds nothing. Safe
// for concurrent use.
type pace struct {
	perMinute float64

	mu      sync.Mutex
	buckets map[netip.Addr]*bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

// maxBuckets bounds the memory of a pace; a full bucket can be forgotten.
const maxBuckets = 10000

func newPace(perMinute int) *pace {
	if perMinute <= 0 {
		return nil
	}
	return &pace{perMinute: float64(perMinute), buckets: map[netip.Addr]*bucket{}}
}

// take counts one message; false when the address must wait.
func (p *pace) take(a netip.Addr, now time.Time) bool {
	if p == nil {
		return true
	}
	a = party(a)
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.buckets[a]
	if b == nil {
		if len(p.buckets) >= maxBuckets {
			p.forget(now)
		}
		b = &bucket{tokens: p.perMinute, at: now}
		p.buckets[a] = b
	}
	b.tokens = min(p.perMinute, b.tokens+now.Sub(b.at).Minutes()*p.perMinute)
	b.at = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

func (p *pace) forget(now time.Time) {
	for a, b := range p.buckets {
		if now.Sub(b.at) > time.Minute {
			delete(p.buckets, a)
		}
	}
	for a := range p.buckets {
		if len(p.buckets) < maxBuckets {
			return
		}
		delete(p.buckets, a)
	}
}
