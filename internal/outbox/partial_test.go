package outbox

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
)

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
			if out.Addresses()[0].String() == "ext@other.it" {
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
			pause.For(t.Context(), 50*time.Millisecond)
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
		w := newWorld(t, conn("a", func(c *gateway.Connection) { none := 0; c.Limits.RecipientsPerDay = &none }))
		defer w.close()
		w.fakes["a"].answer = func(_ int, out adapters.Outgoing) (adapters.Receipt, error) {
			r := adapters.Receipt{Status: 250}
			for i, a := range out.Addresses() {
				x := adapters.RecipientResult{Address: a}
				if i >= 100 {
					x.Err = &adapters.Error{
						Class: adapters.Transient, Scope: adapters.ScopeMessage, ProviderCode: "452 4.5.3", Enhanced: "4.5.3", Status: 452}
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
		if d := w.await(w.submit("a", to...), time.Minute, store.Sent); d.Attempts != 10 {
			t.Errorf("%d attempts", d.Attempts)
		}
	})
	scenario(t, "one gone for good, no one accepted", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		defer w.close()
		w.fakes["a"].answer = func(n int, out adapters.Outgoing) (adapters.Receipt, error) {
			if toSender(out) {
				return adapters.Receipt{}, nil
			}
			later := &adapters.Error{Class: adapters.Transient, Scope: adapters.ScopeMessage, ProviderCode: "451 4.2.2", Enhanced: "4.2.2"}
			gone := &adapters.Error{Class: adapters.Permanent, Scope: adapters.ScopeMessage, ProviderCode: "550 5.1.1", Enhanced: "5.1.1"}
			r := adapters.Receipt{}
			for _, a := range out.Addresses() {
				x := adapters.RecipientResult{Address: a, Err: later}
				if a.String() == "gone@y.it" {
					x.Err = gone
				}
				r.Recipients = append(r.Recipients, x)
			}
			return r, later
		}
		w.run(nil)
		id := w.submit("a", "full@y.it", "gone@y.it")
		pause.For(t.Context(), 10*time.Second)
		d := w.delivery(id)
		if d.State != store.Queued || d.Recipients[0].State != store.Pending || d.Recipients[1].State != store.RecipientFailed ||
			d.Recipients[1].Error.ProviderCode != "550 5.1.1" {
			t.Errorf("%v: %+v", d.State, d.Recipients)
		}
	})
}
