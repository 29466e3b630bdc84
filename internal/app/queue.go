package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// QueueCommands are the jobs of `postino queue`.
type QueueCommands struct {
	Storage  Storage
	JSON     bool
	Language string
	Stdout   io.Writer
}

// QueueFilter is what the flags choose.
type QueueFilter struct {
	States                                       []string
	Connection, Client, MessageID, From, To, Tag string
	Since                                        time.Duration
}

func (f QueueFilter) filter(ctx context.Context, st store.Store) (store.Filter, error) {
	out := store.Filter{MessageID: f.MessageID, From: f.From, Recipient: f.To, Tag: f.Tag}
	for _, name := range f.States {
		s, err := store.ParseState(name)
		if err != nil {
			return out, exit(ExitUsage, err)
		}
		out.States = append(out.States, s)
	}
	if f.Connection != "" {
		id, err := named(ctx, st, f.Connection)
		if err != nil {
			return out, err
		}
		out.Connection = id
	}
	if f.Client != "" {
		c, err := st.ClientNamed(ctx, f.Client)
		if err != nil {
			return out, fmt.Errorf("client %q: %w", f.Client, err)
		}
		out.Client = c.ID
	}
	if f.Since > 0 {
		out.Since = time.Now().Add(-f.Since)
	}
	return out, nil
}

// each calls work for every entry of the filter, page by page, at most limit (0: all).
func each(ctx context.Context, st store.Store, f store.Filter, limit int, work func(store.Entry) error) error {
	after := ""
	for n := 0; ; {
		page, err := st.List(ctx, store.ListRequest{Filter: f, After: after, Limit: 500})
		if err != nil {
			return err
		}
		for _, e := range page.Entries {
			if limit > 0 && n >= limit {
				return nil
			}
			n++
			if err := work(e); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		after = page.Next
	}
}

// List prints deliveries, newest first.
func (k QueueCommands) List(ctx context.Context, f QueueFilter, limit int) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		filter, err := f.filter(ctx, st)
		if err != nil {
			return err
		}
		if k.JSON {
			enc := json.NewEncoder(k.Stdout)
			return each(ctx, st, filter, limit, func(e store.Entry) error { return enc.Encode(e) })
		}
		w := tabwriter.NewWriter(k.Stdout, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tRECEIVED\tSTATE\tTRIES\tFROM\tTO\tSUBJECT\tLAST WORD")
		err = each(ctx, st, filter, limit, func(e store.Entry) error {
			d := e.Delivery
			to := "?" // a damaged record has none
			if n := len(d.Recipients); n > 0 {
				to = d.Recipients[0].Address
				if n > 1 {
					to = fmt.Sprintf("%s +%d", to, n-1)
				}
			}
			word := string(d.Class)
			if d.Error != nil {
				word = fmt.Sprintf("%s: %s", d.Class, d.Error.Sentence.In(k.Language))
			}
			_, err := fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", d.ID, d.CreatedAt.Local().Format("2006-01-02 15:04:05"), d.State, d.Attempts,
				e.Message.From, to, clip(e.Message.Subject, 40), clip(word, 80))
			return err
		})
		return errors.Join(err, w.Flush())
	})
}

func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

// shownDelivery is the JSON of `queue show`.
type shownDelivery struct {
	Delivery *store.Delivery `json:"delivery"`
	Message  *store.Message  `json:"message"`
	Attempts []store.Attempt `json:"attempts"`
}

// Show prints one delivery with its ledger.
func (k QueueCommands) Show(ctx context.Context, id string) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		key, err := store.ParseID(id)
		if err != nil {
			return exit(ExitUsage, err)
		}
		d, err := st.Delivery(ctx, key)
		if err != nil {
			return err
		}
		s := shownDelivery{Delivery: d}
		if s.Message, err = st.Message(ctx, d.Message); err != nil {
			return err
		}
		if s.Attempts, err = st.Attempts(ctx, d.ID); err != nil {
			return err
		}
		if k.JSON {
			return writeJSON(k.Stdout, s)
		}
		return s.write(k.Stdout, k.Language)
	})
}

func (s shownDelivery) write(w io.Writer, lang string) error {
	d, m := s.Delivery, s.Message
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintf(tw, "delivery\t%s\nstate\t%s\nmessage\t%s %s\nfrom\t%s\nsubject\t%s\nsize\t%d\nreceived\t%s by %s\n",
		d.ID, d.State, m.ID, m.MessageID, m.From, m.Subject, m.Size, m.ReceivedAt.Local().Format(time.RFC3339), m.Door)
	if m.OriginalFrom != "" {
		fmt.Fprintf(tw, "original from\t%s\n", m.OriginalFrom)
	}
	if d.State == store.Queued || d.State == store.Unverified {
		fmt.Fprintf(tw, "next\t%s\n", d.NextAt.Local().Format(time.RFC3339))
	}
	if d.Duplicate {
		fmt.Fprintf(tw, "note\tit may have gone out twice\n")
	}
	for _, r := range d.Recipients {
		fmt.Fprintf(tw, "to\t%s: %s", r.Address, r.State)
		if r.Error != nil {
			fmt.Fprintf(tw, ": %s %s", r.Error.Sentence.In(lang), r.Error.Remedy.In(lang))
		}
		fmt.Fprintln(tw)
	}
	for _, a := range s.Attempts {
		fmt.Fprintf(tw, "attempt %d\t%s %s on %s by %s: ", a.No, a.StartedAt.Local().Format("2006-01-02 15:04:05.000"), a.Kind, a.Lane, a.Node)
		switch {
		case a.EndedAt.IsZero():
			fmt.Fprintf(tw, "under way")
		default:
			fmt.Fprintf(tw, "%s %s", a.Class, a.EndedAt.Sub(a.StartedAt).Round(time.Millisecond))
		}
		if a.Verdict != "" {
			fmt.Fprintf(tw, " (%s)", a.Verdict)
		}
		if e := a.Error; e != nil {
			fmt.Fprintf(tw, " %s %s", e.Code, e.Sentence.In(lang))
			if r := e.Remedy.In(lang); r != "" {
				fmt.Fprintf(tw, " -> %s", r)
			}
		}
		if r := a.Receipt; r != nil {
			fmt.Fprintf(tw, " %s %d %s %s", r.Route, r.Status, r.ProviderID, r.RequestID)
		}
		fmt.Fprintln(tw)
	}
	return tw.Flush()
}

// Act applies a verb (retry, cancel, hold, release) to the deliveries named, or to those of the filter.
func (k QueueCommands) Act(ctx context.Context, word string, ids []string, f QueueFilter, all bool) error {
	verb := store.Verb(word)
	if len(ids) == 0 && !all {
		return exit(ExitUsage, errors.New("name deliveries, or give --all with a filter"))
	}
	return withStore(ctx, k.Storage, func(st store.Store) error {
		chosen, err := choose(ctx, st, ids, f)
		if err != nil {
			return err
		}
		a := store.Action{Verb: verb, Now: time.Now()}
		if verb == store.DoRetry || verb == store.DoRelease {
			a.ExpiresAt = a.Now.Add(72 * time.Hour)
		}
		var sum store.ActionResult
		for part := range slices.Chunk(chosen, 1000) {
			a.Deliveries = part
			r, err := st.Act(ctx, a)
			if err != nil {
				return err
			}
			sum.Changed, sum.Skipped = sum.Changed+r.Changed, sum.Skipped+r.Skipped
		}
		if k.JSON {
			return writeJSON(k.Stdout, sum)
		}
		_, err = fmt.Fprintf(k.Stdout, "%s: %d changed, %d skipped\n", verb, sum.Changed, sum.Skipped)
		return err
	})
}

// choose gives the ids that were named, or those of the filter.
func choose(ctx context.Context, st store.Store, ids []string, f QueueFilter) ([]store.ID, error) {
	var out []store.ID
	for _, s := range ids {
		id, err := store.ParseID(s)
		if err != nil {
			return nil, exit(ExitUsage, err)
		}
		out = append(out, id)
	}
	if len(ids) > 0 {
		return out, nil
	}
	filter, err := f.filter(ctx, st)
	if err != nil {
		return nil, err
	}
	return out, each(ctx, st, filter, 0, func(e store.Entry) error {
		out = append(out, e.Delivery.ID)
		return nil
	})
}

// Stats prints the queue in numbers.
func (k QueueCommands) Stats(ctx context.Context) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		s, err := st.Stats(ctx, time.Now())
		if err != nil {
			return err
		}
		if k.JSON {
			return writeJSON(k.Stdout, s)
		}
		w := tabwriter.NewWriter(k.Stdout, 0, 4, 2, ' ', 0)
		for _, state := range store.States() {
			fmt.Fprintf(w, "%s\t%d\n", state, s.States[state])
		}
		fmt.Fprintf(w, "lanes\t%d\npaused lanes\t%d\nstored bytes\t%d\n", s.Lanes, s.Paused, s.BodyBytes)
		if !s.OldestDue.IsZero() {
			fmt.Fprintf(w, "oldest due\t%s\n", s.OldestDue.Local().Format(time.RFC3339))
		}
		return w.Flush()
	})
}

// Export writes each chosen delivery as ID.eml (the stored bytes, without
// hidden recipients) and ID.json (the record with its ledger) into dir.
func (k QueueCommands) Export(ctx context.Context, f QueueFilter, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return exit(ExitNoInput, err)
	}
	return withStore(ctx, k.Storage, func(st store.Store) error {
		filter, err := f.filter(ctx, st)
		if err != nil {
			return err
		}
		n, gone := 0, 0
		err = each(ctx, st, filter, 0, func(e store.Entry) error {
			attempts, err := st.Attempts(ctx, e.Delivery.ID)
			if err != nil {
				return err
			}
			name := filepath.Join(dir, e.Delivery.ID.String())
			doc, err := json.MarshalIndent(shownDelivery{&e.Delivery, &e.Message, attempts}, "", "  ")
			if err != nil {
				return err
			}
			if err := os.WriteFile(name+".json", doc, 0o600); err != nil {
				return err
			}
			n++
			err = exportContent(ctx, st, e.Message.ID, name+".eml")
			if errors.Is(err, store.ErrGone) || errors.Is(err, store.ErrCorrupt) {
				gone++
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(k.Stdout, "%d deliveries written to %s; of %d the message is no longer kept or damaged\n", n, dir, gone)
		return err
	})
}

func exportContent(ctx context.Context, st store.Store, id store.ID, name string) (err error) {
	content, err := st.Content(ctx, id)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	m, err := mime.Read(content, mime.Limits{})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, mime.NewReader(m.ForSMTP()))
	return errors.Join(err, f.Close())
}
