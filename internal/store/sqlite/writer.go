package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// Bounds of one transaction: enough to share a sync among all who wait, small
// enough that nobody waits long.
const (
	batchOps   = 256
	batchBytes = 8 << 20
	// How often in a row the writer yields without anything new before it begins.
	gatherYields = 16
)

// An op is one call of a port that writes. fn may run more than once, each time
// in a new transaction; it sets its results anew each time. An error from fn
// undoes everything that it wrote.
type op struct {
	fn    func(*tx) error
	bytes int64
	taken atomic.Bool // by the writer, or by the caller who gave up
	err   error
	done  chan struct{}
}

// A writer owns the one connection that writes.
type writer struct {
	s    *Store
	ops  chan *op
	quit chan struct{}
	end  chan struct{}
	gate sync.RWMutex // held for reading while an op is handed over
	shut bool

	db      *sql.DB
	conn    *sql.Conn
	stmts   map[string]*sql.Stmt
	version int64 // data_version: changes when another process commits
	held    *held // nil when the database may have changed
	batch   []*op
	commits atomic.Int64
	unsaved int // statements since the checkpointer was told
}

func newWriter(s *Store) *writer {
	return &writer{s: s, ops: make(chan *op, batchOps), quit: make(chan struct{}), end: make(chan struct{})}
}

// do runs fn in a transaction, shared with others, and returns when it is
// synced. When ctx ends before the writer took it, nothing was done; after
// that the result is waited for, so that it is never in doubt.
func (s *Store) do(ctx context.Context, fn func(*tx) error) error { return s.doSized(ctx, 0, fn) }

func (s *Store) doSized(ctx context.Context, bytes int64, fn func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o := &op{fn: fn, bytes: bytes, done: make(chan struct{})}
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

func (w *writer) stop() {
	w.gate.Lock()
	w.shut = true
	w.gate.Unlock()
	close(w.quit)
	<-w.end
}

// open opens the connection anew.
func (w *writer) open(ctx context.Context) (err error) {
	if w.db, err = sql.Open("sqlite", dsn(w.s.file(), true)); err != nil {
		return err
	}
	w.db.SetMaxOpenConns(1)
	w.stmts = map[string]*sql.Stmt{}
	if w.conn, err = w.db.Conn(ctx); err != nil {
		w.drop()
		return err
	}
	if n := w.s.opt.maxPage; n > 0 {
		if _, err = w.conn.ExecContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", n)); err != nil {
			w.drop()
			return err
		}
	}
	if err = w.conn.QueryRowContext(ctx, "PRAGMA data_version").Scan(&w.version); err != nil {
		w.drop()
	}
	return err
}

// drop closes the connection: after a failed sync nothing that it remembers
// may be trusted, and closing takes locks along that a failed rollback kept.
func (w *writer) drop() {
	var errs []error
	for _, st := range w.stmts {
		errs = append(errs, st.Close())
	}
	if w.conn != nil {
		errs = append(errs, w.conn.Close())
	}
	if w.db != nil {
		errs = append(errs, w.db.Close())
	}
	w.db, w.conn, w.stmts, w.held = nil, nil, nil, nil
	if err := errors.Join(errs...); err != nil {
		w.s.opt.Log.Warn("closing the database connection", "error", err)
	}
}

func (w *writer) run() {
	defer close(w.end)
	defer func() { w.drop() }()
	poll := time.NewTicker(time.Second)
	defer poll.Stop()
	for {
		select {
		case o := <-w.ops:
			w.gather(o)
			w.noteWrites(w.commit(w.batch))
		case <-poll.C:
			w.pollOthers()
		case <-w.quit:
			for { // what was handed over before the gate closed
				select {
				case o := <-w.ops:
					w.gather(o)
					w.commit(w.batch)
				default:
					return
				}
			}
		}
	}
}

// gather takes o and what else waits by now. Those who were just answered get
// the processor before it gives up: they are about to ask for the next thing,
// and a sync for each alone would cost all of them more than this wait.
func (w *writer) gather(o *op) {
	w.batch = w.batch[:0]
	var bytes int64
	idle := 0
	for {
		if o.taken.CompareAndSwap(false, true) {
			w.batch = append(w.batch, o)
			bytes += o.bytes
		}
		if len(w.batch) >= batchOps || bytes >= batchBytes {
			return
		}
		for waiting := true; waiting; {
			select {
			case o = <-w.ops:
				idle, waiting = 0, false
			default:
				if idle++; idle > gatherYields {
					return
				}
				runtime.Gosched()
			}
		}
	}
}

// pollOthers wakes the nodes when another process has written. Reading
// data_version costs microseconds.
func (w *writer) pollOthers() {
	if w.conn == nil {
		return
	}
	if err := w.compare(newTx(w)); err != nil {
		w.s.opt.Log.Warn("asking the database for changes", "error", err)
	}
}

// compare forgets what is held when another process has written.
func (w *writer) compare(t *tx) error {
	var v int64
	if err := t.row("PRAGMA data_version", nil, &v); err != nil {
		return err
	}
	if v != w.version {
		w.version = v
		w.held = newHeld()
		t.held = w.held
		w.s.wakeUp()
	}
	return nil
}

// commit runs the ops in one transaction. When one of them fails after it has
// written, all are undone and each runs again by itself, so that it harms
// nobody else.
func (w *writer) commit(ops []*op) (writes int) {
	if len(ops) == 0 {
		return 0
	}
	errs := make([]error, len(ops))
	writes, err := w.try(ops, errs)
	if errors.Is(err, errAlone) {
		for _, o := range ops {
			writes += w.commit([]*op{o})
		}
		return writes
	}
	for i, o := range ops {
		if o.err = outward(errs[i]); err != nil {
			o.err = outward(err)
		}
		close(o.done)
	}
	return writes
}

// errAlone asks for each op to be run by itself.
var errAlone = errors.New("one of several failed")

func (w *writer) try(ops []*op, errs []error) (writes int, err error) {
	ctx := context.Background()
	if w.conn == nil {
		if err := w.open(ctx); err != nil {
			return 0, unavailable(err)
		}
	}
	t := newTx(w)
	if err := t.exec("BEGIN IMMEDIATE"); err != nil {
		w.drop()
		return 0, unavailable(err)
	}
	// Nobody else can write from here on.
	if err := w.compare(t); err != nil {
		w.rollback(t)
		w.drop()
		return 0, unavailable(err)
	}
	for i, o := range ops {
		before := t.writes
		if errs[i] = o.fn(t); errs[i] == nil {
			continue
		}
		var kept *keptError
		if errors.As(errs[i], &kept) {
			errs[i] = kept.err
			continue
		}
		if t.writes == before && !isDB(errs[i]) {
			continue // it decided before it wrote: nothing to undo
		}
		w.rollback(t)
		if len(ops) > 1 && !global(errs[i]) {
			return 0, errAlone
		}
		return 0, errs[i]
	}
	err = t.flush()
	if err == nil && w.s.opt.fault != nil {
		if err = w.s.opt.fault(); err != nil {
			err = &dbError{err}
		}
	}
	if err == nil {
		err = t.exec("COMMIT")
	}
	if err != nil {
		w.rollback(t)
		w.drop()
		return 0, unavailable(err)
	}
	w.commits.Add(1)
	if t.wake {
		w.s.wakeUp()
	}
	return t.writes, nil
}

func (w *writer) rollback(t *tx) {
	w.held = nil
	if err := t.exec("ROLLBACK"); err != nil {
		// SQLite has rolled back by itself after a disk error (no transaction is
		// active), or the connection is beyond use: a new one knows.
		w.s.opt.Log.Debug("rollback", "error", err)
		w.drop()
	}
}

func isDB(err error) bool {
	var d *dbError
	return errors.As(err, &d)
}
