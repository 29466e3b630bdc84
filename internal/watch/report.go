package watch

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// The types of events.
const (
	EventRaised   = "alert.raised"
	EventResolved = "alert.resolved"
)

// report compares what was found with what was reported, and reports what is new.
func (r *round) report(ctx context.Context) error {
	sortFindings(r.found)
	seen := make(map[string]bool, len(r.found))
	for i := range r.found {
		f := &r.found[i]
		seen[f.key] = f.level != quiet
		a := r.open[f.key]
		var err error
		switch {
		case f.level == quiet && (a == nil || !a.Open()):
		case f.level == quiet:
			err = r.resolve(ctx, a, f.ends, resolvedText(a, f.ends))
		case a == nil || !a.Open() || f.level < a.Level:
			err = r.raise(ctx, a, f)
		case !f.ends.Equal(a.Ends): // renewed, and still near its end: the levels count from there
			next := *a
			next.Ends, next.Level, next.Message, next.Hint = f.ends, f.level, f.message, f.hint
			err = r.put(ctx, next)
		}
		if err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(r.open)) {
		if err := r.unseen(ctx, r.open[key], seen[key]); err != nil {
			return err
		}
	}
	return nil
}

// unseen resolves an alert that no look has found again, and removes those that
// were resolved long ago.
func (r *round) unseen(ctx context.Context, a *store.Alert, seen bool) error {
	switch {
	case seen:
	case !a.Open():
		if r.now.Sub(a.ResolvedAt) < keepResolved {
			return nil
		}
		if err := r.opt.Store.DeleteAlert(ctx, a.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	case !r.mine(a):
	case r.whole[a.Kind]:
		return r.resolve(ctx, a, a.Ends, resolvedText(a, a.Ends))
	case a.Connection != "" && r.gone(a):
		return r.resolve(ctx, a, a.Ends, mime.NewText("watch.gone", "{name} is not used any more: {message}", "name", a.Name,
			"message", a.Message))
	}
	return nil
}

// gone reports that what an alert is about is not used any more.
func (r *round) gone(a *store.Alert) bool {
	c := r.byID[a.Connection]
	return c == nil || !c.IsActive() || a.Kind == KindServerCertificate && a.Key != serverKey(c)
}

func (r *round) raise(ctx context.Context, a *store.Alert, f *finding) error {
	next := store.Alert{Key: f.key, Since: r.now}
	if a != nil {
		next = *a
		if !a.Open() {
			next.Since, next.ResolvedAt = r.now, time.Time{}
		}
	}
	next.Kind, next.Connection, next.Name, next.Ends, next.Level = f.kind, f.connection, f.name, f.ends, f.level
	next.Message, next.Hint = f.message, f.hint
	next.Notices++
	next.MailDue = len(r.opt.Settings.Mail) > 0
	stored, err := r.notice(ctx, EventRaised, next)
	if stored == nil || err != nil {
		return err
	}
	r.opt.Log.Warn("alert", "kind", f.kind, "name", f.name, "message", f.message.String(), "hint", f.hint.String())
	return nil
}

func (r *round) resolve(ctx context.Context, a *store.Alert, ends time.Time, message mime.Text) error {
	next := *a
	next.ResolvedAt, next.Ends, next.Message, next.Hint = r.now, ends, message, mime.Text{}
	next.Notices++
	next.MailDue = len(r.opt.Settings.Mail) > 0
	stored, err := r.notice(ctx, EventResolved, next)
	if stored == nil || err != nil {
		return err
	}
	r.opt.Log.Info("alert resolved", "kind", a.Kind, "name", a.Name, "message", message.String())
	return nil
}

// An event's data; Data is never read again here.
type eventData struct {
	Alert      string    `json:"alert"` // id
	Kind       string    `json:"kind"`
	Connection string    `json:"connection,omitempty"`
	Name       string    `json:"name"`
	Ends       time.Time `json:"ends,omitzero"`
	DaysLeft   *int      `json:"days_left,omitempty"`
	Since      time.Time `json:"since"`
	Message    mime.Text `json:"message"`
	Hint       mime.Text `json:"hint,omitzero"`
}

// notice stores a state of an alert that is worth a report, with its event; nil:
// another node was faster.
func (r *round) notice(ctx context.Context, event string, a store.Alert) (*store.Alert, error) {
	if a.ID == "" {
		a.ID = store.NewID().String()
	}
	data := eventData{Alert: a.ID, Kind: a.Kind, Connection: a.Connection, Name: a.Name, Ends: a.Ends, Since: a.Since, Message: a.Message,
		Hint: a.Hint}
	if !a.Ends.IsZero() {
		left := store.DaysLeft(r.now, a.Ends)
		data.DaysLeft = &left
	}
	doc, err := json.Marshal(data)
	if err != nil {
		return nil, err
	}
	return r.store(ctx, a, store.NewEvent{Type: event, At: r.now, Data: doc})
}

// put stores a state that is no news.
func (r *round) put(ctx context.Context, a store.Alert) error {
	_, err := r.store(ctx, a)
	return err
}

func (r *round) store(ctx context.Context, a store.Alert, ev ...store.NewEvent) (*store.Alert, error) {
	stored, err := r.opt.Store.PutAlert(ctx, a, ev...)
	switch {
	case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrExists), errors.Is(err, store.ErrNotFound):
		return nil, nil // another node has reported it, or removed it: what is stored now counts
	case err != nil:
		return nil, err
	}
	r.open[a.Key] = stored
	return stored, nil
}

// resolvedText is what is reported when all is well again; ends is the new end
// of what was renewed, zero: it has none.
func resolvedText(a *store.Alert, ends time.Time) mime.Text {
	switch a.Kind {
	case KindAuth:
		return mime.NewText("watch.auth_resolved", "{name} sends again", "name", a.Name)
	case KindBudget:
		return mime.NewText("watch.budget_resolved", "{name} has recipients left again", "name", a.Name)
	case KindWaiting:
		return mime.NewText("watch.waiting_resolved", "no mail for {name} waits too long any more", "name", a.Name)
	}
	if ends.IsZero() {
		return mime.NewText("watch.no_end", "{name} has nothing any more that ends soon", "name", a.Name)
	}
	return mime.NewText("watch.renewed", "{name} was renewed: the new end is {date}", "name", a.Name, "date", date(ends))
}
