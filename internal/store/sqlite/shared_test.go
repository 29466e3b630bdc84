package sqlite

import (
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// A call that is refused leaves the transaction that it shares with others as it
// is: an idempotency key in use is not found out by writing it.
func TestKeyInUseSharesATransaction(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	key := func(request string) store.Idempotency {
		return store.Idempotency{Client: "c", Key: "k", Request: []byte(request), ExpiresAt: now().Add(time.Hour)}
	}
	if answer, err := s.Begin(t.Context(), now(), key("first")); err != nil || answer != nil {
		t.Fatalf("%q, %v", answer, err)
	}
	// The writer is kept busy until the others wait for it.
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
	before := s.w.commits.Load()
	const submissions = 8
	for range submissions {
		wg.Go(func() {
			if _, err := submitBody(t, s, []byte("x")); err != nil {
				t.Error(err)
			}
		})
	}
	for request, want := range map[string]error{"first": store.ErrUnderWay, "other": store.ErrIdempotency} {
		wg.Go(func() {
			if _, err := s.Begin(t.Context(), now(), key(request)); !errors.Is(err, want) {
				t.Errorf("%s: %v, not %v", request, err, want)
			}
		})
	}
	for deadline := time.Now().Add(10 * time.Second); s.w.Len() < submissions+2; {
		if time.Now().After(deadline) {
			t.Fatalf("%d calls wait", s.w.Len())
		}
		runtime.Gosched()
	}
	close(goOn)
	wg.Wait()
	if n := s.w.commits.Load() - before; n != 2 {
		t.Errorf("%d transactions, not one for the call that was in the way and one for all that waited", n)
	}
}
