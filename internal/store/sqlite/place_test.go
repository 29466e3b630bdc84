package sqlite

import (
	"encoding/json"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// together has the writer take all calls at once, in this order.
func together(t *testing.T, s *Store, calls ...func()) {
	t.Helper()
	busy, goOn := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.do(t.Context(), func(*tx) error {
			close(busy)
			<-goOn
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	<-busy
	for i, call := range calls {
		wg.Go(call)
		for deadline := time.Now().Add(10 * time.Second); s.w.Len() <= i; runtime.Gosched() {
			if time.Now().After(deadline) {
				close(goOn)
				t.Fatalf("%d calls wait, not %d", s.w.Len(), i+1)
			}
		}
	}
	before := s.w.commits.Load()
	close(goOn)
	wg.Wait()
	if n := s.w.commits.Load() - before; n != 2 {
		t.Errorf("%d transactions, not one for the call that was in the way and one for the others", n)
	}
}

func same(t *testing.T, what string, a, b any) {
	t.Helper()
	x, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	if string(x) != string(y) {
		t.Errorf("%s:\n%s\n%s", what, x, y)
	}
}

// What arrives and is claimed in one transaction is, for everyone, what it would be
// in two: the claim has what the store has, and the outcome finds its delivery.
func TestClaimedAsItArrives(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	n, _, err := s.Register(t.Context(), "n", now(), now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	var got []store.Claimed
	together(t, s, func() {
		var err error
		if got, err = s.Claim(t.Context(), store.ClaimRequest{Node: n, Now: now(), Max: 8}); err != nil {
			t.Error(err)
		}
	}, func() {
		if _, err := submitBody(t, s, []byte("x")); err != nil {
			t.Error(err)
		}
	}, func() {
		if _, err := submitBody(t, s, []byte("y")); err != nil {
			t.Error(err)
		}
	})
	if len(got) != 2 {
		t.Fatalf("claimed %d of 2", len(got))
	}
	for _, c := range got {
		m, err := s.Message(t.Context(), c.Message.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "the message as claimed and as stored", c.Message, m)
		d, err := s.Delivery(t.Context(), c.Delivery.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "the delivery as claimed and as stored", c.Delivery, d)
		if err := s.Finish(t.Context(), benchFinish(c, now())); err != nil {
			t.Error(err)
		}
		if d, err = s.Delivery(t.Context(), c.Delivery.ID); err != nil || d.State != store.Sent {
			t.Errorf("%+v, %v", d, err)
		}
	}
}

// A message that comes twice in one transaction, because its client heard no
// answer, is stored once.
func TestTwiceInOneTransaction(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	var mu sync.Mutex
	var out []store.Submitted
	send := func() {
		m := benchMessage("lane", []byte("x"), now())
		m.Identity = &store.Identity{Digest: []byte("the same"), Window: time.Hour, Record: true}
		got, err := s.Submit(t.Context(), store.Submission{Now: now(), Messages: []store.NewMessage{m}})
		if err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		out = append(out, got[0])
	}
	together(t, s, send, send)
	if len(out) != 2 || out[0].ID != out[1].ID || out[0].Resubmitted == out[1].Resubmitted {
		t.Errorf("stored as %+v", out)
	}
}

// Who is first in line and does not fit the budget of the day keeps the place, also
// among deliveries that arrive together.
func TestPlacedKeepTheirOrder(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	n, _, err := s.Register(t.Context(), "n", now(), now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	var got []store.Claimed
	calls := []func(){func() {
		var err error
		if got, err = s.Claim(t.Context(), store.ClaimRequest{Node: n, Now: now(), Max: 8}); err != nil {
			t.Error(err)
		}
	}}
	for _, rcpts := range []int{2, 2, 1} {
		calls = append(calls, func() {
			m := benchMessage("lane", []byte("x"), now())
			m.Envelope.Recipients = nil
			for i := range rcpts {
				m.Envelope.Recipients = append(m.Envelope.Recipients,
					mime.Recipient{Address: mailboxtest.Of(fmt.Sprintf("r%d@example.com", i))})
			}
			m.Deliveries[0].Recipients = m.Envelope.Recipients
			m.Deliveries[0].Route.Limits.RecipientsPerDay = 3
			if _, err := s.Submit(t.Context(), store.Submission{Now: now(), Messages: []store.NewMessage{m}}); err != nil {
				t.Error(err)
			}
		})
	}
	together(t, s, calls...)
	if len(got) != 1 || len(got[0].Delivery.Recipients) != 2 {
		t.Errorf("claimed %d, not the first alone", len(got))
	}
}
