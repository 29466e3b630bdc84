package postgres

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// Bounds of one transaction: enough to share a sync among all who wait, small
// enough that no one waits long.
const (
	batchOps   = 256
	batchBytes = 8 << 20
	// How often in a row a writer yields without anything new before it begins
	// with fewer ops than came together lately: a tenth of a millisecond.
	gatherYields = 512
)

// tries is how often a transaction that lost against another one, or needs
// more than was loaded, begins again; limit is how long one may take.
const (
	tries = 12
	limit = 30 * time.Second
)

// An op is one call of a port that writes. need says what must be loaded; run
// works in memory, may run more than once, each time with everything loaded
// again, and sets its results again each time. It changes nothing before it is
// sure of no error.
type op struct {
	need  func(*needs)
	run   func(context.Context, *tx) error
	lead  func(context.Context, *pgxpool.Conn) error // what an op that runs alone does first, before need
	large bool                                       // lead writes much
	alone bool                                       // run reads what other ops write: it shares no transaction
	bytes int64
	lane  string      // that it locks, where that is known and one alone
	taken atomic.Bool // by a writer, or by the caller who gave up
	err   error
	done  chan struct{}
}

// writers share the calls that wait among their transactions.
type writers struct {
	s       *Store
	ops     chan *op
	quit    chan struct{}
	end     sync.WaitGroup
	gate    sync.RWMutex // held for reading while an op is handed over
	shut    bool
	late    chan struct{} // a slot for each transaction that waits for a lane
	backoff sync.Map      // key of a lane that was locked, to time.Time
}

func startWriters(s *Store, n, late int) *writers {
	w := &writers{s: s, ops: make(chan *op, batchOps), quit: make(chan struct{}), late: make(chan struct{}, late)}
	for range n {
		w.end.Go(w.work)
	}
	return w
}

// do runs an op in a transaction, shared with others, and returns when it is
// committed. When ctx ends before a writer took it, nothing was done; after
// that the result is waited for, so that it is never in doubt.
func (s *Store) do(ctx context.Context, need func(*needs), run func(context.Context, *tx) error) error {
	return s.doOp(ctx, &op{need: need, run: run})
}

func (s *Store) doOp(ctx context.Context, o *op) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if o.lead != nil || o.alone {
		return s.doAlone(ctx, o)
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
	if o.taken.CompareAndSwap(false, true) {
		return ctx.Err()
	}
	<-o.done
	return o.err
}

// doAlone runs an op that writes much in a transaction of the caller's.
func (s *Store) doAlone(ctx context.Context, o *op) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if o.large {
		select {
		case s.large <- struct{}{}:
			defer func() { <-s.large }()
		case <-ctx.Done():
			return ctx.Err()
		}
		// What is missing must not be found out after all was written.
		if n := gatherNeeds([]*op{o}); len(n.routes) > 0 {
			if err := s.ensure(ctx, nil, n.routes); err != nil {
				return engine.ReadError(ctx, notFound(err), outward)
			}
		}
	}
	errs := make([]error, 1)
	err := s.commit(ctx, []*op{o}, errs, false)
	if err == nil {
		err = errs[0]
	}
	return engine.ReadError(ctx, notFound(err), outward)
}

func (w *writers) hand(ctx context.Context, o *op) error {
	w.gate.RLock()
	defer w.gate.RUnlock()
	if w.shut {
		return errClosed()
	}
	select {
	case w.ops <- o:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *writers) stop() {
	w.gate.Lock()
	w.shut = true
	w.gate.Unlock()
	close(w.quit)
	w.end.Wait()
}

func (w *writers) work() {
	var batch []*op
	crowd := 0 // how many ops came together lately
	for {
		select {
		case o := <-w.ops:
			batch = w.gather(batch[:0], o, crowd)
			crowd = max(len(batch), crowd-crowd/8-1)
			w.share(batch)
		case <-w.quit:
			for { // what was handed over before the gate closed
				select {
				case o := <-w.ops:
					batch = w.gather(batch[:0], o, 0)
					w.share(batch)
				default:
					return
				}
			}
		}
	}
}

// gather takes o and what else waits by now. Those who were answered a moment ago
// are about to ask for the next thing, and the lane of a mailbox is locked for a
// whole commit: as long as there are fewer than lately, they get the processor
// first (docs/adr/0001: 1.1 to 1.4 times the messages on one lane).
func (w *writers) gather(batch []*op, o *op, crowd int) []*op {
	var bytes int64
	for idle := 0; ; {
		if o != nil {
			if o.taken.CompareAndSwap(false, true) {
				batch = append(batch, o)
				bytes += o.bytes
			}
			if len(batch) >= batchOps || bytes >= batchBytes {
				return batch
			}
		}
		select {
		case o = <-w.ops:
			idle = 0
			continue
		default:
			o = nil
		}
		if len(batch) >= crowd || idle >= gatherYields {
			return batch
		}
		idle++
		runtime.Gosched()
	}
}

func isDB(err error) bool {
	var d *dbError
	return errors.As(err, &d)
}

func errLocked() error {
	return &dbError{err: fmt.Errorf("%w: another node keeps this mailbox's lane locked", store.ErrUnavailable)}
}

func errBusy(err error) error {
	return &dbError{broken: true, err: fmt.Errorf("%w: all connections of the pool are in use (pool_max_conns in the database URL): %w",
		store.ErrUnavailable, err)}
}
