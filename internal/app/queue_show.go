package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
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

	Conversation string `json:"conversation,omitempty"` // at the submission
}

func (s *shownDelivery) view(lang string) DeliveryDetail {
	d := DeliveryDetail{QueueEntry: s.listed.view(lang), Attempts: []view.Attempt{}, Waits: s.waits,
		Conversation: s.Message.Conversation}
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
		out = append(out, text("cli.waits_connection_removed", "its connection was removed").In(lang))
	case err == nil && !c.IsActive():
		out = append(out, text("cli.waits_connection_off", "its connection is switched off").In(lang))
	}
	state, err := st.ConnectionState(ctx, d.Route.Connection)
	if err != nil {
		return nil, err
	}
	if state.PausedUntil.After(now) {
		out = append(out, text("cli.waits_connection", "its connection is {state}", "state", connectionState(state, lang)).In(lang))
	}
	l, err := st.Lane(ctx, d.Route.Lane)
	if errors.Is(err, store.ErrNotFound) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	fits, when := l.Fits(now, d.CountPending())
	if l.PausedUntil.After(now) || fits && (!l.UsedUpUntil(now).IsZero() || l.NoRoomUntil.After(now)) {
		out = append(out, text("cli.waits_mailbox", "its mailbox: {state}", "state", laneState(l, now, lang)).In(lang))
	}
	if !fits {
		out = append(out, text("cli.waits_day", "the day's recipients leave no room ({used}) before {time}", "used", budgetText(l, now), "time",
			terminal.Time(when)).In(lang))
		if until := d.GivesWayUntil(); !until.IsZero() {
			out = append(out, text("cli.waits_gives_way", "others that have room pass it until {time}; after that they wait for it", "time",
				terminal.Time(until)).In(lang))
		}
	}
	return out, nil
}

func (s *shownDelivery) write(w io.Writer, lang string) error {
	d, m := &s.Delivery, &s.Message
	t := terminal.NewTable(w)
	t.Row(text("cli.field_delivery", "delivery").In(lang), d.ID)
	t.Row(text("cli.field_state", "state").In(lang), view.StateLabel(d.State).In(lang))
	t.Row(text("cli.field_connection", "connection").In(lang), cmp.Or(s.connection.Name, s.connection.ID))
	t.Row(text("cli.field_message", "message").In(lang), fmt.Sprint(m.ID, " ", m.MessageID))
	t.Row(text("cli.field_from", "from").In(lang), m.From)
	t.Row(text("cli.field_subject", "subject").In(lang), m.Subject)
	t.Row(text("cli.field_size", "size").In(lang), m.Size)
	t.Row(text("cli.field_received", "received").In(lang), text("cli.received_by", "{time} by {entry_point}", "time",
		terminal.Time(m.ReceivedAt), "entry_point", view.EntryPointLabel(m.EntryPoint)).In(lang))
	writeLines(t, m.Conversation)
	if m.Routed.Rule != "" {
		t.Row(text("cli.field_routed", "routed because").In(lang), submit.RuleCalled(m.Routed.Rule).Text().In(lang))
	}
	if !m.OriginalFrom.IsZero() {
		t.Row(text("cli.field_original_from", "original from").In(lang), m.OriginalFrom)
	}
	if d.State == store.Queued || d.State == store.Unverified {
		t.Row(text("cli.field_next", "next").In(lang), terminal.Time(d.NextAt))
	}
	if m.Tag != "" {
		t.Row(text("cli.field_tag", "tag").In(lang), m.Tag)
	}
	for _, key := range slices.Sorted(maps.Keys(m.Metadata)) {
		t.Row(text("cli.field_metadata", "metadata").In(lang), key+": "+m.Metadata[key])
	}
	for _, why := range s.waits {
		t.Row(text("cli.field_waits", "waits").In(lang), why)
	}
	if !m.ResentOf.IsZero() {
		t.Row(text("cli.field_resent_of", "resent of").In(lang), m.ResentOf)
	}
	if m.Resubmitted > 0 {
		t.Row(text("cli.field_sent_again", "sent again").In(lang),
			mime.NewCount("cli.resubmitted", m.Resubmitted, "once by the client, which had not received the answer",
				"{count} times by the client, which had not received the answer").In(lang))
	}
	if d.NotifyFailed {
		t.Row(text("cli.field_note", "note").In(lang), text("cli.sender_not_notified",
			"its sender could not be notified: see the log, and notify the sender").In(lang))
	}
	if d.Duplicate {
		t.Row(text("cli.field_note", "note").In(lang), text("cli.possible_duplicate", "it may have gone out twice").In(lang))
	}
	for _, r := range d.Recipients {
		line := fmt.Sprintf("%s: %s", r.Address, view.RecipientLabel(r.State).In(lang))
		if r.Error != nil {
			line += fmt.Sprintf(": %s %s", r.Error.Message.In(lang), r.Error.Hint.In(lang))
		}
		t.Row(text("cli.field_to", "to").In(lang), line)
	}
	for i := range s.attempts {
		t.Row(text("cli.attempt", "attempt {number}", "number", s.attempts[i].No).In(lang), attemptText(&s.attempts[i], lang))
		writeLines(t, s.attempts[i].Conversation)
	}
	return t.Flush()
}

// writeLines shows what was said, under the row before.
func writeLines(t *terminal.Table, conversation string) {
	for line := range strings.SplitSeq(conversation, "\n") {
		if line != "" {
			t.Row("", line)
		}
	}
}

func attemptText(a *store.Attempt, lang string) string {
	if a.Kind == store.Moved {
		return text("cli.moved_to", "{time} moved to {lane} by an administrator", "time", terminal.Time(a.StartedAt),
			"lane", a.Lane).In(lang)
	}
	var b strings.Builder
	b.WriteString(text("cli.attempt_of", "{time} {kind} on {lane} by {node}: ", "time", terminal.Time(a.StartedAt),
		"kind", view.AttemptLabel(a.Kind), "lane", a.Lane, "node", a.Node).In(lang))
	if a.EndedAt.IsZero() {
		b.WriteString(text("cli.under_way", "under way").In(lang))
	} else {
		fmt.Fprintf(&b, "%s %s", view.ClassLabel(a.Class).In(lang), a.EndedAt.Sub(a.StartedAt).Round(time.Millisecond))
	}
	if a.Verdict != "" {
		fmt.Fprintf(&b, " (%s)", view.VerdictLabel(a.Verdict).In(lang))
	}
	if e := a.Error; e != nil {
		fmt.Fprintf(&b, " %s %s", e.ShownCode(), e.Message.In(lang))
		if r := e.Hint.In(lang); r != "" {
			fmt.Fprintf(&b, " -> %s", r)
		}
	}
	if r := a.Receipt; r != nil {
		fmt.Fprintf(&b, " %s %d %s %s", r.Route, r.Status, r.ProviderID, r.RequestID)
	}
	return b.String()
}
