package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// db is the database as the engine sees it.
func (s *Store) db() engine.DB {
	return engine.DB{List: s.list, Log: s.opt.Log, Close: s.stop, Work: s.work, Claim: s.claimNow, OpenLarge: s.fetch,
		CountAll: s.countAll, Remove: remove, Edited: s.edited, Skew: s.skew.difference,
		Read: func(ctx context.Context, q string, args []any, dst ...any) error {
			return s.reading(ctx, func(conn *pgxpool.Conn) error { return dbErr(conn.QueryRow(ctx, q, args...).Scan(dst...)) })
		},
		Do: func(ctx context.Context, f func(engine.Tx) error) error {
			return s.alone(ctx, func(ctx context.Context, tx pgx.Tx) error { return f(recordsTx{ctx, tx}) })
		}}
}

// allConnections is the lock of those who put or delete one.
const allConnections = "connections"

// work runs the engine's work in a transaction shared with others.
func (s *Store) work(ctx context.Context, want engine.Needs, f func(engine.Work) error) error {
	if want.Settle != nil {
		return s.settle(ctx, want, f)
	}
	return s.doOp(ctx, newOp(want, f))
}

// newOp is an op for the engine's work. What edits connections reads the
// database while it runs: of what shares a transaction with it, it would not see
// the statements that are kept for the end.
func newOp(want engine.Needs, f func(engine.Work) error) *op {
	asked := want
	o := &op{alone: want.Edits, need: func(n *needs) {
		n.deliveries = append(n.deliveries, idList(want.Deliveries...)...)
		n.lanes = append(n.lanes, want.Lanes...)
		n.nodes = append(n.nodes, want.Nodes...)
		for _, f := range want.Subqueues {
			n.routes = append(n.routes, routeNeed{lane: f.Lane, connection: f.Connection, client: f.Client})
		}
		for _, id := range want.Connections {
			n.hold(id)
		}
		if want.Edits {
			n.names = append(n.names, allConnections)
		}
		if want.Submission != nil {
			needSubmit(n, want.Submission, want.New)
		}
	}, run: func(ctx context.Context, t *tx) error { return f(unit{ctx, t}) }}
	carry(o, want.New)
	if asked.First != nil {
		o.lead = func(ctx context.Context, conn *pgxpool.Conn) error {
			want = asked
			if _, err := conn.Exec(ctx, `BEGIN`); err != nil {
				return dbErr(err)
			}
			return asked.First(recordsTx{ctx, conn}, &want)
		}
	}
	return o
}

// Records implements engine.Work.
func (t unit) Records() (engine.Tx, error) { return recordsTx{t.ctx, t.conn}, nil }

// Append implements engine.Work.
func (t unit) Append(ev []store.NewEvent) { t.events = append(t.events, ev...) }

// A querier is a transaction of pgx, or a connection with one open.
type querier interface {
	Exec(ctx context.Context, q string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, q string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, q string, args ...any) pgx.Row
}

// recordsTx is a transaction as the engine sees it.
type recordsTx struct {
	ctx context.Context //nolint:containedctx // it lives as long as one call of a transaction
	q   querier
}

// Exec implements engine.Tx.
func (t recordsTx) Exec(q string, args ...any) (int64, error) {
	tag, err := t.q.Exec(t.ctx, q, args...)
	return tag.RowsAffected(), taken(err)
}

// Row implements engine.Tx.
func (t recordsTx) Row(q string, args []any, dst ...any) error {
	return notFound(t.q.QueryRow(t.ctx, q, args...).Scan(dst...))
}

// Each implements engine.Tx.
func (t recordsTx) Each(q string, args []any, f func(engine.Scan) error) error {
	return query(t.ctx, t.q, q, args, f)
}

// Lock implements engine.Tx.
func (recordsTx) Lock() string { return ` FOR UPDATE` }
