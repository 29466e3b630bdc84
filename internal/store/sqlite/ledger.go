package sqlite

import (
	"context"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

const attemptColumns = `a.no, a.kind, f.connection, l.key, a.node, a.epoch, a.started_at, a.recipients, a.outcome`
const attemptTables = ` FROM attempts a JOIN flows f ON f.id = a.flow JOIN lanes l ON l.id = f.lane`

func scanAttempt(sc scan, id store.ID) (store.Attempt, error) {
	a := store.Attempt{Delivery: id}
	var started int64
	var out []byte
	if err := sc(&a.No, &a.Kind, &a.Connection, &a.Lane, &a.Node, &a.Epoch, &started, &a.Recipients, &out); err != nil {
		return a, dbErr(err)
	}
	a.StartedAt = engine.At(started)
	a.DecodeOutcome(out)
	return a, nil
}

// line loads one line of the ledger.
func (t *tx) line(r *deliveryRow, no int) (a store.Attempt, err error) {
	found := false
	err = t.each(`SELECT `+attemptColumns+attemptTables+` WHERE a.delivery = ? AND a.no = ?`, []any{r.seq, no}, func(sc scan) (err error) {
		found = true
		a, err = scanAttempt(sc, r.d.ID)
		return err
	})
	if err == nil && !found {
		err = store.ErrNotFound
	}
	return a, err
}

// Attempts implements store.Admin.
func (s *Store) Attempts(ctx context.Context, id store.ID) (out []store.Attempt, err error) {
	r := &deliveryRow{}
	if err := s.read(ctx, `SELECT `+deliveryColumns+` FROM deliveries d`+deliveryTables+` WHERE d.id = ?`, []any{id}, r.columns()...); err != nil {
		return nil, err
	}
	if err := s.list(ctx, `SELECT `+attemptColumns+attemptTables+` WHERE a.delivery = ? ORDER BY a.no`, []any{r.seq}, func(sc scan) error {
		a, err := scanAttempt(sc, id)
		out = append(out, a)
		return err
	}); err != nil {
		return nil, err
	}
	d := r.decode()
	// The row was read before the lines: an attempt that ended in between is
	// among them.
	if d.State == store.Sending && (len(out) == 0 || out[len(out)-1].No < d.Attempts) {
		out = append(out, d.Running())
	}
	return out, nil
}

// Delivery implements store.Admin.
func (s *Store) Delivery(ctx context.Context, id store.ID) (*store.Delivery, error) {
	r := &deliveryRow{}
	if err := s.read(ctx, `SELECT `+deliveryColumns+` FROM deliveries d`+deliveryTables+` WHERE d.id = ?`, []any{id}, r.columns()...); err != nil {
		return nil, err
	}
	return r.decode(), nil
}

// Deliveries implements store.Admin.
func (s *Store) Deliveries(ctx context.Context, message store.ID) (out []store.Delivery, err error) {
	err = s.list(ctx, `SELECT `+deliveryColumns+` FROM messages m JOIN deliveries d ON d.msg = m.seq JOIN flows f ON f.id = d.flow JOIN lanes l ON l.id = f.lane
		WHERE m.id = ? ORDER BY d.seq`, []any{message}, func(sc scan) error {
		d, err := scanDelivery(sc)
		if err == nil {
			out = append(out, *d)
		}
		return err
	})
	return out, err
}

// Message implements store.Messages.
func (s *Store) Message(ctx context.Context, id store.ID) (*store.Message, error) {
	var r messageRow
	if err := s.read(ctx, `SELECT `+messageColumns+` FROM messages m WHERE m.id = ?`, []any{id}, r.columns()...); err != nil {
		return nil, err
	}
	m, _ := r.decode() // a damaged one is shown as far as it goes
	return m, nil
}

// Stats implements store.Admin.
func (s *Store) Stats(ctx context.Context, now time.Time) (st store.Stats, err error) {
	st.States = map[store.State]int64{}
	var all, open int64
	if err := s.list(ctx, `SELECT state, count(*) FROM deliveries INDEXED BY deliveries_open WHERE state <> 2 AND state <> 4 GROUP BY state`, nil, func(sc scan) error {
		var state store.State
		var n int64
		if err := sc(&state, &n); err != nil {
			return dbErr(err)
		}
		st.States[state] = n
		open += n
		return nil
	}); err != nil {
		return st, err
	}
	var leased, oldest int64
	if err := s.read(ctx, `SELECT (SELECT count(*) FROM deliveries),
		(SELECT count(*) FROM deliveries INDEXED BY deliveries_leased WHERE state = 2),
		(SELECT coalesce(min(due_at), 0) FROM flows WHERE queued > 0),
		(SELECT count(*) FROM lanes), (SELECT count(*) FROM lanes WHERE paused_until > ?1),
		(SELECT coalesce(sum(size), 0) FROM messages WHERE kept = 1)`, []any{engine.Micros(now)}, &all, &leased, &oldest, &st.Lanes, &st.Paused, &st.BodyBytes); err != nil {
		return st, err
	}
	if leased > 0 {
		st.States[store.Sending] = leased
	}
	if done := all - open - leased; done > 0 {
		st.States[store.Sent] = done
	}
	if oldest > 0 && oldest <= engine.Micros(now) {
		st.OldestDue = engine.At(oldest)
	}
	return st, nil
}
