package postgres

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// Register implements store.Queue.
func (s *Store) Register(ctx context.Context, name string, now, until time.Time) (n store.Node, reaped int, err error) {
	if name == "" {
		return n, 0, errors.New("store: a node needs a name")
	}
	now = store.Micro(now)
	if err := s.compareClocks(ctx); err != nil {
		return n, 0, err
	}
	until = until.Add(s.skew.difference())
	var ahead []string
	o := &op{
		lead: func(ctx context.Context, conn *pgxpool.Conn) error {
			n = store.Node{Name: name}
			b := &pgx.Batch{}
			b.Queue(`BEGIN`)
			b.Queue(`SELECT FROM nodes WHERE name = $1 FOR UPDATE`, name) // no claim of the earlier process under way
			b.Queue(`INSERT INTO nodes (name, incarnation, until_at) VALUES ($1, 1, $2)
				ON CONFLICT (name) DO UPDATE SET incarnation = nodes.incarnation + 1, until_at = $2 RETURNING incarnation`, name, engine.Micros(until)).
				Query(each(func(sc scan) error { return sc(&n.Incarnation) }))
			lanesAhead(b, now, &ahead)
			return dbErr(conn.SendBatch(ctx, b).Close())
		},
		need: func(n *needs) {
			n.nodes = append(n.nodes, name)
			n.lanes = append(n.lanes, ahead...)
		},
		run: func(ctx context.Context, t *tx) error {
			t.setClock(now)
			reaped, err = reap(unit{ctx, t}, now)
			return err
		},
	}
	if err := s.doOp(ctx, o); err != nil {
		return store.Node{}, 0, err
	}
	return n, reaped, nil
}

// lanesAhead looks for lanes with turns that were taken in the future: a clock
// was wrong then, and they would put off what is due.
func lanesAhead(b *pgx.Batch, now time.Time, keys *[]string) {
	*keys = nil
	b.Queue(`SELECT key FROM lanes WHERE turn_at > $1 OR EXISTS (SELECT FROM flows WHERE lane = lanes.id AND turn_at > $1)`,
		engine.Micros(now)).Query(each(func(sc scan) error {
		var key string
		err := sc(&key)
		*keys = append(*keys, key)
		return err
	}))
}

// A clock is this machine's, for the claims of several goroutines.
type clock struct {
	mu sync.Mutex
	store.Clock
}

// noteClock mends what a clock that was set back would keep from being done.
func (s *Store) noteClock(ctx context.Context, now, began time.Time) error {
	s.clock.mu.Lock()
	defer s.clock.mu.Unlock()
	next := s.clock.Clock
	if next.SetBack(now, began) {
		if err := s.setBack(ctx, now); err != nil {
			return err // the next claim finds it out again
		}
	}
	s.clock.Clock = next
	return nil
}

// setBack forgets what lies ahead of now.
func (s *Store) setBack(ctx context.Context, now time.Time) error {
	var ahead []string
	return s.doOp(ctx, &op{
		lead: func(ctx context.Context, conn *pgxpool.Conn) error {
			b := &pgx.Batch{}
			b.Queue(`BEGIN`)
			lanesAhead(b, now, &ahead)
			return dbErr(conn.SendBatch(ctx, b).Close())
		},
		need: func(n *needs) { n.lanes = append(n.lanes, ahead...) },
		run: func(ctx context.Context, t *tx) error {
			t.setClock(now)
			return nil
		},
	})
}

// setClock forgets turns of the locked lanes that lie ahead, and what counts
// there.
func (t *tx) setClock(now time.Time) {
	var ids []int64
	for id, l := range t.lanes {
		ids = append(ids, id)
		l.Now, l.Dirty = now, true
		if l.Turn > engine.Micros(now) {
			l.SetClock(now, engine.At(l.Turn))
			l.Turn, l.NotBefore = engine.Micros(now), 0
		}
	}
	for _, f := range t.flows {
		f.Turn = min(f.Turn, engine.Micros(now))
	}
	if len(ids) > 0 {
		t.exec(`UPDATE flows SET turn_at = $2, ready_at = CASE WHEN due_at >= $3 THEN $3 ELSE greatest(due_at, gate_at, $2) END
			WHERE lane = ANY($1) AND turn_at > $2`, ids, engine.Micros(now), engine.Never())
		t.wake = true
	}
}

// Heartbeat implements store.Queue.
func (s *Store) Heartbeat(ctx context.Context, n store.Node, _, until time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, beat) // the next one may find a connection that is alive
	defer cancel()
	if err := s.alone(ctx, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE nodes SET until_at = $3 WHERE name = $1 AND incarnation = $2`, n.Name, n.Incarnation,
			engine.Micros(until.Add(s.skew.difference())))
		if err == nil && tag.RowsAffected() == 0 {
			return store.ErrNodeLost
		}
		return dbErr(err)
	}); err != nil {
		if ctx.Err() != nil {
			s.pool.Reset() // connections as old as this one are as dead
		}
		return err
	}
	return s.compareClocks(ctx)
}

// beat is how long a heartbeat may take: a lease outlives one that is lost.
const beat = 4 * time.Second

// Reap implements store.Queue.
func (s *Store) Reap(ctx context.Context, now time.Time) (reaped int, err error) {
	now = store.Micro(now)
	over := engine.Micros(now.Add(s.skew.difference()))
	var some bool
	if err := s.read(ctx, `SELECT EXISTS (SELECT FROM nodes WHERE until_at < $1)`, []any{over}, &some); err != nil || !some {
		return 0, err
	}
	return s.forget(ctx, now, `SELECT name FROM nodes WHERE until_at < $1 ORDER BY name FOR UPDATE SKIP LOCKED`, []any{over})
}

// Leave implements store.Queue.
func (s *Store) Leave(ctx context.Context, n store.Node, now time.Time) error {
	now = store.Micro(now)
	if err := s.settleUncertain(ctx, now); err != nil {
		return err
	}
	_, err := s.forget(ctx, now, `SELECT name FROM nodes WHERE name = $1 AND incarnation = $2 FOR UPDATE`, []any{n.Name, n.Incarnation},
		store.ErrNodeLost)
	return err
}

// forget ends the nodes that the query names and locks; none of them gives
// none. Their rows stay with incarnation kept, so that the name's next process
// gets a higher one: they are only marked as no one's.
func (s *Store) forget(ctx context.Context, now time.Time, q string, args []any, none ...error) (reaped int, err error) {
	var names []string
	o := &op{
		lead: func(ctx context.Context, conn *pgxpool.Conn) error {
			names = nil
			b := &pgx.Batch{}
			b.Queue(`BEGIN`)
			b.Queue(q, args...).Query(each(func(sc scan) error {
				var name string
				err := sc(&name)
				names = append(names, name)
				return err
			}))
			return dbErr(conn.SendBatch(ctx, b).Close())
		},
		need: func(n *needs) { n.nodes = append(n.nodes, names...) },
		run: func(ctx context.Context, t *tx) (err error) {
			if len(names) == 0 && len(none) > 0 {
				return none[0]
			}
			t.exec(`UPDATE nodes SET incarnation = incarnation + 1, until_at = $2 WHERE name = ANY($1)`, names, engine.Never())
			t.setClock(now) // its clock may have been ahead
			reaped, err = reap(unit{ctx, t}, now)
			return err
		},
	}
	err = s.doOp(ctx, o)
	return reaped, err
}

// reap ends every attempt that the loaded deliveries have under way.
func reap(w unit, now time.Time) (reaped int, err error) {
	for _, r := range w.deliveries {
		if r.D.State != store.Sending {
			continue
		}
		if err := engine.Reap(w, now, r); err != nil {
			return 0, err
		}
		reaped++
	}
	return reaped, nil
}
