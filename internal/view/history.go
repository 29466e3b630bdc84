package view

import (
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// Counts are what happened with messages in a time; a message that leaves in several
// parts counts as so many.
type Counts struct {
	Accepted  int64 `json:"accepted" doc:"Taken in"`
	Sent      int64 `json:"sent" doc:"Accepted by the provider, for one recipient at least"`
	Failed    int64 `json:"failed" doc:"Refused for good"`
	Expired   int64 `json:"expired" doc:"Given up"`
	Cancelled int64 `json:"cancelled" doc:"By a person"`
	Held      int64 `json:"held" doc:"Began to wait for a person"`
	Delayed   int64 `json:"delayed" doc:"Attempts that failed for now, or with an unknown outcome"`
	Throttled int64 `json:"throttled" doc:"Attempts that the provider put off"`
}

// ofCounts returns the view of counts.
func ofCounts(c store.Counts) Counts {
	return Counts{Accepted: c.Accepted, Sent: c.Sent, Failed: c.Failed, Expired: c.Expired, Cancelled: c.Cancelled, Held: c.Held,
		Delayed: c.Delayed, Throttled: c.Throttled}
}

// Quiet reports that nothing happened.
func (c Counts) Quiet() bool { return c == Counts{} }

// An Hour is what happened in one hour.
type Hour struct {
	Hour time.Time `json:"hour" doc:"Its beginning"`
	Counts
	Waiting *int64 `json:"waiting,omitempty" doc:"How many waited, or were being sent, at its end; of the last hour: now"`
}

// OfHours returns the hours from since to now, the quiet ones too.
func OfHours(found []store.HourOfMail, since, now time.Time) []Hour {
	out := make([]Hour, 0, 1+int(now.Sub(since)/time.Hour))
	for h := store.Hour(since); !h.After(now); h = h.Add(time.Hour) {
		out = append(out, Hour{Hour: h})
	}
	for i := range found {
		if at := int(found[i].Hour.Sub(store.Hour(since)) / time.Hour); at >= 0 && at < len(out) {
			out[at].Counts = ofCounts(found[i].Counts)
		}
	}
	return out
}

// An Overview is what happened in the last hours, and what waits now.
type Overview struct {
	At      time.Time `json:"at"`
	Hours   []Hour    `json:"hours" doc:"The oldest first, quiet ones too; the last one is not over"`
	Total   Counts    `json:"total" doc:"Of these hours"`
	Waiting int64     `json:"waiting" doc:"Messages that wait, or are being sent, now"`
}

// OfHistory returns the view of hours, and of how many wait at the end of each: what
// waits now, less what began to wait since.
func OfHistory(found []store.HourOfMail, waiting int64, since, now time.Time) Overview {
	out := Overview{At: now, Hours: OfHours(found, since, now), Waiting: waiting}
	more := make(map[time.Time]int64, len(found))
	var total store.Counts
	for i := range found {
		more[found[i].Hour] += found[i].Waiting
		total.Add(found[i].Counts)
	}
	out.Total = ofCounts(total)
	for i := len(out.Hours) - 1; i >= 0; i-- {
		left := max(0, waiting) // an hour of before they were counted knows no better
		out.Hours[i].Waiting = &left
		waiting -= more[out.Hours[i].Hour]
	}
	return out
}
