package app

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/view"
)

// CSV is a table for spreadsheets, which the audit trail alone has.
const CSV Format = JSONL + 1

// ByCommand names the user of the machine who runs a command as the one who makes
// its changes; command is its words, without what they name.
func ByCommand(ctx context.Context, command string) context.Context {
	a := store.Actor{Kind: store.ActorUser, Via: store.ViaCommand, Program: "postino " + command}
	if u, err := user.Current(); err == nil {
		a.ID, a.Name = u.Uid, u.Username
	}
	return store.WithActor(ctx, a)
}

// AuditChoice is what the flags choose of the audit trail.
type AuditChoice struct {
	Since                time.Duration
	Person, Kind, Object string
	Limit                int // 0: all
}

// Audit prints the audit trail, the newest entries first.
func (k PeopleCommands) Audit(ctx context.Context, c AuditChoice) error {
	if err := oneOf(c.Kind, store.AuditKinds()...); err != nil {
		return err
	}
	return withStore(ctx, k.Storage, func(st store.Store) error {
		r := store.AuditRequest{Limit: 1000, AuditFilter: store.AuditFilter{Person: c.Person, Kind: c.Kind, Object: c.Object}}
		if c.Since > 0 {
			r.Since = time.Now().Add(-c.Since)
		}
		if c.Person != "" {
			p, err := st.PersonByEmail(ctx, c.Person)
			switch {
			case err == nil:
				r.Person = p.ID
			case !errors.Is(err, store.ErrNotFound): // one that was removed is named by id
				return err
			}
		}
		left := c.Limit
		each := func(f func(*view.AuditEntry) error) error {
			for {
				page, err := st.AuditEntries(ctx, r)
				if err != nil {
					return err
				}
				for i := range page.Entries {
					if c.Limit > 0 && left == 0 {
						return nil
					}
					left--
					v := view.OfAuditEntry(&page.Entries[i])
					if err := f(&v); err != nil {
						return err
					}
				}
				if r.After = page.Next; r.After == 0 {
					return nil
				}
			}
		}
		switch k.Format {
		case JSON, JSONL:
			out := listWriter{w: k.Stdout, lines: k.Format == JSONL}
			err := out.end(each(func(e *view.AuditEntry) error { return out.add(e) }))
			return errors.Join(err, k.auditExported(ctx, st, &r, c.Limit-left))
		case CSV:
			err := writeCSV(k.Stdout, view.AuditColumns(), func(add func(tableRow) error) error {
				return each(func(e *view.AuditEntry) error { return add(e) })
			})
			return errors.Join(err, k.auditExported(ctx, st, &r, c.Limit-left))
		}
		w := terminal.NewTable(k.Stdout, headings(k.Language, text("cli.heading_time", "TIME"), text("cli.heading_who", "WHO"),
			text("cli.heading_from_where", "FROM WHERE"), text("cli.heading_what", "WHAT"), text("cli.heading_name", "NAME"),
			text("cli.heading_changes", "CHANGES"))...).Whole(0)
		err := each(func(e *view.AuditEntry) error {
			w.Row(terminal.Time(e.At), view.ActorLabel(&e.Actor).In(k.Language), clip(where(e), 40),
				view.ActionLabel(e.Action, e.Kind).In(k.Language), orObject(e), clip(changesText(e), 100))
			return nil
		})
		return errors.Join(err, w.Flush())
	})
}

// auditExported enters that the trail was written for other programs.
func (k PeopleCommands) auditExported(ctx context.Context, st store.Store, r *store.AuditRequest, count int) error {
	format := map[Format]string{JSON: "json", JSONL: "jsonl", CSV: "csv"}[k.Format]
	return st.AppendAudit(context.WithoutCancel(ctx), store.ExportEntry(store.KindAudit, count, format, store.AuditChosen(&r.AuditFilter)...))
}

func where(e *view.AuditEntry) string {
	return strings.TrimSpace(e.Actor.Address + " " + e.Actor.Program)
}

func orObject(e *view.AuditEntry) string {
	if e.Name != "" {
		return e.Name
	}
	return e.Object
}

// changesText is the changes on one line.
func changesText(e *view.AuditEntry) string {
	var out []string
	if e.Count > 0 {
		out = append(out, fmt.Sprintf("%d", e.Count))
	}
	for _, c := range e.Changes {
		out = append(out, fmt.Sprintf("%s: %s → %s", c.Field, valueText(c.Before), valueText(c.After)))
	}
	return strings.Join(out, "; ")
}

func valueText(v any) string {
	if v == nil {
		return "-"
	}
	return view.ValueText(v)
}
