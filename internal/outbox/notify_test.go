package outbox

import (
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
)

// A notification takes no stranger's mailbox, and is not lost because the store
// was away when it was made.
func TestNotificationWay(t *testing.T) {
	t.Parallel()
	scenario(t, "own connection refused, another customer's is well", func(t *testing.T) {
		w := newWorld(t, conn("a", func(c *gateway.Connection) { c.Owner = "alice" }),
			conn("b", func(c *gateway.Connection) { c.Owner, c.From = "bob", "info@fabrikam.it" }))
		defer w.close()
		w.giveUp, w.warn = 72*time.Minute, 4*time.Minute
		w.fakes["a"].answer = func(int, adapters.Outgoing) (adapters.Receipt, error) { return adapters.Receipt{}, connectionRefused() }
		w.run(func(o *Options) { o.Lease, o.Sweep = time.Hour, time.Hour })
		w.submit("a", "x@y.it")
		pause.For(t.Context(), 74*time.Minute)
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
		pause.For(t.Context(), 2*time.Hour)
		w.run(nil)
		pause.For(t.Context(), time.Minute)
		if own, other := w.fakes["aa"].calls(), w.fakes["a"].calls(); own != 20 || other != 0 {
			t.Errorf("told through the own connection %d times, through another one %d times", own, other)
		}
	})
	for name, large := range map[string]bool{"the store away at a refusal": false, "the store away at a refusal for size": true} {
		scenario(t, name, func(t *testing.T) {
			w := newWorld(t, conn("b", func(c *gateway.Connection) { c.Aliases = []string{"a@contoso.it"} }),
				conn("a", func(c *gateway.Connection) { c.Fallback = []string{"b"} }))
			defer w.close()
			st := &faultyStore{Store: w.store}
			w.fakes["a"].answer = func(_ int, out adapters.Outgoing) (adapters.Receipt, error) {
				if toSender(out) {
					return adapters.Receipt{}, nil
				}
				st.away.Store(true)
				pause.For(t.Context(), 2*time.Second) // so that nothing is fresh
				time.AfterFunc(time.Second, func() { st.away.Store(false) })
				return adapters.Receipt{}, failure(adapters.Permanent, func(e *adapters.Error) { e.TooLarge = large }).err
			}
			w.run(func(o *Options) { o.Store = st })
			want := store.Failed
			if large {
				want = store.Sent
			}
			w.await(w.submit("a", "x@y.it"), time.Minute, want)
			pause.For(t.Context(), time.Minute)
			if told := len(w.fakes["a"].sends) == 2; told == large {
				t.Errorf("a sent %q, b sent %q", w.fakes["a"].sends, w.fakes["b"].sends)
			}
		})
	}
}
