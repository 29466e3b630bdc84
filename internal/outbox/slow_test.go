package outbox

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
)

// cutOff is a node's store that can be out of its reach.
type cutOff struct {
	store.Store
	away atomic.Bool
}

func (c *cutOff) reach() error {
	if c.away.Load() {
		return store.ErrUnavailable
	}
	return nil
}

func (c *cutOff) Heartbeat(ctx context.Context, n store.Node, now, until time.Time) error {
	if err := c.reach(); err != nil {
		return err
	}
	return c.Store.Heartbeat(ctx, n, now, until)
}

func (c *cutOff) Finish(ctx context.Context, f store.Finish) error {
	if err := c.reach(); err != nil {
		return err
	}
	return c.Store.Finish(ctx, f)
}

// A large upload takes longer than the time in which a provider shows what it
// has accepted. The node loses its lease when the last part has just left:
// whoever takes over asks until that time is over, counted from then.
func TestSlowUploadOfANodeThatLostItsLease(t *testing.T) {
	t.Parallel()
	scenario(t, "the last part arrives with the end of the lease", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		defer w.close()
		f := w.fakes["a"]
		var shown atomic.Pointer[time.Time]
		f.latency = time.Hour
		f.ended = func() {
			at := time.Now().Add(30 * time.Second)
			shown.Store(&at)
			f.latency = 0
		}
		f.verify = func(int) (adapters.Verdict, error) {
			if at := shown.Load(); at != nil && time.Now().After(*at) {
				return adapters.Sent, nil
			}
			return adapters.NotSent, nil
		}
		slow := &cutOff{Store: w.store}
		w.run(func(o *Options) { o.Store = slow })
		stop := w.stop
		id := w.submit("a", "x@y.it")
		w.await(id, time.Minute, store.Sending)
		pause.For(t.Context(), 10*time.Minute)
		w.run(func(o *Options) { o.Node = "n2" })
		slow.away.Store(true)
		w.await(id, 10*time.Minute, store.Sent)
		if n := f.calls(); n != 1 {
			t.Errorf("sent %d times", n)
		}
		slow.away.Store(false)
		stop()
	})
}

// A right that is over denies what a provider would act on, at once and not
// when a timer comes round to it.
func TestPermitFollowsTheRight(t *testing.T) {
	t.Parallel()
	scenario(t, "asked before and after the end of the lease", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		defer w.close()
		var o *Outbox
		var before, after, read error
		w.fakes["a"].answer = func(n int, out adapters.Outgoing) (adapters.Receipt, error) {
			if n > 1 {
				return adapters.Receipt{}, nil
			}
			before = out.Permit()
			o.node.mu.Lock()
			until := o.node.until
			o.node.until = time.Now().Add(-time.Second) // as after a process that was stopped goes on
			o.node.mu.Unlock()
			after = out.Permit()
			_, read = out.Permitted(bytes.NewReader([]byte("last block"))).Read(make([]byte, 10))
			o.node.extend(until)
			return adapters.Receipt{}, adapters.AsError(after)
		}
		o = w.run(nil)
		w.await(w.submit("a", "x@y.it"), time.Minute, store.Sent)
		if before != nil {
			t.Errorf("within the lease: %v", before)
		}
		for _, err := range []error{after, read} {
			if e := adapters.AsError(err); e == nil || e.Code != "lease_over" || e.Class != adapters.Transient {
				t.Errorf("after the lease: %v", err)
			}
		}
	})
}

// A node that registers again, because another process took its name or it was
// silent, has a new right: what it began before belongs to whoever verifies it,
// and may not be finished under the new one.
func TestPermitEndsWithTheRegistration(t *testing.T) {
	t.Parallel()
	scenario(t, "asked after the node registered again", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		defer w.close()
		var o *Outbox
		var before, after error
		w.fakes["a"].answer = func(n int, out adapters.Outgoing) (adapters.Receipt, error) {
			if n > 1 {
				return adapters.Receipt{}, nil
			}
			before = out.Permit()
			now, first := time.Now(), o.node.current()
			if _, _, err := w.store.Register(t.Context(), o.opt.Node, now, now.Add(o.opt.Lease)); err != nil {
				return adapters.Receipt{}, err
			}
			for o.node.current() == first { // its next heartbeat tells it
				pause.For(t.Context(), time.Second)
			}
			if o.node.over() {
				t.Error("the node has no right after it registered again")
			}
			after = out.Permit()
			return adapters.Receipt{}, adapters.AsError(after)
		}
		w.fakes["a"].verify = func(int) (adapters.Verdict, error) { return adapters.NotSent, nil }
		o = w.run(nil)
		w.await(w.submit("a", "x@y.it"), 10*time.Minute, store.Sent)
		if before != nil {
			t.Errorf("under the first registration: %v", before)
		}
		if e := adapters.AsError(after); e == nil || e.Code != "lease_over" || e.Class != adapters.Transient {
			t.Errorf("under the second: %v", after)
		}
	})
}
