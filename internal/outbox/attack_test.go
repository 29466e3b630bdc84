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

func (s *faultyStore) Connection(ctx context.Context, id string) (*adapters.Connection, error) {
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

func (s *faultyStore) Connections(ctx context.Context) ([]*adapters.Connection, error) {
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
func toSender(out adapters.Outgoing) bool { return out.Addresses()[0] == "erp@contoso.it" }

// What cannot be read now waits, is seen, and keeps nothing else waiting.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	one := 1
	scenario(t, "a body", func(t *testing.T) {
		w := newWorld(t, conn("a", func(c *adapters.Connection) { c.Limits.Concurrency = &one }))
		defer w.close()
		st := &faultyStore{Store: w.store}
		bad := w.submit("a", "x@y.it")
		st.unread.Store(&w.delivery(bad).Message)
		pause(t.Context(), time.Second)
		good := w.submit("a", "z@y.it")
		w.run(func(o *Options) { o.Store = st })
		w.await(good, 10*time.Second, store.Done)
		pause(t.Context(), 2*time.Minute)
		if d := w.delivery(bad); d.State != store.Queued || d.Error == nil || d.Error.Code != "unreadable" {
			t.Errorf("the bad one is %v: %v", d.State, d.Error)
		}
		if n := st.claimed.Load(); n > 5 {
			t.Errorf("claimed %d times in two minutes", n)
		}
		st.unread.Store(nil)
		w.await(bad, 10*time.Minute, store.Done)
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
		w.await(good, 10*time.Second, store.Done)
		pause(t.Context(), 30*time.Second)
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
		pause(t.Context(), time.Second)
		id := w.submit("a", "x@y.it")
		w.await(id, time.Second, store.Done)
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

// A message that may have been sent has not failed when its time is over: the
// sender is told once that nobody knows, and a person decides.
func TestUnknownDoesNotExpire(t *testing.T) {
	t.Parallel()
	scenario(t, "held", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		defer w.close()
		w.giveUp, w.warn = 72*time.Minute, 4*time.Minute
		var told []string
		w.fakes["a"].answer = func(_ int, out adapters.Outgoing) (adapters.Receipt, error) {
			if !toSender(out) {
				return adapters.Receipt{}, failure(adapters.Unknown, nil).err
			}
			b := make([]byte, out.Message.Body().Size())
			if _, err := out.Message.Body().ReadAt(b, 0); err != nil {
				t.Error(err)
			}
			told = append(told, out.Message.Subject()+string(b))
			return adapters.Receipt{}, nil
		}
		w.run(func(o *Options) { o.Lease, o.Sweep = time.Hour, time.Hour })
		id := w.submit("a", "x@y.it")
		w.await(id, time.Minute, store.Held)
		pause(t.Context(), 80*time.Minute)
		d := w.delivery(id)
		if d.State != store.Held || d.Recipients[0].State != store.Pending {
			t.Errorf("%v, recipient %v", d.State, d.Recipients[0].State)
		}
		if len(told) != 1 || !strings.Contains(told[0], "Outcome unknown") || !strings.Contains(told[0], "Action: delayed\r\nStatus: 4.4.2") || strings.Contains(told[0], "not left yet") {
			t.Errorf("told %d times: %s", len(told), strings.Join(told, "\n=====\n"))
		}
	})
	scenario(t, "not sent after all", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		defer w.close()
		w.giveUp = 10 * time.Minute
		w.fakes["a"].answer = func(_ int, out adapters.Outgoing) (adapters.Receipt, error) {
			if toSender(out) {
				return adapters.Receipt{}, nil
			}
			return adapters.Receipt{}, failure(adapters.Unknown, nil).err
		}
		begin := time.Now()
		w.fakes["a"].verify = func(int) (adapters.Verdict, error) {
			if time.Since(begin) < 20*time.Minute {
				return "", failure(adapters.Transient, nil).err
			}
			return adapters.NotSent, nil
		}
		w.run(func(o *Options) { o.Lease, o.Sweep = time.Hour, time.Hour })
		id := w.submit("a", "x@y.it")
		pause(t.Context(), 15*time.Minute)
		w.await(id, 0, store.Unverified)
		w.await(id, 20*time.Minute, store.Expired)
	})
}

// A refused question says nothing of the message: it is asked again when the
// credential is right, and nothing is sent meanwhile.
func TestVerifyWithRefusedCredential(t *testing.T) {
	t.Parallel()
	scenario(t, "refused", func(t *testing.T) {
		w := newWorld(t, conn("a", func(c *adapters.Connection) { c.OnUnknown = adapters.UnknownRetry }))
		defer w.close()
		w.fakes["a"].answer = func(int, adapters.Outgoing) (adapters.Receipt, error) {
			return adapters.Receipt{}, failure(adapters.Unknown, nil).err
		}
		w.fakes["a"].verify = func(n int) (adapters.Verdict, error) {
			if n < 3 {
				return "", connectionRefused()
			}
			return adapters.Sent, nil
		}
		w.run(nil)
		d := w.await(w.submit("a", "x@y.it"), time.Hour, store.Done)
		if n := w.fakes["a"].calls(); n != 1 || d.Duplicate {
			t.Errorf("sent %d times, duplicate %v", n, d.Duplicate)
		}
	})
}

// One message that a connection refuses does not keep the others from leaving
// by a loop of pauses and successes.
func TestRefusedAmongAccepted(t *testing.T) {
	t.Parallel()
	scenario(t, "refused", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		defer w.close()
		var bad atomic.Int64
		w.fakes["a"].latency = 100 * time.Millisecond
		w.fakes["a"].answer = func(_ int, out adapters.Outgoing) (adapters.Receipt, error) {
			if out.Addresses()[0] == "ext@other.it" {
				bad.Add(1)
				return adapters.Receipt{}, connectionRefused()
			}
			return adapters.Receipt{}, nil
		}
		w.run(nil)
		for range 4 {
			w.submit("a", "x@y.it")
		}
		w.submit("a", "ext@other.it")
		for range 100 {
			w.submit("a", "x@y.it")
			pause(t.Context(), 50*time.Millisecond)
		}
		if n := bad.Load(); n > 1 {
			t.Errorf("tried %d times within seconds", n)
		}
	})
}

// A long list goes on in another transaction at once; a recipient refused for
// good is not kept waiting by others.
func TestPartialAcceptance(t *testing.T) {
	t.Parallel()
	scenario(t, "a hundred at a time", func(t *testing.T) {
		w := newWorld(t, conn("a", func(c *adapters.Connection) { none := 0; c.Limits.RecipientsPerDay = &none }))
		defer w.close()
		w.fakes["a"].answer = func(_ int, out adapters.Outgoing) (adapters.Receipt, error) {
			r := adapters.Receipt{Status: 250}
			for i, a := range out.Addresses() {
				x := adapters.RecipientResult{Address: a}
				if i >= 100 {
					x.Err = &adapters.Error{Class: adapters.Transient, Scope: adapters.ScopeMessage, Code: "452 4.5.3", Enhanced: "4.5.3", Status: 452}
				}
				r.Recipients = append(r.Recipients, x)
			}
			return r, nil
		}
		w.run(nil)
		var to []string
		for i := range 1000 {
			to = append(to, fmt.Sprintf("r%d@y.it", i))
		}
		if d := w.await(w.submit("a", to...), time.Minute, store.Done); d.Attempts != 10 {
			t.Errorf("%d attempts", d.Attempts)
		}
	})
	scenario(t, "one gone for good, nobody accepted", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		defer w.close()
		w.fakes["a"].answer = func(n int, out adapters.Outgoing) (adapters.Receipt, error) {
			if toSender(out) {
				return adapters.Receipt{}, nil
			}
			later := &adapters.Error{Class: adapters.Transient, Scope: adapters.ScopeMessage, Code: "451 4.2.2", Enhanced: "4.2.2"}
			gone := &adapters.Error{Class: adapters.Permanent, Scope: adapters.ScopeMessage, Code: "550 5.1.1", Enhanced: "5.1.1"}
			r := adapters.Receipt{}
			for _, a := range out.Addresses() {
				x := adapters.RecipientResult{Address: a, Err: later}
				if a == "gone@y.it" {
					x.Err = gone
				}
				r.Recipients = append(r.Recipients, x)
			}
			return r, later
		}
		w.run(nil)
		id := w.submit("a", "full@y.it", "gone@y.it")
		pause(t.Context(), 10*time.Second)
		d := w.delivery(id)
		if d.State != store.Queued || d.Recipients[0].State != store.Pending || d.Recipients[1].State != store.RecipientFailed || d.Recipients[1].Error.Code != "550 5.1.1" {
			t.Errorf("%v: %+v", d.State, d.Recipients)
		}
	})
}

// A notification takes no stranger's mailbox, and is not lost because the store
// was away when it was made.
func TestNotificationWay(t *testing.T) {
	t.Parallel()
	scenario(t, "own connection refused, another customer's is well", func(t *testing.T) {
		w := newWorld(t, conn("a", func(c *adapters.Connection) { c.Owner = "alice" }), conn("b", func(c *adapters.Connection) { c.Owner, c.From = "bob", "info@fabrikam.it" }))
		defer w.close()
		w.giveUp, w.warn = 72*time.Minute, 4*time.Minute
		w.fakes["a"].answer = func(int, adapters.Outgoing) (adapters.Receipt, error) { return adapters.Receipt{}, connectionRefused() }
		w.run(func(o *Options) { o.Lease, o.Sweep = time.Hour, time.Hour })
		w.submit("a", "x@y.it")
		pause(t.Context(), 74*time.Minute)
		if n := w.fakes["b"].calls(); n != 0 {
			t.Errorf("the other customer's mailbox sent %d", n)
		}
	})
	scenario(t, "expired while the server was off", func(t *testing.T) {
		w := newWorld(t, conn("a", nil), conn("aa", nil))
		defer w.close()
		w.giveUp = time.Hour
		for range 20 {
			w.submit("aa", "x@y.it")
		}
		past := time.Now().Add(time.Minute)
		if err := w.store.ChangeConnection(t.Context(), time.Now(), w.conns["aa"].ID, store.ConnectionChange{PauseUntil: &past}); err != nil {
			t.Fatal(err)
		}
		pause(t.Context(), 2*time.Hour)
		w.run(nil)
		pause(t.Context(), time.Minute)
		if own, other := w.fakes["aa"].calls(), w.fakes["a"].calls(); own != 20 || other != 0 {
			t.Errorf("told through the own connection %d times, through another one %d times", own, other)
		}
	})
	for name, large := range map[string]bool{"the store away at a refusal": false, "the store away at a refusal for size": true} {
		scenario(t, name, func(t *testing.T) {
			w := newWorld(t, conn("b", func(c *adapters.Connection) { c.Aliases = []string{"a@contoso.it"} }), conn("a", func(c *adapters.Connection) { c.Fallback = []string{"b"} }))
			defer w.close()
			st := &faultyStore{Store: w.store}
			w.fakes["a"].answer = func(_ int, out adapters.Outgoing) (adapters.Receipt, error) {
				if toSender(out) {
					return adapters.Receipt{}, nil
				}
				st.away.Store(true)
				pause(t.Context(), 2*time.Second) // so that nothing is fresh
				time.AfterFunc(time.Second, func() { st.away.Store(false) })
				return adapters.Receipt{}, failure(adapters.Permanent, func(e *adapters.Error) { e.TooLarge = large }).err
			}
			w.run(func(o *Options) { o.Store = st })
			want := store.Failed
			if large {
				want = store.Done
			}
			w.await(w.submit("a", "x@y.it"), time.Minute, want)
			pause(t.Context(), time.Minute)
			if told := len(w.fakes["a"].sends) == 2; told == large {
				t.Errorf("a sent %q, b sent %q", w.fakes["a"].sends, w.fakes["b"].sends)
			}
		})
	}
}

// A message with more recipients than mime reads by itself goes out: how many
// there may be was the door's to decide.
func TestManyAddressesInTheHeader(t *testing.T) {
	t.Parallel()
	scenario(t, "many", func(t *testing.T) {
		w := newWorld(t, conn("a", func(c *adapters.Connection) { none := 0; c.Limits.RecipientsPerDay = &none }))
		defer w.close()
		var to []string
		for i := range 10_001 {
			to = append(to, fmt.Sprintf("r%d@y.it", i))
		}
		if _, err := mime.Read(mime.Bytes([]byte("From: a@b.it\r\nTo: "+strings.Join(to, ",\r\n ")+"\r\n\r\n")), mime.Limits{}); err == nil {
			t.Fatal("mime reads so many by itself: this proves nothing")
		}
		w.run(nil)
		w.await(w.submit("a", to...), time.Minute, store.Done)
	})
}
