package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

type (
	lane         = engine.Lane
	subqueue     = engine.Subqueue
	subqueueName = engine.SubqueueName
)

const laneColumns = engine.LaneColumns

func scanLane(sc scan) (*lane, error) {
	l, err := engine.ScanLane(sc)
	return l, dbErr(err)
}

const subqueueColumns = engine.SubqueueColumns

func scanSubqueue(sc scan) (*subqueue, error) {
	f, err := engine.ScanSubqueue(sc)
	return f, dbErr(err)
}

// errMissing ends a call that needs a lane or a subqueue that is not loaded, or a
// lane that is not locked: the transaction begins again with it.
var errMissing = errors.New("more must be loaded")

// A unit is a transaction as the engine sees it.
type unit struct {
	ctx context.Context //nolint:containedctx // it lives as long as one call of a transaction
	*tx
}

var _ engine.Work = unit{}

// LaneByID implements engine.Work; all are loaded with their subqueues.
func (t unit) LaneByID(id int64) (*lane, error) { return loaded(t.lanes, id) }

// LaneByKey implements engine.Work.
func (t unit) LaneByKey(key string) (*lane, error) { return loaded(t.keys, key) }

// SubqueueByID implements engine.Work.
func (t unit) SubqueueByID(id int64) (*subqueue, error) { return loaded(t.subqueues, id) }

func loaded[K comparable, V any](m map[K]*V, k K) (*V, error) {
	if v := m[k]; v != nil {
		return v, nil
	}
	return nil, errMissing
}

// Delivery implements engine.Work.
func (t unit) Delivery(id store.ID) (*engine.DeliveryRow, error) {
	if r := t.deliveries[id]; r != nil {
		return r, nil
	}
	return nil, store.ErrNotFound
}

// SubqueuesOf implements engine.Work: they are loaded with the connection's hold.
func (t unit) SubqueuesOf(connection string) (out []*subqueue, err error) {
	for _, f := range t.subqueues {
		if f.Name.Connection == connection {
			out = append(out, f)
		}
	}
	return out, nil
}

// Hold implements engine.Work.
func (t unit) Hold(connection string) (*engine.ConnectionHold, error) {
	return loaded(t.holds, connection)
}

// WriteState implements engine.Work.
func (t unit) WriteState(st store.ConnectionState) error {
	t.states = append(t.states, st)
	return nil
}

// LaneChanged implements engine.Work.
func (t unit) LaneChanged(l *lane) { l.Dirty = true }

// SubqueueChanged implements engine.Work.
func (t unit) SubqueueChanged(f *subqueue) { f.Dirty = true }

// Wake implements engine.Work.
func (t unit) Wake() { t.wake = true }

// Changed implements engine.Work.
func (t unit) Changed(r *engine.DeliveryRow) error {
	r.Join = ""
	t.mark(r)
	return nil
}

// SubqueueOf implements engine.Work.
func (t *tx) SubqueueOf(now time.Time, r store.Route, client string) (*subqueue, error) {
	l := t.keys[r.Lane]
	var f *subqueue
	if l != nil {
		f = t.names[subqueueName{Lane: l.ID, Connection: r.Connection, Client: client}]
	}
	if f == nil {
		t.missing = append(t.missing, routeNeed{lane: r.Lane, connection: r.Connection, client: client})
		return nil, errMissing
	}
	l.Now = now
	if l.TakeLimits(r) {
		l.Dirty = true
	}
	return f, nil
}

// mark notes that r must be written.
func (t *tx) mark(r *engine.DeliveryRow) {
	if !r.Dirty && !r.Fresh {
		r.Dirty = true
		t.changed = append(t.changed, r)
	}
}
