package outbox

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
)

func TestOutbox(t *testing.T) {
	t.Parallel()
	fail := func(c adapters.Class, change func(*adapters.Error)) error { return failure(c, change).err }
	scenario(t, "accepted at once", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		defer w.close()
		w.run(nil)
		d := w.await(w.submit("a", "x@y.it"), time.Second, store.Sent)
		at, err := w.store.Attempts(t.Context(), d.ID)
		if err != nil || len(at) != 1 || at[0].Class != adapters.Accepted || at[0].Receipt == nil || at[0].Node != "n1" {
			t.Errorf("ledger %+v, %v", at, err)
		}
	})
	scenario(t, "transient is tried again until it works", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		defer w.close()
		w.fakes["a"].answer = func(n int, _ adapters.Outgoing) (adapters.Receipt, error) {
			if n < 4 {
				return adapters.Receipt{}, fail(adapters.Transient, nil)
			}
			return adapters.Receipt{}, nil
		}
		w.run(func(o *Options) { o.Lease, o.Sweep = time.Hour, time.Hour })
		d := w.await(w.submit("a", "x@y.it"), 15*time.Minute, store.Sent)
		if d.Attempts != 4 {
			t.Errorf("%d attempts, want 4", d.Attempts)
		}
	})
	scenario(t, "each call is reported with its class", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		defer w.close()
		w.fakes["a"].latency = 3 * time.Second
		w.fakes["a"].answer = func(n int, _ adapters.Outgoing) (adapters.Receipt, error) {
			if n == 1 {
				return adapters.Receipt{}, fail(adapters.Throttled, nil)
			}
			return adapters.Receipt{}, nil
		}
		var mu sync.Mutex
		var calls []string
		w.run(func(o *Options) {
			o.Called = func(conn *gateway.Connection, c adapters.Class, took time.Duration) {
				mu.Lock()
				defer mu.Unlock()
				calls = append(calls, fmt.Sprint(conn.Provider, " ", c, " ", took))
			}
		})
		w.await(w.submit("a", "x@y.it"), 15*time.Minute, store.Sent)
		mu.Lock()
		defer mu.Unlock()
		if fmt.Sprint(calls) != "[graph throttled 3s graph accepted 3s]" {
			t.Error(calls)
		}
	})
	scenario(t, "only the refused recipients again", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		defer w.close()
		w.fakes["a"].answer = func(n int, out adapters.Outgoing) (adapters.Receipt, error) {
			r := adapters.Receipt{}
			for i, a := range out.Addresses() {
				x := adapters.RecipientResult{Address: a}
				if n == 1 && i == 1 {
					x.Err = failure(adapters.Transient, nil).err
				}
				r.Recipients = append(r.Recipients, x)
			}
			return r, nil
		}
		w.run(nil)
		w.await(w.submit("a", "x@y.it", "z@y.it"), 5*time.Minute, store.Sent)
		if got := fmt.Sprint(w.fakes["a"].sends); got != "[x@y.it z@y.it z@y.it]" {
			t.Errorf("sent to %s", got)
		}
	})
	scenario(t, "permanent fails and the sender is told once", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		defer w.close()
		w.fakes["a"].answer = func(n int, out adapters.Outgoing) (adapters.Receipt, error) {
			if out.Addresses()[0].String() == "erp@contoso.it" {
				return adapters.Receipt{}, nil
			}
			return adapters.Receipt{}, fail(adapters.Permanent, func(e *adapters.Error) { e.Enhanced = "5.1.1" })
		}
		w.run(nil)
		w.await(w.submit("a", "nobody@y.it"), time.Second, store.Failed)
		pause.For(t.Context(), time.Minute)
		if got := fmt.Sprint(w.fakes["a"].sends); got != "[nobody@y.it erp@contoso.it]" {
			t.Errorf("sent to %s", got)
		}
	})
	scenario(t, "a notification that fails is not answered", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		defer w.close()
		w.fakes["a"].answer = func(int, adapters.Outgoing) (adapters.Receipt, error) {
			return adapters.Receipt{}, fail(adapters.Permanent, nil)
		}
		w.run(func(o *Options) { o.Lease, o.Sweep = time.Hour, time.Hour })
		w.await(w.submit("a", "nobody@y.it"), time.Second, store.Failed)
		pause.For(t.Context(), 15*time.Minute)
		if n := w.fakes["a"].calls(); n != 2 {
			t.Errorf("%d sends, want the message and one notification", n)
		}
	})
	scenario(t, "unknown and found: sent, not repeated", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		defer w.close()
		w.fakes["a"].answer = func(int, adapters.Outgoing) (adapters.Receipt, error) {
			return adapters.Receipt{}, fail(adapters.Unknown, nil)
		}
		w.fakes["a"].verify = func(n int) (adapters.Verdict, error) {
			return map[int]adapters.Verdict{1: adapters.NotSent, 2: adapters.InProgress, 3: adapters.Sent}[n], nil
		}
		w.run(nil)
		d := w.await(w.submit("a", "x@y.it"), 10*time.Minute, store.Sent)
		if w.fakes["a"].calls() != 1 || d.Duplicate {
			t.Errorf("%d sends, duplicate %v", w.fakes["a"].calls(), d.Duplicate)
		}
	})
	scenario(t, "unknown and surely not sent: sent again after the settle time", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		defer w.close()
		w.fakes["a"].answer = func(n int, _ adapters.Outgoing) (adapters.Receipt, error) {
			if n == 1 {
				return adapters.Receipt{}, fail(adapters.Unknown, nil)
			}
			return adapters.Receipt{}, nil
		}
		w.fakes["a"].verify = func(int) (adapters.Verdict, error) { return adapters.NotSent, nil }
		w.run(nil)
		start := time.Now()
		d := w.await(w.submit("a", "x@y.it"), 10*time.Minute, store.Sent)
		if since := time.Since(start); since < 2*time.Minute || since > 3*time.Minute || w.fakes["a"].calls() != 2 || d.Duplicate {
			t.Errorf("sent again after %v, %d sends, duplicate %v", since, w.fakes["a"].calls(), d.Duplicate)
		}
	})
	scenario(t, "auth pauses the connection and an edit resumes it", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		defer w.close()
		w.fakes["a"].answer = func(n int, _ adapters.Outgoing) (adapters.Receipt, error) {
			if n == 1 {
				return adapters.Receipt{}, fail(adapters.Auth, func(e *adapters.Error) { e.Scope = adapters.ScopeConnection })
			}
			return adapters.Receipt{}, nil
		}
		w.run(nil)
		first := w.submit("a", "x@y.it")
		pause.For(t.Context(), 10*time.Second)
		second := w.submit("a", "z@y.it")
		pause.For(t.Context(), time.Minute)
		if n := w.fakes["a"].calls(); n != 1 {
			t.Fatalf("%d calls while the connection is paused", n)
		}
		if _, err := w.store.PutConnection(t.Context(), time.Now(), w.conns["a"]); err != nil {
			t.Fatal(err)
		}
		w.await(first, 5*time.Second, store.Sent)
		w.await(second, 5*time.Second, store.Sent)
	})
	scenario(t, "auth with a fallback fails over, what waits too", func(t *testing.T) {
		w := newWorld(t, conn("b", func(c *gateway.Connection) { c.Aliases = []string{"a@contoso.it"} }),
			conn("a", func(c *gateway.Connection) { c.Fallback = []string{"b"}; one := 1; c.Limits.Concurrency = &one }))
		defer w.close()
		w.fakes["a"].answer = func(int, adapters.Outgoing) (adapters.Receipt, error) {
			return adapters.Receipt{}, fail(adapters.Auth, func(e *adapters.Error) { e.Scope = adapters.ScopeConnection })
		}
		var ids []store.ID
		for range 5 {
			ids = append(ids, w.submit("a", "x@y.it"))
		}
		w.run(nil)
		for _, id := range ids {
			if d := w.await(id, time.Minute, store.Sent); d.Route.Connection != w.conns["b"].ID || d.Route.Position != 1 {
				t.Errorf("left through %+v", d.Route)
			}
		}
		if w.fakes["a"].calls() != 1 || w.fakes["b"].calls() != 5 {
			t.Errorf("a %d, b %d calls", w.fakes["a"].calls(), w.fakes["b"].calls())
		}
	})
	scenario(t, "throttled pauses the lane for as long as the provider said", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		defer w.close()
		var at []time.Time
		w.fakes["a"].answer = func(n int, _ adapters.Outgoing) (adapters.Receipt, error) {
			at = append(at, time.Now())
			if n == 1 {
				return adapters.Receipt{}, fail(adapters.Throttled, func(e *adapters.Error) { e.RetryAfter = 17 * time.Second })
			}
			return adapters.Receipt{}, nil
		}
		w.run(nil)
		w.await(w.submit("a", "x@y.it"), time.Minute, store.Sent)
		if wait := at[1].Sub(at[0]); wait < 17*time.Second || wait > 19*time.Second {
			t.Errorf("came back after %v", wait)
		}
	})
	scenario(t, "no more in flight than the lane's concurrency", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		defer w.close()
		w.fakes["a"].latency = 100 * time.Millisecond
		var last store.ID
		for range 40 {
			last = w.submit("a", "x@y.it")
		}
		w.run(nil)
		w.await(last, 10*time.Second, store.Sent)
		if w.fakes["a"].most != 4 {
			t.Errorf("%d in flight at most, want 4", w.fakes["a"].most)
		}
	})
	// An hour of fake time costs thousands of real heartbeats and looks: here
	// minutes stand for the hours of a real delivery.
	scenario(t, "late is told after 4, expired after 72", func(t *testing.T) {
		w := newWorld(t, conn("a", nil), conn("b", func(c *gateway.Connection) { c.Default = gateway.DefaultUnrouted }))
		defer w.close()
		w.giveUp, w.warn = 72*time.Minute, 4*time.Minute
		w.fakes["a"].answer = func(int, adapters.Outgoing) (adapters.Receipt, error) {
			return adapters.Receipt{}, fail(adapters.Transient, func(e *adapters.Error) { e.Scope = adapters.ScopeConnection })
		}
		w.run(func(o *Options) {
			o.Lease, o.Sweep = time.Hour, time.Hour
			o.Retry.First = 10 * time.Second // the breaker is open by the time of the warning
		})
		id := w.submit("a", "x@y.it")
		pause.For(t.Context(), 5*time.Minute)
		if n := w.fakes["b"].calls(); n != 1 {
			t.Errorf("%d notifications of the delay", n)
		}
		pause.For(t.Context(), 68*time.Minute)
		w.await(id, time.Minute, store.Expired)
		pause.For(t.Context(), time.Minute)
		if n := w.fakes["b"].calls(); n != 2 {
			t.Errorf("%d notifications in all", n)
		}
	})
	scenario(t, "a connection that was removed holds what came in for it", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		defer w.close()
		gone := *w.conns["a"]
		gone.ID = "0000removed"
		w.conns["gone"] = &gone
		w.run(nil)
		d := w.await(w.submit("gone", "x@y.it"), 5*time.Second, store.Held)
		if w.fakes["a"].calls() != 0 || d.Error == nil || d.Error.Code != "no_connection" {
			t.Errorf("%d calls, last result %v", w.fakes["a"].calls(), d.Error)
		}
	})
	scenario(t, "a stop finishes what is in flight", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		w.fakes["a"].latency = 5 * time.Second
		w.run(nil)
		id := w.submit("a", "x@y.it")
		pause.For(t.Context(), time.Second)
		w.stop()
		w.stop = nil
		w.await(id, 0, store.Sent)
		w.close()
	})
}
