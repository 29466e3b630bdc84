package app

import (
	"context"
	"errors"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/connections"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

// providers are the words for all of them.
func providers() []string {
	return []string{string(adapters.Graph), string(adapters.Gmail), string(adapters.SMTP)}
}

// List prints the connections that q chooses.
func (k ConnectionCommands) List(ctx context.Context, q connections.Query) error {
	if err := errors.Join(oneOf(q.State, connections.States()...), oneOf(q.Provider, providers()...)); err != nil {
		return err
	}
	return withStore(ctx, k.Storage, func(st store.Store) error {
		conns, err := st.Connections(ctx)
		if err != nil {
			return err
		}
		states, err := registry.States(ctx, st)
		if err != nil {
			return err
		}
		people, err := st.People(ctx)
		if err != nil {
			return err
		}
		q.Addresses = connections.AddressesOf(people)
		now := time.Now()
		q.After, q.Limit = "", 0
		conns, _ = q.Select(conns, states, now)
		statusOf, err := registry.Statuses(ctx, st, conns)
		if err != nil {
			return err
		}
		if k.JSON {
			all := make([]view.Connection, len(conns))
			for i, c := range conns {
				all[i] = view.OfConnection(c, statusOf(c), now, k.Language)
			}
			return writeJSON(k.Stdout, all)
		}
		w := terminal.NewTable(k.Stdout, headings(k.Language, text("cli.heading_name", "NAME"), text("cli.heading_provider", "PROVIDER"),
			text("cli.heading_from", "FROM"), text("cli.heading_active", "ACTIVE"), text("cli.heading_default", "DEFAULT"),
			text("cli.heading_recipients_today", "RECIPIENTS TODAY"), text("cli.heading_last_success", "LAST SUCCESS"),
			text("cli.heading_ends", "ENDS"),
			text("cli.heading_state", "STATE"))...).Whole(0, 6).Wrap()
		for _, c := range conns {
			status := statusOf(c)
			w.Row(c.Name, c.Provider, c.From, either(c.IsActive(), k.Language), view.DefaultLabel(c.Default).In(k.Language),
				budgetText(status.Lane, now), whenOrDash(status.Use.Sent),
				endText(view.EndingOf(c, &status.State, now), k.Language), stateOf(c, status.State, k.Language))
		}
		return w.Flush()
	})
}

// endText is when a credential ends, in days where that is soon.
func endText(e *view.Ending, lang string) string {
	switch {
	case e == nil:
		return "-"
	case e.Ended():
		return text("cli.credential_ended", "ended").In(lang)
	case !e.Soon():
		return e.Ends.UTC().Format(time.DateOnly)
	}
	return mime.NewCount("cli.credential_ends_in", e.DaysLeft, "in one day", "in {count} days").In(lang)
}
