package smtpd

import (
	"net/netip"
	"sync"
	"time"
)

// A rateLimiter bounds the messages a minute of each address; nil bounds nothing. Safe
// for concurrent use.
type rateLimiter struct {
	perMinute float64

	mu      sync.Mutex
	buckets map[netip.Addr]*bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

func newRateLimiter(perMinute int) *rateLimiter {
	if perMinute <= 0 {
		return nil
	}
	return &rateLimiter{perMinute: float64(perMinute), buckets: map[netip.Addr]*bucket{}}
}

// allow counts one message; false when the address must wait.
func (p *rateLimiter) allow(a netip.Addr, now time.Time) bool {
	if p == nil {
		return true
	}
	a = limitKey(a)
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.buckets[a]
	if b == nil {
		if len(p.buckets) >= limiterEntries {
			shrink(p.buckets, func(b *bucket) bool { return now.Sub(b.at) > time.Minute }, neverUsed) // full again
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
