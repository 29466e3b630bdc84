package engine

import (
	"errors"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
)

// A Subqueue is one client's mail on one connection in one lane (a row of the table flows)
// while a transaction works on it.
type Subqueue struct {
	ID, Lane  int64
	Name      SubqueueName
	Queued    int64
	Due       int64 // least NextAt of what waits; earlier while Stale
	NotBefore int64 // of the connection
	Turn      int64 // when it was served last
	Served    int64
	Dirty     bool
	Stale     bool
}

// A SubqueueName is what a Subqueue is found by.
type SubqueueName struct {
	Lane               int64
	Connection, Client string
}

// SubqueueColumns are those of a Subqueue.
const SubqueueColumns = `flows.id, flows.lane, flows.connection, flows.client, flows.queued, flows.due_at, flows.gate_at, flows.turn_at,
	flows.served`

// ScanSubqueue reads SubqueueColumns.
func ScanSubqueue(sc Scan) (*Subqueue, error) {
	f := &Subqueue{}
	err := sc(&f.ID, &f.Lane, &f.Name.Connection, &f.Name.Client, &f.Queued, &f.Due, &f.NotBefore, &f.Turn, &f.Served)
	f.Name.Lane = f.Lane
	return f, err
}

// A ConnectionHold is what keeps a connection's deliveries back.
type ConnectionHold struct {
	Inactive bool
	State    store.ConnectionState
}

// Until is before when nothing of the connection may begin. One that the store
// does not know is not held.
func (h *ConnectionHold) Until() int64 {
	switch {
	case h == nil:
		return 0
	case h.Inactive:
		return Never()
	}
	return Micros(h.State.PausedUntil)
}

// Work is what a driver's transaction has loaded, or loads when it is asked.
// Where it is not loaded and cannot be any more, the error has the driver begin
// the transaction again: so nothing is changed before everything is at hand.
type Work interface {
	// LaneByID and SubqueueByID return what a row names.
	LaneByID(id int64) (*Lane, error)
	SubqueueByID(id int64) (*Subqueue, error)
	// LaneByKey and SubqueueOf make what is missing.
	LaneByKey(key string) (*Lane, error)
	SubqueueOf(now time.Time, r store.Route, client string) (*Subqueue, error)
	// SubqueuesOf returns all of a connection.
	SubqueuesOf(connection string) ([]*Subqueue, error)
	// Delivery returns store.ErrNotFound where there is none.
	Delivery(id store.ID) (*DeliveryRow, error)
	// LeasedBy returns all that nodes have under way.
	LeasedBy(nodes []string) ([]*DeliveryRow, error)
	// Changed has a delivery written, LaneChanged and SubqueueChanged the others.
	Changed(r *DeliveryRow) error
	LaneChanged(l *Lane)
	SubqueueChanged(f *Subqueue)
	// Line reads a line of the ledger, Attempt writes one, over an earlier state of it.
	Line(r *DeliveryRow, no int) (AttemptRow, error)
	Attempt(r *DeliveryRow, a AttemptRow) error
	// Hold returns what keeps a connection back, WriteState its state again.
	Hold(connection string) (*ConnectionHold, error)
	WriteState(st store.ConnectionState) error
	// Answer returns what was answered under an idempotency key, nil when it is not
	// known; SetAnswer keeps it.
	Answer(now time.Time, k *store.Idempotency) ([]store.Submitted, error)
	SetAnswer(k *store.Idempotency, stored string) error
	// Accepted returns the unheard acceptance of a message, nil: there is none, or
	// all of it has failed. Unheard notes one, Resubmitted that it was of use.
	Accepted(now time.Time, id *store.Identity, key [16]byte) (*Acceptance, error)
	Unheard(a *Acceptance) error
	Resubmitted(id store.ID) error
	// Sibling returns the youngest delivery that waits for siblings under the key
	// until after now, or nil; Grown has its recipients and envelope written.
	Sibling(now time.Time, key string) (*Sibling, error)
	Grown(s *Sibling) error
	// InsertMessage and Insert make rows of a message and of its deliveries, which
	// are Counted when they have one; Drop is told of a message that gets none.
	InsertMessage(m *NewMessage) error
	Insert(m *NewMessage, f *Subqueue, r *DeliveryRow) error
	Drop(m *NewMessage)
	// Append has events written.
	Append(ev []store.NewEvent)
	// Tally counts for the hours; it is written with the transaction.
	Tally() *Tally
	// Records is the transaction for statements of the engine's own.
	Records() (Tx, error)
	// Wake notes that something may be claimable, or due earlier.
	Wake()
}

// A KeptError is an answer that does not undo what was written with it.
type KeptError struct{ Err error }

func (e *KeptError) Error() string { return e.Err.Error() }
func (e *KeptError) Unwrap() error { return e.Err }

// recheck has the next claim find out who is first in line of the lane, and
// whether the daily budget has room for it.
func recheck(w Work, l *Lane) {
	l.NotBefore = 0
	w.LaneChanged(l)
	w.Wake()
}

// Arrived and Left keep the subqueue's account of what waits in it.
func Arrived(w Work, f *Subqueue, next time.Time) {
	if n := Micros(next); f.Queued == 0 && !f.Stale || n < f.Due {
		f.Due = n
	}
	f.Queued++
	w.SubqueueChanged(f)
	w.Wake()
}

// Counted counts a new delivery in its subqueue.
func Counted(w Work, f *Subqueue, r *DeliveryRow) {
	if r.D.Waits() {
		Arrived(w, f, r.D.NextAt)
	}
}

// left is Arrived the other way.
func left(w Work, f *Subqueue, n int64) {
	f.Queued = max(0, f.Queued-n)
	f.Stale = true
	w.SubqueueChanged(f)
}

// holdConnection passes on to a connection's subqueues until when they are
// held, and to its lanes the limits of its new state, where one is given.
func holdConnection(w Work, now time.Time, id string, h *ConnectionHold, edited *gateway.Connection) error {
	found, err := w.SubqueuesOf(id)
	if err != nil {
		return err
	}
	for _, f := range found {
		l, err := w.LaneByID(f.Lane)
		if err != nil {
			return err
		}
		f.NotBefore = h.Until()
		w.SubqueueChanged(f)
		l.Now = now
		if edited != nil {
			l.setLimits(id, edited.Revision, edited.EffectiveLimits())
		}
		recheck(w, l)
	}
	w.Wake()
	return nil
}

// changeConnection alters the state of a connection.
func changeConnection(w Work, now time.Time, id string, c store.ConnectionChange) error {
	h, err := w.Hold(id)
	if err != nil {
		return err
	}
	before := h.Until()
	h.State.Change(now, c)
	if err := w.WriteState(h.State); err != nil || h.Until() == before {
		return err
	}
	return holdConnection(w, now, id, h, nil)
}

// changeLane alters a lane.
func changeLane(w Work, now time.Time, key string, c store.LaneChange) error {
	l, err := w.LaneByKey(key)
	if err != nil {
		return err
	}
	l.Change(c)
	l.Now = now
	recheck(w, l)
	return nil
}

// freeSlot changes the account of the lane in which r was leased.
func freeSlot(w Work, now time.Time, r *DeliveryRow, change func(*Lane)) error {
	f, err := w.SubqueueByID(r.Subqueue)
	if err != nil {
		return err
	}
	l, err := w.LaneByID(f.Lane)
	if err != nil {
		return err
	}
	change(l)
	l.Now = now
	recheck(w, l)
	return nil
}

// Save takes over what change does with r, and keeps the account of its
// subqueues. A delivery that changes no longer waits for siblings.
func Save(w Work, now time.Time, r *DeliveryRow, change func(*store.Delivery)) error {
	from, err := w.SubqueueByID(r.Subqueue)
	if err != nil {
		return err
	}
	l, err := w.LaneByID(from.Lane)
	if err != nil {
		return err
	}
	d, to := r.D, from
	change(&d)
	if d.Route.Connection != from.Name.Connection || d.Route.Lane != l.Key {
		if to, err = w.SubqueueOf(now, d.Route, d.Client); err != nil {
			return err
		}
	}
	if l.Now.IsZero() {
		l.Now = now
	}
	if r.D.Waits() {
		left(w, from, 1)
		recheck(w, l)
	}
	if d.Waits() {
		Arrived(w, to, d.NextAt)
	}
	if to.ID != r.Subqueue {
		r.Was = r.Subqueue
	}
	before := r.D.State
	r.D, r.Subqueue, r.Lane = d, to.ID, to.Lane
	if err := w.Changed(r); err != nil {
		return err
	}
	w.Tally().changed(now, from, to, before, d.State)
	return nil
}

// reap ends the attempt that a delivery has under way: its node is gone.
func reap(w Work, now time.Time, r *DeliveryRow) error {
	if err := freeSlot(w, now, r, func(l *Lane) { l.End(now, r.D.Since, 0) }); err != nil {
		return err
	}
	line := AttemptRow{Subqueue: r.Subqueue}
	if err := Save(w, now, r, func(d *store.Delivery) {
		if line.Attempt = d.Reap(now); r.Corrupt {
			d.HoldCorrupt(now)
		}
	}); err != nil {
		return err
	}
	return w.Attempt(r, line)
}

// leased returns the delivery of a lease, nil when the lease is lost.
func leased(w Work, l store.Lease) (*DeliveryRow, error) {
	r, err := w.Delivery(l.Delivery)
	if errors.Is(err, store.ErrNotFound) || err == nil && (r.D.State != store.Sending || r.D.Epoch != l.Epoch) {
		return nil, nil
	}
	return r, err
}

// abandon ends attempts on which no one works any more.
func abandon(w Work, now time.Time, leases []store.Lease) (ended int, err error) {
	for _, l := range leases {
		r, err := leased(w, l)
		if err == nil && r != nil {
			err = reap(w, now, r)
			ended++
		}
		if err != nil {
			return 0, err
		}
	}
	return ended, nil
}

// release returns leases before their calls have begun.
func release(w Work, now time.Time, leases []store.Lease) error {
	for _, le := range leases {
		r, err := leased(w, le)
		if err != nil {
			return err
		}
		if r == nil {
			continue
		}
		if err := freeSlot(w, now, r, func(l *Lane) { l.Undo(now, r.D.Since, r.D.Kind, r.D.CountPending()) }); err != nil {
			return err
		}
		if err := Save(w, now, r, func(d *store.Delivery) { d.Unlease() }); err != nil {
			return err
		}
	}
	return nil
}

// Finish ends the attempt of f; transit takes the step with what it returns.
func Finish(w Work, now time.Time, f *store.Finish) (*DeliveryRow, error) {
	r, err := w.Delivery(f.Lease.Delivery)
	if err != nil {
		return nil, err
	}
	if r.D.Epoch != f.Lease.Epoch {
		return nil, recordLateOutcome(w, r, f)
	}
	var line AttemptRow
	if r.D.State == store.Sending {
		line = AttemptRow{r.Subqueue, r.D.Running()}
		err = freeSlot(w, now, r, func(l *Lane) { l.End(now, r.D.Since, f.NotSent) })
	} else { // reaped, and no one has taken it since
		line, err = w.Line(r, f.Lease.No)
	}
	if err != nil {
		return nil, err
	}
	line.Outcome = f.Outcome
	if err := w.Attempt(r, line); err != nil {
		return nil, err
	}
	in, err := w.SubqueueByID(r.Subqueue)
	if err != nil {
		return nil, err
	}
	return r, w.Tally().attempted(in, &f.Outcome, now)
}

// recordLateOutcome writes what a node that lost its lease knows into the ledger.
func recordLateOutcome(w Work, r *DeliveryRow, f *store.Finish) error {
	line, err := w.Line(r, f.Lease.No)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return store.ErrLeaseLost
	case err != nil:
		return err
	}
	e := line.Error
	if line.Epoch != f.Lease.Epoch || line.Class != adapters.Unknown || e == nil || e.Code != store.NodeDied().Code {
		return store.ErrLeaseLost
	}
	line.Outcome = f.Outcome
	if err := w.Attempt(r, line); err != nil {
		return err
	}
	return &KeptError{store.ErrLeaseLost}
}

// unleased returns the delivery of a transition that ends no attempt.
func unleased(w Work, st *store.Transition) (*DeliveryRow, error) {
	r, err := w.Delivery(st.Delivery)
	if err != nil {
		return nil, err
	}
	if r.D.Epoch != st.Epoch || r.D.State == store.Sending || r.D.State.Final() {
		return nil, store.ErrConflict
	}
	return r, nil
}

// transit takes a transition, its notifications and events apart.
func transit(w Work, st *store.Transition, r *DeliveryRow) error {
	from := r.D.Route
	if err := Save(w, st.Now, r, func(d *store.Delivery) { d.Apply(*st) }); err != nil {
		return err
	}
	if st.Lane != nil {
		if err := changeLane(w, st.Now, from.Lane, *st.Lane); err != nil {
			return err
		}
	}
	if st.Connection != nil {
		return changeConnection(w, st.Now, from.Connection, *st.Connection)
	}
	return nil
}
