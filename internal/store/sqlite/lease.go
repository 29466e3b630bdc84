package sqlite

import (
	"context"
	"errors"
	"fmt"
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
		delete(t.nodes, name)
		return t.row(`INSERT INTO nodes (name, incarnation, until_at) VALUES (?1, 1, ?2)
			ON CONFLICT (name) DO UPDATE SET incarnation = incarnation + 1, until_at = ?2 RETURNING incarnation`, []any{name, engine.Micros(until)}, &n.Incarnation)
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
// next process gets a higher one: it is only marked as nobody's.
func (t *tx) forget(now time.Time, name string) (int, error) {
	n, err := t.reap(now, name)
	if err != nil {
		return 0, err
	}
	delete(t.nodes, name)
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
	if err := t.each(`SELECT `+deliveryColumns+` FROM deliveries d INDEXED BY deliveries_leased`+deliveryTables+` WHERE d.node = ? AND d.state = 2`,
		[]any{node}, func(sc scan) error {
			r := &deliveryRow{}
			rows = append(rows, r)
			return dbErr(sc(r.columns()...))
		}); err != nil {
		return 0, err
	}
	for _, r := range rows {
		r.decode()
		if err := t.reapOne(now, r); err != nil {
			return 0, err
		}
	}
	return len(rows), nil
}

// reapOne ends the attempt that a delivery has under way.
func (t *tx) reapOne(now time.Time, r *deliveryRow) error {
	if err := t.freeSlot(now, r, func(l *lane) { l.End(now, r.d.Since, 0) }); err != nil {
		return err
	}
	flow := r.flow
	var a store.Attempt
	if err := t.save(now, r, func(d *store.Delivery) {
		if a = d.Reap(now); r.damaged {
			d.HoldCorrupt(now)
		}
	}); err != nil {
		return err
	}
	return t.attempt(r, flow, a)
}

// Leases implements store.Queue.
func (s *Store) Leases(ctx context.Context, node string, before time.Time) (out []store.Lease, err error) {
	err = s.list(ctx, `SELECT d.id, d.epoch, d.attempts, d.node FROM deliveries d INDEXED BY deliveries_leased WHERE d.state = 2 AND d.since < ?
		AND (d.node = ? OR NOT EXISTS (SELECT 1 FROM nodes n WHERE n.name = d.node AND n.until_at < ?)) ORDER BY d.id`,
		[]any{engine.Micros(before), node, engine.Never()}, func(sc scan) error {
			var l store.Lease
			var id []byte
			if err := sc(&id, &l.Epoch, &l.No, &l.Node); err != nil {
				return dbErr(err)
			}
			copy(l.Delivery[:], id)
			out = append(out, l)
			return nil
		})
	return out, err
}

// Abandon implements store.Queue.
func (s *Store) Abandon(ctx context.Context, now time.Time, leases []store.Lease) (ended int, err error) {
	now = store.Micro(now)
	err = s.do(ctx, func(t *tx) error {
		ended = 0
		for _, le := range leases {
			r, err := t.delivery(le.Delivery)
			if errors.Is(err, store.ErrNotFound) || err == nil && (r.d.State != store.Sending || r.d.Epoch != le.Epoch) {
				continue
			}
			if err == nil {
				err = t.reapOne(now, r)
			}
			if err != nil {
				return err
			}
			ended++
		}
		return nil
	})
	return ended, err
}

// freeSlot changes the account of the lane in which r was leased.
func (t *tx) freeSlot(now time.Time, r *deliveryRow, change func(*lane)) error {
	f, err := t.flowByID(r.flow)
	if err != nil {
		return err
	}
	l, err := t.laneByID(now, f.lane)
	if err != nil {
		return err
	}
	change(l)
	t.ungate(l)
	return nil
}

// Release implements store.Queue.
func (s *Store) Release(ctx context.Context, now time.Time, leases []store.Lease) error {
	now = store.Micro(now)
	return s.do(ctx, func(t *tx) error {
		for _, le := range leases {
			r, err := t.delivery(le.Delivery)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			if r.d.State != store.Sending || r.d.Epoch != le.Epoch {
				continue
			}
			if err := t.freeSlot(now, r, func(l *lane) { l.Undo(now, r.d.Since, r.d.Kind, r.d.CountPending()) }); err != nil {
				return err
			}
			if err := t.save(now, r, func(d *store.Delivery) { d.Unlease() }); err != nil {
				return err
			}
		}
		return nil
	})
}

// Finish implements store.Queue.
func (s *Store) Finish(ctx context.Context, f store.Finish) error {
	f.Transition.Delivery, f.Transition.Epoch = f.Lease.Delivery, f.Lease.Epoch
	f.Outcome.EndedAt = store.Micro(f.Outcome.EndedAt)
	return s.step(ctx, f.Transition, &f.Outcome, func(t *tx, st *store.Transition, e *encodedStep) (*deliveryRow, error) {
		r, err := t.delivery(f.Lease.Delivery)
		if err != nil {
			return nil, err
		}
		if r.d.Epoch != f.Lease.Epoch {
			return nil, t.testify(r, f)
		}
		flow := r.flow
		var a store.Attempt
		if r.d.State == store.Sending {
			a = r.d.Running()
			if err := t.freeSlot(st.Now, r, func(l *lane) { l.End(st.Now, r.d.Since, f.NotSent) }); err != nil {
				return nil, err
			}
		} else if a, err = t.line(r, f.Lease.No); err != nil { // reaped, and nobody has taken it since
			return nil, err
		}
		return r, t.writeLine(r, flow, a, e.outcome)
	})
}

// testify writes what a node that lost its lease knows into the ledger.
func (t *tx) testify(r *deliveryRow, f store.Finish) error {
	a, err := t.line(r, f.Lease.No)
	if err == nil && a.Epoch == f.Lease.Epoch && a.Class == "unknown" && a.Error != nil && a.Error.Code == store.NodeDied().Code {
		a.Outcome = f.Outcome
		var flow int64
		if err := t.row(`SELECT flow FROM attempts WHERE delivery = ? AND no = ?`, []any{r.seq, a.No}, &flow); err != nil {
			return err
		}
		if err := t.attempt(r, flow, a); err != nil {
			return err
		}
		return &keptError{store.ErrLeaseLost}
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return store.ErrLeaseLost
}

// A keptError is an answer that does not undo what was written with it.
type keptError struct{ err error }

func (e *keptError) Error() string { return e.err.Error() }
func (e *keptError) Unwrap() error { return e.err }

// Transition implements store.Queue.
func (s *Store) Transition(ctx context.Context, st store.Transition) error {
	return s.step(ctx, st, nil, func(t *tx, st *store.Transition, _ *encodedStep) (*deliveryRow, error) {
		r, err := t.delivery(st.Delivery)
		if err != nil {
			return nil, err
		}
		if r.d.Epoch != st.Epoch || r.d.State == store.Sending || r.d.State.Final() {
			return nil, store.ErrConflict
		}
		return r, nil
	})
}

// step takes st with the delivery that get gives, all in one transaction.
func (s *Store) step(ctx context.Context, st store.Transition, o *store.Outcome, get func(*tx, *store.Transition, *encodedStep) (*deliveryRow, error)) error {
	if err := st.Check(); err != nil {
		return err
	}
	st.Now, st.Progress.UnknownSince, st.Progress.CallEnded = store.Micro(st.Now), store.Micro(st.Progress.UnknownSince), store.Micro(st.Progress.CallEnded)
	encoded, err := encodeStep(&st, o)
	if err != nil {
		return err
	}
	sub := store.Submission{Now: st.Now, Messages: st.Messages}
	if err := sub.Prepare(); err != nil {
		return fmt.Errorf("a notification: %w", err)
	}
	msgs, bytes, err := s.ready(ctx, st.Now, sub.Messages)
	if err != nil {
		return err
	}
	var out []store.Submitted
	err = s.run(ctx, &op{bytes: bytes, plain: true, fn: func(t *tx) error {
		r, err := get(t, &st, encoded)
		if err != nil {
			return err
		}
		from := r.d.Route
		if err := t.saveStep(st.Now, r, func(d *store.Delivery) { d.Apply(st) }, encoded); err != nil {
			return err
		}
		if st.Lane != nil {
			if err := t.changeLane(st.Now, from.Lane, *st.Lane); err != nil {
				return err
			}
		}
		if st.Connection != nil {
			if err := t.changeConnection(st.Now, from.Connection, *st.Connection); err != nil {
				return err
			}
		}
		if len(msgs) > 0 {
			if out, err = t.submit(&sub, msgs); err != nil {
				return err
			}
		}
		return t.events(st.Events)
	}})
	s.settleBodies(msgs, out, err)
	return err
}

// Deadlines implements store.Queue.
func (s *Store) Deadlines(ctx context.Context, now time.Time, n int) (due []store.Delivery, next time.Time, err error) {
	err = s.list(ctx, `SELECT `+deliveryColumns+` FROM deliveries d INDEXED BY deliveries_deadline`+deliveryTables+`
		WHERE (d.state <= 1 OR d.state = 3) AND d.deadline_at <= ? ORDER BY d.deadline_at LIMIT ?`, []any{engine.Micros(now), n}, func(sc scan) error {
		d, err := scanDelivery(sc)
		if err == nil {
			due = append(due, *d)
		}
		return err
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	var first int64
	if err := s.read(ctx, `SELECT coalesce(min(deadline_at), 0) FROM deliveries INDEXED BY deliveries_deadline WHERE (state <= 1 OR state = 3) AND deadline_at > ?`,
		[]any{engine.Micros(now)}, &first); err != nil {
		return nil, time.Time{}, err
	}
	return due, engine.At(first), nil
}

func scanDelivery(sc scan) (*store.Delivery, error) {
	r := &deliveryRow{}
	if err := sc(r.columns()...); err != nil {
		return nil, dbErr(err)
	}
	return r.decode(), nil
}
