package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	}, func(ctx context.Context, t *tx) error {
		for _, le := range leases {
			s.inLane.Delete(le.Delivery)
			s.recent.released(le.Delivery)
		}
		return engine.Release(unit{ctx, t}, now, leases)
	})
}

// Finish implements store.Queue.
func (s *Store) Finish(ctx context.Context, f store.Finish) error {
	f.Transition.Delivery, f.Transition.Epoch = f.Lease.Delivery, f.Lease.Epoch
	f.Outcome.EndedAt = store.Micro(f.Outcome.EndedAt)
	return s.step(ctx, f.Transition, func(w unit, st *store.Transition) (*deliveryRow, error) {
		if r := w.deliveries[f.Lease.Delivery]; r != nil {
			s.claimed.Take(r.D.Message) // from here on retention may remove it
		}
		return engine.Finish(w, st.Now, &f)
	})
}

// Attempt implements engine.Work; it notes a line of the ledger, over an
// earlier state of the same line.
func (t unit) Attempt(_ *deliveryRow, a engine.AttemptRow) error {
	for i := range t.ledger {
		if l := &t.ledger[i]; l.Delivery == a.Delivery && l.No == a.No {
			*l = a
			return nil
		}
	}
	t.ledger = append(t.ledger, a)
	return nil
}

// Line implements engine.Work.
func (t unit) Line(r *deliveryRow, no int) (l engine.AttemptRow, err error) {
	for _, l := range t.ledger {
		if l.Delivery == r.D.ID && l.No == no {
			return l, nil
		}
	}
	rows, err := t.conn.Query(t.ctx, `SELECT `+engine.AttemptColumns+engine.AttemptTables+` WHERE a.delivery = $1 AND a.no = $2`, [16]byte(r.D.ID), no)
	if err != nil {
		return l, dbErr(err)
	}
	found := false
	err = each(func(sc scan) (err error) {
		found = true
		l, err = engine.ScanAttempt(engine.Scan(sc), r.D.ID)
		return err
	})(rows)
	if err == nil && !found {
		return l, store.ErrNotFound
	}
	return l, dbErr(err)
}

// Transition implements store.Queue.
func (s *Store) Transition(ctx context.Context, st store.Transition) error {
	return s.step(ctx, st, func(w unit, st *store.Transition) (*deliveryRow, error) { return engine.Unleased(w, st) })
}

// errMoved: the delivery is on another connection than was read before.
var errMoved = errors.New("the delivery has moved")

// step takes st with the delivery that get gives, all in one transaction.
func (s *Store) step(ctx context.Context, st store.Transition, get func(unit, *store.Transition) (*deliveryRow, error)) error {
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

func (s *Store) stepOnce(ctx context.Context, st *store.Transition, sub *store.Submission, msgs []newMessage, get func(unit, *store.Transition) (*deliveryRow, error)) error {
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
		if r := t.deliveries[st.Delivery]; r != nil && st.Connection != nil && r.D.Route.Connection != connection {
			return errMoved
		}
		w := unit{ctx, t}
		r, err := get(w, st)
		if err != nil {
			return err
		}
		if err := engine.Transit(w, st, r); err != nil {
			return err
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
