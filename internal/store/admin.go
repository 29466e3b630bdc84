package store

import (
	"context"
	"slices"
	"time"

	"github.com/postino-mail/postino/internal/search/terms"
)

// A Filter chooses deliveries; zero fields choose all.
type Filter struct {
	States     []State
	Connection string // id
	// Among are the ids of connections, of which it is one; nil: of any, empty: of none.
	Among     []string
	Lane      string
	Client    string // id
	Message   ID
	ID        ID     // of the delivery or of its message
	MessageID string // with angle brackets
	From      string // of the header or the envelope, letter case folded
	Recipient string // the beginning of a recipient's address, or of a word of it, letter case folded
	Tag       string
	Match     []terms.Match // all hold
	Since     time.Time     // created at or after
	Before    time.Time     // created before
}

// Narrow lets the filter choose deliveries of these connections alone, of those
// that it chose before.
func (f *Filter) Narrow(connections []string) {
	if f.Among != nil {
		connections = slices.DeleteFunc(slices.Clone(connections), func(id string) bool { return !slices.Contains(f.Among, id) })
	}
	if connections == nil {
		connections = []string{}
	}
	f.Among = connections
}

// NarrowTo is Narrow, and finds the mail of one connection faster.
func (f *Filter) NarrowTo(connections ...string) {
	if len(connections) == 1 && f.Connection == "" {
		f.Connection = connections[0]
		return
	}
	f.Narrow(connections)
}

// NarrowStates lets the filter choose deliveries in these states alone, of those that
// it chose before. It returns false, and changes nothing, where none is left.
func (f *Filter) NarrowStates(states []State) bool {
	if f.States != nil {
		states = slices.DeleteFunc(slices.Clone(states), func(s State) bool { return !slices.Contains(f.States, s) })
	}
	if len(states) == 0 {
		return false
	}
	f.States = states
	return true
}

// NarrowTime lets the filter choose messages of this time alone, of that which it
// chose before; zero: no bound.
func (f *Filter) NarrowTime(since, before time.Time) {
	if since.After(f.Since) {
		f.Since = since
	}
	if !before.IsZero() && (f.Before.IsZero() || before.Before(f.Before)) {
		f.Before = before
	}
}

// A ListRequest asks for one page.
type ListRequest struct {
	Filter
	After  string // Page.Next of the page before
	Back   string // in place of After: Page.Prev of the page behind
	Limit  int    // at most 1,000; 0: 50
	Oldest bool   // oldest first; else newest first
	// Look bounds how many deliveries are looked at one by one; 0: as many as it takes.
	// Words that are left out alone have no index, nor has what is not in it yet.
	Look int
}

// An Entry is one line of the queue's list.
type Entry struct {
	Delivery Delivery `json:"delivery"`
	Message  Message  `json:"message"`
}

// A Page is one page of a list. Next is empty on the last one, Prev on the first
// one and where no After was given. Paging through returns every entry that exists
// all the while exactly once, in either direction.
type Page struct {
	Entries []Entry `json:"entries"`
	Next    string  `json:"next,omitempty"`
	Prev    string  `json:"prev,omitempty"`
	// Partial: the walk ended after ListRequest.Look deliveries, with less than a page of
	// entries. Next, or with Back Prev, goes on behind them.
	Partial bool `json:"partial,omitempty"`
}

// A Count is how many deliveries a filter chooses; with More, that there are more
// than N.
type Count struct {
	N    int  `json:"count"`
	More bool `json:"more,omitempty"`
}

// A Verb is what a person does to deliveries.
type Verb string

// The verbs and the states in which they apply. Every one raises the epoch.
const (
	// DoRetry: Queued, Unverified, Held, Failed, Expired, Cancelled -> Queued, due
	// at once; recipients that failed or were cancelled are pending again; of an
	// Unverified or a Held one with UnknownSince set the duplicate mark is set. Not
	// when the message's bytes are removed.
	DoRetry Verb = "retry"
	// DoCancel: Queued, Unverified, Held -> Cancelled; pending recipients too.
	DoCancel Verb = "cancel"
	// DoHold: Queued, Unverified -> Held.
	DoHold Verb = "hold"
	// DoRelease: Held -> Queued, or Unverified when UnknownSince is set; due at once.
	DoRelease Verb = "release"
)

// An Action is one verb for many deliveries: those named, or, when none is
// named, those that the filter chooses. Either way only those with a state in
// Filter.States when it is done, where that is given.
type Action struct {
	Verb       Verb
	Deliveries []ID
	Filter     Filter
	Now        time.Time
	ExpiresAt  time.Time // new one for DoRetry and DoRelease; zero: as before
	Max        int       // stop after so many; 0: 10,000
	After      string    // of those that the filter chooses: ActionResult.Next of the call before
	// Sure leaves alone, and counts as skipped, what may have been sent.
	Sure bool
}

// An ActionResult counts what an Action did. Skipped ones were in a state in
// which the verb does not apply: a delivery that is being sent cannot be held.
type ActionResult struct {
	Changed int  `json:"changed"`
	Skipped int  `json:"skipped"`
	More    bool `json:"more,omitempty"` // stopped at Max: call again

	Next string `json:"next,omitempty"` // where the next call goes on, with More
}

// Stats is the state of the queue in numbers.
type Stats struct {
	States    map[State]int64 `json:"states"`
	OldestDue time.Time       `json:"oldest_due,omitzero"` // NextAt of the due delivery that waits longest
	Lanes     int             `json:"lanes"`
	Paused    int             `json:"paused_lanes"`
	BodyBytes int64           `json:"body_bytes"` // of messages with their bytes kept
}

// A PurgeRequest removes what retention no longer keeps. Only messages with
// deliveries that are all final are touched; zero times remove nothing.
type PurgeRequest struct {
	Now     time.Time // idempotency keys and unheard acceptances that expired before are removed
	Bodies  time.Time // bytes of messages received before
	Records time.Time // messages received before, with deliveries and ledger
	Events  time.Time // events older than this
	Hours   time.Time // hours of History before this one
	Max     int       // messages at one call; 0: 1,000
	// After is Next of the call before, and zero at the beginning of a round:
	// each call begins where the last one ended, so that a round takes time in
	// proportion to what it removes and not to what it has removed already.
	After PurgePosition
}

// A PurgePosition is how far a round has come, in microseconds and numbers of
// events.
type PurgePosition struct {
	Bodies, Records, RecordsKept, Events int64
	Expired                              bool // idempotency keys and unheard acceptances are done
}

// A PurgeResult counts what was removed.
type PurgeResult struct {
	Bodies, Records, Events, Expired int
	Hours                            int
	More                             bool // Max was reached: call again with Next
	Next                             PurgePosition
}

// Admin is what people and housekeeping do with the queue.
type Admin interface {
	// List returns one page of deliveries with their messages.
	List(ctx context.Context, r ListRequest) (Page, error)
	// Count counts what List would return, up to most: a count of everything would
	// read everything.
	Count(ctx context.Context, f Filter, most int) (Count, error)
	// IndexSearch brings the index of words up to date by so many deliveries: new
	// ones, then those of before there was one. Lists are right at any time: what is
	// not in the index yet is looked at one by one. More says that there is more to do.
	IndexSearch(ctx context.Context, most int) (more bool, err error)
	// SumHours adds up what happened in hours that are over (History), the oldest first,
	// so that no one adds up the rows of all connections again. More says that there is
	// more to do.
	SumHours(ctx context.Context, now time.Time) (more bool, err error)
	// Delivery returns one delivery.
	Delivery(ctx context.Context, id ID) (*Delivery, error)
	// Deliveries returns those of one message, in the order of their making; none
	// is no error.
	Deliveries(ctx context.Context, message ID) ([]Delivery, error)
	// Attempts returns the ledger of one delivery, first attempt first; one that
	// runs is the last, without EndedAt.
	Attempts(ctx context.Context, delivery ID) ([]Attempt, error)
	// Act applies the verb to each delivery by itself; see Verb. An id that does
	// not exist is ErrNotFound, and then nothing changes.
	Act(ctx context.Context, a Action) (ActionResult, error)
	// Move takes each delivery that is Movable to its new route, and notes that in
	// the ledger. Others are skipped, and so are those that there are no more.
	// ErrNotFound: there is no connection Move.To.
	Move(ctx context.Context, m Move) (ActionResult, error)
	// Stats counts.
	Stats(ctx context.Context, now time.Time) (Stats, error)
	// Purge removes what retention no longer keeps; bytes are unlinked after the
	// transaction.
	Purge(ctx context.Context, r PurgeRequest) (PurgeResult, error)
	// Sweep removes spool files that no row names and that are older than age,
	// by the real clock: files that processes which died have left. Files being written
	// are never touched.
	Sweep(ctx context.Context, age time.Duration) (removed int, err error)
}
