package sqlite

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// Bounds of one transaction: enough to share a sync among all who wait, small
// enough that no one waits long.
const (
	batchOps   = 256
	batchBytes = 8 << 20
	// How often in a row the writer yields without anything new before it begins
	// with fewer ops than came together lately: a tenth of a millisecond.
	gatherYields = 512
)

// A writer owns the one connection that writes.
type writer struct {
	s    *Store
	ops  chan *op
	quit chan struct{}
	end  chan struct{}
	gate sync.RWMutex // held for reading while an op is handed over
	shut bool

	conn    *conn
	version int64 // data_version: changes when another process commits
	held    *held // nil when the database may have changed
	batch   []*op
	crowd   int         // how many ops came together lately
	parked  []*op       // claims that wait for something to claim
	alarm   *time.Timer // for them
	commits atomic.Int64
	clock   store.Clock
	unsaved int // statements since the checkpointer was told
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
// all of them more than this wait: as long as there are fewer than lately, they
// get the processor first.
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
		if len(w.batch) >= w.crowd || idle >= gatherYields {
			break
		}
		idle++
		runtime.Gosched()
	}
	w.crowd = max(len(w.batch), w.crowd-w.crowd/8-1)
}

// pollOthers has the claims look again when another process has written.
// Reading data_version costs microseconds.
func (w *writer) pollOthers() {
	if w.conn == nil {
		return
	}
	changed, err := w.compare(newTx(w))
	if err != nil {
		w.s.opt.Log.Warn("asking the database for changes", "err", err)
		return
	}
	if changed {
		w.noteWrites(w.commit(nil, true))
	}
}

// compare notes whether another process has written: its messages may be claimable.
func (w *writer) compare(t *tx) (changed bool, err error) {
	var v int64
	if err := t.row("PRAGMA data_version", nil, &v); err != nil {
		return false, err
	}
	if v == w.version {
		return false, nil
	}
	w.version = v
	w.held = nil
	t.held, t.wake = newTx(w).held, true
	return true, nil
}
