package sqlite

import (
	"context"
	"reflect"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// check compares all accounts with the rows.
func (m *model) check() {
	m.t.Helper()
	m.rows()
	m.memory()
	type row struct {
		state store.State
		epoch int64
	}
	rows, leased := map[store.ID]row{}, 0
	m.must(list(m.t.Context(), m.s, `SELECT id, state, epoch FROM deliveries`, nil, func(sc scan) error {
		var id store.ID
		var r row
		err := sc(&id, &r.state, &r.epoch)
		rows[id] = r
		if r.state == store.Sending {
			leased++
		}
		return err
	}))
	if len(rows) != len(m.known) && !m.purge {
		m.t.Errorf("%d deliveries are stored, %d were acknowledged", len(rows), len(m.known))
	}
	for id, before := range m.known {
		r, ok := rows[id]
		switch {
		case ok:
			m.known[id] = r.state
		case m.purge && (before.Final() || m.busy[id]):
			delete(m.known, id)
			m.purged[id] = true
		default:
			m.t.Errorf("%s was acknowledged and is gone", id)
		}
	}
	for id, c := range m.leases {
		if r := rows[id]; r.state == store.Sending && r.epoch == c.Lease.Epoch {
			continue
		}
		if !m.reaps {
			m.t.Errorf("%s, leased as %d, is now %+v", id, c.Lease.Epoch, rows[id])
		}
		delete(m.leases, id)
		m.late = append(m.late, c)
	}
	if leased != len(m.leases) {
		m.t.Errorf("%d deliveries are leased, callers have %d", leased, len(m.leases))
	}
	if m.t.Failed() {
		m.t.FailNow()
	}
}

// rows compares the accounts that are written with what they count.
func (m *model) rows() {
	m.t.Helper()
	ctx := m.t.Context()
	m.must(list(ctx, m.s, `SELECT f.id, f.queued, f.due_at, f.ready_at, max(f.due_at, f.gate_at, f.turn_at),
		(SELECT count(*) FROM deliveries d WHERE d.flow = f.id AND d.state <= 1),
		(SELECT coalesce(min(next_at), ?1) FROM deliveries d WHERE d.flow = f.id AND d.state <= 1),
		f.gate_at, coalesce((SELECT paused_until FROM connection_states c WHERE c.connection = f.connection), 0)
		FROM flows f`, []any{engine.Never()}, func(sc scan) error {
		var id, queued, due, ready, at, n, first, notBefore, paused int64
		if err := sc(&id, &queued, &due, &ready, &at, &n, &first, &notBefore, &paused); err != nil {
			return err
		}
		if queued != n || due != first || notBefore != paused || first < engine.Never() && ready > at || first == engine.Never() &&
			ready != engine.Never() {
			m.t.Errorf("subqueue %d: queued %d of %d, due %d of %d, ready %d of %d, not before %d of %d", id, queued, n, due,
				first, ready, at, notBefore, paused)
		}
		return nil
	}))
	m.must(list(ctx, m.s, `SELECT `+laneColumns+
		`, (SELECT count(*) FROM deliveries d JOIN flows f ON f.id = d.flow WHERE f.lane = lanes.id AND d.state = 2),
		(SELECT coalesce(min(ready_at), ?) FROM flows WHERE lane = lanes.id) FROM lanes`, []any{engine.Never()}, func(sc scan) error {
		var leased int
		var first int64
		l, err := scanLane(func(dst ...any) error { return sc(append(dst, &leased, &first)...) })
		if err != nil {
			return err
		}
		if l.InFlight != leased || l.Limits.Concurrency > 0 && leased > l.Limits.Concurrency {
			m.t.Errorf("lane %q: %d in flight, %d are leased, of %d", l.Key, l.InFlight, leased, l.Limits.Concurrency)
		}
		if used := l.UsedToday(m.now); int64(used) != m.day[l.Key] && m.now.Before(now().Add(20*time.Hour)) {
			m.t.Errorf("lane %q: %d recipients count, %d were asked for", l.Key, used, m.day[l.Key])
		}
		if first < engine.Never() {
			first = max(first, l.NotBefore, l.Turn)
			first = max(first, engine.Micros(m.now))
			// A pause may end in a minute that is full, and that in a full day.
			for r := l.Room(engine.At(first)); r.Deliveries == 0 && first < engine.Never(); r = l.Room(engine.At(first)) {
				first = max(first, engine.Micros(r.At))
			}
		}
		if l.Ready > first {
			m.t.Errorf("lane %q is ready at %v, should be at %v: %+v", l.Key, engine.At(l.Ready), engine.At(first), l.Lane)
		}
		return nil
	}))
}

// memory compares what the writer holds with the rows.
func (m *model) memory() {
	m.t.Helper()
	m.must(m.s.do(m.t.Context(), func(t *tx) error {
		rows := newTx(&writer{conn: t.w.conn, s: t.w.s})
		next := engine.Never()
		if err := t.Row(`SELECT coalesce(min(ready_at), ?) FROM lanes`, []any{next}, &next); err != nil {
			return err
		}
		if t.next != 0 && t.next != next {
			m.t.Errorf("the first lane is ready at %d, held as %d", next, t.next)
		}
		for id, l := range t.lanes {
			x, err := rows.LaneByID(id)
			if err != nil {
				return err
			}
			held, stored := *l, *x
			held.Now = stored.Now // not a column
			if a, b := laneValues(m, &held), laneValues(m, &stored); !reflect.DeepEqual(a, b) || t.served[id] != x.Served {
				m.t.Errorf("lane held as\n%+v\nand stored as\n%+v", a, b)
			}
			first := engine.Never()
			if err := t.Row(`SELECT coalesce(min(ready_at), ?) FROM flows WHERE lane = ?`, []any{first, id}, &first); err != nil {
				return err
			}
			if have, known := t.first[id]; known && have != first {
				m.t.Errorf("the first subqueue of %q is ready at %d, held as %d", l.Key, first, have)
			}
		}
		for id, f := range t.subqueues {
			x, err := rows.SubqueueByID(id)
			if err != nil {
				return err
			}
			if *f != *x {
				m.t.Errorf("subqueue held as\n%+v\nand stored as\n%+v", f, x)
			}
		}
		for id, r := range t.leased {
			x, err := rows.Delivery(id)
			if err != nil {
				return err
			}
			m.same("a leased delivery as held and as stored", r.D, x.D)
			if r.Seq != x.Seq || r.Msg != x.Msg || r.Subqueue != x.Subqueue || r.Lane != x.Lane || x.D.State != store.Sending {
				m.t.Errorf("%s: held as %+v, stored as %+v", id, r, x)
			}
		}
		return nil
	}))
}

// laneValues are what is written of a lane.
func laneValues(m *model, l *lane) []any {
	reason, minute, day, err := l.EncodeColumns()
	m.must(err)
	return []any{l.Key, l.Limits, l.PausedUntil, reason, l.Cap, l.CapUntil, l.InFlight, string(minute), string(day), l.NotBefore, l.Turn,
		l.Served, l.Ready, l.Dirty}
}

// nothingLeft looks for deliveries that could have been claimed.
func (m *model) nothingLeft() {
	m.t.Helper()
	lanes := map[string]*lane{}
	m.must(list(m.t.Context(), m.s, `SELECT `+laneColumns+` FROM lanes`, nil, func(sc scan) error {
		l, err := scanLane(sc)
		if err == nil {
			lanes[l.Key] = l
		}
		return err
	}))
	m.must(list(m.t.Context(), m.s, `SELECT `+deliveryColumns+` FROM deliveries d`+deliveryTables+
		` WHERE d.state <= 1 AND d.next_at <= ?1 AND f.gate_at <= ?1 AND f.turn_at <= ?1`,
		[]any{engine.Micros(m.now)}, func(sc scan) error {
			d, err := scanDelivery(sc)
			if err != nil {
				return err
			}
			// A lane that waits: who is first in line does not fit the budget of the day.
			l := lanes[d.Route.Lane]
			if l.Room(m.now).Deliveries > 0 && l.NotBefore <= engine.Micros(m.now) && l.Turn <= engine.Micros(m.now) {
				m.t.Errorf("%v in lane %q was left: %+v", d.ID, d.Route.Lane, l)
			}
			return nil
		}))
}

func scanDelivery(sc scan) (*store.Delivery, error) {
	r := &deliveryRow{}
	if err := sc(columns(r)...); err != nil {
		return nil, err
	}
	return r.Decode(), nil
}

// list reads on a reader's connection.
func list(ctx context.Context, s *Store, q string, args []any, f func(scan) error) error {
	return s.DB.List(ctx, q, args, func() {}, f)
}
