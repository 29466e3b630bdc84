package sqlite

import (
	"context"
	"errors"

	"github.com/postino-mail/postino/internal/store/engine"
)

// db is the database as the engine sees it. What runs beside the server is
// another process, which looks at the versions.
func (s *Store) db() engine.DB {
	read := func(ctx context.Context, q string, args []any, dst ...any) error {
		return engine.ReadError(ctx, notFound(s.readers.QueryRowContext(ctx, q, args...).Scan(dst...)), outward)
	}
	return engine.DB{
		Read: read,
		List: func(ctx context.Context, q string, args []any, reset func(), f func(engine.Scan) error) error {
			reset()
			rows, err := s.readers.QueryContext(ctx, q, args...)
			return engine.ReadError(ctx, notFound(eachRow(rows, err, f)), outward)
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
		Claim: s.claimNow, Log: s.opt.Log, Close: func() error { s.w.stop(); return errors.Join(s.check.stop(), s.release()) },
		OpenLarge: s.spool.open, CountAll: read, Remove: s.remove, Discard: s.removed,
		TakeLarge: s.spool.take, Stored: s.stored,
		Edited: func() {},
	}
}

// Records implements engine.Work: what was kept for the end is written, so that
// statements read it.
func (t *tx) Records() (engine.Tx, error) {
	err := t.flush()
	t.forget()
	return t, err
}

// OnChange implements store.Store: what runs beside the server is another
// process, of which nothing is known here.
func (s *Store) OnChange(func()) {}
