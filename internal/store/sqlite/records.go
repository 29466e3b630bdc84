package sqlite

import (
	"context"

	"github.com/postino-mail/postino/internal/store/engine"
)

// db is the database as the engine sees it. What runs beside the server is
// another process, which looks at the versions.
func (s *Store) db() engine.DB {
	return engine.DB{
		Read: s.read,
		List: func(ctx context.Context, q string, args []any, reset func(), f func(engine.Scan) error) error {
			reset()
			return s.list(ctx, q, args, func(sc scan) error { return f(checked(sc)) })
		},
		Do: func(ctx context.Context, f func(engine.Tx) error) error {
			return s.do(ctx, func(t *tx) error {
				r, err := t.Records()
				if err != nil {
					return err
				}
				return f(r)
			})
		},
		// What it needs is loaded when it is asked for.
		Work: func(ctx context.Context, n engine.Needs, f func(engine.Work) error) error {
			var bytes int64
			for _, m := range n.New {
				bytes += int64(len(m.Head) + len(m.Inline))
			}
			return s.w.Do(ctx, &op{Call: engine.Call{Bytes: bytes}, fn: func(t *tx) error {
				if n.First != nil {
					records, err := t.Records()
					if err != nil {
						return err
					}
					need := n
					if err := n.First(records, &need); err != nil {
						return err
					}
				}
				return f(t)
			}})
		},
		Claim: s.claimNow, TakeLarge: s.spool.take, Stored: s.stored,
		Edited: func() {},
	}
}

// Records implements engine.Work: what was kept for the end is written, so that
// statements read it.
func (t *tx) Records() (engine.Tx, error) { return recordsTx{t}, t.flush() }

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

// Lock implements engine.Tx: no one else writes.
func (recordsTx) Lock() string { return "" }

// checked makes what the database says of a column an error of the database.
func checked(sc scan) engine.Scan { return func(dst ...any) error { return dbErr(sc(dst...)) } }

// OnChange implements store.Store: what runs beside the server is another
// process, of which nothing is known here.
func (s *Store) OnChange(func()) {}
