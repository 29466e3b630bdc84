package api

import (
	"sync"
	"time"
)

// maxLimited bounds how many callers a rateLimiter remembers.
const maxLimited = 10_000

// A rateLimiter lets each caller do something so many times at once, and then
// once each interval. Safe for concurrent use.
type rateLimiter struct {
	now      func() time.Time
	atOnce   time.Duration // a number: it is multiplied by the interval
	interval time.Duration

	mu sync.Mutex
	at map[string]time.Time // when the debt of each is paid
}

func newRateLimiter(now func() time.Time, atOnce int, interval time.Duration) *rateLimiter {
	return &rateLimiter{now: now, atOnce: time.Duration(atOnce), interval: interval, at: map[string]time.Time{}}
}

// blocked is how long the caller must wait; 0: it may go on.
func (l *rateLimiter) blocked(key string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wait(key, l.now())
}

func (l *rateLimiter) wait(key string, now time.Time) time.Duration {
	paid := l.at[key]
	if !paid.After(now) {
		return 0
	}
	return max(0, paid.Sub(now)-l.atOnce*l.interval)
}

// charge counts one and returns, as blocked does, how long to wait now.
func (l *rateLimiter) charge(key string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if len(l.at) >= maxLimited {
		for k, t := range l.at {
			if !t.After(now) {
				delete(l.at, k)
			}
		}
		if len(l.at) >= maxLimited { // a flood from everywhere: start again rather than grow
			clear(l.at)
		}
	}
	if over := l.wait(key, now); over > 0 {
		return over
	}
	t := l.at[key]
	if t.Before(now) {
		t = now
	}
	l.at[key] = t.Add(l.interval)
	return l.wait(key, now)
}
