package api

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// A slowStore takes its time, by the test's clock, to count.
type slowStore struct {
	store.Store
	clock  func(time.Duration) time.Time
	takes  time.Duration
	counts atomic.Int64
}

func (s *slowStore) Stats(ctx context.Context, now time.Time) (store.Stats, error) {
	s.counts.Add(1)
	s.clock(s.takes)
	return s.Store.Stats(ctx, now)
}

// However often the metrics are asked for, counting the queue takes no more
// than a hundredth of the time.
func TestCountingIsBounded(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := time.Now()
	clock := func(d time.Duration) time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(d)
		return now
	}
	var slow *slowStore
	w := newWorld(t, func(o *Options) {
		slow = &slowStore{Store: o.Store, clock: clock, takes: 250 * time.Millisecond}
		o.Store, o.Now = slow, func() time.Time { return clock(0) }
	})
	const scrapes, every = 60, time.Second
	for range scrapes {
		clock(every)
		w.want(w.do(w.admin, "GET", "/metrics", nil), 200)
	}
	if n := slow.counts.Load(); n != 3 { // at 0, 25 and 50 s
		t.Errorf("counted %d times", n)
	}
	clock(20 * time.Second)
	if body := string(w.do(w.admin, "GET", "/metrics", nil).body); !strings.Contains(body, "postino_queue_count_age_seconds 0\n") &&
		!strings.Contains(body, "postino_queue_counted_seconds 0.25\n") {
		t.Error("not counted again after 20 s more, or its age is not shown")
	}
}
