package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
)

// shownDelivery is the JSON of `queue show`.
type shownDelivery struct {
	Connection string          `json:"connection"` // its name
	Delivery   *store.Delivery `json:"delivery"`
	Message    *store.Message  `json:"message"`
	Attempts   []store.Attempt `json:"attempts"`
	Waits      []string        `json:"waits,omitempty"` // for what, besides its time
}

// Show prints one delivery with its ledger.
func (k QueueCommands) Show(ctx context.Context, id string) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		d, err := deliveryOf(ctx, st, id)
		if err != nil {
			return err
		}
		s := shownDelivery{Delivery: d, Connection: newConnectionCache(st).name(ctx, d.Route.Connection)}
		if s.Message, err = st.Message(ctx, d.Message); err != nil {
			return err
		}
		if s.Attempts, err = st.Attempts(ctx, d.ID); err != nil {
			return err
		}
		if s.Waits, err = waits(ctx, st, d, k.Language); err != nil {
			return err
		}
		if k.JSON {
			return writeJSON(k.Stdout, s)
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
		out = append(out, "its mailbox is "+showLane(l, now).state(lang))
	}
	if fits, when := l.Fits(now, d.CountPending()); !fits {
		out = append(out, fmt.Sprintf("the day's recipients leave no room (%s) before %s", showLane(l, now).budget(), when.Local().Format("2006-01-02 15:04")))
	}
	return out, nil
}

func (s shownDelivery) write(w io.Writer, lang string) error {
	d, m := s.Delivery, s.Message
	t := terminal.NewTable(w)
	t.Row("delivery", d.ID)
	t.Row("state", d.State)
	t.Row("connection", s.Connection)
	t.Row("message", fmt.Sprint(m.ID, " ", m.MessageID))
	t.Row("from", m.From)
	t.Row("subject", m.Subject)
	t.Row("size", m.Size)
	t.Row("received", m.ReceivedAt.Local().Format(time.RFC3339)+" by "+m.Door)
	if m.OriginalFrom != "" {
		t.Row("original from", m.OriginalFrom)
	}
	if d.State == store.Queued || d.State == store.Unverified {
		t.Row("next", d.NextAt.Local().Format(time.RFC3339))
	}
	for _, why := range s.Waits {
		t.Row("waits", why)
	}
	if !m.ResentOf.IsZero() {
		t.Row("resent of", m.ResentOf)
	}
	if m.Resubmitted > 0 {
		t.Row("sent again", fmt.Sprintf("%d times by the client, which had not heard that it was taken", m.Resubmitted))
	}
	if d.NotTold {
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
	for i := range s.Attempts {
		t.Row(fmt.Sprint("attempt ", s.Attempts[i].No), attemptText(&s.Attempts[i], lang))
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
