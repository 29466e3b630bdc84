package postgres

import (
	"errors"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// A lane is a row of lanes while a transaction holds its lock.
type lane = engine.Lane

// A flow is a row of flows while a transaction works on it.
type flow struct {
	id, lane        int64
	name            flowName
	queued          int64
	due, gate, turn int64
	served          int64
	dirty, staleDue bool
}

type flowName struct {
	lane               int64
	connection, client string
}

const laneColumns = engine.LaneColumns

func scanLane(sc scan) (*lane, error) {
	l, err := engine.ScanLane(engine.Scan(sc))
	return l, dbErr(err)
}

const flowColumns = `flows.id, flows.lane, flows.connection, flows.client, flows.queued, flows.due_at, flows.gate_at, flows.turn_at, flows.served`

func scanFlow(sc scan) (*flow, error) {
	f := &flow{}
	err := sc(&f.id, &f.lane, &f.name.connection, &f.name.client, &f.queued, &f.due, &f.gate, &f.turn, &f.served)
	f.name.lane = f.lane
	return f, dbErr(err)
}

// errMissing ends a call that needs a lane or a flow that is not loaded, or a
// lane that is not locked: the transaction begins again with it.
var errMissing = errors.New("more must be loaded")

// laneOf gives the lane of a flow; all are loaded with their flows.
func (t *tx) laneOf(f *flow) (*lane, error) {
	if l := t.lanes[f.lane]; l != nil {
		return l, nil
	}
	return nil, errMissing
}

// flow gives the flow of a route.
func (t *tx) flow(now time.Time, r store.Route, client string) (*flow, error) {
	l := t.keys[r.Lane]
	var f *flow
	if l != nil {
		f = t.names[flowName{l.ID, r.Connection, client}]
	}
	if f == nil {
		t.missing = append(t.missing, routeNeed{lane: r.Lane, connection: r.Connection, client: client})
		return nil, errMissing
	}
	l.Now = now
	if l.Limits != r.Limits {
		l.Limits, l.NotBefore, l.Dirty = r.Limits, 0, true
	}
	return f, nil
}

// ungate has the next claim find out who is first in line of the lane, and
// whether the daily budget has room for it.
func (t *tx) ungate(l *lane) { l.NotBefore, l.Dirty, t.wake = 0, true, true }

// recompute gives the connection's gate to all its flows, which are loaded.
func (t *tx) recompute(now time.Time, id string, limits *adapters.LaneLimits) error {
	gate := t.gates[id].at()
	for _, f := range t.flows {
		if f.name.connection != id {
			continue
		}
		f.gate, f.dirty = gate, true
		l, err := t.laneOf(f)
		if err != nil {
			return err
		}
		l.Now = now
		t.ungate(l)
		if limits != nil {
			l.Limits = *limits
		}
	}
	t.wake = true
	return nil
}

// A gate is what keeps a connection's deliveries back.
type gate struct {
	inactive bool
	paused   int64
	state    store.ConnectionState
}

// at is before when nothing of the connection may begin. One that the store
// does not know has no gate.
func (g *gate) at() int64 {
	if g == nil {
		return 0
	}
	if g.inactive {
		return engine.Never()
	}
	return g.paused
}

// arrived and left keep the flow's account of what waits in it.
func (t *tx) arrived(f *flow, next time.Time) {
	if n := engine.Micros(next); f.queued == 0 && !f.staleDue || n < f.due {
		f.due = n
	}
	f.queued++
	f.dirty, t.wake = true, true
}

func (t *tx) left(f *flow, n int64) {
	f.queued = max(0, f.queued-n)
	f.dirty, f.staleDue = true, true
}

// freeSlot changes the account of the lane in which r was leased.
func (t *tx) freeSlot(now time.Time, r *deliveryRow, change func(*lane)) error {
	l := t.lanes[r.Lane]
	if l == nil {
		return errMissing
	}
	change(l)
	l.Now = now
	t.ungate(l)
	return nil
}

// save takes over what change does with r, and keeps the account of its flows.
// A delivery that changes no longer waits for siblings.
func (t *tx) save(now time.Time, r *deliveryRow, change func(*store.Delivery)) error {
	from := t.flows[r.Subqueue]
	if from == nil {
		return errMissing
	}
	l, err := t.laneOf(from)
	if err != nil {
		return err
	}
	d := r.D
	change(&d)
	to := from
	if d.Route.Connection != from.name.connection || d.Route.Lane != l.Key {
		if to, err = t.flow(now, d.Route, d.Client); err != nil {
			return err
		}
	}
	if l.Now.IsZero() {
		l.Now = now
	}
	if r.D.Waits() {
		t.left(from, 1)
		t.ungate(l)
	}
	if d.Waits() {
		t.arrived(to, d.NextAt)
	}
	r.D, r.Subqueue, r.Lane, r.join = d, to.id, to.lane, ""
	t.mark(r)
	return nil
}

// mark notes that r must be written.
func (t *tx) mark(r *deliveryRow) {
	if !r.dirty && !r.fresh {
		r.dirty = true
		t.changed = append(t.changed, r)
	}
}
