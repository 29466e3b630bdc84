package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
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
	engine.Call
	need  func(*needs)
	run   func(context.Context, *tx) error
	lead  func(context.Context, *pgxpool.Conn) error // what an op that runs alone does first, before need
	large bool                                       // lead writes much
	alone bool                                       // run reads what other ops write: it shares no transaction
	lane  string                                     // that it locks, where that is known and one alone
}

// writers share the calls that wait among their transactions.
type writers struct {
	*engine.Queue[*op]
	s       *Store
	end     sync.WaitGroup
	late    chan struct{} // a slot for each transaction that waits for a lane
	backoff sync.Map      // key of a lane that was locked, to time.Time
}

// concurrent is how many transactions of submissions and outcomes this node runs
// at once. More do not help: calls that wait share the next one.
const concurrent = 2

func startWriters(s *Store, late int) *writers {
	w := &writers{Queue: engine.NewQueue[*op](), s: s, late: make(chan struct{}, late)}
	for range concurrent {
		w.end.Go(func() { w.Serve(w.share, nil, nil) })
	}
	return w
}

func (w *writers) stop() {
	w.Stop()
	w.end.Wait()
}

// doOp runs an op in a transaction, shared with others, and returns when it is
// committed.
func (s *Store) doOp(ctx context.Context, o *op) error {
	if o.lead != nil || o.alone {
		return s.doAlone(ctx, o)
	}
	return s.w.Do(ctx, o)
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
