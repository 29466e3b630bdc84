package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/view"
)

// shownDelivery is one delivery with its ledger.
type shownDelivery struct {
	listed
	attempts []store.Attempt
	waits    []string // for what, besides its time
}

// A DeliveryDetail is the JSON of `queue show`.
type DeliveryDetail struct {
	QueueEntry
	Attempts []view.Attempt `json:"attempts"`
	Waits    []string       `json:"waits,omitempty"` // for what, besides its time
}

func (s *shownDelivery) view(lang string) DeliveryDetail {
	d := DeliveryDetail{QueueEntry: s.listed.view(lang), Attempts: []view.Attempt{}, Waits: s.waits}
	for i := range s.attempts {
		d.Attempts = append(d.Attempts, view.OfAttempt(&s.attempts[i], lang))
	}
	return d
}

// Show prints one delivery with its ledger.
func (k QueueCommands) Show(ctx context.Context, id string) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		d, err := deliveryOf(ctx, st, id)
		if err != nil {
			return err
		}
		m, err := st.Message(ctx, d.Message)
		if err != nil {
			return err
		}
		s := shownDelivery{listed: listed{store.Entry{Delivery: *d, Message: *m}, newConnectionCache(st).reference(ctx, d.Route.Connection)}}
		if s.attempts, err = st.Attempts(ctx, d.ID); err != nil {
			return err
		}
		if s.waits, err = waits(ctx, st, d, k.Language); err != nil {
			return err
		}
		if k.Format != Text {
			return writeJSON(k.Stdout, s.view(k.Language))
		}
		return s.write(k.Stdout, k.Language)
	})
}

// waits is what keeps a delivery back besides its own time: a connection that
// is off or paused, a lane that is paused or has spent its budget.
func waits(ctx context.Context, st store.Store, d *store.Delivery, lang string) (out []string, err error) {
	if !d.Waits() {
		return nil, nil
	}
	now := time.Now()
	c, err := st.Connection(ctx, d.Route.Connection)
	switch {
	case errors.Is(err, store.ErrNotFound):
		out = append(out, "its connection was removed")
	case err == nil && !c.IsActive():
		out = append(out, "its connection is switched off")
	}
	state, err := st.ConnectionState(ctx, d.Route.Connection)
	if err != nil {
		return nil, err
	}
	if state.PausedUntil.After(now) {
		out = append(out, "its connection is "+connectionState(state, lang))
	}
	l, err := st.Lane(ctx, d.Route.Lane)
	if errors.Is(err, store.ErrNotFound) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	if l.PausedUntil.After(now) {
		out = append(out, "its mailbox is "+laneState(l, now, lang))
	}
	if fits, when := l.Fits(now, d.CountPending()); !fits {
		out = append(out, fmt.Sprintf("the day's recipients leave no room (%s) before %s", budgetText(l, now), when.Local().Format("2006-01-02 15:04")))
	}
	return out, nil
}

func (s *shownDelivery) write(w io.Writer, lang string) error {
	d, m := &s.Delivery, &s.Message
	t := terminal.NewTable(w)
	t.Row("delivery", d.ID)
	t.Row("state", d.State)
	t.Row("connection", cmp.Or(s.connection.Name, s.connection.ID))
	t.Row("message", fmt.Sprint(m.ID, " ", m.MessageID))
	t.Row("from", m.From)
	t.Row("subject", m.Subject)
	t.Row("size", m.Size)
	t.Row("received", m.ReceivedAt.Local().Format(time.RFC3339)+" by "+m.EntryPoint)
	if m.OriginalFrom != "" {
		t.Row("original from", m.OriginalFrom)
	}
	if d.State == store.Queued || d.State == store.Unverified {
		t.Row("next", d.NextAt.Local().Format(time.RFC3339))
	}
	for _, why := range s.waits {
		t.Row("waits", why)
	}
	if !m.ResentOf.IsZero() {
		t.Row("resent of", m.ResentOf)
	}
	if m.Resubmitted > 0 {
		t.Row("sent again", fmt.Sprintf("%d times by the client, which had not heard that it was taken", m.Resubmitted))
	}
	if d.NotifyFailed {
		t.Row("note", "its sender could not be told: see the log, and tell the sender")
	}
	if d.Duplicate {
		t.Row("note", "it may have gone out twice")
	}
	for _, r := range d.Recipients {
		text := fmt.Sprintf("%s: %s", r.Address, r.State)
		if r.Error != nil {
			text += fmt.Sprintf(": %s %s", r.Error.Message.In(lang), r.Error.Hint.In(lang))
		}
		t.Row("to", text)
	}
	for i := range s.attempts {
		t.Row(fmt.Sprint("attempt ", s.attempts[i].No), attemptText(&s.attempts[i], lang))
	}
	return t.Flush()
}

func attemptText(a *store.Attempt, lang string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s on %s by %s: ", a.StartedAt.Local().Format("2006-01-02 15:04:05.000"), a.Kind, a.Lane, a.Node)
	if a.EndedAt.IsZero() {
		b.WriteString("under way")
	} else {
		fmt.Fprintf(&b, "%s %s", a.Class, a.EndedAt.Sub(a.StartedAt).Round(time.Millisecond))
	}
	if a.Verdict != "" {
		fmt.Fprintf(&b, " (%s)", a.Verdict)
	}
	if e := a.Error; e != nil {
		fmt.Fprintf(&b, " %s %s", e.Code, e.Message.In(lang))
		if r := e.Hint.In(lang); r != "" {
			fmt.Fprintf(&b, " -> %s", r)
		}
	}
	if r := a.Receipt; r != nil {
		fmt.Fprintf(&b, " %s %d %s %s", r.Route, r.Status, r.ProviderID, r.RequestID)
	}
	return b.String()
}
