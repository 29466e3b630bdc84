package store

import (
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
)

// A lane that is full has room again when its cap ends, if there is more below
// it, and otherwise when one in flight ends.
func TestRoomUnderCap(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	until := now.Add(time.Minute)
	for _, c := range []struct {
		name                       string
		concurrency, cap, inFlight int
		want                       time.Time
	}{
		{"a cap below the limit", 4, 2, 2, until},
		{"a cap and no limit", 0, 2, 2, until},
		{"a cap, and the limit reached too", 4, 2, 4, Never()},
		{"a cap that is the limit", 2, 2, 2, Never()},
		{"no cap", 2, 0, 2, Never()},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := Lane{Limits: adapters.LaneLimits{Concurrency: c.concurrency}, Cap: c.cap, InFlight: c.inFlight}
			if c.cap > 0 {
				l.CapUntil = until
			}
			if r := l.Room(now); r.Deliveries != 0 || !r.At.Equal(c.want) {
				t.Errorf("room for %d, at %v; want 0 and %v", r.Deliveries, r.At, c.want)
			}
		})
	}
}
