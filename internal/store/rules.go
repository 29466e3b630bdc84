package store

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// This file holds what happens to a record, apart from where it is kept: both
// implementations load a Delivery, call one of these, and store it again in
// one transaction.

// Micro is t as it is stored: microseconds, UTC. The zero time stays zero.
func Micro(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

// Prepare checks the submission and makes the ids that are missing. An error
// is a mistake of the caller, not of the client.
func (s *Submission) Prepare() error {
	if s.Now.IsZero() {
		return errors.New("store: a submission without a time")
	}
	s.Now = Micro(s.Now)
	for i := range s.Messages {
		if err := s.Messages[i].prepare(s.Now); err != nil {
			return err
		}
	}
	return nil
}

func (m *NewMessage) prepare(now time.Time) error {
	if m.ID.IsZero() {
		m.ID = NewID()
	}
	if m.ReceivedAt.IsZero() {
		m.ReceivedAt = now
	}
	m.ReceivedAt, m.NotBefore = Micro(m.ReceivedAt), Micro(m.NotBefore)
	switch {
	case len(m.Deliveries) == 0:
		return errors.New("store: a message without a delivery")
	case m.Join != nil && len(m.Deliveries) != 1:
		return errors.New("store: only a message with one delivery can wait for siblings")
	case len(m.Head) == 0:
		return errors.New("store: a message without a head")
	case m.Body == nil:
		m.Body = mime.Bytes(nil)
	}
	if m.Buffer != nil && m.Buffer.Size()-m.BodyOffset != m.Body.Size() {
		return fmt.Errorf("store: a body of %d bytes is not the end of a buffer of %d from %d on", m.Body.Size(), m.Buffer.Size(), m.BodyOffset)
	}
	m.Size = int64(len(m.Head)) + m.Body.Size()
	m.BodyKept = true
	for i := range m.Deliveries {
		if err := m.Deliveries[i].Prepare(now); err != nil {
			return err
		}
	}
	if m.Join != nil {
		m.Deliveries[0].NextAt = Micro(m.Join.Until)
	}
	return nil
}

// Prepare checks the delivery and fills in what is missing.
func (d *NewDelivery) Prepare(now time.Time) error {
	if d.ID.IsZero() {
		d.ID = NewID()
	}
	if d.NextAt.IsZero() {
		d.NextAt = now
	}
	d.NextAt, d.ExpiresAt, d.WarnAt = Micro(d.NextAt), Micro(d.ExpiresAt), Micro(d.WarnAt)
	if len(d.Recipients) == 0 || d.ExpiresAt.IsZero() || d.Route.Lane == "" {
		return errors.New("store: a delivery needs recipients, a lane and an end")
	}
	return nil
}

// Record is the delivery as it is stored first.
func (d *NewDelivery) Record(message ID, client string, now time.Time) Delivery {
	out := Delivery{ID: d.ID, Message: message, Client: client, Route: d.Route, State: Queued,
		NextAt: d.NextAt, CreatedAt: Micro(now), ExpiresAt: d.ExpiresAt, WarnAt: d.WarnAt}
	if d.Held { // for as long as someone wants
		out.State, out.ExpiresAt = Held, Never()
	}
	for _, r := range d.Recipients {
		out.Recipients = append(out.Recipients, Recipient{Recipient: r, State: Pending})
	}
	return out
}

// Merge adds a sibling's recipients to a delivery that waits and to its
// message's envelope, each address once. It reports false, and changes
// nothing, when limit recipients (0: no limit) would not hold them.
func (d *Delivery) Merge(m *Message, more []mime.Recipient, limit int) bool {
	var fresh []mime.Recipient
	known := func(a mime.Mailbox) bool {
		for _, r := range d.Recipients {
			if r.Address == a {
				return true
			}
		}
		for _, r := range fresh {
			if r.Address == a {
				return true
			}
		}
		return false
	}
	for _, r := range more {
		if !known(r.Address) {
			fresh = append(fresh, r)
		}
	}
	if limit > 0 && len(d.Recipients)+len(fresh) > limit {
		return false
	}
	for _, r := range fresh {
		d.Recipients = append(d.Recipients, Recipient{Recipient: r, State: Pending})
	}
	m.Envelope.Recipients = append(m.Envelope.Recipients, fresh...)
	return true
}

// CountPending is how many recipients wait.
func (d *Delivery) CountPending() int {
	n := 0
	for _, r := range d.Recipients {
		if r.State == Pending {
			n++
		}
	}
	return n
}

// SetClock moves a delivery that was taken in while the clock was ahead to now,
// and all that is counted from there with it.
func (d *Delivery) SetClock(now time.Time) {
	ahead := d.CreatedAt.Sub(now)
	for _, t := range []*time.Time{&d.CreatedAt, &d.NextAt, &d.ExpiresAt, &d.WarnAt} {
		if !t.IsZero() && !t.Equal(Never()) {
			*t = Micro(t.Add(-ahead))
		}
	}
}

// MayBeSent reports that an attempt is open with an outcome that no one knows.
func (d *Delivery) MayBeSent() bool {
	return d.State == Unverified || d.State == Held && !d.UnknownSince.IsZero()
}

// Deadline is when Deadlines must show the delivery: Never when it is on its
// way or final. One that may have been sent has not failed when its time is
// over: its sender is told once that no one knows.
func (d *Delivery) Deadline() time.Time {
	if d.State == Sending || d.State.Final() || d.SenderNotified && d.MayBeSent() {
		return Never()
	}
	if !d.WarnAt.IsZero() && d.WarnAt.Before(d.ExpiresAt) {
		return d.WarnAt
	}
	return d.ExpiresAt
}

// Waits reports that Claim returns the delivery when it is due.
func (d *Delivery) Waits() bool { return d.State == Queued || d.State == Unverified }

// Lease gives the delivery to a node. The attempt is in the record from here
// on (Attempts, Kind, Node, Since) and becomes a line of its own by Running.
func (d *Delivery) Lease(node string, now time.Time) Lease {
	d.Kind = Send
	if d.State == Unverified {
		d.Kind = Verify
	}
	d.State, d.Node, d.Since = Sending, node, Micro(now)
	d.Epoch++
	d.Attempts++
	return Lease{Delivery: d.ID, Epoch: d.Epoch, No: d.Attempts, Node: node}
}

// Running is the ledger line of the attempt under way.
func (d *Delivery) Running() Attempt {
	n := 0
	if d.Kind == Send {
		n = d.CountPending()
	}
	return Attempt{Delivery: d.ID, No: d.Attempts, Kind: d.Kind, Connection: d.Route.Connection, Lane: d.Route.Lane,
		Node: d.Node, Epoch: d.Epoch, StartedAt: d.Since, Recipients: n}
}

func (d *Delivery) unlease() { d.Node, d.Kind, d.Since = "", "", time.Time{} }

// Unlease undoes Lease, for a call that never began.
func (d *Delivery) Unlease() {
	d.State = Queued
	if d.Kind == Verify {
		d.State = Unverified
	}
	d.Attempts--
	d.Epoch++
	d.unlease()
}

// Reap ends the attempt of a node that died and gives its ledger line. The
// epoch stays, so that the node's own word still counts should it come before
// anybody else's.
func (d *Delivery) Reap(now time.Time) Attempt {
	now = Micro(now)
	a := d.Running()
	a.Outcome = Outcome{EndedAt: now, Class: adapters.Unknown, Error: NodeDied()}
	if d.UnknownSince.IsZero() {
		d.UnknownSince = d.Since
	}
	if d.Kind == Send { // it may have gone on until its lease was over
		d.CallEnded = now
	}
	d.Class, d.Error, d.NoRoomSince = a.Class, a.Error, time.Time{}
	d.State, d.NextAt = Unverified, now
	d.unlease()
	return a
}

// Recall gives a record that has forgotten a lease the state that it would have
// had the lease's node died: a failover lost the end of what was written.
func (d *Delivery) Recall(l Lease, kind Kind, since, now time.Time) Attempt {
	d.State, d.Node, d.Kind, d.Since = Sending, l.Node, kind, since
	d.Epoch, d.Attempts = l.Epoch, l.No
	return d.Reap(now)
}

// NodeDied is the outcome of an attempt after its node ended before it.
func NodeDied() *adapters.Error {
	return &adapters.Error{Class: adapters.Unknown, Scope: adapters.ScopeMessage, Code: "node_lost",
		Message: mime.NewText("store.node_lost", "postino stopped, or lost its store, while this message was being sent"),
		Hint: mime.NewText("store.node_lost_hint", "nothing now: the provider is asked whether the message went out before anything is "+
			"sent again")}
}

// Check refuses a step that makes no sense.
func (s *Transition) Check() error {
	if s.State == Sending || s.State < Queued || s.State > Cancelled {
		return fmt.Errorf("store: no step leads to the state %v", s.State)
	}
	if (s.State == Queued || s.State == Unverified) && s.NextAt.IsZero() {
		return errors.New("store: a delivery that waits needs a time")
	}
	if s.Route != nil && s.Route.Lane == "" {
		return errors.New("store: a route needs a lane")
	}
	return nil
}

// Apply takes the step; the caller has compared the epoch.
func (d *Delivery) Apply(s Transition) {
	began := d.State == Sending
	d.unlease()
	d.State, d.NextAt = s.State, time.Time{}
	if d.Waits() {
		d.NextAt = Micro(s.NextAt)
	}
	if s.Route != nil {
		d.Route = *s.Route
	}
	if s.Recipients != nil {
		d.Recipients = s.Recipients
	}
	d.Progress = s.Progress
	if s.Route != nil || began {
		d.NoRoomSince = time.Time{}
	}
	d.UnknownSince, d.CallEnded = Micro(d.UnknownSince), Micro(d.CallEnded)
	if !s.ExpiresAt.IsZero() {
		d.ExpiresAt = Micro(s.ExpiresAt)
	}
	if s.Warned {
		d.WarnAt = time.Time{}
	}
	d.Epoch++
	d.finish(s.Now)
}

func (d *Delivery) finish(now time.Time) {
	d.FinishedAt = time.Time{}
	if d.State.Final() {
		d.FinishedAt, d.NoRoomSince = Micro(now), time.Time{}
	}
}

// GiveUp is how long a delivery is tried where no one says.
const GiveUp = 72 * time.Hour

// Prepare checks the action and fills in what is missing. An id that is named
// twice counts once.
func (a *Action) Prepare() error {
	switch a.Verb {
	case DoRetry, DoCancel, DoHold, DoRelease:
	default:
		return fmt.Errorf("%q is none of retry, cancel, hold, release", a.Verb)
	}
	if a.Max <= 0 {
		a.Max = 10000
	}
	a.Now = Micro(a.Now)
	seen := make(map[ID]bool, len(a.Deliveries))
	once := make([]ID, 0, len(a.Deliveries))
	for _, id := range a.Deliveries {
		if !seen[id] {
			seen[id] = true
			once = append(once, id)
		}
	}
	a.Deliveries = once
	return nil
}

// Applies reports whether the action would do something with the delivery as it
// is now.
func (a *Action) Applies(d *Delivery) bool {
	probe := *d // it shares its recipients, and doing it twice is doing it once
	return (len(a.Filter.States) == 0 || slices.Contains(a.Filter.States, d.State)) && probe.Act(a.Verb, a.Now, a.ExpiresAt)
}

// Act does what the verb says; it reports whether that was possible.
func (d *Delivery) Act(v Verb, now, expires time.Time) bool {
	now = Micro(now)
	switch v {
	case DoRetry:
		if d.State == Sending || d.State == Sent {
			return false
		}
		if d.State == Unverified || !d.UnknownSince.IsZero() {
			d.Duplicate = true // the person decides what could not be verified
		}
		for i := range d.Recipients {
			if r := &d.Recipients[i]; r.State == RecipientFailed || r.State == RecipientCanceled {
				r.State, r.At = Pending, now
			}
		}
		d.State, d.NextAt, d.Failures, d.UnknownSince, d.SenderNotified = Queued, now, 0, time.Time{}, false
		if !d.WarnAt.IsZero() && d.WarnAt.Before(now) { // the delay counts from now
			d.WarnAt = now.Add(d.WarnAt.Sub(d.CreatedAt))
		}
	case DoCancel:
		if !d.Waits() && d.State != Held {
			return false
		}
		for i := range d.Recipients {
			if r := &d.Recipients[i]; r.State == Pending {
				r.State, r.At = RecipientCanceled, now
			}
		}
		d.State, d.NextAt = Cancelled, time.Time{}
	case DoHold:
		if !d.Waits() {
			return false
		}
		if d.State == Unverified && d.UnknownSince.IsZero() {
			d.UnknownSince = now // so that a release verifies again
		}
		d.NoRoomSince = time.Time{}
		d.State, d.NextAt, d.ExpiresAt = Held, time.Time{}, Never() // for as long as the person wants
	case DoRelease:
		if d.State != Held {
			return false
		}
		d.State, d.NextAt = Queued, now
		if !d.UnknownSince.IsZero() {
			d.State = Unverified
		}
	default:
		return false
	}
	if v == DoRetry || v == DoRelease {
		switch {
		case !expires.IsZero():
			d.ExpiresAt = Micro(expires)
		case d.ExpiresAt.Equal(Never()):
			d.ExpiresAt = now.Add(GiveUp)
		}
	}
	d.Epoch++
	d.finish(now)
	return true
}
