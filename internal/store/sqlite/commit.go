package sqlite

import (
	"github.com/postino-mail/postino/internal/store/engine"

	"errors"
	"slices"
	"time"
)

// A batch is the work of one transaction. Claims run last, so that they see all
// that it does.
type batch struct {
	ops    []*op
	claims []*op
	alone  bool // no claim that waits joins
	writes int
}

func (b *batch) add(o *op) {
	if o.wait != nil {
		b.claims = append(b.claims, o)
	} else {
		b.ops = append(b.ops, o)
	}
}

// commit runs the ops in one transaction, and with them the claims that wait
// when something may have become claimable, or always when look is set. When an
// op fails after it has written, all are undone and each runs again by itself,
// so that it harms no one else; so does each claim.
func (w *writer) commit(ops []*op, look bool) (writes int) {
	b := &batch{}
	for _, o := range ops {
		b.add(o)
	}
	if look {
		b.claims = append(b.claims, w.unpark()...)
	}
	if len(b.ops)+len(b.claims) == 0 {
		return 0
	}
	err := w.try(b)
	if !errors.Is(err, errAlone) {
		w.answer(b, err)
		return b.writes
	}
	for _, o := range slices.Concat(b.ops, b.claims) {
		one := &batch{alone: true}
		one.add(o)
		w.answer(one, w.try(one))
		writes += one.writes
	}
	if len(b.ops) > 0 { // they may have something for claims that did not take part
		writes += w.commit(nil, true)
	}
	return writes
}

// answer tells the callers; a claim that found nothing waits on.
func (w *writer) answer(b *batch, err error) {
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
			w.s.opt.Log.Warn("asking the database what is due next", "err", err)
		} else {
			wait = time.Hour
			for _, o := range w.parked {
				left := engine.At(next).Sub(o.wait.clock(now))
				if !engine.At(next).After(o.wait.last) { // it was looked for in vain
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
	if w.conn == nil {
		if err := w.open(); err != nil {
			return unavailable(err)
		}
	}
	t := newTx(w)
	if err := t.exec("BEGIN IMMEDIATE"); err != nil {
		w.drop()
		return unavailable(err)
	}
	// No one else can write from here on.
	if _, err := w.compare(t); err != nil {
		w.rollback(t)
		w.drop()
		return unavailable(err)
	}
	marks := w.s.marks.Take()
	committed := false
	defer func() {
		if !committed {
			w.s.marks.Back(marks)
		}
	}()
	err := t.heard(marks)
	if err == nil {
		err = t.runAll(b)
	}
	if err == nil {
		err = t.flush()
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
	committed = true
	w.commits.Add(1)
	w.clock = t.clock
	b.writes = t.writes
	return nil
}

// runAll runs the ops and then the claims. Its error asks for a rollback.
func (t *tx) runAll(b *batch) error {
	for _, o := range b.ops {
		if err := t.run(o); err != nil {
			return err
		}
	}
	if t.wake && !b.alone {
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
	var kept *engine.KeptError
	switch {
	case o.err == nil:
		return nil
	case errors.As(o.err, &kept):
		o.err = kept.Err
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
		w.s.opt.Log.Debug("rollback", "err", err)
		w.drop()
	}
}

func isDB(err error) bool {
	var d *dbError
	return errors.As(err, &d)
}
