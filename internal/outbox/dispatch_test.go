package outbox

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
)

// Whatever room there is, all of it is used, none twice, and nothing waits for
// anything but a worker.
func TestRoom(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 2, 3, claimBatch, claimBatch + 1, 2 * claimBatch} {
		scenario(t, fmt.Sprint(workers), func(t *testing.T) {
			w := newWorld(t, conn("a", func(c *gateway.Connection) { none := 0; c.Limits.Concurrency = &none }))
			defer w.close()
			f := w.fakes["a"]
			f.latency = 100 * time.Millisecond
			const rounds = 4
			var last store.ID
			for i := range rounds * workers / 2 {
				last = w.submit("a", fmt.Sprintf("r%d@y.it", i))
			}
			b := w.run(func(o *Options) { o.Workers, o.Sweep = workers, time.Hour })
			for i := range rounds * (workers - workers/2) { // some of it arrives while they wait
				last = w.submit("a", fmt.Sprintf("s%d@y.it", i))
			}
			w.await(last, time.Minute, store.Sent)
			start := time.Now()
			for b.InFlight() > 0 {
				pause.For(t.Context(), 10*time.Millisecond)
			}
			if f.most > workers || workers > 1 && f.most < workers {
				t.Errorf("%d at once", f.most)
			}
			if late := time.Since(start); late > time.Second {
				t.Errorf("the rest took %v", late)
			}
			idleAgain := b.busy.Load() // what the claims that wait have reserved
			if idleAgain > int64(workers) {
				t.Errorf("%d of %d are reserved", idleAgain, workers)
			}
			stop := time.Now()
			w.stop()
			w.stop = nil
			if took := time.Since(stop); took > 0 || b.busy.Load() != 0 || b.InFlight() != 0 {
				t.Errorf("the stop took %v; %d are reserved, %d in flight", took, b.busy.Load(), b.InFlight())
			}
		})
	}
}

// stopping ends the outbox while a claim is being given to it.
type stopping struct {
	store.Store
	stop func()
}

func (s *stopping) Claim(ctx context.Context, r store.ClaimRequest) ([]store.Claimed, error) {
	got, err := s.Store.Claim(ctx, r)
	if len(got) > 0 {
		s.stop()
	}
	return got, err
}

// What is claimed at the moment of a stop is given back, and waits for the next start.
func TestClaimedAtStop(t *testing.T) {
	t.Parallel()
	scenario(t, "given back", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		defer w.close()
		id := w.submit("a", "x@y.it")
		ctx, cancel := context.WithCancel(t.Context())
		b, err := New(Options{Store: &stopping{w.store, cancel}, Adapters: w})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Run(ctx); err != nil {
			t.Error(err)
		}
		d := w.await(id, 0, store.Queued)
		if n := w.fakes["a"].calls(); n != 0 || d.Attempts != 0 {
			t.Errorf("%d sends after the stop, %d attempts", n, d.Attempts)
		}
	})
}
