package sqlite

import (
	"database/sql"
	"errors"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// A tx is one transaction of the writer, shared by the ops of a batch. Lanes
// and subqueues that ops touch, and deliveries that they place, are kept here and
// written once, by flush.
type tx struct {
	w      *writer
	writes int
	wake   bool // something may be claimable or due earlier
	*held
	clock   store.Clock
	news    []store.NewEvent
	tally   engine.Tally
	placed  []placed
	waiting []*claim

	touched          []*lane // dirty ones
	touchedSubqueues []*subqueue
}

func newTx(w *writer) *tx {
	if w.held == nil || w.held.full() {
		w.held = newHeld()
	}
	return &tx{w: w, held: w.held, clock: w.clock}
}

func (t *tx) exec(q string, args ...any) error {
	_, err := t.insert(q, args...)
	return err
}

// Exec implements engine.Tx.
func (t *tx) Exec(q string, args ...any) (int64, error) {
	r, err := t.result(q, args)
	if err != nil {
		return 0, err
	}
	n, err := r.RowsAffected()
	return n, dbErr(err)
}

// insert is exec with the key of the row that was made.
func (t *tx) insert(q string, args ...any) (int64, error) {
	r, err := t.result(q, args)
	if err != nil {
		return 0, err
	}
	id, err := r.LastInsertId()
	return id, dbErr(err)
}

func (t *tx) result(q string, args []any) (sql.Result, error) {
	if t.w.conn == nil {
		return nil, dbErr(errClosed)
	}
	t.writes++
	r, err := t.w.conn.exec(q, args...)
	return r, dbErr(err)
}

// Row implements engine.Tx.
func (t *tx) Row(q string, args []any, dst ...any) error {
	if t.w.conn == nil {
		return dbErr(errClosed)
	}
	return notFound(t.w.conn.row(q, args, dst...))
}

// Each implements engine.Tx.
func (t *tx) Each(q string, args []any, f func(scan) error) error {
	if t.w.conn == nil {
		return dbErr(errClosed)
	}
	return t.w.conn.each(q, args, f)
}

var errClosed = errors.New("the database connection is closed")

// ids returns the one integer column of a query.
func (t *tx) ids(q string, args ...any) (out []int64, err error) {
	err = t.Each(q, args, func(sc scan) error {
		var id int64
		err := dbErr(sc(&id))
		out = append(out, id)
		return err
	})
	return out, err
}

// A scan reads the columns of the current row; its errors are the database's.
type scan = engine.Scan

func eachRow(rows *sql.Rows, err error, f func(scan) error) error {
	if err != nil {
		return dbErr(err)
	}
	for rows.Next() {
		if err := f(func(dst ...any) error { return dbErr(rows.Scan(dst...)) }); err != nil {
			return errors.Join(err, dbErr(rows.Close()))
		}
	}
	return dbErr(errors.Join(rows.Err(), rows.Close()))
}

// Lock implements engine.Tx: no one else writes.
func (t *tx) Lock() string { return "" }
