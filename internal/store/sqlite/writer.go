package sqlite

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// An op is one call of a port that writes. fn may run more than once, each time
// in a new transaction; it sets its results again each time. An error from fn
// undoes everything that it wrote.
type op struct {
	engine.Call
	fn    func(*tx) error
	claim *claim // nil: another call
	err   error
}

// place orders claims after the others.
func (o *op) place() int {
	if o.claim != nil {
		return 1
	}
	return 0
}

// do runs fn in a transaction, shared with others, and returns when it is synced.
func (s *Store) do(ctx context.Context, fn func(*tx) error) error { return s.w.Do(ctx, &op{fn: fn}) }

// A writer owns the one connection that writes.
type writer struct {
	*engine.Queue[*op]
	s   *Store
	end chan struct{}

	conn    *conn
	version int64 // data_version: changes when another process commits
	held    *held // nil when the database may have changed
	commits atomic.Int64
	clock   store.Clock
	unsaved int // statements since the checkpointer was told
}

func newWriter(s *Store) *writer {
	return &writer{Queue: engine.NewQueue[*op](), s: s, end: make(chan struct{})}
}

func (w *writer) stop() {
	w.Stop()
	<-w.end
}

// open opens the connection again.
func (w *writer) open() (err error) {
	if w.conn, err = openConn(dsn(w.s.file(), true)); err != nil {
		return err
	}
	if n := w.s.opt.maxPage; n > 0 {
		if _, err = w.conn.exec(fmt.Sprintf("PRAGMA max_page_count = %d", n)); err != nil {
			w.drop()
			return err
		}
	}
	if err = w.conn.row("PRAGMA data_version", nil, &w.version); err != nil {
		w.drop()
	}
	return err
}

// drop closes the connection: after a failed sync nothing that it remembers
// may be trusted, and closing takes locks along that a failed rollback kept.
func (w *writer) drop() {
	if w.conn != nil {
		if err := w.conn.close(); err != nil {
			w.s.opt.Log.Warn("closing the database connection", "err", err)
		}
	}
	w.conn, w.held = nil, nil
}

func (w *writer) run() {
	defer close(w.end)
	defer w.drop()
	poll := time.NewTicker(time.Second)
	defer poll.Stop()
	w.Serve(func(ops []*op) { w.noteWrites(w.commit(ops)) }, poll.C, w.pollOthers)
}

// pollOthers has the claims look again when another process has written.
// Reading data_version costs microseconds.
func (w *writer) pollOthers() {
	if w.conn == nil {
		return
	}
	t := newTx(w)
	if err := w.compare(t); err != nil {
		w.s.opt.Log.Warn("asking the database for changes", "err", err)
	} else if t.wake {
		w.s.Changed.All()
	}
}

// compare notes whether another process has written: its messages may be claimable.
func (w *writer) compare(t *tx) error {
	var v int64
	if err := t.Row("PRAGMA data_version", nil, &v); err != nil || v == w.version {
		return err
	}
	w.version = v
	w.held = nil
	t.held, t.wake = newTx(w).held, true
	return nil
}
