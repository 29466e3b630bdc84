package outbox

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// A faultyStore fails where it is told to.
type faultyStore struct {
	store.Store
	away       atomic.Bool // everything that is asked here is away
	unread     atomic.Pointer[store.ID]
	connection string // that cannot be read
	claimed    atomic.Int64
}

func (s *faultyStore) err() error {
	if s.away.Load() {
		return fmt.Errorf("%w: for a test", store.ErrUnavailable)
	}
	return nil
}

func (s *faultyStore) Claim(ctx context.Context, r store.ClaimRequest) ([]store.Claimed, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	cc, err := s.Store.Claim(ctx, r)
	s.claimed.Add(int64(len(cc)))
	return cc, err
}

func (s *faultyStore) Finish(ctx context.Context, f store.Finish) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.Store.Finish(ctx, f)
}

func (s *faultyStore) Release(ctx context.Context, now time.Time, l []store.Lease) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.Store.Release(ctx, now, l)
}

func (s *faultyStore) Connection(ctx context.Context, id string) (*gateway.Connection, error) {
	if id == s.connection {
		return nil, fmt.Errorf("a stored connection cannot be read: for a test")
	}
	return s.Store.Connection(ctx, id)
}

func (s *faultyStore) ConnectionState(ctx context.Context, id string) (store.ConnectionState, error) {
	if err := s.err(); err != nil {
		return store.ConnectionState{}, err
	}
	return s.Store.ConnectionState(ctx, id)
}

func (s *faultyStore) ConnectionsVersion(ctx context.Context) (int64, error) {
	if err := s.err(); err != nil {
		return 0, err
	}
	return s.Store.ConnectionsVersion(ctx)
}

func (s *faultyStore) Connections(ctx context.Context) ([]*gateway.Connection, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.Store.Connections(ctx)
}

func (s *faultyStore) Content(ctx context.Context, id store.ID) (store.Content, error) {
	if bad := s.unread.Load(); bad != nil && *bad == id {
		return nil, fmt.Errorf("%w: the spool file cannot be read: %w", store.ErrUnavailable, syscall.EIO)
	}
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.Store.Content(ctx, id)
}

func (w *world) delivery(id store.ID) *store.Delivery {
	w.t.Helper()
	d, err := w.store.Delivery(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func connectionRefused() error {
	return failure(adapters.Auth, func(e *adapters.Error) { e.Scope = adapters.ScopeConnection }).err
}

// toSender reports whether a call carries a notification.
func toSender(out adapters.Outgoing) bool { return out.Addresses()[0].String() == "erp@contoso.it" }

// What cannot be read now waits, is seen, and keeps nothing else waiting.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	one := 1
	scenario(t, "a body", func(t *testing.T) {
		w := newWorld(t, conn("a", func(c *gateway.Connection) { c.Limits.Concurrency = &one }))
		defer w.close()
		st := &faultyStore{Store: w.store}
		bad := w.submit("a", "x@y.it")
		st.unread.Store(&w.delivery(bad).Message)
		pause.For(t.Context(), time.Second)
		good := w.submit("a", "z@y.it")
		w.run(func(o *Options) { o.Store = st })
		w.await(good, 10*time.Second, store.Sent)
		pause.For(t.Context(), 2*time.Minute)
		if d := w.delivery(bad); d.State != store.Queued || d.Error == nil || d.Error.Code != "unreadable" {
			t.Errorf("the bad one is %v: %v", d.State, d.Error)
		}
		if n := st.claimed.Load(); n > 5 {
			t.Errorf("claimed %d times in two minutes", n)
		}
		st.unread.Store(nil)
		w.await(bad, 10*time.Minute, store.Sent)
	})
	scenario(t, "a body, until its time is over", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		defer w.close()
		w.giveUp = 10 * time.Minute
		st := &faultyStore{Store: w.store}
		bad := w.submit("a", "x@y.it")
		st.unread.Store(&w.delivery(bad).Message)
		w.run(func(o *Options) { o.Store = st })
		w.await(bad, 12*time.Minute, store.Expired)
		pause.For(t.Context(), time.Minute)
		w.await(w.submit("a", "z@y.it"), 10*time.Second, store.Sent)
		if n := w.fakes["a"].calls(); n != 2 {
			t.Errorf("%d calls: the good one, and one that tells the sender of the bad one", n)
		}
	})
	scenario(t, "a connection", func(t *testing.T) {
		w := newWorld(t, conn("a", nil), conn("b", nil))
		defer w.close()
		st := &faultyStore{Store: w.store, connection: w.conns["a"].ID}
		for range 100 {
			w.submit("a", "z@y.it")
		}
		good := w.submit("b", "z@y.it")
		w.run(func(o *Options) { o.Store = st })
		w.await(good, 10*time.Second, store.Sent)
		pause.For(t.Context(), 30*time.Second)
		if n := st.claimed.Load(); n > 101 {
			t.Errorf("claimed %d times in half a minute", n)
		}
	})
}

// A lease that cannot be given back at once is given back later: the heartbeat
// of this node would keep it for ever.
func TestReleaseWhileAway(t *testing.T) {
	t.Parallel()
	scenario(t, "away", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		defer w.close()
		st := &faultyStore{Store: w.store}
		b := w.run(func(o *Options) { o.Store = st })
		pause.For(t.Context(), time.Second)
		id := w.submit("a", "x@y.it")
		w.await(id, time.Second, store.Sent)
		n := b.node.current()
		w.schedule("a", time.Now().Add(time.Hour))
		cc, err := w.store.Claim(t.Context(), store.ClaimRequest{Node: n, Now: time.Now().Add(time.Hour), Max: 1})
		if err != nil || len(cc) != 1 {
			t.Fatal(len(cc), err)
		}
		st.away.Store(true)
		time.AfterFunc(9*time.Second, func() { st.away.Store(false) })
		b.release(cc[0].Lease)
		if l, err := w.store.Lane(t.Context(), cc[0].Delivery.Route.Lane); err != nil || l.InFlight != 0 {
			t.Errorf("%d in flight, %v", l.InFlight, err)
		}
	})
}

// A message with more recipients than mime reads by itself goes out: how many
// there may be was the entry point's to decide.
func TestManyAddressesInTheHeader(t *testing.T) {
	t.Parallel()
	scenario(t, "many", func(t *testing.T) {
		w := newWorld(t, conn("a", func(c *gateway.Connection) { none := 0; c.Limits.RecipientsPerDay = &none }))
		defer w.close()
		var to []string
		for i := range 10_001 {
			to = append(to, fmt.Sprintf("r%d@y.it", i))
		}
		if _, err := mime.Read(mime.Bytes([]byte("From: a@b.it\r\nTo: "+strings.Join(to, ",\r\n ")+"\r\n\r\n")), mime.Limits{}); err == nil {
			t.Fatal("mime reads so many by itself: this proves nothing")
		}
		w.run(nil)
		w.await(w.submit("a", to...), time.Minute, store.Sent)
	})
}
