package store

import (
	"context"
	"time"
)

// A Node is one running process of the gateway. Incarnation tells it from an
// earlier process of the same name.
type Node struct {
	Name        string
	Incarnation int64
}

// A Lease is the right to work on one delivery: it holds as long as the
// delivery's epoch is this one. It is kept alive by the node's heartbeat.
type Lease struct {
	Delivery ID
	Epoch    int64
	No       int // of the attempt in the ledger
	Node     string
}

// A ClaimRequest asks for deliveries that are due at Now.
type ClaimRequest struct {
	Node Node
	Now  time.Time
	Max  int // as many as the node can begin at once
	// Wait is how long to wait when nothing can begin at Now; the clock goes on
	// from Now meanwhile.
	Wait time.Duration
}

// A Claimed is a delivery that the node owns now. Delivery.State is Sending and
// Delivery.Kind says what for; its recipients that are Pending are to be asked for.
type Claimed struct {
	Lease    Lease
	Delivery Delivery
	Message  Message
}

// A Transition is what becomes of a delivery. It is applied as a whole or not at all.
type Transition struct {
	Delivery ID
	Epoch    int64 // the step is refused when the delivery has another one
	Now      time.Time

	State      State       // not Sending
	NextAt     time.Time   // for Queued and Unverified
	Route      *Route      // nil: as before
	Recipients []Recipient // all of them; nil: as before
	Progress   Progress
	ExpiresAt  time.Time // zero: as before
	Warned     bool      // WarnAt is done with: no warning any more

	Lane       *LaneChange       // to the lane that the delivery was in before the step
	Connection *ConnectionChange // to the connection of the same

	// Messages are stored with the step: notifications to the sender, which are
	// so made exactly once. Events likewise.
	Messages []NewMessage
	Events   []NewEvent
}

// A Finish ends an attempt and takes the step that follows from it.
type Finish struct {
	Lease      Lease
	Outcome    Outcome
	Transition Transition // Delivery and Epoch are taken from Lease
	// NotSent is how many of the recipients asked for were surely not mailed:
	// they do not count against the lane's daily budget.
	NotSent int
}

// A Queue is what an outbox works on.
type Queue interface {
	// Register makes name a node until the moment given and takes back, at once,
	// what an earlier process of that name had leased, as Reap does. The earlier
	// process, should it still live, gets ErrNodeLost from then on, and ErrLeaseLost
	// for what has a new owner. reaped is how many deliveries were taken back.
	Register(ctx context.Context, name string, now, until time.Time) (n Node, reaped int, err error)

	// Heartbeat keeps the node and all its leases until the moment given: one
	// small write for any number of leases. ErrNodeLost when the node was reaped
	// or replaced.
	Heartbeat(ctx context.Context, n Node, now, until time.Time) error

	// Reap ends the attempts of nodes with a heartbeat that ran out before now: their
	// outcome is unknown (class unknown in the ledger and in Progress), the delivery
	// becomes Unverified and due at now with Progress.UnknownSince set, the slot of the
	// lane is free. The dead nodes are forgotten.
	Reap(ctx context.Context, now time.Time) (reaped int, err error)

	// Leave ends the node; what it still has leased is reaped at once.
	Leave(ctx context.Context, n Node, now time.Time) error

	// Nodes counts the nodes that are alive.
	Nodes(ctx context.Context, now time.Time) (int, error)

	// Claim leases up to Max deliveries that are Queued or Unverified and due. In
	// the same transaction it checks that the node is alive (ErrNodeLost), raises
	// the epoch, writes the attempt into the ledger and counts it in the lane: an
	// attempt is durable before its call begins. No two claims ever give the same
	// delivery with the same epoch.
	//
	// Room of the lane is obeyed over all nodes; deliveries of a connection that
	// is paused or inactive are left alone. The lanes take turns, and
	// within a lane its clients do, each client's own deliveries in the order in
	// which they are due; so every due delivery of a lane that has room is
	// claimed after finitely many claims, and neither many lanes nor a lane with
	// very many deliveries slow down the rest.
	//
	// When nothing can begin it waits as long as r.Wait says: for a change through
	// this process, which it sees at once, for one through another process, which
	// it sees within about a second, or for the moment at which something is due
	// or a lane has room again. Waiting costs next to nothing. An empty result
	// means that nothing could begin until then.
	//
	// A delivery past its ExpiresAt is claimed as any other: the outbox decides.
	Claim(ctx context.Context, r ClaimRequest) ([]Claimed, error)

	// Finish ends the attempt and takes the step. When the delivery was reaped
	// meanwhile but no one has claimed or changed it since, what the late node
	// knows is better than "unknown": Finish applies. When it has another epoch,
	// the outcome goes into the ledger line of the lease and nothing else
	// changes: ErrLeaseLost. Calling it twice returns ErrLeaseLost as well.
	Finish(ctx context.Context, f Finish) error

	// Release returns leases before their calls have begun: as if they had never
	// been claimed (epoch apart). Those that are lost already are skipped.
	Release(ctx context.Context, now time.Time, leases []Lease) error

	// Leases returns the leases that were taken before the moment given, in the order
	// of the deliveries: those of the node, and those of nodes that are not
	// registered any more.
	Leases(ctx context.Context, node string, before time.Time) ([]Lease, error)

	// Abandon ends attempts on which no one works any more, as Reap does: their
	// outcome is unknown. Leases that are lost already are skipped.
	Abandon(ctx context.Context, now time.Time, leases []Lease) (ended int, err error)

	// Transition takes a step with a delivery that no one has leased. ErrConflict
	// when it is leased, final or has another epoch.
	Transition(ctx context.Context, s Transition) error

	// Deadlines returns deliveries that are Queued, Unverified or Held with an
	// ExpiresAt or WarnAt that is not after now, the most overdue first, at most max,
	// and the first such moment after now (zero: there is none).
	Deadlines(ctx context.Context, now time.Time, max int) (due []Delivery, next time.Time, err error)
}
