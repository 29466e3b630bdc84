package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"slices"
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
	// How often in a row the writer yields without anything new before it begins
	// with fewer ops than the last time.
	gatherYields = 64
)

// A writer owns the one connection that writes.
type writer struct {
	s    *Store
	ops  chan *op
	quit chan struct{}
	end  chan struct{}
	gate sync.RWMutex // held for reading while an op is handed over
	shut bool

	db                                             *sql.DB
	conn                                           *sql.Conn
	stmts                                          map[string]*sql.Stmt
	version                                        int64 // data_version: changes when another process commits
	held                                           *held // nil when the database may have changed
	batch                                          []*op
	last                                           int         // ops of the transaction before
	parked                                         []*op       // claims that wait for something to claim
	alarm                                          *time.Timer // for them
	commits                                        atomic.Int64
	unsaved                                        int // statements since the checkpointer was told
}

func newWriter(s *Store) *writer {
	return &writer{s: s, ops: make(chan *op, batchOps), quit: make(chan struct{}), end: make(chan struct{})}
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
	w.alarm = time.NewTimer(time.Hour)
	defer w.alarm.Stop()
	for {
		select {
		case o := <-w.ops:
			w.gather(o)
			w.noteWrites(w.commit(w.batch, false))
		case <-w.alarm.C:
			w.noteWrites(w.commit(nil, true))
		case <-poll.C:
			w.pollOthers()
		case <-w.quit:
			for { // what was handed over before the gate closed
				select {
				case o := <-w.ops:
					w.gather(o)
					w.commit(w.batch, false)
				default:
					for _, o := range w.unpark() {
						o.err = fmt.Errorf("%w: it was closed", store.ErrUnavailable)
						close(o.done)
					}
					return
				}
			}
		}
		w.setAlarm()
	}
}

// gather takes o and what else waits by now. Those who were answered a moment
// ago are about to ask for the next thing, and a sync for each alone would cost
// all of them more than this wait: as long as there are fewer than last time,
// they get the processor first.
func (w *writer) gather(o *op) {
	w.batch = w.batch[:0]
	var bytes int64
	for idle := 0; ; {
		if o != nil {
			if o.take() {
				w.batch = append(w.batch, o)
				bytes += o.bytes
			}
			if len(w.batch) >= batchOps || bytes >= batchBytes {
				break
			}
		}
		select {
		case o = <-w.ops:
			idle = 0
			continue
		default:
			o = nil
		}
		if len(w.batch) >= w.last || idle >= gatherYields {
			break
		}
		idle++
		runtime.Gosched()
	}
	w.last = len(w.batch)
}

// pollOthers has the claims look again when another process has written.
// Reading data_version costs microseconds.
func (w *writer) pollOthers() {
	if w.conn == nil {
		return
	}
	changed, err := w.compare(newTx(w))
	if err != nil {
		w.s.opt.Log.Warn("asking the database for changes", "error", err)
		return
	}
	if changed {
		w.noteWrites(w.commit(nil, true))
	}
}

// compare forgets what is held when another process has written.
func (w *writer) compare(t *tx) (changed bool, err error) {
	var v int64
	if err := t.row("PRAGMA data_version", nil, &v); err != nil {
		return false, err
	}
	if v == w.version {
		return false, nil
	}
	w.version = v
	w.held = newHeld()
	t.held, t.wake = w.held, true
	return true, nil
}

// A batch is the work of one transaction. Claims run last, so that they see all
// that it does.
type batch struct {
	ops    []*op
	claims []*op
	writes int
}

// commit runs the ops in one transaction, and with them the claims that wait
// when something may have become claimable, or always when look is set. When an
// op fails after it has written, all are undone and each runs again by itself,
// so that it harms nobody else.
func (w *writer) commit(ops []*op, look bool) (writes int) {
	b := &batch{}
	for _, o := range ops {
		if o.wait != nil {
			b.claims = append(b.claims, o)
		} else {
			b.ops = append(b.ops, o)
		}
	}
	own := len(b.claims)
	if look {
		b.claims = append(b.claims, w.unpark()...)
	}
	if len(b.ops)+len(b.claims) == 0 {
		return 0
	}
	err := w.try(b)
	if errors.Is(err, errAlone) {
		for _, o := range b.claims[own:] {
			w.park(o)
		}
		for _, o := range ops {
			writes += w.commit([]*op{o}, false)
		}
		return writes + w.commit(nil, true)
	}
	now := time.Now()
	for _, o := range slices.Concat(b.ops, b.claims) {
		if err != nil {
			o.err = err
		}
		if o.err == nil && o.wait != nil && o.wait.empty() && now.Before(o.wait.until) {
			w.park(o)
		} else {
			close(o.done)
		}
	}
	return b.writes
}

// park keeps a claim that found nothing.
func (w *writer) park(o *op) {
	if o.put() {
		w.parked = append(w.parked, o)
		return
	}
	o.err = errAbandoned
	close(o.done)
}

// unpark takes the claims that wait.
func (w *writer) unpark() (out []*op) {
	for _, o := range w.parked {
		if o.take() {
			out = append(out, o)
		}
	}
	clear(w.parked)
	w.parked = w.parked[:0]
	return out
}

// setAlarm has the claims that wait run again when the first lane is ready, or
// when they have waited long enough.
func (w *writer) setAlarm() {
	if len(w.parked) == 0 {
		w.alarm.Reset(time.Hour)
		return
	}
	now := time.Now()
	wait := time.Second // the database is not open: that is what they are to be told
	if w.conn != nil {
		next, err := newTx(w).firstReady()
		if err != nil {
			w.s.opt.Log.Warn("asking the database what is due next", "error", err)
		} else {
			wait = time.Hour
			for _, o := range w.parked {
				left := at(next).Sub(o.wait.clock(now))
				if left <= 0 { // it was just looked for in vain
					left = 50 * time.Millisecond
				}
				wait = min(wait, left, o.wait.until.Sub(now))
			}
		}
	}
	w.alarm.Reset(max(wait, 0))
}

// errAlone asks for each op to be run by itself.
var errAlone = errors.New("one of several failed")

func (w *writer) try(b *batch) error {
	ctx := context.Background()
	if w.conn == nil {
		if err := w.open(ctx); err != nil {
			return unavailable(err)
		}
	}
	t := newTx(w)
	if err := t.exec("BEGIN IMMEDIATE"); err != nil {
		w.drop()
		return unavailable(err)
	}
	// Nobody else can write from here on.
	if _, err := w.compare(t); err != nil {
		w.rollback(t)
		w.drop()
		return unavailable(err)
	}
	err := t.runAll(b)
	if err == nil {
		err = t.settle()
	}
	if err != nil {
		w.rollback(t)
		if len(b.ops)+len(b.claims) > 1 && !global(err) {
			return errAlone
		}
		return outward(err)
	}
	if w.s.opt.fault != nil {
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
		return unavailable(err)
	}
	w.commits.Add(1)
	b.writes = t.writes
	return nil
}

// runAll runs the ops and then the claims. Its error asks for a rollback.
func (t *tx) runAll(b *batch) error {
	for _, o := range b.ops {
		if !o.plain {
			if err := t.writePlaced(); err != nil {
				return err
			}
		}
		if err := t.run(o); err != nil {
			return err
		}
	}
	if t.wake {
		b.claims = append(b.claims, t.w.unpark()...)
	}
	for _, o := range b.claims {
		if err := t.run(o); err != nil {
			return err
		}
	}
	return nil
}

// run runs one op. An error that leaves nothing to undo is the op's alone.
func (t *tx) run(o *op) error {
	before := t.writes
	o.err = o.fn(t)
	var kept *keptError
	switch {
	case o.err == nil:
		return nil
	case errors.As(o.err, &kept):
		o.err = kept.err
		return nil
	case t.writes == before && !isDB(o.err):
		return nil
	}
	return o.err
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
