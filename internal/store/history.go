package store

import (
	"context"
	"time"

	"github.com/postino-mail/postino/adapters"
)

// Counts are what happened with deliveries in a time.
type Counts struct {
	Accepted  int64 `json:"accepted"`  // taken in
	Sent      int64 `json:"sent"`      // accepted by the provider, for one recipient at least
	Failed    int64 `json:"failed"`    // refused for good
	Expired   int64 `json:"expired"`   // given up
	Cancelled int64 `json:"cancelled"` // by a person
	Held      int64 `json:"held"`      // began to wait for a person
	Delayed   int64 `json:"delayed"`   // attempts that failed for now, or with an unknown outcome
	Throttled int64 `json:"throttled"` // attempts that the provider put off
	// Waiting is how many more wait, or are being sent, at the end of the time than at
	// its beginning.
	Waiting int64 `json:"waiting"`
}

// Add adds what happened in another time, or elsewhere.
func (c *Counts) Add(d Counts) {
	c.Accepted, c.Sent, c.Failed, c.Expired = c.Accepted+d.Accepted, c.Sent+d.Sent, c.Failed+d.Failed, c.Expired+d.Expired
	c.Cancelled, c.Held, c.Delayed = c.Cancelled+d.Cancelled, c.Held+d.Held, c.Delayed+d.Delayed
	c.Throttled, c.Waiting = c.Throttled+d.Throttled, c.Waiting+d.Waiting
}

// An HourOfMail is one hour.
type HourOfMail struct {
	Hour time.Time // its beginning, UTC
	// Of is the lane's key or the connection's id, where they are told apart.
	Of string
	Counts
}

// LastUse is what became of the last attempts of a connection, as far back as hours are kept.
type LastUse struct {
	Connection string
	Sent       time.Time // when a provider accepted something last; zero: not since
	Failed     time.Time // when an attempt failed last; zero: not since
	Error      *adapters.Error
}

// A HistoryRequest asks for hours from Since on, to that of Until (zero: all that follow).
type HistoryRequest struct {
	Since, Until time.Time
	// Connections are ids, Lanes keys: those alone; nil: all.
	Connections, Lanes []string
	// Each tells the lanes apart where Lanes are given, else the connections, which are.
	Each bool
}

// HoursKept is how long hours are kept where nothing else is said.
const HoursKept = 90 * 24 * time.Hour

// Hour is the beginning of the hour of t.
func Hour(t time.Time) time.Time { return t.UTC().Truncate(time.Hour) }

// HoursBack is the beginning of the first of so many hours, of which now is in the last.
func HoursBack(now time.Time, hours int) time.Time {
	return Hour(now).Add(-time.Duration(hours-1) * time.Hour)
}

// History is what happened, by the hour. It is counted in the transactions in which it
// happens, so it is exact; hours in which nothing happened are left out.
type History interface {
	// Hours returns hours, the oldest first.
	Hours(ctx context.Context, r HistoryRequest) ([]HourOfMail, error)
	// OnTheirWay is how many deliveries wait, or are being sent, now: of these connections;
	// nil: of all. Its cost does not depend on how much waits.
	OnTheirWay(ctx context.Context, connections []string) (int64, error)
	// LastUses returns those of the connections of which anything is known, in any order.
	LastUses(ctx context.Context, connections []string) ([]LastUse, error)
}
