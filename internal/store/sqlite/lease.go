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
		r.Decode()
		if err := t.reapOne(now, r); err != nil {
			return 0, err
		}
	}
	return len(rows), nil
}

// reapOne ends the attempt that a delivery has under way.
func (t *tx) reapOne(now time.Time, r *deliveryRow) error {
	if err := t.freeSlot(now, r, func(l *lane) { l.End(now, r.D.Since, 0) }); err != nil {
		return err
	}
	flow := r.Subqueue
	var a store.Attempt
	if err := t.save(now, r, func(d *store.Delivery) {
		if a = d.Reap(now); r.Corrupt {
			d.HoldCorrupt(now)
		}
	}); err != nil {
		return err
	}
	return t.attempt(r, flow, a)
}

// Abandon implements store.Queue.
func (s *Store) Abandon(ctx context.Context, now time.Time, leases []store.Lease) (ended int, err error) {
	now = store.Micro(now)
	err = s.do(ctx, func(t *tx) error {
		ended = 0
		for _, le := range leases {
			r, err := t.delivery(le.Delivery)
			if errors.Is(err, store.ErrNotFound) || err == nil && (r.D.State != store.Sending || r.D.Epoch != le.Epoch) {
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
	f, err := t.flowByID(r.Subqueue)
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
			if r.D.State != store.Sending || r.D.Epoch != le.Epoch {
				continue
			}
			if err := t.freeSlot(now, r, func(l *lane) { l.Undo(now, r.D.Since, r.D.Kind, r.D.CountPending()) }); err != nil {
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
		if r.D.Epoch != f.Lease.Epoch {
			return nil, t.recordLateOutcome(r, f)
		}
		flow := r.Subqueue
		var a store.Attempt
		if r.D.State == store.Sending {
			a = r.D.Running()
			if err := t.freeSlot(st.Now, r, func(l *lane) { l.End(st.Now, r.D.Since, f.NotSent) }); err != nil {
				return nil, err
			}
		} else { // reaped, and nobody has taken it since
			line, err := t.line(r, f.Lease.No)
			if err != nil {
				return nil, err
			}
			flow, a = line.Subqueue, line.Attempt
		}
		return r, t.writeLine(r, flow, a, e.outcome)
	})
}

// recordLateOutcome writes what a node that lost its lease knows into the ledger.
func (t *tx) recordLateOutcome(r *deliveryRow, f store.Finish) error {
	a, err := t.line(r, f.Lease.No)
	if err == nil && a.Epoch == f.Lease.Epoch && a.Class == "unknown" && a.Error != nil && a.Error.Code == store.NodeDied().Code {
		a.Outcome = f.Outcome
		if err := t.attempt(r, a.Subqueue, a.Attempt); err != nil {
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
		if r.D.Epoch != st.Epoch || r.D.State == store.Sending || r.D.State.Final() {
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
		from := r.D.Route
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
