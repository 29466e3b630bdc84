package outbox

import (
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
)

// A message that may have been sent has not failed when its time is over: the
// sender is told once that the outcome is not known, and a person decides.
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
		pause.For(t.Context(), 80*time.Minute)
		d := w.delivery(id)
		if d.State != store.Held || d.Recipients[0].State != store.Pending {
			t.Errorf("%v, recipient %v", d.State, d.Recipients[0].State)
		}
		if len(told) != 1 || !strings.Contains(told[0], "Outcome unknown") || !strings.Contains(told[0], "Action: delayed\r\nStatus: 4.4.2") ||
			strings.Contains(told[0], "not left yet") {
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
		pause.For(t.Context(), 15*time.Minute)
		w.await(id, 0, store.Unverified)
		w.await(id, 20*time.Minute, store.Expired)
	})
}

// A refused question says nothing of the message: it is asked again when the
// credential is right, and nothing is sent meanwhile.
func TestVerifyWithRefusedCredential(t *testing.T) {
	t.Parallel()
	scenario(t, "refused", func(t *testing.T) {
		w := newWorld(t, conn("a", func(c *gateway.Connection) { c.OnUnknown = adapters.UnknownRetry }))
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
		d := w.await(w.submit("a", "x@y.it"), time.Hour, store.Sent)
		if n := w.fakes["a"].calls(); n != 1 || d.Duplicate {
			t.Errorf("sent %d times, duplicate %v", n, d.Duplicate)
		}
	})
}
