package postgres

import (
	"context"
	"encoding/json"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

const (
	attemptColumns = `a.flow, a.no, a.kind, f.connection, l.key, a.node, a.epoch, a.started_at, a.recipients, a.outcome`
	attemptTables  = ` FROM attempts a JOIN flows f ON f.id = a.flow JOIN lanes l ON l.id = f.lane`
)

func scanAttempt(sc scan, id store.ID) (ledgerLine, error) {
	l := ledgerLine{a: store.Attempt{Delivery: id}}
	a := &l.a
	var started int64
	var kind, out string
	if err := sc(&l.flow, &a.No, &kind, &a.Connection, &a.Lane, &a.Node, &a.Epoch, &started, &a.Recipients, &out); err != nil {
		return l, dbErr(err)
	}
	a.Kind, a.StartedAt = store.Kind(kind), engine.At(started)
	a.DecodeOutcome([]byte(out))
	return l, nil
}

const oneDelivery = `SELECT ` + deliveryColumns + ` FROM deliveries d` + deliveryTables + ` WHERE d.id = $1`

// Attempts implements store.Admin.
func (s *Store) Attempts(ctx context.Context, id store.ID) (out []store.Attempt, err error) {
	var d *store.Delivery
	if err := s.reading(ctx, together(ctx, func(b *pgx.Batch) {
		d, out = nil, nil
		b.Queue(oneDelivery, [16]byte(id)).Query(each(func(sc scan) error {
			r, err := scanDelivery(sc)
			if err == nil {
				d = &r.d
			}
			return err
		}))
		b.Queue(`SELECT `+attemptColumns+attemptTables+` WHERE a.delivery = $1 ORDER BY a.no`, [16]byte(id)).Query(each(func(sc scan) error {
			l, err := scanAttempt(sc, id)
			out = append(out, l.a)
			return err
		}))
	})); err != nil {
		return nil, err
	}
	if d == nil {
		return nil, store.ErrNotFound
	}
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
	if err := s.read(ctx, oneDelivery, []any{[16]byte(id)}, r.columns()...); err != nil {
		return nil, err
	}
	return r.decode(), nil
}

// Deliveries implements store.Admin.
func (s *Store) Deliveries(ctx context.Context, message store.ID) (out []store.Delivery, err error) {
	err = s.list(ctx, `SELECT `+deliveryColumns+` FROM deliveries d`+deliveryTables+` WHERE d.msg = $1 ORDER BY d.created_at, d.id`,
		[]any{[16]byte(message)}, func() { out = nil }, func(sc scan) error {
			r, err := scanDelivery(sc)
			if err == nil {
				out = append(out, r.d)
			}
			return err
		})
	return out, err
}

// Message implements store.Messages.
func (s *Store) Message(ctx context.Context, id store.ID) (*store.Message, error) {
	var r messageRow
	if err := s.read(ctx, `SELECT `+messageColumns+` FROM messages m WHERE m.id = $1`, []any{[16]byte(id)}, r.columns()...); err != nil {
		return nil, err
	}
	m, _ := r.decode() // a damaged one is shown as far as it goes
	return m, nil
}

// countAll gives how many deliveries there are, how many are leased, and those
// that are neither leased nor done by state: what is done is by far the most,
// and the rest has an index.
const countAll = `SELECT (SELECT count(*) FROM deliveries), (SELECT count(*) FROM deliveries WHERE state = 2),
	(SELECT coalesce(json_object_agg(state, n), '{}') FROM (SELECT state, count(*) AS n FROM deliveries WHERE state <> 2 AND state <> 4 GROUP BY state) x),
	(SELECT coalesce(min(due_at), 0) FROM flows WHERE queued > 0),
	(SELECT count(*) FROM lanes), (SELECT count(*) FROM lanes WHERE paused_until > $1),
	(SELECT coalesce(sum(size), 0)::bigint FROM messages WHERE kept)`

// Stats implements store.Admin.
func (s *Store) Stats(ctx context.Context, now time.Time) (st store.Stats, err error) {
	var all, leased, oldest int64
	var states []byte
	if err := s.reading(ctx, together(ctx, func(b *pgx.Batch) {
		b.Queue(`BEGIN`)
		b.Queue(`SET LOCAL enable_seqscan = on`) // who counts everything reads everything
		b.Queue(countAll, engine.Micros(now)).Query(each(func(sc scan) error {
			return sc(&all, &leased, &states, &oldest, &st.Lanes, &st.Paused, &st.BodyBytes)
		}))
		b.Queue(`COMMIT`)
	})); err != nil {
		return st, err
	}
	open := map[int]int64{}
	if err := json.Unmarshal(states, &open); err != nil {
		return st, err
	}
	st.States = map[store.State]int64{store.Sending: leased, store.Sent: all - leased}
	for state, n := range open {
		st.States[store.State(state)] = n
		st.States[store.Sent] -= n
	}
	maps.DeleteFunc(st.States, func(_ store.State, n int64) bool { return n == 0 })
	if oldest > 0 && oldest <= engine.Micros(now) {
		st.OldestDue = engine.At(oldest)
	}
	return st, nil
}
