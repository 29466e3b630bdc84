package store

import (
	"strconv"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// A State is where a delivery stands. The numbers are stored: never change them.
type State int

// The states. Queued and Unverified deliveries are claimed when they are due;
// Held waits for a person; from Sent on nothing happens by itself any more.
const (
	Queued     State = 0 // waits for its NextAt, to be sent
	Unverified State = 1 // it may have been sent: waits for its NextAt, to be verified, never sent as it is
	Sending    State = 2 // a node works on it: its attempt is in the ledger
	Held       State = 3
	Sent       State = 4 // no recipient is pending and at least one was accepted
	Failed     State = 5
	Expired    State = 6
	Cancelled  State = 7
)

// States are all of them, in order.
func States() []State {
	return []State{Queued, Unverified, Sending, Held, Sent, Failed, Expired, Cancelled}
}

// String is the name in JSON and on the command line.
func (s State) String() string {
	switch s {
	case Queued:
		return "queued"
	case Unverified:
		return "unverified"
	case Sending:
		return "sending"
	case Held:
		return "held"
	case Sent:
		return "sent"
	case Failed:
		return "failed"
	case Expired:
		return "expired"
	case Cancelled:
		return "cancelled"
	}
	return "invalid"
}

// Final reports that nothing happens by itself any more.
func (s State) Final() bool { return s >= Sent }

// MarshalText is String.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is ParseState.
func (s *State) UnmarshalText(b []byte) (err error) {
	*s, err = ParseState(string(b))
	return err
}

// A RecipientState is where one recipient of a delivery stands.
type RecipientState string

// The states of a recipient.
const (
	Pending           RecipientState = "pending"
	RecipientSent     RecipientState = "sent"
	RecipientFailed   RecipientState = "failed"
	RecipientCanceled RecipientState = "cancelled"
)

// A Recipient is one recipient of a delivery with its DSN wishes and the last
// word that a provider had on it.
type Recipient struct {
	mime.Recipient
	State RecipientState  `json:"state"`
	Error *adapters.Error `json:"error,omitempty"`
	At    time.Time       `json:"at,omitzero"` // of the last change
}

// A Route is the way that a delivery takes now.
type Route struct {
	Connection string              `json:"connection"` // id
	Position   int                 `json:"position"`   // in the chain of fallbacks: 0 is the first choice
	Lane       string              `json:"lane"`       // gateway.Connection.Lane
	Limits     adapters.LaneLimits `json:"-"`          // of the lane; those given last hold
	Revision   int64               `json:"-"`          // of the connection that Limits were read from
}

// RouteTo is the way over c, at this position of the chain, of a message with
// this From.
func RouteTo(c *gateway.Connection, from mime.Mailbox, position int) Route {
	return Route{Connection: c.ID, Position: position, Lane: c.Lane(from), Limits: c.EffectiveLimits(), Revision: c.Revision}
}

// A NewDelivery is one delivery of a new message.
type NewDelivery struct {
	ID         ID // made when zero
	Route      Route
	Recipients []mime.Recipient // at least one
	NextAt     time.Time        // when it is due; Submission.Now when zero
	ExpiresAt  time.Time        // when it is given up
	WarnAt     time.Time        // when its sender is told of the delay; zero: never
	Held       bool             // wait for a person
}

// A Delivery is one message on its way out.
type Delivery struct {
	ID         ID          `json:"id"`
	Message    ID          `json:"message"`
	Client     string      `json:"client"`
	Route      Route       `json:"route"`
	Recipients []Recipient `json:"recipients"`
	State      State       `json:"state"`
	NextAt     time.Time   `json:"next_at,omitzero"` // meaningful while Queued or Unverified
	CreatedAt  time.Time   `json:"created_at"`
	ExpiresAt  time.Time   `json:"expires_at"`
	WarnAt     time.Time   `json:"warn_at,omitzero"` // zero: told already, or never
	FinishedAt time.Time   `json:"finished_at,omitzero"`

	Attempts int       `json:"attempts"`       // how many the ledger holds, the running one included
	Epoch    int64     `json:"epoch"`          // fencing token: grows with every claim and every action
	Node     string    `json:"node,omitempty"` // owner while Sending
	Kind     Kind      `json:"kind,omitempty"` // of the running attempt
	Since    time.Time `json:"since,omitzero"` // start of the running attempt

	Progress
}

// Progress is what the outbox remembers of a delivery between two attempts. The
// store keeps it, and reads UnknownSince and SenderNotified alone.
type Progress struct {
	Class        adapters.Class  `json:"class,omitempty"`              // of the attempt that ended last
	Error        *adapters.Error `json:"error,omitempty"`              // of the same
	ProviderID   string          `json:"provider_id,omitempty"`        // what Verify needs, or the evidence of acceptance
	Duplicate    bool            `json:"possible_duplicate,omitempty"` // it may have gone out twice
	Failures     int             `json:"failures,omitempty"`           // in a row on this route
	UnknownSince time.Time       `json:"unknown_since,omitzero"`       // start of the attempt with the open outcome
	// when that attempt was over at the latest: until then it may have reached the provider
	CallEnded      time.Time `json:"call_ended,omitzero"`
	SenderNotified bool      `json:"sender_notified,omitempty"` // the sender was told that no one knows what became of it
	NotifyFailed   bool      `json:"notify_failed,omitempty"`   // a notification to the sender could not be made
	// id of the connection with the chain of fallbacks that is followed, once Route left it
	Origin string `json:"origin,omitempty"`
	// since when it lets others pass, for want of room in its lane's day (Delivery.GiveWay)
	NoRoomSince time.Time `json:"no_room_since,omitzero"`
}

// What has no room in its lane's day and is larger than this part of the day lets
// others pass, for at most so long, and is looked at again and again meanwhile.
const (
	largePart   = 20
	giveWayMost = 24 * time.Hour
	lookAgain   = 5 * time.Minute // at first, and more seldom the longer it waits
	lookLater   = 30 * time.Minute
)

// GiveWay decides what becomes of a delivery that is first in line while its
// lane's day has no room for it before when. True: it waits by itself, and others
// that have room pass it; not for ever, or it would never leave a lane that is busy
// day after day. False: the lane waits for it. That also holds for a small one: the
// day is as good as used up then, and nothing is gained by going through the queue.
func (d *Delivery) GiveWay(now, when time.Time, perDay int) bool {
	if d.CountPending()*largePart <= perDay {
		return false
	}
	since := d.NoRoomSince
	if since.IsZero() || since.After(now) { // the clock was set back
		since = now
	}
	until := d.givesWayUntil(since)
	if !now.Before(until) {
		if when.Before(d.ExpiresAt) {
			return false
		}
		until = d.ExpiresAt // there will be no room in its time: no one gains if others wait
	}
	d.NoRoomSince = Micro(since)
	for _, at := range []time.Time{until, now.Add(max(lookAgain, min(lookLater, now.Sub(since)/2)))} {
		if at.Before(when) {
			when = at
		}
	}
	d.NextAt = Micro(when)
	return true
}

// GivesWayUntil is until when the delivery lets others pass; zero: it does not.
func (d *Delivery) GivesWayUntil() time.Time {
	if d.NoRoomSince.IsZero() || d.State != Queued {
		return time.Time{}
	}
	return d.givesWayUntil(d.NoRoomSince)
}

func (d *Delivery) givesWayUntil(since time.Time) time.Time {
	return since.Add(min(giveWayMost, d.ExpiresAt.Sub(since)/4))
}

// Pending are the addresses that still wait to be accepted.
func (d *Delivery) Pending() []mime.Recipient {
	var out []mime.Recipient
	for _, r := range d.Recipients {
		if r.State == Pending {
			out = append(out, r.Recipient)
		}
	}
	return out
}

// A Kind is what an attempt was for.
type Kind string

// The kinds.
const (
	Send   Kind = "send"
	Verify Kind = "verify"
	Moved  Kind = "move" // no call: an administrator gave the delivery another connection
)

// An Attempt is one line of the ledger.
type Attempt struct {
	Delivery   ID        `json:"delivery"`
	No         int       `json:"no"` // from 1 on
	Kind       Kind      `json:"kind"`
	Connection string    `json:"connection"`
	Lane       string    `json:"lane"`
	Node       string    `json:"node"`
	Epoch      int64     `json:"epoch"`
	StartedAt  time.Time `json:"started_at"`
	Recipients int       `json:"recipients"` // how many were asked for
	Outcome
}

// An Outcome is how an attempt ended; the zero Outcome is one that runs.
type Outcome struct {
	EndedAt time.Time         `json:"ended_at,omitzero"`
	Class   adapters.Class    `json:"class,omitempty"`   // of a Verify: what it found
	Verdict adapters.Verdict  `json:"verdict,omitempty"` // of a Verify
	Error   *adapters.Error   `json:"error,omitempty"`
	Receipt *adapters.Receipt `json:"receipt,omitempty"`
	// Conversation is what was said with the provider, without anything secret
	// (adapters.Conversation); at most 8 KB.
	Conversation string `json:"conversation,omitempty"`
}

// ParseState reads the name of a state.
func ParseState(name string) (State, error) {
	for _, s := range States() {
		if s.String() == name {
			return s, nil
		}
	}
	return 0, texterr.New(mime.NewText("store.no_state", "{name} is no state of a delivery: use one of {states}", "name", strconv.Quote(name),
		"states", "queued, unverified, sending, held, sent, failed, expired, cancelled"))
}
