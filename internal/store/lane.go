package store

import (
	"context"
	"math"
	"time"

	"github.com/postino-mail/postino/adapters"
)

// Never is later than every other moment that is stored: the last second that
// JSON can name (RFC 3339 has four digits for the year).
func Never() time.Time { return time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) }

// A Lane is everything that shares one mailbox's limits, with what counts
// against them now. All nodes share it.
type Lane struct {
	Key         string              `json:"key"`
	Limits      adapters.LaneLimits `json:"limits"`
	PausedUntil time.Time           `json:"paused_until,omitzero"` // Never: until somebody resumes it
	Reason      adapters.Text       `json:"reason,omitzero"`       // of the pause
	Cap         int                 `json:"cap,omitempty"`         // fewer in flight than Limits.Concurrency, while CapUntil lies ahead
	CapUntil    time.Time           `json:"cap_until,omitzero"`
	InFlight    int                 `json:"in_flight"`        // leased deliveries, on all nodes
	Queued      int                 `json:"queued"`           // Queued and Unverified ones
	NextAt      time.Time           `json:"next_at,omitzero"` // when its next delivery is due, limits apart; zero: nothing waits
	NoRoomUntil time.Time           `json:"-"`                // of a record: before, all wait for who is first in line (Delivery.GiveWay)
	Minute      Window              `json:"-"`                // messages begun
	Day         Window              `json:"-"`                // recipients asked for, less those that were refused
}

// UsedToday is how many recipients count against the daily budget at now.
func (l *Lane) UsedToday(now time.Time) int { return int(l.Day.Sum(daySpan(), now)) }

// UsedUpUntil is until when the day's recipients are used up; zero: they are not.
func (l *Lane) UsedUpUntil(now time.Time) time.Time {
	limit := int64(l.Limits.RecipientsPerDay)
	if limit == 0 || l.Day.Sum(daySpan(), now) < limit {
		return time.Time{}
	}
	return l.Day.freeAt(daySpan(), now, limit-1)
}

// A Room is what a lane's limits leave at one moment.
type Room struct {
	Deliveries int       // how many may begin; 0: none
	Recipients int       // how many recipients the daily budget leaves
	At         time.Time // when Deliveries is 0: when that may change by itself; Never: when one in flight ends
}

// Room says what may begin at now. Both implementations of the store decide by
// this one function, inside the transaction that claims.
func (l *Lane) Room(now time.Time) Room {
	if l.PausedUntil.After(now) {
		return Room{At: l.PausedUntil}
	}
	r := Room{Deliveries: math.MaxInt32, Recipients: math.MaxInt32}
	slots := l.Limits.Concurrency
	if l.Cap > 0 && l.CapUntil.After(now) && (slots == 0 || l.Cap < slots) {
		slots = l.Cap
	}
	if slots > 0 {
		r.Deliveries = max(0, slots-l.InFlight)
		if r.Deliveries == 0 {
			r.At = Never()
			if l.Cap == slots && l.CapUntil.After(now) && (l.Limits.Concurrency == 0 || l.InFlight < l.Limits.Concurrency) {
				r.At = l.CapUntil
			}
			return r
		}
	}
	if limit := int64(l.Limits.PerMinute); limit > 0 {
		left := limit - l.Minute.Sum(minuteSpan(), now)
		if left <= 0 {
			return Room{At: l.Minute.freeAt(minuteSpan(), now, limit-1)}
		}
		r.Deliveries = min(r.Deliveries, int(left))
	}
	if limit := int64(l.Limits.RecipientsPerDay); limit > 0 {
		left := limit - l.Day.Sum(daySpan(), now)
		if left <= 0 {
			return Room{At: l.Day.freeAt(daySpan(), now, limit-1)}
		}
		r.Recipients = int(left)
	}
	return r
}

// Fits reports whether a delivery with this many recipients may begin, and
// else when. One that is larger than the whole budget begins when the budget
// is untouched: it would wait for ever otherwise.
func (l *Lane) Fits(now time.Time, recipients int) (bool, time.Time) {
	limit := l.Limits.RecipientsPerDay
	if limit == 0 {
		return true, now
	}
	at := l.Day.freeAt(daySpan(), now, int64(max(0, limit-recipients)))
	return !at.After(now), at
}

// Begin counts one delivery that is claimed. A verification takes a slot and
// nothing else.
func (l *Lane) Begin(now time.Time, k Kind, recipients int) {
	l.InFlight++
	if k != Send {
		return
	}
	if l.Limits.PerMinute > 0 {
		l.Minute.Add(minuteSpan(), now, now, 1)
	}
	l.Day.Add(daySpan(), now, now, int64(recipients))
}

// End frees the slot of a delivery begun at since, and takes back the
// recipients that were surely not mailed.
func (l *Lane) End(now, since time.Time, notMailed int) {
	l.InFlight = max(0, l.InFlight-1)
	l.Day.Add(daySpan(), now, since, -int64(notMailed))
}

// Undo is End for a delivery that was given back before its attempt began.
func (l *Lane) Undo(now, since time.Time, k Kind, recipients int) {
	if k != Send {
		recipients = 0
	} else if l.Limits.PerMinute > 0 {
		l.Minute.Add(minuteSpan(), now, since, -1)
	}
	l.End(now, since, recipients)
}

// SetClock has nothing count at a time after now, and no pause last longer than
// it was meant to when the lane was served at last: a clock that was set back
// would otherwise keep the lane closed until it is as late as it was.
func (l *Lane) SetClock(now, last time.Time) {
	for _, t := range []*time.Time{&l.PausedUntil, &l.CapUntil} {
		if t.After(now) && !t.Equal(Never()) {
			*t = Micro(t.Add(-last.Sub(now)))
		}
	}
	l.Minute.setClock(minuteSpan(), now)
	l.Day.setClock(daySpan(), now)
}

// A LaneChange alters a lane; nil fields leave things as they are.
type LaneChange struct {
	// PauseUntil makes nothing begin before. A pause that lasts longer stays,
	// unless Shorten is set: then a moment that is past resumes.
	PauseUntil *time.Time
	Shorten    bool
	Reason     adapters.Text
	// Cap lowers the concurrency until CapUntil (contracts B7.3).
	Cap      int
	CapUntil time.Time
	Limits   *adapters.LaneLimits
}

// Change applies c.
func (l *Lane) Change(c LaneChange) {
	if c.PauseUntil != nil && (c.Shorten || c.PauseUntil.After(l.PausedUntil)) {
		l.PausedUntil, l.Reason = Micro(*c.PauseUntil), c.Reason
	}
	if c.Cap > 0 {
		l.Cap, l.CapUntil = c.Cap, Micro(c.CapUntil)
	}
	if c.Limits != nil {
		l.Limits = *c.Limits
	}
}

// A Waiting is what of one connection's mail waits in one lane.
type Waiting struct {
	Connection string // id
	Lane       Lane   // its Queued and NextAt are those of the connection's mail
}

// Lanes is the port on the lanes.
type Lanes interface {
	// Lane returns one lane; ErrNotFound when nothing was ever queued in it.
	Lane(ctx context.Context, key string) (*Lane, error)
	// Lanes lists lanes by key, those after the key given, at most limit.
	Lanes(ctx context.Context, after string, limit int) ([]Lane, error)
	// LanesByKey returns those of the keys that there are, in any order; at most 1,000.
	LanesByKey(ctx context.Context, keys []string) ([]Lane, error)
	// LanesAmong lists as Lanes does those that deliveries of one of the connections
	// were queued in.
	LanesAmong(ctx context.Context, connections []string, after string, limit int) ([]Lane, error)
	// Waiting returns every connection that has something Queued or Unverified,
	// once for each lane, in one look at a cost that does not depend on how much waits.
	Waiting(ctx context.Context) ([]Waiting, error)
	// ChangeLane applies c, also to a lane that does not exist yet, and wakes
	// the nodes. A delivery claimed after it returned obeys it.
	ChangeLane(ctx context.Context, now time.Time, key string, c LaneChange) error
}
