package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
)

// Needs is what a call works on. A driver that loads and locks before the work
// begins goes by it; one that loads what it is asked for need not.
type Needs struct {
	Deliveries  []store.ID
	Lanes       []string // keys; made when they are missing
	Connections []string // their holds, and all their subqueues
	// Subqueues are not made when they are missing; Nodes: everything that these
	// have leased.
	Subqueues []SubqueueNeed
	Nodes     []string
	// Submission is stored, of its messages what is ready; Settle is settled.
	Submission *store.Submission
	New        []*NewMessage
	Settle     *Settlement
	// First runs before the rest is loaded, and may add to it; nil: nothing.
	First func(Tx, *Needs) error
	// Edits: connections are read and written, and no one else does so meanwhile.
	Edits bool
}

// A SubqueueNeed names a subqueue by its key and by what it is of.
type SubqueueNeed struct {
	ID                       int64
	Lane, Connection, Client string
}

// A Settlement is a transition, with what comes before it.
type Settlement struct {
	store.Transition
	// Begin returns the delivery, its attempt ended; transit follows.
	Begin func(w Work, now time.Time) (*DeliveryRow, error)
}

func leaseIDs(leases []store.Lease) []store.ID {
	out := make([]store.ID, len(leases))
	for i, l := range leases {
		out[i] = l.Delivery
	}
	return out
}

// Abandon implements store.Queue.
func (p Ports) Abandon(ctx context.Context, now time.Time, leases []store.Lease) (ended int, err error) {
	err = p.DB.Work(ctx, Needs{Deliveries: leaseIDs(leases)}, func(w Work) (err error) {
		ended, err = abandon(w, store.Micro(now), leases)
		return err
	})
	return ended, err
}

// Release implements store.Queue.
func (p Ports) Release(ctx context.Context, now time.Time, leases []store.Lease) error {
	return p.DB.Work(ctx, Needs{Deliveries: leaseIDs(leases)}, func(w Work) error { return release(w, store.Micro(now), leases) })
}

// Finish implements store.Queue.
func (p Ports) Finish(ctx context.Context, f store.Finish) error {
	f.Transition.Delivery, f.Transition.Epoch = f.Lease.Delivery, f.Lease.Epoch
	f.Outcome.EndedAt = store.Micro(f.Outcome.EndedAt)
	return p.settle(ctx, &Settlement{Transition: f.Transition,
		Begin: func(w Work, now time.Time) (*DeliveryRow, error) { return Finish(w, now, &f) }})
}

// Transition implements store.Queue.
func (p Ports) Transition(ctx context.Context, t store.Transition) error {
	return p.settle(ctx, &Settlement{Transition: t, Begin: func(w Work, _ time.Time) (*DeliveryRow, error) { return unleased(w, &t) }})
}

func (p Ports) settle(ctx context.Context, s *Settlement) error {
	if err := s.Check(); err != nil {
		return err
	}
	s.Now = store.Micro(s.Now)
	s.Progress.UnknownSince, s.Progress.CallEnded = store.Micro(s.Progress.UnknownSince), store.Micro(s.Progress.CallEnded)
	notifications := store.Submission{Now: s.Now, Messages: s.Messages}
	if err := notifications.Prepare(); err != nil {
		return fmt.Errorf("a notification: %w", err)
	}
	msgs, err := p.ready(ctx, s.Now, notifications.Messages)
	if err != nil {
		return err
	}
	var out []store.Submitted
	err = p.DB.Work(ctx, Needs{Settle: s, Submission: &notifications, New: msgs}, func(w Work) error {
		r, err := s.Begin(w, s.Now)
		if err != nil {
			return err
		}
		if err := transit(w, &s.Transition, r); err != nil {
			return err
		}
		if len(msgs) > 0 {
			if out, err = submit(ctx, w, &notifications, msgs, false); err != nil {
				return err
			}
		}
		w.Append(s.Events)
		return nil
	})
	p.stored(msgs, out, err)
	return err
}

// ChangeLane implements store.Lanes.
func (p Ports) ChangeLane(ctx context.Context, now time.Time, key string, c store.LaneChange) error {
	return p.DB.Work(ctx, Needs{Lanes: []string{key}}, func(w Work) error {
		if err := changeLane(w, store.Micro(now), key, c); err != nil {
			return err
		}
		return enterPause(ctx, w, store.KindLane, key, now, c.PauseUntil)
	})
}

// ChangeConnection implements store.Connections.
func (p Ports) ChangeConnection(ctx context.Context, now time.Time, id string, c store.ConnectionChange) error {
	return p.DB.Work(ctx, Needs{Connections: []string{id}}, func(w Work) error {
		if err := changeConnection(w, store.Micro(now), id, c); err != nil {
			return err
		}
		return enterPause(ctx, w, store.KindConnection, id, now, c.PauseUntil)
	})
}

// PutConnection implements store.Connections.
func (p Ports) PutConnection(ctx context.Context, now time.Time, c *gateway.Connection) (out *gateway.Connection, err error) {
	in := c.Clone()
	if in.ID == "" {
		in.ID = store.NewID().String()
	}
	err = p.DB.Work(ctx, Needs{Edits: true, Connections: []string{in.ID}}, func(w Work) error {
		out = in.Clone()
		t, err := w.Records()
		if err != nil {
			return err
		}
		if err := p.writeConnection(ctx, t, out); err != nil {
			return err
		}
		return holdConnection(w, store.Micro(now), out.ID, &ConnectionHold{Inactive: !out.IsActive()}, out)
	})
	if err != nil {
		return nil, err
	}
	p.DB.Edited()
	return out, nil
}

// DeleteConnection implements store.Connections. What still names it is the
// outbox's to hold.
func (p Ports) DeleteConnection(ctx context.Context, now time.Time, id string) error {
	return p.deleteConnection(ctx, now, id, func(Tx) error { return nil })
}

// ReplaceConnection implements store.Connections.
func (p Ports) ReplaceConnection(ctx context.Context, now time.Time, id, successor string) error {
	return p.deleteConnection(ctx, now, id, func(t Tx) error { return p.succeed(ctx, t, id, successor) })
}

// deleteConnection removes a connection; before has its turn in the transaction
// while the connection is still there.
func (p Ports) deleteConnection(ctx context.Context, now time.Time, id string, before func(Tx) error) error {
	err := p.DB.Work(ctx, Needs{Edits: true, Connections: []string{id}}, func(w Work) error {
		t, err := w.Records()
		if err != nil {
			return err
		}
		if err := before(t); err != nil {
			return err
		}
		if err := p.removeConnection(ctx, t, id); err != nil {
			return err
		}
		return holdConnection(w, store.Micro(now), id, nil, nil)
	})
	if err == nil {
		p.DB.Edited()
	}
	return err
}

// AppendEvents implements store.Events.
func (p Ports) AppendEvents(ctx context.Context, ev ...store.NewEvent) error {
	return p.DB.Work(ctx, Needs{}, func(w Work) error {
		w.Append(ev)
		return nil
	})
}

// Heard implements store.Submitter.
func (p Ports) Heard(rs ...store.Receipt) {
	if p.Marks.Add(rs...) {
		p.Marks.Flush(p.Stop, p.writeMarks)
	}
}

// writeMarks is a transaction with nothing of its own: the marks go with any.
func (p Ports) writeMarks() error {
	return p.DB.Work(context.Background(), Needs{}, func(Work) error { return nil })
}
