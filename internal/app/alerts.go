package app

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/internal/watch"
)

// AlertCommands are the jobs of `postino alerts`.
type AlertCommands struct {
	Storage  Storage
	JSON     bool
	Language string
	Stdout   io.Writer
}

// List prints the alerts that stand, or all of the last 30 days.
func (k AlertCommands) List(ctx context.Context, all bool) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		list, err := st.Alerts(ctx)
		if err != nil {
			return err
		}
		watch.Sort(list)
		now := time.Now()
		shown := []view.Alert{}
		for i := range list {
			if all || list[i].Open() {
				shown = append(shown, view.OfAlert(&list[i], now, k.Language))
			}
		}
		if k.JSON {
			return writeJSON(k.Stdout, shown)
		}
		if len(shown) == 0 {
			_, err := fmt.Fprintln(k.Stdout, text("cli.no_alerts", "No alert stands.").In(k.Language))
			return err
		}
		w := terminal.NewTable(k.Stdout, headings(k.Language, text("cli.heading_since", "SINCE"), text("cli.heading_days", "DAYS LEFT"),
			text("cli.heading_resolved", "RESOLVED"), text("cli.heading_what", "WHAT"))...).Wrap()
		for _, a := range shown {
			w.Row(a.Since.Local().Format(time.DateOnly), daysLeft(a), resolvedOn(a), withHint(a.Message, a.Hint))
		}
		return w.Flush()
	})
}

func daysLeft(a view.Alert) string {
	if a.DaysLeft == nil {
		return "-"
	}
	return fmt.Sprint(*a.DaysLeft)
}

func resolvedOn(a view.Alert) string {
	if a.ResolvedAt.IsZero() {
		return "-"
	}
	return a.ResolvedAt.Local().Format(time.DateOnly)
}

func withHint(message, hint string) string {
	if hint == "" {
		return message
	}
	return message + " -> " + hint
}
