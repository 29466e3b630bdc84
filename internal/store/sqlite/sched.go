package sqlite

import (
	"database/sql"
	"errors"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// A lane is a row of lanes while a transaction works on it.
type lane struct {
	engine.Lane
	first               int64 // least ready_at of its subqueues
	firstKnown          bool
	readyRow, servedRow int64 // as written
}

// A flow is a row of flows while a transaction works on it.
type flow struct {
	id, lane          int64
	name              flowName
	queued            int64
	due, gate, turn   int64
	served            int64
	isDirty, staleDue bool
	readyRow          int64 // ready_at as written
}

type flowName struct {
	lane               int64
	connection, client string
}

const laneColumns = engine.LaneColumns

func scanLane(sc scan) (*lane, error) {
	l, err := engine.ScanLane(checked(sc))
	if err != nil {
		return nil, err
	}
	return &lane{Lane: *l, readyRow: l.Ready, servedRow: l.Served}, nil
}

func (t *tx) keep(l *lane) *lane {
	if have := t.lanes[l.ID]; have != nil {
		return have
	}
	t.lanes[l.ID], t.keys[l.Key] = l, l
	return l
}

// lane gives the lane with this key, making it when limits are given;
// sql.ErrNoRows when there is none and none is to be made.
func (t *tx) lane(now time.Time, key string, limits *adapters.LaneLimits) (*lane, error) {
	l := t.keys[key]
	if l == nil {
		err := t.each(`SELECT `+laneColumns+` FROM lanes WHERE key = ?`, []any{key}, func(sc scan) (err error) {
			l, err = scanLane(sc)
			return err
		})
		if err != nil {
			return nil, err
		}
		if l == nil {
			if limits == nil {
				return nil, sql.ErrNoRows
			}
			l = &lane{readyRow: engine.Never(), first: engine.Never(), firstKnown: true}
			l.Key, l.Limits, l.Ready = key, *limits, engine.Never()
			if l.ID, err = t.insert(`INSERT INTO lanes (key, ready_at) VALUES (?, ?)`, key, engine.Never()); err != nil {
				return nil, err
			}
		}
		l = t.keep(l)
		if limits != nil {
			t.dirtyLane(l)
		}
	}
	l.Now = now
	if limits != nil && l.Limits != *limits {
		l.Limits, l.NotBefore = *limits, 0
		t.dirtyLane(l)
	}
	return l, nil
}

func (t *tx) laneByID(now time.Time, id int64) (*lane, error) {
	l := t.lanes[id]
	if l == nil {
		err := t.each(`SELECT `+laneColumns+` FROM lanes WHERE id = ?`, []any{id}, func(sc scan) (err error) {
			l, err = scanLane(sc)
			return err
		})
		if err != nil {
			return nil, err
		}
		if l == nil {
			return nil, dbErr(errors.New("a lane that is named does not exist"))
		}
		l = t.keep(l)
	}
	l.Now = now
	return l, nil
}

const flowColumns = `id, lane, connection, client, queued, due_at, gate_at, turn_at, served, ready_at`

func scanFlow(sc scan) (*flow, error) {
	f := &flow{}
	err := sc(&f.id, &f.lane, &f.name.connection, &f.name.client, &f.queued, &f.due, &f.gate, &f.turn, &f.served, &f.readyRow)
	f.name.lane = f.lane
	return f, dbErr(err)
}

func (t *tx) keepFlow(f *flow) *flow {
	if have := t.flows[f.id]; have != nil {
		return have
	}
	t.flows[f.id], t.names[f.name] = f, f
	return f
}

// flow gives the flow of a route, making lane and flow when they are missing.
func (t *tx) flow(now time.Time, r store.Route, client string) (*flow, error) {
	l, err := t.lane(now, r.Lane, &r.Limits)
	if err != nil {
		return nil, err
	}
	name := flowName{l.ID, r.Connection, client}
	if f := t.names[name]; f != nil {
		return f, nil
	}
	var f *flow
	err = t.each(`SELECT `+flowColumns+` FROM flows WHERE lane = ? AND connection = ? AND client = ?`, []any{name.lane, name.connection, name.client}, func(sc scan) (err error) {
		f, err = scanFlow(sc)
		return err
	})
	if err != nil {
		return nil, err
	}
	if f == nil {
		f = &flow{lane: l.ID, name: name, due: engine.Never(), readyRow: engine.Never()}
		if f.gate, err = t.connectionGate(name.connection); err != nil {
			return nil, err
		}
		if f.id, err = t.insert(`INSERT INTO flows (lane, connection, client, due_at, gate_at, ready_at) VALUES (?, ?, ?, ?, ?, ?)`,
			f.lane, name.connection, name.client, engine.Never(), f.gate, engine.Never()); err != nil {
			return nil, err
		}
	}
	return t.keepFlow(f), nil
}

func (t *tx) flowByID(id int64) (*flow, error) {
	if f := t.flows[id]; f != nil {
		return f, nil
	}
	var f *flow
	err := t.each(`SELECT `+flowColumns+` FROM flows WHERE id = ?`, []any{id}, func(sc scan) (err error) {
		f, err = scanFlow(sc)
		return err
	})
	if err != nil {
		return nil, err
	}
	if f == nil {
		return nil, dbErr(errors.New("a flow that is named does not exist"))
	}
	return t.keepFlow(f), nil
}

// connectionGate is before when nothing of the connection may begin. One that
// the store does not know has no gate.
func (t *tx) connectionGate(id string) (int64, error) {
	var active sql.NullInt64
	var paused sql.NullInt64
	if err := t.row(`SELECT (SELECT active FROM connections WHERE id = ?1), (SELECT paused_until FROM connection_states WHERE connection = ?1)`,
		[]any{id}, &active, &paused); err != nil {
		return 0, err
	}
	if active.Valid && active.Int64 == 0 {
		return engine.Never(), nil
	}
	return paused.Int64, nil
}

// recompute gives the connection's gate to all its flows.
func (t *tx) recompute(now time.Time, id string, limits *adapters.LaneLimits) error {
	gate, err := t.connectionGate(id)
	if err != nil {
		return err
	}
	var found []*flow
	if err := t.each(`SELECT `+flowColumns+` FROM flows WHERE connection = ?`, []any{id}, func(sc scan) error {
		f, err := scanFlow(sc)
		if err == nil {
			found = append(found, t.keepFlow(f))
		}
		return err
	}); err != nil {
		return err
	}
	for _, f := range found {
		f.gate = gate
		t.dirtyFlow(f)
		l, err := t.laneByID(now, f.lane)
		if err != nil {
			return err
		}
		if limits != nil {
			l.Limits = *limits
		}
		t.ungate(l)
	}
	t.wake = true
	return nil
}

// dirtyLane and dirtyFlow have flush write them.
func (t *tx) dirtyLane(l *lane) {
	if !l.Dirty {
		l.Dirty = true
		t.touched = append(t.touched, l)
	}
}

func (t *tx) dirtyFlow(f *flow) {
	if !f.isDirty {
		f.isDirty = true
		t.touchedFlows = append(t.touchedFlows, f)
	}
}

// arrived and left keep the flow's account of what waits in it.
func (t *tx) arrived(f *flow, next time.Time) {
	if n := engine.Micros(next); f.queued == 0 && !f.staleDue || n < f.due {
		f.due = n
	}
	f.queued++
	t.dirtyFlow(f)
	t.wake = true
}

func (t *tx) left(f *flow, n int64) {
	f.queued = max(0, f.queued-n)
	f.staleDue = true
	t.dirtyFlow(f)
}

// ungate has the next claim find out who is first in line of the lane, and
// whether the daily budget has room for it.
func (t *tx) ungate(l *lane) {
	l.NotBefore, t.wake = 0, true
	t.dirtyLane(l)
}

// waits reports whether something of the flow that has a row is due by then, or
// may be: due is never too late.
func (f *flow) waits(by time.Time) bool { return f.queued > 0 && f.due <= engine.Micros(by) }

// flush writes the flows and lanes that were touched, first of all when each
// is ready next.
func (t *tx) flush() error {
	for _, f := range t.touchedFlows {
		l, err := t.laneOf(f)
		if err != nil {
			return err
		}
		if err := t.flushFlow(f, l); err != nil {
			return err
		}
		t.dirtyLane(l)
	}
	for _, l := range t.touched {
		if err := t.flushLane(l); err != nil {
			return err
		}
	}
	t.touched, t.touchedFlows = t.touched[:0], t.touchedFlows[:0]
	return nil
}

func (t *tx) laneOf(f *flow) (*lane, error) {
	if l := t.lanes[f.lane]; l != nil {
		return l, nil
	}
	return t.laneByID(time.Time{}, f.lane)
}

func (t *tx) flushFlow(f *flow, l *lane) error {
	if f.queued == 0 {
		f.due = engine.Never()
	} else if f.staleDue {
		f.due = engine.Never()
		err := t.row(`SELECT next_at FROM deliveries INDEXED BY deliveries_queue WHERE flow = ? AND state <= 1 ORDER BY next_at LIMIT 1`, []any{f.id}, &f.due)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	f.isDirty, f.staleDue = false, false
	if r := f.ready(); r != f.readyRow {
		f.readyRow, l.firstKnown = r, false
	}
	return t.exec(`UPDATE flows SET queued = ?, due_at = ?, gate_at = ?, turn_at = ?, served = ?, ready_at = ? WHERE id = ?`,
		f.queued, f.due, f.gate, f.turn, f.served, f.readyRow, f.id)
}

// ready is when a claim may give something of the flow, its turn regarded.
func (f *flow) ready() int64 {
	if f.due == engine.Never() {
		return engine.Never()
	}
	return max(f.due, f.gate, f.turn)
}

func (t *tx) flushLane(l *lane) error {
	l.Dirty = false
	if !l.firstKnown {
		l.first = engine.Never()
		err := t.row(`SELECT ready_at FROM flows INDEXED BY flows_ready WHERE lane = ? ORDER BY ready_at LIMIT 1`, []any{l.ID}, &l.first)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		l.firstKnown = true
	}
	if l.Ready = l.first; l.Ready < engine.Never() {
		l.Ready = max(l.Ready, l.NotBefore, l.Turn)
		if !l.Now.IsZero() {
			if r := l.Room(l.Now); r.Deliveries == 0 {
				l.Ready = max(l.Ready, engine.Micros(r.At))
			}
		}
	}
	reason, minute, day, err := l.EncodeColumns()
	if err != nil {
		return dbErr(err)
	}
	if t.ready != 0 { // not before the row that is written: it need not be asked for
		t.ready = min(t.ready, l.Ready)
	}
	args := []any{l.Limits.Concurrency, l.Limits.PerMinute, l.Limits.RecipientsPerDay, engine.Micros(l.PausedUntil), reason, l.Cap, engine.Micros(l.CapUntil), l.InFlight,
		minute, day, l.NotBefore, l.Turn, l.ID}
	if l.Ready == l.readyRow && l.Served == l.servedRow { // the index stays as it is
		return t.exec(`UPDATE lanes SET concurrency = ?, per_minute = ?, per_day = ?, paused_until = ?, reason = ?, cap = ?, cap_until = ?, in_flight = ?,
			minute = ?, day = ?, gate_at = ?, turn_at = ? WHERE id = ?`, args...)
	}
	l.readyRow, l.servedRow = l.Ready, l.Served
	return t.exec(`UPDATE lanes SET concurrency = ?1, per_minute = ?2, per_day = ?3, paused_until = ?4, reason = ?5, cap = ?6, cap_until = ?7, in_flight = ?8,
		minute = ?9, day = ?10, gate_at = ?11, turn_at = ?12, served = ?14, ready_at = ?15 WHERE id = ?13`, append(args, l.Served, l.Ready)...)
}

func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
