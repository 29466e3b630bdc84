package view

import (
	"time"

	"github.com/postino-mail/postino/internal/connections"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
)

// A Connection is a connection without its secrets, with its state.
type Connection struct {
	gateway.Connection
	State ConnectionState `json:"state"`
	Lane  *Lane           `json:"lane,omitempty" doc:"Of its mailbox; absent when it sends for several, or has sent nothing yet"`
}

// MarshalJSON writes one flat object.
func (c Connection) MarshalJSON() ([]byte, error) {
	return c.MarshalWith(struct {
		State ConnectionState `json:"state"`
		Lane  *Lane           `json:"lane,omitempty"`
	}{c.State, c.Lane})
}

// A ConnectionState is what is known of a connection besides its settings.
type ConnectionState struct {
	Paused      bool      `json:"paused"`
	PausedUntil time.Time `json:"paused_until,omitzero" doc:"Absent when it waits for a person"`
	Breaker     string    `json:"breaker" enum:"closed,open,half-open" doc:"open: it failed repeatedly and is not tried for a while"`
	Error       *Error    `json:"error,omitempty" doc:"Why"`
	Closed      bool      `json:"closed,omitempty" doc:"A secret does not open with the server's key: give it again"`
	SentAt      time.Time `json:"last_success,omitzero" doc:"When its provider accepted a message last, within 90 days"`
	FailedAt    time.Time `json:"last_failure,omitzero" doc:"When an attempt failed last, within 90 days"`
	LastError   *Error    `json:"last_error,omitempty" doc:"Of that attempt"`
	Credential  *Ending   `json:"credential,omitempty" doc:"When the secret or client certificate ends, where that is known"`
	UnderWay    int       `json:"under_way,omitempty" doc:"In the answer to an edit: deliveries that still go out by the settings of before"`
}

// An Ending is when the credential of a connection ends.
type Ending struct {
	Kind     string    `json:"kind" enum:"secret,client_certificate"`
	Ends     time.Time `json:"ends"`
	DaysLeft int       `json:"days_left" doc:"0: it has ended"`
	Name     string    `json:"name,omitempty" doc:"Of a client secret in Microsoft Entra"`
	Among    int       `json:"among,omitempty" doc:"Of so many secrets, which cannot be told apart, it ends first"`
}

// Ended reports that it has come.
func (e *Ending) Ended() bool { return e.DaysLeft == 0 }

// Soon reports that a credential needs a look: it ends within 30 days.
func (e *Ending) Soon() bool { return e.DaysLeft <= 30 }

// EndingOf is the credential end that comes first; nil: none is known.
func EndingOf(c *gateway.Connection, st *store.ConnectionState, now time.Time) *Ending {
	var first *Ending
	for _, e := range st.Ends(c) {
		if first == nil || e.Ends.Before(first.Ends) {
			first = &Ending{Kind: e.Kind, Ends: e.Ends, DaysLeft: store.DaysLeft(now, e.Ends), Name: e.Name}
			if !e.Certain() {
				first.Among = e.Among
			}
		}
	}
	return first
}

// OfConnection returns the view of a connection and its status at the time now.
func OfConnection(c *gateway.Connection, status registry.Status, now time.Time, lang string) Connection {
	st := status.State
	paused, until := pause(st.PausedUntil, now)
	v := Connection{
		Connection: *c,
		State: ConnectionState{Paused: paused, PausedUntil: until, Breaker: st.Breaker.State, Error: OfError(st.Error, lang),
			Closed: c.RedactedSecret() != "", SentAt: status.Use.Sent, FailedAt: status.Use.Failed,
			LastError: OfError(status.Use.Error, lang), Credential: EndingOf(c, &st, now)},
	}
	if v.State.Breaker == "" {
		v.State.Breaker = "closed"
	}
	if status.Lane != nil {
		lane := OfLane(status.Lane, now, lang)
		v.Lane = &lane
	}
	return v
}

// pause reports whether a pause until a time is on, and its end where it has
// one: others wait for a person.
func pause(until, now time.Time) (paused bool, end time.Time) {
	switch {
	case !until.After(now):
		return false, time.Time{}
	case until.Before(store.Never()):
		return true, until
	}
	return true, time.Time{}
}

// A ConnectionRef names a connection.
type ConnectionRef struct {
	ID       string `json:"id"`
	Name     string `json:"name,omitempty" doc:"Absent when the connection was deleted since"`
	Provider string `json:"provider,omitempty"`
}

// A Lane is everything that shares the limits of one mailbox.
type Lane struct {
	Key               string    `json:"key"`
	Queued            int       `json:"queued" doc:"Deliveries that wait"`
	InFlight          int       `json:"in_flight" doc:"Deliveries under way, on all nodes"`
	UsedToday         int       `json:"used_today" doc:"Recipients of the last 24 hours"`
	RecipientsPerDay  int       `json:"recipients_per_day" doc:"Their limit; 0: none"`
	Concurrency       int       `json:"concurrency" doc:"Most deliveries under way; 0: no limit"`
	MessagesPerMinute int       `json:"per_minute" doc:"0: no limit"`
	NextAt            time.Time `json:"next_at,omitzero" doc:"When the next delivery is due, limits apart"`
	Paused            bool      `json:"paused"`
	PausedUntil       time.Time `json:"paused_until,omitzero" doc:"Absent when it waits for a person"`
	Reason            string    `json:"reason,omitempty" doc:"Of the pause"`
	UsedUpUntil       time.Time `json:"used_up_until,omitzero" doc:"The recipients of the last 24 hours reach their limit until then"`
	NoRoomUntil       time.Time `json:"no_room_until,omitzero" doc:"All wait until then for a large one, first in line, to have room"`
	Hours             []Hour    `json:"hours,omitempty" doc:"What happened, where hours were asked for"`
}

// OfLane returns the view of a lane at the time now.
func OfLane(l *store.Lane, now time.Time, lang string) Lane {
	v := Lane{
		Key: l.Key, Queued: l.Queued, InFlight: l.InFlight, UsedToday: l.UsedToday(now), RecipientsPerDay: l.Limits.RecipientsPerDay,
		Concurrency: l.Limits.Concurrency, MessagesPerMinute: l.Limits.PerMinute, NextAt: l.NextAt,
	}
	if v.Paused, v.PausedUntil = pause(l.PausedUntil, now); v.Paused {
		v.Reason = l.Reason.In(lang)
	}
	if v.UsedUpUntil = l.UsedUpUntil(now); l.NoRoomUntil.After(now) && l.Queued > 0 {
		v.NoRoomUntil = l.NoRoomUntil
	}
	return v
}

// Moved is what a move of waiting mail did.
type Moved struct {
	Moved   int           `json:"moved" doc:"Deliveries that go out by the other connection now"`
	Staying int           `json:"staying" doc:"Being sent, or perhaps sent: they are verified where they are"`
	Refused []RefusedMove `json:"refused,omitempty" doc:"What the other connection cannot carry: it stays"`
}

// A RefusedMove is a delivery that another connection cannot carry.
type RefusedMove struct {
	Delivery string `json:"delivery"`
	Reason   string `json:"reason"`
}

// OfMoved returns the view of a move.
func OfMoved(m connections.Moved, lang string) Moved {
	v := Moved{Moved: m.Moved, Staying: m.Staying}
	for _, r := range m.Refused {
		v.Refused = append(v.Refused, RefusedMove{r.Delivery.String(), r.Reason.In(lang)})
	}
	return v
}
