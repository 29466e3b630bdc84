package outbox

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
)

// shaky is a store that can go away, as a full disk or a lost database does.
type shaky struct {
	store.Store
	away   atomic.Bool
	behind atomic.Bool // Finish stays away until the node is registered again
}

func (s *shaky) err() error {
	if s.away.Load() {
		return fmt.Errorf("%w: for a test", store.ErrUnavailable)
	}
	return nil
}

func (s *shaky) Register(ctx context.Context, name string, now, until time.Time) (store.Node, int, error) {
	if err := s.err(); err != nil {
		return store.Node{}, 0, err
	}
	defer s.behind.Store(false)
	return s.Store.Register(ctx, name, now, until)
}

func (s *shaky) Heartbeat(ctx context.Context, n store.Node, now, until time.Time) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.Store.Heartbeat(ctx, n, now, until)
}

func (s *shaky) Reap(ctx context.Context, now time.Time) (int, error) {
	if err := s.err(); err != nil {
		return 0, err
	}
	return s.Store.Reap(ctx, now)
}

func (s *shaky) Claim(ctx context.Context, r store.ClaimRequest) ([]store.Claimed, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.Store.Claim(ctx, r)
}

func (s *shaky) Finish(ctx context.Context, f store.Finish) error {
	if err := s.err(); err != nil {
		return err
	}
	if s.behind.Load() {
		return store.ErrUnavailable
	}
	return s.Store.Finish(ctx, f)
}

// The store is away for much longer than the lease while a provider accepts.
// What is known is written as soon as it is back: nothing is sent again, even
// where no one can be asked and the policy would be to repeat.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	scenario(t, "the outcome is kept until the store is back", func(t *testing.T) {
		w := newWorld(t, conn("a", func(c *gateway.Connection) { c.OnUnknown = adapters.UnknownRetry }))
		defer w.close()
		st := &shaky{Store: w.store}
		w.fakes["a"].answer = func(int, adapters.Outgoing) (adapters.Receipt, error) {
			st.away.Store(true)
			st.behind.Store(true) // the worst order: the lease is found lost first
			return adapters.Receipt{Status: 250}, nil
		}
		w.run(func(o *Options) { o.Store = st })
		id := w.submit("a", "x@y.it")
		pause.For(t.Context(), 3*time.Minute)
		w.fakes["a"].answer = nil
		st.away.Store(false)
		d := w.await(id, 10*time.Second, store.Sent)
		pause.For(t.Context(), 10*time.Minute)
		if n := w.fakes["a"].calls(); n != 1 || d.Duplicate {
			t.Errorf("%d sends, duplicate %v", n, d.Duplicate)
		}
		w.await(w.submit("a", "z@y.it"), 10*time.Second, store.Sent) // it goes on by itself
	})
}

// frozen is an adapter finder that can be stopped between the claim and the
// call, as SIGSTOP does at the worst moment.
type frozen struct {
	Adapters
	mu      sync.Mutex
	release chan struct{}
}

func (f *frozen) Adapter(c *adapters.Connection) (adapters.Adapter, error) {
	f.mu.Lock()
	release := f.release
	f.mu.Unlock()
	if release != nil {
		<-release
	}
	return f.Adapters.Adapter(c)
}

func TestTwoNodes(t *testing.T) {
	t.Parallel()
	scenario(t, "each delivery once, the cap holds over both", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		w.fakes["a"].latency = 100 * time.Millisecond
		var ids []store.ID
		for i := range 60 {
			ids = append(ids, w.submit("a", fmt.Sprintf("r%d@y.it", i)))
		}
		w.run(nil)
		stop := w.stop
		w.run(func(o *Options) { o.Node = "n2" })
		for _, id := range ids {
			d := w.await(id, time.Minute, store.Sent)
			at, err := w.store.Attempts(t.Context(), d.ID)
			if err != nil || len(at) != 1 {
				t.Fatalf("%d attempts, %v", len(at), err)
			}
		}
		if f := w.fakes["a"]; f.calls() != len(ids) || f.most > 4 {
			t.Errorf("%d sends of %d messages, %d at once", f.calls(), len(ids), f.most)
		}
		stop()
		w.close()
	})
	scenario(t, "a node that was stopped beyond its lease does not send", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		w.fakes["a"].verify = func(int) (adapters.Verdict, error) { return adapters.NotSent, nil }
		st := &shaky{Store: w.store}
		late := &frozen{Adapters: w, release: make(chan struct{})}
		w.run(func(o *Options) { o.Node, o.Store, o.Adapters = "late", st, late })
		stopLate := w.stop
		id := w.submit("a", "x@y.it")
		w.await(id, time.Second, store.Sending)
		st.away.Store(true) // stopped: no heartbeat either
		w.run(func(o *Options) { o.Node = "n2" })
		d := w.await(id, 5*time.Minute, store.Sent)
		if n := w.fakes["a"].calls(); n != 1 {
			t.Errorf("%d sends before the late node goes on", n)
		}
		st.away.Store(false)
		close(late.release)
		pause.For(t.Context(), time.Minute)
		if n := w.fakes["a"].calls(); n != 1 || d.Duplicate {
			t.Errorf("%d sends in all, duplicate %v", n, d.Duplicate)
		}
		if now, err := w.store.Delivery(t.Context(), id); err != nil || now.State != store.Sent || now.Epoch != d.Epoch {
			t.Errorf("the late node changed the delivery: %+v, %v", now, err)
		}
		stopLate()
		w.close()
	})
	scenario(t, "a call under way when the lease ends is ended, and its outcome unknown", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		f := w.fakes["a"]
		f.latency = time.Hour
		f.verify = func(int) (adapters.Verdict, error) { return adapters.Sent, nil }
		st := &shaky{Store: w.store}
		w.run(func(o *Options) { o.Node, o.Store = "late", st })
		stopLate := w.stop
		id := w.submit("a", "x@y.it")
		w.await(id, time.Second, store.Sending)
		pause.For(t.Context(), time.Second) // the call has begun
		st.away.Store(true)
		pause.For(t.Context(), 30*time.Second)
		f.mu.Lock()
		if f.inFlight != 0 {
			t.Error("the call goes on without a lease")
		}
		f.mu.Unlock()
		w.run(func(o *Options) { o.Node = "n2" })
		w.await(id, time.Minute, store.Sent)
		st.away.Store(false)
		pause.For(t.Context(), time.Minute)
		if n := f.calls(); n != 1 {
			t.Errorf("%d sends", n)
		}
		stopLate()
		w.close()
	})
}
