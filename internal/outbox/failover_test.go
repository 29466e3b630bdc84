package outbox

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
)

// What waits takes its fallback, once there is one that is open, and only then.
func TestFailover(t *testing.T) {
	t.Parallel()
	speaksForA := func(c *gateway.Connection) { c.Aliases = []string{"a@contoso.it"} }
	pauseUntil := func(w *world, name string, d time.Duration) {
		until := time.Now().Add(d)
		if err := w.store.ChangeConnection(w.t.Context(), time.Now(), w.conns[name].ID, store.ConnectionChange{PauseUntil: &until}); err != nil {
			w.t.Fatal(err)
		}
	}
	scenario(t, "from one fallback to the next", func(t *testing.T) {
		w := newWorld(t, conn("b", speaksForA), conn("c", speaksForA),
			conn("a", func(c *gateway.Connection) { c.Fallback = []string{"b", "c"} }))
		defer w.close()
		for _, name := range []string{"a", "b", "c"} {
			pauseUntil(w, name, time.Hour)
		}
		id := w.submit("a", "x@y.it")
		w.fakes["b"].answer = func(int, adapters.Outgoing) (adapters.Receipt, error) { return adapters.Receipt{}, connectionRefused() }
		w.run(nil)
		pause.For(t.Context(), 20*time.Second)
		if d := w.await(id, 0, store.Queued); d.Route.Connection != w.conns["a"].ID {
			t.Errorf("moved to a connection that is paused: %+v", d.Route)
		}
		// b opens for as long as it takes to move there; b itself names no fallback.
		pauseUntil(w, "b", 0)
		pause.For(t.Context(), 20*time.Second)
		if d := w.await(id, 0, store.Queued); d.Route.Connection != w.conns["b"].ID {
			t.Errorf("waits for %+v", d.Route)
		}
		pauseUntil(w, "c", 0)
		if d := w.await(id, time.Minute, store.Sent); d.Route.Connection != w.conns["c"].ID || d.Route.Position != 2 {
			t.Errorf("left through %+v", d.Route)
		}
	})
	scenario(t, "what does not fit the daily budget", func(t *testing.T) {
		ten := 10
		w := newWorld(t, conn("b", speaksForA), conn("a", func(c *gateway.Connection) {
			c.Fallback, c.OnQuotaExceeded, c.Limits.RecipientsPerDay = []string{"b"}, "fallback", &ten
		}))
		defer w.close()
		people := func(n int) (out []string) {
			for i := range n {
				out = append(out, fmt.Sprintf("p%d@y.it", i))
			}
			return out
		}
		w.run(nil)
		first := w.submit("a", people(6)...)
		w.await(first, time.Second, store.Sent)
		large, small := w.submit("a", people(5)...), w.submit("a", people(4)...)
		if d := w.await(large, 10*time.Second, store.Sent); d.Route.Connection != w.conns["b"].ID {
			t.Errorf("five of four left through %+v", d.Route)
		}
		if d := w.await(small, 10*time.Second, store.Sent); d.Route.Connection != w.conns["a"].ID {
			t.Errorf("what fits left through %+v", d.Route)
		}
	})
	refusing := func(*adapters.Error) {}
	offline := func(w *world, name string, change func(*adapters.Error)) (online func()) {
		var up atomic.Bool
		w.fakes[name].answer = func(int, adapters.Outgoing) (adapters.Receipt, error) {
			if up.Load() {
				return adapters.Receipt{}, nil
			}
			return adapters.Receipt{}, failure(adapters.Auth, func(e *adapters.Error) { e.Scope = adapters.ScopeConnection; change(e) }).err
		}
		return func() { up.Store(true) }
	}
	scenario(t, "not to a route that takes fewer recipients", func(t *testing.T) {
		w := newWorld(t, conn("b", speaksForA), conn("c", speaksForA),
			conn("a", func(c *gateway.Connection) { c.Fallback = []string{"b", "c"} }))
		defer w.close()
		offline(w, "a", refusing)
		w.fakes["b"].takes = 2
		w.run(nil)
		if d := w.await(w.submit("a", "x@y.it", "y@y.it", "z@y.it"), time.Minute, store.Sent,
			store.Failed); d.Route.Connection != w.conns["c"].ID {
			t.Errorf("%v through %+v: %v", d.State, d.Route, d.Error)
		}
	})
	scenario(t, "too large, and the route that can carry it is paused", func(t *testing.T) {
		w := newWorld(t, conn("b", speaksForA), conn("a", func(c *gateway.Connection) { c.Fallback = []string{"b"} }))
		defer w.close()
		pauseUntil(w, "b", time.Minute)
		w.fakes["a"].answer = func(int, adapters.Outgoing) (adapters.Receipt, error) {
			return adapters.Receipt{}, failure(adapters.Permanent, func(e *adapters.Error) { e.TooLarge = true }).err
		}
		w.run(nil)
		if d := w.await(w.submit("a", "x@y.it"), 3*time.Minute, store.Sent, store.Failed); d.Route.Connection != w.conns["b"].ID ||
			d.State != store.Sent {
			t.Errorf("%v through %+v: %v", d.State, d.Route, d.Error)
		}
	})
	scenario(t, "back to where it came from", func(t *testing.T) {
		w := newWorld(t, conn("b", speaksForA), conn("a", func(c *gateway.Connection) { c.Fallback = []string{"b"} }))
		defer w.close()
		online := offline(w, "a", refusing)
		offline(w, "b", func(e *adapters.Error) { e.RetryAfter = 24 * time.Hour })
		w.run(nil)
		id := w.submit("a", "x@y.it")
		pause.For(t.Context(), time.Minute)
		online()
		if d := w.await(id, 10*time.Minute, store.Sent); d.Route.Connection != w.conns["a"].ID || d.Route.Position != 0 {
			t.Errorf("left through %+v", d.Route)
		}
	})
	scenario(t, "not to a lane that is paused for long", func(t *testing.T) {
		w := newWorld(t, conn("b", speaksForA), conn("a", func(c *gateway.Connection) { c.Fallback = []string{"b"} }))
		defer w.close()
		online := offline(w, "a", refusing)
		until := time.Now().Add(24 * time.Hour)
		if err := w.store.ChangeLane(t.Context(), time.Now(), w.conns["b"].Lane(mailboxtest.Of("a@contoso.it")),
			store.LaneChange{PauseUntil: &until}); err != nil {
			t.Fatal(err)
		}
		w.run(nil)
		id := w.submit("a", "x@y.it")
		pause.For(t.Context(), time.Minute)
		online()
		if d := w.await(id, 10*time.Minute, store.Sent); d.Route.Connection != w.conns["a"].ID {
			t.Errorf("left through %+v", d.Route)
		}
	})
	scenario(t, "behind many that are scheduled", func(t *testing.T) {
		one := 1
		w := newWorld(t, conn("b", speaksForA), conn("a", func(c *gateway.Connection) {
			c.Fallback, c.OnQuotaExceeded, c.Limits.RecipientsPerDay = []string{"b"}, "fallback", &one
		}))
		defer w.close()
		for range 600 {
			w.schedule("a", time.Now().Add(24*time.Hour))
		}
		w.run(nil)
		w.await(w.submit("a", "x@y.it"), time.Second, store.Sent)
		if d := w.await(w.submit("a", "x@y.it"), time.Minute, store.Sent); d.Route.Connection != w.conns["b"].ID {
			t.Errorf("left through %+v", d.Route)
		}
	})
	scenario(t, "not before its time", func(t *testing.T) {
		w := newWorld(t, conn("b", speaksForA), conn("a", func(c *gateway.Connection) { c.Fallback = []string{"b"} }))
		defer w.close()
		pauseUntil(w, "a", time.Hour)
		start := time.Now()
		id := w.schedule("a", start.Add(14*time.Minute))
		w.run(nil)
		if d := w.await(id, time.Hour, store.Sent); d.Route.Connection != w.conns["b"].ID || d.FinishedAt.Sub(start) < 14*time.Minute {
			t.Errorf("left through %+v after %v", d.Route, d.FinishedAt.Sub(start))
		}
	})
	scenario(t, "a breaker that another node opened is closed by a success here", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		defer w.close()
		w.run(nil)
		pause.For(t.Context(), time.Second)
		past := time.Now()
		if err := w.store.ChangeConnection(t.Context(), past, w.conns["a"].ID,
			store.ConnectionChange{PauseUntil: &past, Breaker: &store.Breaker{State: "open", Failures: 5, OpenUntil: past}}); err != nil {
			t.Fatal(err)
		}
		pause.For(t.Context(), 10*time.Second)
		w.await(w.submit("a", "x@y.it"), time.Minute, store.Sent)
		if st, err := w.store.ConnectionState(t.Context(), w.conns["a"].ID); err != nil || st.Breaker.State != "closed" {
			t.Errorf("the breaker is %+v, %v", st.Breaker, err)
		}
	})
	scenario(t, "a budget without leave to move", func(t *testing.T) {
		one := 1
		w := newWorld(t, conn("b", speaksForA), conn("a", func(c *gateway.Connection) {
			c.Fallback, c.Limits.RecipientsPerDay = []string{"b"},
				&one
		}))
		defer w.close()
		w.run(nil)
		w.await(w.submit("a", "x@y.it"), time.Second, store.Sent)
		id := w.submit("a", "x@y.it")
		pause.For(t.Context(), 20*time.Second)
		if d := w.await(id, 0, store.Queued); d.Route.Connection != w.conns["a"].ID {
			t.Errorf("moved to %+v", d.Route)
		}
	})
}
