package outbox

import (
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
)

// A login that must not be repeated is not: not after a day, not for other
// mail, and once only each time a person resumes the connection.
func TestRefusedLoginWaitsForAPerson(t *testing.T) {
	t.Parallel()
	scenario(t, "locks", func(t *testing.T) {
		one := 1 // as certified mail has it: sessions at once would each log in
		w := newWorld(t, conn("a", func(c *gateway.Connection) { c.Limits.Concurrency = &one }))
		defer w.close()
		w.fakes["a"].answer = func(n int, _ adapters.Outgoing) (adapters.Receipt, error) {
			if n > 2 {
				return adapters.Receipt{}, nil
			}
			return adapters.Receipt{}, failure(adapters.Auth, func(e *adapters.Error) {
				e.Scope, e.NoRetry = adapters.ScopeConnection, true
			}).err
		}
		w.run(nil)
		first := w.submit("a", "x@y.it")
		pause.For(t.Context(), 30*time.Minute)
		second := w.submit("a", "z@y.it")
		for calls := 1; calls <= 2; calls++ {
			pause.For(t.Context(), 20*time.Minute)
			if n := w.fakes["a"].calls(); n != calls {
				t.Fatalf("%d logins, want %d", n, calls)
			}
			if err := registry.Resume(t.Context(), w.store, w.conns["a"].ID, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		w.await(first, time.Hour, store.Sent)
		w.await(second, time.Hour, store.Sent)
	})
}
