package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// An op is one call of a port that writes. fn may run more than once, each time
// in a new transaction; it sets its results again each time. An error from fn
// undoes everything that it wrote.
type op struct {
	fn    func(*tx) error
	bytes int64
	// wait is set for a claim.
	wait *waiting

	mu      sync.Mutex
	running bool // the writer has it
	gone    bool // the caller has given up
	err     error
	done    chan struct{}
}

// A waiting op runs at the end of a transaction, so that it sees all that the
// transaction does. When it finds nothing the writer keeps it and runs it again
// when there may be something.
type waiting struct {
	began time.Time
	until time.Time
	now   time.Time   // of the caller at began
	last  time.Time   // of the caller when fn looked last
	empty func() bool // after fn: it found nothing
}

// clock is the caller's time, which went on since.
func (w *waiting) clock(now time.Time) time.Time { return store.Micro(w.now.Add(now.Sub(w.began))) }

// take has the writer run o, unless its caller has given up.
func (o *op) take() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.gone {
		return false
	}
	o.running = true
	return true
}

// put gives o back to wait on; not when its caller gives up.
func (o *op) put() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.running = false
	return !o.gone
}

// abandon has the writer leave o alone; false: the writer has it just now.
func (o *op) abandon() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gone = true
	return !o.running
}

// errAbandoned ends an op whose caller gave up while it ran in vain.
var errAbandoned = errors.New("the caller gave up")

// do runs fn in a transaction, shared with others, and returns when it is
// synced. When ctx ends before the writer took it, nothing was done; after
// that the result is waited for, so that it is never in doubt.
func (s *Store) do(ctx context.Context, fn func(*tx) error) error {
	return s.run(ctx, &op{fn: fn})
}

func (s *Store) run(ctx context.Context, o *op) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o.done = make(chan struct{})
	if err := s.w.hand(ctx, o); err != nil {
		return err
	}
	select {
	case <-o.done:
		return o.err
	case <-ctx.Done():
	}
	if o.abandon() {
		return ctx.Err()
	}
	<-o.done
	if errors.Is(o.err, errAbandoned) {
		return ctx.Err()
	}
	return o.err
}

func (w *writer) hand(ctx context.Context, o *op) error {
	w.gate.RLock()
	defer w.gate.RUnlock()
	if w.shut {
		return fmt.Errorf("%w: it was closed", store.ErrUnavailable)
	}
	select {
	case w.ops <- o:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
