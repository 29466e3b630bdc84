package sqlite

import (
	"context"

	"github.com/postino-mail/postino/internal/store/engine"
)

// recordsDB is the database as the engine sees it.
type recordsDB struct{ *Store }

// Read implements engine.DB.
func (r recordsDB) Read(ctx context.Context, q string, args []any, dst ...any) error {
	return r.read(ctx, q, args, dst...)
}

// List implements engine.DB.
func (r recordsDB) List(ctx context.Context, q string, args []any, reset func(), f func(engine.Scan) error) error {
	reset()
	return r.list(ctx, q, args, func(sc scan) error { return f(checked(sc)) })
}

// Do implements engine.DB.
func (r recordsDB) Do(ctx context.Context, f func(engine.Tx) error) error {
	return r.do(ctx, func(t *tx) error { return f(recordsTx{t}) })
}

// Work implements engine.DB: what it needs is loaded when it is asked for.
func (r recordsDB) Work(ctx context.Context, _ engine.Needs, f func(engine.Work) error) error {
	return r.do(ctx, func(t *tx) error { return f(t) })
}

// Settle implements engine.DB.
func (r recordsDB) Settle(ctx context.Context, st *engine.Settlement) error { return r.settle(ctx, st) }

// Edited implements engine.DB: what runs beside the server is another process,
// which looks at the versions.
func (recordsDB) Edited() {}

// Records implements engine.Work.
func (t *tx) Records() engine.Tx { return recordsTx{t} }

// recordsTx is a transaction as the engine sees it.
type recordsTx struct{ *tx }

// Exec implements engine.Tx.
func (t recordsTx) Exec(q string, args ...any) (int64, error) { return t.change(q, args...) }

// Row implements engine.Tx.
func (t recordsTx) Row(q string, args []any, dst ...any) error {
	return notFound(t.row(q, args, dst...))
}

// Each implements engine.Tx.
func (t recordsTx) Each(q string, args []any, f func(engine.Scan) error) error {
	return t.each(q, args, func(sc scan) error { return f(checked(sc)) })
}

// Lock implements engine.Tx: nobody else writes.
func (recordsTx) Lock() string { return "" }

// checked makes what the database says of a column an error of the database.
func checked(sc scan) engine.Scan { return func(dst ...any) error { return dbErr(sc(dst...)) } }

// OnChange implements store.Store: what runs beside the server is another
// process, of which nothing is known here.
func (s *Store) OnChange(func()) {}
