package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// Release implements store.Queue.
func (s *Store) Release(ctx context.Context, now time.Time, leases []store.Lease) error {
	now = store.Micro(now)
	return s.do(ctx, func(n *needs) {
		for _, le := range leases {
			n.deliveries = append(n.deliveries, le.Delivery)
		}
	}, func(_ context.Context, t *tx) error {
		for _, le := range leases {
			r := t.deliveries[le.Delivery]
			s.inLane.Delete(le.Delivery)
			s.recent.released(le.Delivery)
			if r == nil || r.d.State != store.Sending || r.d.Epoch != le.Epoch {
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
	return s.step(ctx, f.Transition, func(ctx context.Context, t *tx, st *store.Transition) (*deliveryRow, error) {
		r, err := t.delivery(f.Lease.Delivery)
		if err != nil {
			return nil, err
		}
		s.claimed.Take(r.d.Message) // from here on retention may remove it
		if r.d.Epoch != f.Lease.Epoch {
			return nil, t.testify(ctx, r, f)
		}
		flow := r.flow
		var a store.Attempt
		if r.d.State == store.Sending {
			a = r.d.Running()
			if err := t.freeSlot(st.Now, r, func(l *lane) { l.End(st.Now, r.d.Since, f.NotSent) }); err != nil {
				return nil, err
			}
		} else { // reaped, and nobody has taken it since
			line, err := t.line(ctx, r, f.Lease.No)
			if err != nil {
				return nil, err
			}
			flow, a = line.flow, line.a
		}
		a.Outcome = f.Outcome
		t.attempt(flow, a)
		return r, nil
	})
}

// testify writes what a node that lost its lease knows into the ledger.
func (t *tx) testify(ctx context.Context, r *deliveryRow, f store.Finish) error {
	l, err := t.line(ctx, r, f.Lease.No)
	if err == nil && l.a.Epoch == f.Lease.Epoch && l.a.Class == "unknown" && l.a.Error != nil && l.a.Error.Code == store.NodeDied().Code {
		l.a.Outcome = f.Outcome
		t.attempt(l.flow, l.a)
		return &keptError{store.ErrLeaseLost}
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return store.ErrLeaseLost
}

// attempt notes a line of the ledger, over an earlier state of the same line.
func (t *tx) attempt(flow int64, a store.Attempt) {
	for i, l := range t.ledger {
		if l.a.Delivery == a.Delivery && l.a.No == a.No {
			t.ledger[i] = ledgerLine{flow, a}
			return
		}
	}
	t.ledger = append(t.ledger, ledgerLine{flow, a})
}

// line gives one line of the ledger.
func (t *tx) line(ctx context.Context, r *deliveryRow, no int) (ledgerLine, error) {
	for _, l := range t.ledger {
		if l.a.Delivery == r.d.ID && l.a.No == no {
			return l, nil
		}
	}
	var l ledgerLine
	rows, err := t.conn.Query(ctx, `SELECT `+attemptColumns+attemptTables+` WHERE a.delivery = $1 AND a.no = $2`, [16]byte(r.d.ID), no)
	if err != nil {
		return l, dbErr(err)
	}
	found := false
	err = each(func(sc scan) (err error) {
		found = true
		l, err = scanAttempt(sc, r.d.ID)
		return err
	})(rows)
	if err == nil && !found {
		return l, store.ErrNotFound
	}
	return l, dbErr(err)
}

// Transition implements store.Queue.
func (s *Store) Transition(ctx context.Context, st store.Transition) error {
	return s.step(ctx, st, func(_ context.Context, t *tx, st *store.Transition) (*deliveryRow, error) {
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

// errMoved: the delivery is on another connection than was read before.
var errMoved = errors.New("the delivery has moved")

// step takes st with the delivery that get gives, all in one transaction.
func (s *Store) step(ctx context.Context, st store.Transition, get func(context.Context, *tx, *store.Transition) (*deliveryRow, error)) error {
	if err := st.Check(); err != nil {
		return err
	}
	st.Now = store.Micro(st.Now)
	sub := store.Submission{Now: st.Now, Messages: st.Messages}
	if err := sub.Prepare(); err != nil {
		return fmt.Errorf("a notification: %w", err)
	}
	msgs, err := s.ready(st.Now, sub.Messages)
	if err != nil {
		return err
	}
	for range tries {
		if err = s.stepOnce(ctx, &st, &sub, msgs, get); !errors.Is(err, errMoved) {
			return err
		}
	}
	return err
}

func (s *Store) stepOnce(ctx context.Context, st *store.Transition, sub *store.Submission, msgs []newMessage, get func(context.Context, *tx, *store.Transition) (*deliveryRow, error)) error {
	var connection string
	if st.Connection != nil { // its lock comes before those of lanes, so its name must be known before
		if err := s.read(ctx, `SELECT f.connection FROM deliveries d JOIN flows f ON f.id = d.flow WHERE d.id = $1`, []any{[16]byte(st.Delivery)}, &connection); err != nil {
			return err
		}
	}
	o := &op{need: func(n *needs) {
		n.deliveries = append(n.deliveries, st.Delivery)
		if st.Connection != nil {
			n.gate(connection)
		}
		needSubmit(n, sub, msgs)
	}, run: func(ctx context.Context, t *tx) error {
		if r := t.deliveries[st.Delivery]; r != nil && st.Connection != nil && r.d.Route.Connection != connection {
			return errMoved
		}
		r, err := get(ctx, t, st)
		if err != nil {
			return err
		}
		from := r.d.Route
		if err := t.save(st.Now, r, func(d *store.Delivery) { d.Apply(*st) }); err != nil {
			return err
		}
		if st.Lane != nil {
			t.changeLane(st.Now, t.keys[from.Lane], *st.Lane)
		}
		if st.Connection != nil {
			if err := t.changeConnection(st.Now, connection, *st.Connection); err != nil {
				return err
			}
		}
		if len(msgs) > 0 {
			if _, err := t.submit(sub, msgs, false); err != nil {
				return err
			}
		}
		t.events = append(t.events, st.Events...)
		return nil
	}}
	if lane, ok := s.inLane.Load(st.Delivery); ok && st.Route == nil && len(msgs) == 0 && st.Connection == nil {
		o.lane, _ = lane.(string)
	}
	s.carry(o, msgs)
	err := s.doOp(ctx, o)
	if !errors.Is(err, store.ErrUnavailable) {
		s.inLane.Delete(st.Delivery)
		s.recent.finished(st.Delivery)
	}
	return err
}

// Deadlines implements store.Queue.
func (s *Store) Deadlines(ctx context.Context, now time.Time, n int) (due []store.Delivery, next time.Time, err error) {
	var first int64
	if err := s.reading(ctx, together(ctx, func(b *pgx.Batch) {
		due = nil
		b.Queue(`SELECT `+deliveryColumns+` FROM (SELECT * FROM deliveries WHERE (state <= 1 OR state = 3) AND deadline_at <= $1 ORDER BY deadline_at LIMIT $2) d`+
			deliveryTables+` ORDER BY d.deadline_at`, engine.Micros(now), n).Query(each(func(sc scan) error {
			r, err := scanDelivery(sc)
			if err == nil {
				due = append(due, r.d)
			}
			return err
		}))
		b.Queue(`SELECT coalesce(min(deadline_at), 0) FROM deliveries WHERE (state <= 1 OR state = 3) AND deadline_at > $1`, engine.Micros(now)).
			Query(each(func(sc scan) error { return sc(&first) }))
	})); err != nil {
		return nil, time.Time{}, err
	}
	return due, engine.At(first), nil
}
