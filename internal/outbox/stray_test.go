package outbox

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
)

// strict is a store that refuses what it is told of attempts, and loses claims.
type strict struct {
	store.Store
	finishes atomic.Int64 // to be refused
	claims   atomic.Bool  // the answer of the next one is lost
}

var errRefused = errors.New("a value of it cannot be written")

func (s *strict) Finish(ctx context.Context, f store.Finish) error {
	if s.finishes.Add(-1) >= 0 {
		return errRefused
	}
	return s.Store.Finish(ctx, f)
}

func (s *strict) Claim(ctx context.Context, r store.ClaimRequest) ([]store.Claimed, error) {
	cc, err := s.Store.Claim(ctx, r)
	if err == nil && len(cc) > 0 && s.claims.CompareAndSwap(true, false) {
		return nil, errRefused
	}
	return cc, err
}

// Whatever becomes of an outcome or of a claim, the lane's slot is free again
// by itself and the delivery goes on, asked about before it is sent again.
func TestNoLaneStaysJammed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(*strict)
		sends   int
		taken   int64
	}{
		"an outcome that is refused a few times":  {func(s *strict) { s.finishes.Store(3) }, 1, 0},
		"an outcome that is refused for good":     {func(s *strict) { s.finishes.Store(refusals) }, 1, 0},
		"a claim that the process never heard of": {func(s *strict) { s.claims.Store(true) }, 1, 1},
	} {
		scenario(t, name, func(t *testing.T) {
			one := 1
			w := newWorld(t, conn("a", func(c *gateway.Connection) { c.Limits.Concurrency = &one }))
			defer w.close()
			f := w.fakes["a"]
			f.verify = func(int) (adapters.Verdict, error) {
				if f.calls() > 0 {
					return adapters.Sent, nil
				}
				return adapters.NotSent, nil
			}
			st := &strict{Store: w.store}
			c.prepare(st)
			o := w.run(func(o *Options) { o.Store = st })
			id := w.submit("a", "x@y.it")
			w.await(id, 5*time.Minute, store.Sent)
			if n := f.calls(); n != c.sends {
				t.Errorf("%d sends, not %d", n, c.sends)
			}
			w.await(w.submit("a", "z@y.it"), 10*time.Second, store.Sent)
			pause.For(t.Context(), time.Minute)
			if now, taken := o.Strays(); now != 0 || taken != c.taken {
				t.Errorf("%d leases that no process works on, %d taken back", now, taken)
			}
		})
	}
}
