package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/postino-mail/postino/internal/store"
)

// Bounds of one transaction: enough to share a sync among all who wait, small
// enough that nobody waits long.
const (
	batchOps   = 256
	batchBytes = 8 << 20
)

// tries is how often a transaction that lost against another one, or needs
// more than was loaded, begins again; limit is how long one may take.
const (
	tries = 12
	limit = 30 * time.Second
)

// An op is one call of a port that writes. need says what must be loaded; run
// works in memory, may run more than once, each time with everything loaded
// anew, and sets its results anew each time. It changes nothing before it is
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
	s    *Store
	ops  chan *op
	quit chan struct{}
	end  sync.WaitGroup
	gate sync.RWMutex // held for reading while an op is handed over
	shut bool
	late chan struct{} // a slot for each transaction that waits for a lane
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

// doByItself is do for an op that reads the database while it runs: of what
// shares a transaction with it, it would not see the statements that are kept
// for the end.
func (s *Store) doByItself(ctx context.Context, need func(*needs), run func(context.Context, *tx) error) error {
	return s.doOp(ctx, &op{need: need, run: run, alone: true})
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
				return readErr(ctx, err)
			}
		}
	}
	errs := make([]error, 1)
	gen, err := s.commit(ctx, []*op{o}, errs, false)
	if err == nil {
		err = s.sync.wait(gen)
	}
	if err == nil {
		err = errs[0]
	}
	return readErr(ctx, err)
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
	for {
		select {
		case o := <-w.ops:
			batch = w.gather(batch[:0], o)
			w.share(batch)
		case <-w.quit:
			for { // what was handed over before the gate closed
				select {
				case o := <-w.ops:
					batch = w.gather(batch[:0], o)
					w.share(batch)
				default:
					return
				}
			}
		}
	}
}

// gather takes o and what else waits by now.
func (w *writers) gather(batch []*op, o *op) []*op {
	var bytes int64
	for {
		if o.taken.CompareAndSwap(false, true) {
			batch = append(batch, o)
			bytes += o.bytes
		}
		if len(batch) >= batchOps || bytes >= batchBytes {
			return batch
		}
		select {
		case o = <-w.ops:
		default:
			return batch
		}
	}
}

// share runs the ops in one transaction. When a value of one of them fails
// it, each runs again by itself, so that it harms nobody else; when somebody
// keeps a lane locked, the ops of each lane run by themselves, and those of the
// locked one wait apart, so that the writer goes on with the others.
func (w *writers) share(ops []*op) {
	if len(ops) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	errs := make([]error, len(ops))
	gen, err := w.s.commit(ctx, ops, errs, true)
	var d *dbError
	switch {
	case locked(err):
		parts := byLane(ops)
		for _, part := range parts {
			if len(parts) == 1 {
				w.wait(part)
			} else {
				w.share(part)
			}
		}
	case err != nil && len(ops) > 1 && errors.As(err, &d) && !global(err):
		for _, o := range ops {
			w.share([]*op{o})
		}
	default:
		w.answer(slices.Clone(ops), errs, gen, err) // its room is used again
	}
}

// answer tells the callers, those of a commit when it is durable; meanwhile the
// next transaction begins.
func (w *writers) answer(ops []*op, errs []error, gen int64, err error) {
	tell := func(err error) {
		for i, o := range ops {
			if o.err = outward(errs[i]); err != nil {
				o.err = outward(err)
			}
			close(o.done)
		}
	}
	if err != nil {
		tell(err)
		return
	}
	w.s.sync.later(gen, tell)
}

// wait runs ops whose lane is locked beside the writer, with the patience of
// the database's lock_timeout.
func (w *writers) wait(ops []*op) {
	errs := make([]error, len(ops))
	select {
	case w.late <- struct{}{}:
	default:
		w.answer(ops, errs, 0, errLocked())
		return
	}
	w.end.Go(func() {
		defer func() { <-w.late }()
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		w.s.fence(ctx)
		gen, err := w.s.commit(ctx, ops, errs, false)
		w.answer(ops, errs, gen, err)
	})
}

// byLane parts ops by the lane that they lock; one that locks several, or that
// is not known, is a part of its own.
func byLane(ops []*op) (parts [][]*op) {
	of := map[string]int{}
	for _, o := range ops {
		lane := o.locks()
		i, known := of[lane]
		if !known || lane == "" {
			i = len(parts)
			of[lane] = i
			parts = append(parts, nil)
		}
		parts[i] = append(parts[i], o)
	}
	return parts
}

// locks is the one lane that the op locks; empty: several, or not known.
func (o *op) locks() string {
	if o.lane != "" {
		return o.lane
	}
	n := gatherNeeds([]*op{o})
	if len(n.deliveries)+len(n.gates)+len(n.nodes)+len(n.lanes) > 0 || len(n.routes) == 0 {
		return ""
	}
	for _, r := range n.routes {
		if r.lane != n.routes[0].lane {
			return ""
		}
	}
	return n.routes[0].lane
}

// commit runs the ops in one transaction, and again when it lost against
// another one or when they turn out to need more. errs are what the ops
// themselves decided. brief: a lock is not waited for long.
func (s *Store) commit(ctx context.Context, ops []*op, errs []error, brief bool) (gen int64, err error) {
	var extra []routeNeed
	for try := 1; ; try++ {
		var missing []routeNeed
		gen, missing, err = s.try(ctx, ops, extra, errs, brief)
		switch {
		case errors.Is(err, errMissing) && try < tries:
			extra = append(extra, missing...)
			if err := s.make(ctx, ops, extra); err != nil {
				return 0, err
			}
		case errors.Is(err, errMissing):
			return 0, &dbError{err: errors.New("other nodes change the same deliveries all the time")}
		case again(err) && try < tries && ctx.Err() == nil:
			s.opt.Log.Debug("a transaction begins again", "error", err)
			wait(ctx, time.Duration(rand.Int64N(int64(time.Millisecond)<<min(try, 6))))
		default:
			return gen, err
		}
	}
}

// make makes the lanes and flows that ops need.
func (s *Store) make(ctx context.Context, ops []*op, extra []routeNeed) error {
	n := gatherNeeds(ops)
	if len(extra)+len(n.lanes) == 0 {
		return nil
	}
	return s.ensure(ctx, n.lanes, extra)
}

func gatherNeeds(ops []*op) *needs {
	n := &needs{}
	for _, o := range ops {
		if o.need != nil {
			o.need(n)
		}
	}
	return n
}

func (s *Store) try(ctx context.Context, ops []*op, extra []routeNeed, errs []error, brief bool) (gen int64, missing []routeNeed, err error) {
	err = s.withConn(ctx, func(conn *pgxpool.Conn) (err error) {
		t := newTx(s, conn)
		defer func() {
			missing = t.missing
			if err != nil {
				rollback(ctx, conn)
			}
		}()
		for _, o := range ops {
			if o.lead != nil {
				if err := o.lead(ctx, conn); err != nil {
					return err
				}
			}
		}
		n := gatherNeeds(ops)
		n.routes = append(n.routes, extra...)
		if err := t.load(ctx, n, brief); err != nil {
			return err
		}
		for i, o := range ops {
			if errs[i] = o.run(ctx, t); errs[i] == nil {
				continue
			}
			if errors.Is(errs[i], errMissing) {
				err = errMissing // the others say what they miss too
				continue
			}
			var kept *keptError
			if errors.As(errs[i], &kept) {
				errs[i] = kept.err
			} else if isDB(errs[i]) || len(ops) == 1 {
				return errs[i]
			}
		}
		if err != nil {
			return err
		}
		// From here on the caller's patience must not put the result in doubt.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		if err := t.commit(ctx); err != nil {
			return err
		}
		gen = t.gen
		if t.wake {
			s.changed.all()
			s.bell.tell()
		}
		return nil
	})
	return gen, missing, err
}

// rollback ends a transaction that failed; a connection that cannot even do
// that is closed when it goes back to the pool.
func rollback(ctx context.Context, conn *pgxpool.Conn) {
	if conn.Conn().IsClosed() || conn.Conn().PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if _, err := conn.Exec(ctx, `ROLLBACK`); err != nil {
		return // Release sees the open transaction and closes the connection
	}
}

// A keptError is an answer that does not undo what was written with it.
type keptError struct{ err error }

func (e *keptError) Error() string { return e.err.Error() }
func (e *keptError) Unwrap() error { return e.err }

func isDB(err error) bool {
	var d *dbError
	return errors.As(err, &d)
}

func errLocked() error {
	return &dbError{err: fmt.Errorf("%w: another node keeps this mailbox's lane locked", store.ErrUnavailable)}
}

func errBusy(err error) error {
	return &dbError{broken: true, err: fmt.Errorf("%w: all connections of the pool are in use (pool_max_conns in the database URL): %w", store.ErrUnavailable, err)}
}
