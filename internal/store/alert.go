package store

import (
	"context"
	"time"

	"github.com/postino-mail/postino/mime"
)

// An Alert is something that an administrator was told of: what ends, what runs
// out, what does not work.
type Alert struct {
	ID       string `json:"id"`
	Revision int64  `json:"revision"`
	// Key names what is watched, for ever the same: "secret:…", "budget:…". At
	// most one alert has it.
	Key        string    `json:"key"`
	Kind       string    `json:"kind"`
	Connection string    `json:"connection,omitempty"` // id; empty: of no connection
	Name       string    `json:"name"`                 // of the connection, lane or listener, for people
	Ends       time.Time `json:"ends,omitzero"`        // of a certificate or a secret
	// Level is the last one that was reported: the days before the end; 0: it has
	// ended, or the alert knows no days.
	Level      int       `json:"level"`
	Message    mime.Text `json:"message"`
	Hint       mime.Text `json:"hint,omitzero"`
	Since      time.Time `json:"since"`
	ResolvedAt time.Time `json:"resolved_at,omitzero"` // zero: it is open

	// Notices counts what was reported of it, and MailDue says that the last
	// report has not been handed over as mail yet.
	Notices int  `json:"notices"`
	MailDue bool `json:"mail_due,omitempty"`
}

// Open reports whether the alert stands.
func (a *Alert) Open() bool { return a.ResolvedAt.IsZero() }

// DaysLeft counts the days from now until an end, as people do: a day that has
// begun counts. 0: it has ended.
func DaysLeft(now, ends time.Time) int {
	const day = 24 * time.Hour
	if !ends.After(now) {
		return 0
	}
	return int((ends.Sub(now) + day - 1) / day)
}

// Alerts is the port on the alerts.
type Alerts interface {
	// Alerts returns all by key, those that were resolved included.
	Alerts(ctx context.Context) ([]Alert, error)
	// PutAlert stores a new alert (empty ID, Revision 0) or a new state of one
	// (Revision as it was read, or ErrConflict), and the events in the same
	// transaction. A key that another alert has is ErrExists. Of several nodes
	// that report the same, one succeeds.
	PutAlert(ctx context.Context, a Alert, ev ...NewEvent) (*Alert, error)
	// DeleteAlert removes one; ErrNotFound when there is none.
	DeleteAlert(ctx context.Context, id string) error
}
