package sqlite

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// A backgroundClaim is a claim that found nothing and waits.
type backgroundClaim struct {
	got  []store.Claimed
	err  error
	done chan struct{}
}

// bubble runs a test on fake time, which passes only while all wait; the store in
// it is real.
func bubble(t *testing.T, o Options, run func(t *testing.T, s *Store, n store.Node)) {
	t.Helper()
	fresh() // outside: it is shared
	synctest.Test(t, func(t *testing.T) {
		s := open(t, o)
		n, _, err := s.Register(t.Context(), "n", time.Now(), time.Now().Add(24*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		run(t, s, n)
	})
}

// claimInBackground returns once the claim waits.
func claimInBackground(ctx context.Context, s *Store, n store.Node) *backgroundClaim {
	p := &backgroundClaim{done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.got, p.err = s.Claim(ctx, store.ClaimRequest{Node: n, Now: time.Now(), Max: 8, Wait: time.Minute})
	}()
	synctest.Wait()
	return p
}

func submitAt(t *testing.T, s *Store, next time.Time) (id store.ID) {
	t.Helper()
	m := benchMessage("lane", []byte("x"), time.Now())
	m.Deliveries[0].NextAt = next
	out, err := s.Submit(t.Context(), store.Submission{Now: time.Now(), Messages: []store.NewMessage{m}})
	if err != nil {
		t.Error(err)
		return id
	}
	return out[0].Deliveries[0]
}

// A claim that fails for good, as on a corrupt row, gets its error; the
// submission that woke it is stored, and so is the next one.
func TestWaitingClaimFails(t *testing.T) {
	t.Parallel()
	for name, claims := range map[string]int{"one": 1, "two": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, Options{}, func(t *testing.T, s *Store, n store.Node) {
				submitAt(t, s, time.Now().Add(time.Second))
				if err := s.do(t.Context(), func(t *tx) error { return t.exec(`UPDATE deliveries SET position = '?'`) }); err != nil {
					t.Fatal(err)
				}
				var all []*backgroundClaim
				for range claims {
					all = append(all, claimInBackground(t.Context(), s, n))
				}
				<-time.After(time.Second - 1) // the clock's; the writer's alarm has not rung
				m := benchMessage("other", []byte("x"), time.Now())
				if _, err := s.Submit(t.Context(), store.Submission{Now: time.Now().Add(time.Second), Messages: []store.NewMessage{m}}); err != nil {
					t.Error(err)
				}
				for _, p := range all {
					if <-p.done; p.err == nil {
						t.Errorf("claimed %d from a corrupt row", len(p.got))
					}
				}
				if err := s.Ping(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// What cannot be written is refused alone, whoever waits for something to claim.
func TestRefusedBesideWaitingClaim(t *testing.T) {
	t.Parallel()
	bubble(t, Options{}, func(t *testing.T, s *Store, n store.Node) {
		p := claimInBackground(t.Context(), s, n)
		first, second := benchMessage("a", nil, time.Now()), benchMessage("b", nil, time.Now())
		first.Deliveries[0].ID, second.Deliveries[0].ID = store.ID{1}, store.ID{1}
		first.Deliveries[0].Held, second.ID = true, store.NewID()
		if _, err := s.Submit(t.Context(), store.Submission{Now: time.Now(), Messages: []store.NewMessage{first}}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Submit(t.Context(), store.Submission{Now: time.Now(), Messages: []store.NewMessage{second}}); err == nil {
			t.Error("a delivery was stored twice")
		}
		if _, _, ok := s.Arrived.Take(second.ID); ok {
			t.Error("the bytes of what was refused are remembered")
		}
		good := submitAt(t, s, time.Now())
		<-p.done
		if p.err != nil || len(p.got) != 1 || p.got[0].Delivery.ID != good {
			t.Errorf("claimed %v, %v", p.got, p.err)
		}
	})
}

// What is due goes out at once, also where something waits for a later time.
func TestNoDelay(t *testing.T) {
	t.Parallel()
	t.Run("behind one that is not due", func(t *testing.T) {
		t.Parallel()
		bubble(t, Options{}, func(t *testing.T, s *Store, n store.Node) {
			submitAt(t, s, time.Now().Add(time.Hour))
			p := claimInBackground(t.Context(), s, n)
			start := time.Now()
			id := submitAt(t, s, start)
			<-p.done
			if wait := time.Since(start); wait > 0 || p.err != nil || len(p.got) != 1 || p.got[0].Delivery.ID != id {
				t.Errorf("claimed %d after %v: %v", len(p.got), wait, p.err)
			}
		})
	})
	t.Run("due during a commit", func(t *testing.T) {
		t.Parallel()
		slow := make(chan struct{}, 1)
		bubble(t, Options{fault: func() error {
			select {
			case <-slow:
				<-time.After(2 * time.Millisecond)
			default:
			}
			return nil
		}}, func(t *testing.T, s *Store, n store.Node) {
			due := time.Now().Add(time.Second)
			submitAt(t, s, due)
			p := claimInBackground(t.Context(), s, n)
			<-time.After(time.Second - time.Millisecond)
			slow <- struct{}{}
			if err := s.ChangeLane(t.Context(), time.Now(), "lane", store.LaneChange{}); err != nil {
				t.Fatal(err)
			}
			<-p.done
			if wait := time.Since(due); wait > time.Millisecond || p.err != nil || len(p.got) != 1 {
				t.Errorf("claimed %d %v late: %v", len(p.got), wait, p.err)
			}
		})
	})
}

// Whoever gives up a claim that waits, or closes the store, leaves nothing
// behind, and nothing is leased for no one.
func TestWaitingClaimEnds(t *testing.T) {
	t.Parallel()
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		bubble(t, Options{}, func(t *testing.T, s *Store, n store.Node) {
			ctx, cancel := context.WithCancel(t.Context())
			p := claimInBackground(ctx, s, n)
			cancel()
			<-p.done
			id := submitAt(t, s, time.Now())
			d, err := s.Delivery(t.Context(), id)
			if !errors.Is(p.err, context.Canceled) || err != nil || d.State != store.Queued {
				t.Errorf("claim: %v; delivery: %+v, %v", p.err, d, err)
			}
		})
	})
	t.Run("cancelled while the writer has it", func(t *testing.T) {
		t.Parallel()
		for name, found := range map[string]bool{"found": true, "in vain": false} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				var slow atomic.Bool
				var commits atomic.Int32
				bubble(t, Options{fault: func() error {
					if slow.Load() && commits.Add(1) == 1 { // of what wakes the claim, which takes part
						<-time.After(time.Second)
					}
					return nil
				}}, func(t *testing.T, s *Store, n store.Node) {
					submitAt(t, s, time.Now().Add(time.Hour))
					ctx, cancel := context.WithCancel(t.Context())
					p := claimInBackground(ctx, s, n)
					slow.Store(true)
					wake := make(chan struct{})
					go func() {
						defer close(wake)
						if found {
							submitAt(t, s, time.Now())
						} else if err := s.ChangeLane(t.Context(), time.Now(), "lane", store.LaneChange{}); err != nil {
							t.Error(err)
						}
					}()
					synctest.Wait()
					cancel()
					<-p.done
					<-wake
					// What was leased is given to the caller, who alone can give it back.
					if found && (p.err != nil || len(p.got) != 1) || !found && !errors.Is(p.err, context.Canceled) {
						t.Errorf("claimed %d, %v", len(p.got), p.err)
					}
				})
			})
		}
	})
	t.Run("closed", func(t *testing.T) {
		t.Parallel()
		bubble(t, Options{}, func(t *testing.T, s *Store, n store.Node) {
			p := claimInBackground(t.Context(), s, n)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			<-p.done
			if !errors.Is(p.err, store.ErrUnavailable) {
				t.Errorf("claim: %v", p.err)
			}
		})
	})
}
