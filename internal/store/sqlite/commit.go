package sqlite

import (
	"cmp"
	"errors"
	"slices"

	"github.com/postino-mail/postino/internal/store/engine"
)

// commit runs the ops in one transaction, claims last, and with them the claims
// that wait when something may have become claimable. When an op fails after it
// has written, all are undone and each runs again by itself, so that it harms no
// one else; the claims that wait then look for themselves.
func (w *writer) commit(ops []*op) (writes int) {
	if len(ops) == 0 { // their callers gave up
		return 0
	}
	slices.SortStableFunc(ops, func(a, b *op) int { return cmp.Compare(a.place(), b.place()) })
	writes, err := w.try(ops, false)
	if !errors.Is(err, errAlone) {
		answer(ops, err)
		return writes
	}
	for i := range ops {
		n, err := w.try(ops[i:i+1], true)
		answer(ops[i:i+1], err)
		writes += n
	}
	return writes
}

func answer(ops []*op, err error) {
	for _, o := range ops {
		if err != nil {
			o.err = err
		}
		o.Answer(o.err)
	}
}

// errAlone asks for each op to be run by itself.
var errAlone = errors.New("one of several failed")

// try runs the ops in one transaction; alone: no claim that waits takes part.
func (w *writer) try(ops []*op, alone bool) (writes int, err error) {
	if w.conn == nil {
		if err := w.open(); err != nil {
			return 0, unavailable(err)
		}
	}
	t := newTx(w)
	if err := t.exec("BEGIN IMMEDIATE"); err != nil {
		w.drop()
		return 0, unavailable(err)
	}
	// No one else can write from here on.
	if err := w.compare(t); err != nil {
		w.rollback(t)
		w.drop()
		return 0, unavailable(err)
	}
	marks := w.s.Marks.Take()
	committed := false
	defer func() {
		if !committed {
			w.s.Marks.Back(marks)
		}
		t.endClaims(ops, committed)
	}()
	err = t.heard(marks)
	if err == nil {
		err = t.runAll(ops)
	}
	if err == nil && t.wake && !alone {
		err = t.runWaiting()
	}
	if err == nil {
		err = t.flush()
	}
	if err != nil {
		w.rollback(t)
		if len(ops)+len(t.waiting) > 1 && !global(err) {
			return 0, errAlone
		}
		return 0, outward(err)
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
		return 0, unavailable(err)
	}
	committed = true
	w.commits.Add(1)
	w.clock = t.clock
	return t.writes, nil
}

// runAll runs the ops. Its error asks for a rollback.
func (t *tx) runAll(ops []*op) error {
	for _, o := range ops {
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
