package sqlite

import (
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// A clock that is set back is noticed although the first claim after it could
// not be committed.
func TestClockSetBackOnFullDisk(t *testing.T) {
	t.Parallel()
	var full atomic.Bool
	s := open(t, Options{fault: func() error {
		if full.Load() {
			return syscall.ENOSPC
		}
		return nil
	}})
	claim := func(at time.Time) int {
		n, err := s.Claim(t.Context(), store.ClaimRequest{Node: store.Node{Name: "n", Incarnation: 1}, Now: at, Max: 10})
		if err != nil && !full.Load() {
			t.Fatal(err)
		}
		return len(n)
	}
	if _, _, err := s.Register(t.Context(), "n", now(), now().Add(24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	submit := func(at time.Time) {
		m := benchMessage("lane", []byte("x"), at)
		if _, err := s.Submit(t.Context(), store.Submission{Now: at, Messages: []store.NewMessage{m}}); err != nil {
			t.Fatal(err)
		}
	}
	late := now().Add(time.Hour)
	submit(late)
	if claim(late) != 1 {
		t.Fatal("nothing claimed before")
	}
	submit(now())
	full.Store(true)
	claim(now())
	full.Store(false)
	if n := claim(now().Add(time.Second)); n != 1 {
		t.Errorf("claimed %d after the disk had room again", n)
	}
}

// A claim that waits goes by the wall clock of its beginning: that a newer one
// has another, because the clock was set forward meanwhile, is no step back,
// and the limits of a lane hold.
func TestClockSetForwardBesideWaitingClaim(t *testing.T) {
	t.Parallel()
	bubble(t, Options{}, func(t *testing.T, s *Store, n store.Node) {
		waiting := claimInBackground(t.Context(), s, n) // by the old clock
		<-time.After(time.Second)
		step := 2 * time.Hour
		begun := 0
		for range 5 {
			at := time.Now().Add(step)
			var letters []store.NewMessage
			for range 3 {
				m := benchMessage("lane", []byte("x"), at)
				m.Deliveries[0].Route.Limits.PerMinute = 3
				letters = append(letters, m)
			}
			if _, err := s.Submit(t.Context(), store.Submission{Now: at, Messages: letters}); err != nil {
				t.Fatal(err)
			}
			cc, err := s.Claim(t.Context(), store.ClaimRequest{Node: n, Now: at, Max: 10})
			if err != nil {
				t.Fatal(err)
			}
			begun += len(cc)
			<-time.After(time.Second)
		}
		<-waiting.done
		if waiting.err != nil || begun+len(waiting.got) != 3 {
			t.Errorf("%d and %d begun within 5 seconds, the limit is 3 a minute: %v", begun, len(waiting.got), waiting.err)
		}
	})
}
