package view

import (
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// An Alert is something that an administrator should know: what ends, what runs
// out, what does not work.
type Alert struct {
	ID   string `json:"id"`
	Kind string `json:"kind" enum:"secret,client_certificate,server_certificate,listener_certificate,auth,budget,waiting"`

	Connection string    `json:"connection,omitempty" doc:"Id; absent: of no connection"`
	Name       string    `json:"name" doc:"Of the connection, the mailbox or the listener"`
	Ends       time.Time `json:"ends,omitzero" doc:"Of a certificate or a secret"`
	DaysLeft   *int      `json:"days_left,omitempty" doc:"Until it ends; 0: it has ended"`
	Message    string    `json:"message"`
	Hint       string    `json:"hint,omitempty" doc:"What to do"`
	Since      time.Time `json:"since"`
	ResolvedAt time.Time `json:"resolved_at,omitzero" doc:"Absent: it stands"`
}

// OfAlert returns the view of an alert at the time now.
func OfAlert(a *store.Alert, now time.Time, lang string) Alert {
	v := Alert{ID: a.ID, Kind: a.Kind, Connection: a.Connection, Name: a.Name, Ends: a.Ends, Message: a.Message.In(lang),
		Hint: a.Hint.In(lang), Since: a.Since, ResolvedAt: a.ResolvedAt}
	if !a.Ends.IsZero() {
		left := store.DaysLeft(now, a.Ends)
		v.DaysLeft = &left
	}
	return v
}
