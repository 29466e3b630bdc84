package outbox

import (
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

// How long a delivery may wait after attempts that failed for now, as
// docs/high-availability.md states it: what waits longer hangs.
func TestLatest(t *testing.T) {
	t.Parallel()
	const settle, verify = 2 * time.Minute, 5 * time.Second
	for _, c := range []struct {
		name          string
		class         adapters.Class
		failures      int
		verdict       adapters.Verdict
		earliest, end time.Duration
		sends         int
	}{
		{name: "one refusal for now", class: adapters.Transient, failures: 1, earliest: 48 * time.Second, end: 73 * time.Second, sends: 2},
		{name: "two in a row", class: adapters.Transient, failures: 2, earliest: 144 * time.Second, end: 218 * time.Second, sends: 3},
		{name: "not known, and taken", class: adapters.Unknown, failures: 1, verdict: adapters.Sent,
			earliest: verify, end: verify + time.Second, sends: 1},
		{name: "not known, and not taken", class: adapters.Unknown, failures: 1, verdict: adapters.NotSent,
			earliest: settle, end: settle + verify + time.Second, sends: 2},
		{name: "twice in a row", class: adapters.Unknown, failures: 2, verdict: adapters.NotSent,
			earliest: 2 * settle, end: 2*(settle+verify) + time.Second, sends: 3},
	} {
		scenario(t, c.name, func(t *testing.T) {
			w := newWorld(t, conn("a", nil))
			defer w.close()
			w.fakes["a"].answer = func(n int, _ adapters.Outgoing) (adapters.Receipt, error) {
				if n <= c.failures {
					return adapters.Receipt{}, failure(c.class, nil).err
				}
				return adapters.Receipt{}, nil
			}
			w.fakes["a"].verify = func(int) (adapters.Verdict, error) { return c.verdict, nil }
			w.run(nil)
			begin := time.Now()
			w.await(w.submit("a", "x@y.it"), time.Hour, store.Sent)
			if took := time.Since(begin); took < c.earliest || took > c.end {
				t.Errorf("sent after %v, want %v to %v", took, c.earliest, c.end)
			}
			if n := w.fakes["a"].calls(); n != c.sends {
				t.Errorf("sent %d times, want %d", n, c.sends)
			}
		})
	}
}

// What a node had in hand when it died, or lost its database for longer than its
// lease, waits for the lease, the check for dead nodes and the proof.
func TestLatestOfDeadNode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		verdict adapters.Verdict
		end     time.Duration
	}{
		{"taken", adapters.Sent, 25 * time.Second},
		{"not taken", adapters.NotSent, 25*time.Second + 2*time.Minute},
	} {
		scenario(t, c.name, func(t *testing.T) {
			w := newWorld(t, conn("a", nil))
			defer w.close()
			ctx, now := t.Context(), time.Now()
			dead, _, err := w.store.Register(ctx, "dead", now, now.Add(12*time.Second))
			if err != nil {
				t.Fatal(err)
			}
			id := w.submit("a", "x@y.it")
			if got, err := w.store.Claim(ctx, store.ClaimRequest{Node: dead, Now: now, Max: 10}); err != nil || len(got) != 1 {
				t.Fatalf("claimed %d: %v", len(got), err)
			}
			w.fakes["a"].verify = func(int) (adapters.Verdict, error) { return c.verdict, nil }
			w.run(nil)
			w.await(id, c.end, store.Sent)
		})
	}
}
