package store

import "time"

// A Move takes deliveries that wait from one connection to another.
type Move struct {
	Now time.Time
	// From and To are ids of connections. A delivery that is on another one than
	// From by now stays there.
	From, To   string
	Deliveries []MovedDelivery // at most 1,000
}

// A MovedDelivery is one delivery of a Move.
type MovedDelivery struct {
	Delivery ID
	Route    Route // on the new connection
	// Release takes a held delivery back into the queue: it was held because its
	// connection was gone.
	Release bool
	Events  []NewEvent // appended where the delivery is moved
}

// Movable reports whether a delivery may go out by another connection than its
// own: no one sends it at the moment, and no attempt is open with an outcome that no one
// knows. What may have been sent stays where it can be verified.
func (d *Delivery) Movable() bool {
	return !d.MayBeSent() && (d.State == Queued || d.State == Held)
}

// Move takes the delivery to another route and returns the line of the ledger
// that says so.
func (d *Delivery) Move(m MovedDelivery, now time.Time) Attempt {
	now = Micro(now)
	d.Route, d.Origin, d.Failures = m.Route, "", 0
	d.Epoch++
	d.Attempts++
	switch {
	case m.Release && d.State == Held:
		d.Act(DoRelease, now, time.Time{})
	case d.State == Queued && d.NextAt.After(now) && (d.Class != "" || !d.NoRoomSince.IsZero()): // it waited for the old connection
		d.NextAt = now
	}
	d.NoRoomSince = time.Time{}
	return Attempt{Delivery: d.ID, No: d.Attempts, Kind: Moved, Connection: d.Route.Connection, Lane: d.Route.Lane, Epoch: d.Epoch,
		StartedAt: now, Outcome: Outcome{EndedAt: now}}
}
