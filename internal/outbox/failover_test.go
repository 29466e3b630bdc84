package outbox

import (
	"fmt"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

// What waits takes its fallback, once there is one that is open, and only then.
func TestFailover(t *testing.T) {
	t.Parallel()
	speaksForA := func(c *adapters.Connection) { c.Aliases = []string{"a@contoso.it"} }
	pauseUntil := func(w *world, name string, d time.Duration) {
		until := time.Now().Add(d)
		if err := w.store.ChangeConnection(w.t.Context(), time.Now(), w.conns[name].ID, store.ConnectionChange{PauseUntil: &until}); err != nil {
			w.t.Fatal(err)
		}
	}
	scenario(t, "from one fallback to the next", func(t *testing.T) {
		w := newWorld(t, conn("b", speaksForA), conn("c", speaksForA), conn("a", func(c *adapters.Connection) { c.Fallback = []string{"b", "c"} }))
		defer w.close()
		for _, name := range []string{"a", "b", "c"} {
			pauseUntil(w, name, time.Hour)
		}
		id := w.submit("a", "x@y.it")
		w.run(nil)
		pause(t.Context(), 20*time.Second)
		if d := w.await(id, 0, store.Queued); d.Route.Connection != w.conns["a"].ID {
			t.Errorf("moved to a connection that is paused: %+v", d.Route)
		}
		// b opens for as long as it takes to move there; b itself names no fallback.
		pauseUntil(w, "b", 0)
		w.fakes["b"].answer = func(int, adapters.Outgoing) (adapters.Receipt, error) {
			return adapters.Receipt{}, failure(adapters.Auth, func(e *adapters.Error) { e.Scope = adapters.ScopeConnection }).err
		}
		pause(t.Context(), 20*time.Second)
		if d := w.await(id, 0, store.Queued); d.Route.Connection != w.conns["b"].ID {
			t.Errorf("waits for %+v", d.Route)
		}
		pauseUntil(w, "c", 0)
		if d := w.await(id, time.Minute, store.Done); d.Route.Connection != w.conns["c"].ID || d.Route.Position != 2 {
			t.Errorf("left through %+v", d.Route)
		}
	})
	scenario(t, "what does not fit the daily budget", func(t *testing.T) {
		ten := 10
		w := newWorld(t, conn("b", speaksForA), conn("a", func(c *adapters.Connection) {
			c.Fallback, c.WhenSpent, c.Limits.RecipientsPerDay = []string{"b"}, "fallback", &ten
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
		w.await(first, time.Second, store.Done)
		large, small := w.submit("a", people(5)...), w.submit("a", people(4)...)
		if d := w.await(large, 10*time.Second, store.Done); d.Route.Connection != w.conns["b"].ID {
			t.Errorf("five of four left through %+v", d.Route)
		}
		if d := w.await(small, 10*time.Second, store.Done); d.Route.Connection != w.conns["a"].ID {
			t.Errorf("what fits left through %+v", d.Route)
		}
	})
	scenario(t, "a budget without leave to move", func(t *testing.T) {
		one := 1
		w := newWorld(t, conn("b", speaksForA), conn("a", func(c *adapters.Connection) { c.Fallback, c.Limits.RecipientsPerDay = []string{"b"}, &one }))
		defer w.close()
		w.run(nil)
		w.await(w.submit("a", "x@y.it"), time.Second, store.Done)
		id := w.submit("a", "x@y.it")
		pause(t.Context(), 20*time.Second)
		if d := w.await(id, 0, store.Queued); d.Route.Connection != w.conns["a"].ID {
			t.Errorf("moved to %+v", d.Route)
		}
	})
}
