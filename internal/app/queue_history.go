package app

import (
	"context"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/view"
)

// History prints what happened in so many hours, of one connection or of all.
func (k QueueCommands) History(ctx context.Context, hours int, connection string) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		now := time.Now()
		r := store.HistoryRequest{Since: store.HoursBack(now, hours)}
		if connection != "" {
			id, err := named(ctx, st, connection)
			if err != nil {
				return err
			}
			r.Connections = []string{id}
		}
		found, err := st.Hours(ctx, r)
		if err != nil {
			return err
		}
		waiting, err := st.OnTheirWay(ctx, r.Connections)
		if err != nil {
			return err
		}
		o := view.OfHistory(found, waiting, r.Since, now)
		if k.Format != Text {
			return writeJSON(k.Stdout, o)
		}
		return k.hours(&o)
	})
}

// hours prints the table of an overview, with its sum.
func (k QueueCommands) hours(o *view.Overview) error {
	w := terminal.NewTable(k.Stdout, headings(k.Language, text("cli.heading_hour", "HOUR"), text("cli.heading_accepted", "ACCEPTED"),
		text("cli.heading_sent", "SENT"), text("cli.heading_waiting", "WAITING"), text("cli.heading_delayed", "DELAYED"),
		text("cli.heading_throttled", "THROTTLED"), text("cli.heading_held", "HELD"), text("cli.heading_failed", "FAILED"),
		text("cli.heading_expired", "EXPIRED"), text("cli.heading_cancelled", "CANCELLED"))...).Whole(0)
	row := func(name string, c view.Counts, waiting int64) {
		w.Row(name, c.Accepted, c.Sent, waiting, c.Delayed, c.Throttled, c.Held, c.Failed, c.Expired, c.Cancelled)
	}
	for i := range o.Hours {
		h := &o.Hours[i]
		row(terminal.Time(h.Hour), h.Counts, *h.Waiting)
	}
	row(text("cli.total", "total").In(k.Language), o.Total, o.Waiting)
	return w.Flush()
}
