package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/postino-mail/postino/internal/config"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

// QueueCommands are the jobs of `postino queue`.
type QueueCommands struct {
	Storage  Storage
	Format   Format
	Language string
	Stdout   io.Writer
}

// A Duration is written as in the configuration: 90m, 24h, 7d.
type Duration = config.Duration

// QueueFilter is what the flags choose.
type QueueFilter struct {
	States                                       []string
	Connection, Client, MessageID, From, To, Tag string
	Since                                        time.Duration
	Query                                        string   // a search
	Words                                        []string // another one, as arguments of the command
	Refused                                      bool     // with a recipient that failed; List alone looks at it
}

// empty reports that the filter would choose everything.
func (f QueueFilter) empty() bool {
	return len(f.States) == 0 && f.Connection+f.Client+f.MessageID+f.From+f.To+f.Tag+f.Query == "" && len(f.Words) == 0 && f.Since == 0
}

// pages calls work for every page of what the filter chooses.
func pages(ctx context.Context, st store.Store, f store.Filter, work func([]store.Entry) error) error {
	n := 0
	for after := ""; ; {
		terminal.Show(ctx, mime.NewCount("cli.progress", n, "one delivery so far", "{count} deliveries so far"))
		page, err := st.List(ctx, store.ListRequest{Filter: f, After: after, Limit: 500})
		if err != nil {
			return err
		}
		if err := work(page.Entries); err != nil {
			return err
		}
		n += len(page.Entries)
		if page.Next == "" {
			return nil
		}
		after = page.Next
	}
}

// errEnough ends a list at its limit.
var errEnough = errors.New("enough")

// each calls work for every entry of the filter, page by page, at most limit (0: all).
func each(ctx context.Context, st store.Store, f QueueFilter, limit int, work func(*listed) error) error {
	filter, err := f.filter(ctx, st)
	if err != nil {
		return err
	}
	return eachOf(ctx, st, filter, f.Refused, limit, work)
}

// eachOf is each for what was made of the filter's words.
func eachOf(ctx context.Context, st store.Store, filter store.Filter, refusedAlone bool, limit int, work func(*listed) error) error {
	n, known := 0, newConnectionCache(st)
	err := pages(ctx, st, filter, func(entries []store.Entry) error {
		for _, e := range entries {
			if refusedAlone && refused(&e.Delivery) == nil {
				continue // the store has no index of it
			}
			if limit > 0 && n >= limit {
				return errEnough
			}
			n++
			if err := work(&listed{e, known.reference(ctx, e.Delivery.Route.Connection)}); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// A listed entry is a delivery with its message and its connection.
type listed struct {
	store.Entry
	connection view.ConnectionRef
}

// A QueueEntry is one entry of `queue list --json`.
type QueueEntry struct {
	ID string `json:"id"` // of the delivery, as other commands take it
	view.MessageEntry
}

func (e *listed) view(lang string) QueueEntry {
	return QueueEntry{ID: e.Delivery.ID.String(), MessageEntry: view.MessageEntry{Message: view.OfMessage(&e.Message, lang),
		Delivery: view.OfDelivery(&e.Delivery, e.connection, lang)}}
}

// List prints deliveries, newest first.
func (k QueueCommands) List(ctx context.Context, f QueueFilter, limit int) error {
	return withStore(ctx, k.Storage, func(st store.Store) error { return k.list(ctx, st, f, limit) })
}

func (k QueueCommands) list(ctx context.Context, st store.Store, f QueueFilter, limit int) error {
	if k.Format != Text {
		out := listWriter{w: k.Stdout, lines: k.Format == JSONL}
		return out.end(each(ctx, st, f, limit, func(e *listed) error { return out.add(e.view(k.Language)) }))
	}
	w := terminal.NewTable(k.Stdout, headings(k.Language, text("cli.heading_id", "ID"), text("cli.heading_received", "RECEIVED"),
		text("cli.heading_state", "STATE"), text("cli.heading_attempts", "ATTEMPTS"), text("cli.heading_connection", "CONNECTION"),
		text("cli.heading_from", "FROM"), text("cli.heading_to", "TO"), text("cli.heading_subject", "SUBJECT"),
		text("cli.heading_last_result", "LAST RESULT"))...).Whole(0, 1)
	err := each(ctx, st, f, limit, func(e *listed) error {
		d := &e.Delivery
		to := "?" // a corrupt record has none
		if n := len(d.Recipients); n > 0 {
			to = d.Recipients[0].Address.String()
			if n > 1 {
				to = fmt.Sprintf("%s +%d", to, n-1)
			}
		}
		w.Row(d.ID, terminal.Time(d.CreatedAt), view.StateLabel(d.State).In(k.Language), d.Attempts,
			cmp.Or(e.connection.Name, e.connection.ID), e.Message.From, to, clip(e.Message.Subject, 40), clip(lastResult(d, k.Language), 80))
		return nil
	})
	return errors.Join(err, w.Flush())
}

// refused are the recipients that failed.
func refused(d *store.Delivery) (out []*store.Recipient) {
	for i := range d.Recipients {
		if d.Recipients[i].State == store.RecipientFailed {
			out = append(out, &d.Recipients[i])
		}
	}
	return out
}

// lastResult is the provider's last answer. A refusal of some recipients comes
// before the success with the others: that needs no one.
func lastResult(d *store.Delivery, lang string) string {
	if bad := refused(d); len(bad) > 0 && (len(bad) < len(d.Recipients) || d.Error == nil) {
		result := text("cli.refused_of", "{refused} of {recipients} refused", "refused", len(bad), "recipients", len(d.Recipients)).In(lang)
		if e := bad[0].Error; e != nil {
			result += ": " + e.Message.In(lang)
		}
		return result
	}
	if d.Error != nil {
		return fmt.Sprintf("%s: %s", view.ClassLabel(d.Class).In(lang), d.Error.Message.In(lang))
	}
	return view.ClassLabel(d.Class).In(lang)
}

func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

// Stats prints the queue in numbers.
func (k QueueCommands) Stats(ctx context.Context) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		s, err := st.Stats(ctx, time.Now())
		if err != nil {
			return err
		}
		if k.Format != Text {
			return writeJSON(k.Stdout, s)
		}
		w := terminal.NewTable(k.Stdout)
		for _, state := range store.States() {
			w.Row(view.StateLabel(state).In(k.Language), s.States[state])
		}
		w.Row(text("cli.stats_lanes", "lanes").In(k.Language), s.Lanes)
		w.Row(text("cli.stats_paused", "paused lanes").In(k.Language), s.Paused)
		w.Row(text("cli.stats_bytes", "stored bytes").In(k.Language), s.BodyBytes)
		if !s.OldestDue.IsZero() {
			w.Row(text("cli.stats_oldest", "oldest due").In(k.Language), terminal.Time(s.OldestDue))
		}
		return w.Flush()
	})
}
