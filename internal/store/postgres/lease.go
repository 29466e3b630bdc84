package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// Release implements store.Queue.
func (s *Store) Release(ctx context.Context, now time.Time, leases []store.Lease) error {
	for _, le := range leases {
		s.inLane.Delete(le.Delivery)
		s.recent.released(le.Delivery)
	}
	return s.Ports.Release(ctx, now, leases)
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
	err = store.ErrNotFound
	q := `SELECT ` + engine.AttemptColumns + engine.AttemptTables + ` WHERE a.delivery = $1 AND a.no = $2`
	if qerr := query(t.ctx, t.conn, q, []any{[16]byte(r.D.ID), no}, func(sc scan) error {
		l, err = engine.ScanAttempt(sc, r.D.ID)
		return err
	}); qerr != nil {
		return l, qerr
	}
	return l, err
}

// errMoved: the delivery is on another connection than was read before.
var errMoved = errors.New("the delivery has moved")

// settle is work for a settlement.
func (s *Store) settle(ctx context.Context, want engine.Needs, f func(engine.Work) error) (err error) {
	for range tries {
		if err = s.settleOnce(ctx, want, f); !errors.Is(err, errMoved) {
			break
		}
	}
	if !errors.Is(err, store.ErrUnavailable) {
		s.inLane.Delete(want.Settle.Delivery)
		s.recent.finished(want.Settle.Delivery)
	}
	return err
}

func (s *Store) settleOnce(ctx context.Context, want engine.Needs, f func(engine.Work) error) error {
	st := want.Settle
	want.Deliveries = []store.ID{st.Delivery}
	var connection string
	if st.Connection != nil { // its lock comes before those of lanes, so its name must be known before
		if err := s.DB.Read(ctx, `SELECT f.connection FROM deliveries d JOIN flows f ON f.id = d.flow WHERE d.id = $1`,
			[]any{[16]byte(st.Delivery)}, &connection); err != nil {
			return err
		}
		want.Connections = []string{connection}
	}
	o := newOp(want, func(w engine.Work) error {
		if r, err := w.Delivery(st.Delivery); err == nil {
			if st.Connection != nil && r.D.Route.Connection != connection {
				return errMoved
			}
			s.Claimed.Take(r.D.Message) // from here on retention may remove it
		}
		return f(w)
	})
	if lane, ok := s.inLane.Load(st.Delivery); ok && st.Route == nil && len(want.New) == 0 && st.Connection == nil {
		o.lane, _ = lane.(string)
	}
	return s.doOp(ctx, o)
}
