package sqlite

import (
	"context"
	"errors"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// Register implements store.Queue.
func (s *Store) Register(ctx context.Context, name string, now, until time.Time) (n store.Node, reaped int, err error) {
	if name == "" {
		return n, 0, errors.New("store: a node needs a name")
	}
	now = store.Micro(now)
	err = s.do(ctx, func(t *tx) (err error) {
		if reaped, err = t.reap(now, name); err != nil {
			return err
		}
		if err := t.setClock(now); err != nil {
			return err
		}
		n = store.Node{Name: name}
		return t.row(`INSERT INTO nodes (name, incarnation, until_at) VALUES (?1, 1, ?2)
			ON CONFLICT (name) DO UPDATE SET incarnation = incarnation + 1, until_at = ?2 RETURNING
			incarnation`, []any{name, engine.Micros(until)}, &n.Incarnation)
	})
	return n, reaped, err
}

// Heartbeat implements store.Queue.
func (s *Store) Heartbeat(ctx context.Context, n store.Node, _, until time.Time) error {
	return s.do(ctx, func(t *tx) error {
		if err := t.alive(n); err != nil {
			return err
		}
		return t.exec(`UPDATE nodes SET until_at = ? WHERE name = ?`, engine.Micros(until), n.Name)
	})
}

// Reap implements store.Queue.
func (s *Store) Reap(ctx context.Context, now time.Time) (reaped int, err error) {
	now = store.Micro(now)
	err = s.do(ctx, func(t *tx) error {
		reaped = 0
		var dead []string
		if err := t.each(`SELECT name FROM nodes WHERE until_at < ?`, []any{engine.Micros(now)}, func(sc scan) error {
			var name string
			err := dbErr(sc(&name))
			dead = append(dead, name)
			return err
		}); err != nil {
			return err
		}
		for _, name := range dead {
			n, err := t.forget(now, name)
			if err != nil {
				return err
			}
			reaped += n
		}
		return nil
	})
	return reaped, err
}

// forget ends a node. Its row stays with incarnation kept, so that the name's
// next process gets a higher one: it is only marked as no one's.
func (t *tx) forget(now time.Time, name string) (int, error) {
	n, err := t.reap(now, name)
	if err != nil {
		return 0, err
	}
	return n, t.exec(`UPDATE nodes SET incarnation = incarnation + 1, until_at = ? WHERE name = ?`, engine.Never(), name)
}

// Leave implements store.Queue.
func (s *Store) Leave(ctx context.Context, n store.Node, now time.Time) error {
	return s.do(ctx, func(t *tx) error {
		if err := t.alive(n); err != nil {
			return err
		}
		_, err := t.forget(store.Micro(now), n.Name)
		return err
	})
}

// reap ends every attempt that the node has under way.
func (t *tx) reap(now time.Time, node string) (int, error) {
	var rows []*deliveryRow
	if err := t.each(`SELECT `+deliveryColumns+` FROM deliveries d INDEXED BY deliveries_leased`+deliveryTables+
		` WHERE d.node = ? AND d.state = 2`,
		[]any{node}, func(sc scan) error {
			r := &deliveryRow{}
			rows = append(rows, r)
			return dbErr(sc(columns(r)...))
		}); err != nil {
		return 0, err
	}
	for _, r := range rows {
		r.Decode()
		if err := engine.Reap(t, now, r); err != nil {
			return 0, err
		}
	}
	return len(rows), nil
}

// settle takes a transition in a transaction shared with others.
func (s *Store) settle(ctx context.Context, st *engine.Settlement) error {
	encoded, err := encodeStep(&st.Transition, st.Outcome)
	if err != nil {
		return err
	}
	msgs, bytes, err := s.ready(ctx, st.Now, st.Notifications.Messages)
	if err != nil {
		return err
	}
	var out []store.Submitted
	err = s.run(ctx, &op{bytes: bytes, fn: func(t *tx) error {
		t.encoded = encoded
		defer func() { t.encoded = nil }()
		if err := st.Settle(t); err != nil {
			return err
		}
		if len(msgs) > 0 {
			if out, err = t.submit(&st.Notifications, msgs); err != nil {
				return err
			}
		}
		t.Append(st.Events)
		return nil
	}})
	s.settleBodies(msgs, out, err)
	return err
}
