package app

import (
	"context"
	"fmt"
	"time"

	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/view"
)

// budgetText is used and limit of a lane's day; "-" for no lane.
func budgetText(l *store.Lane, now time.Time) string {
	switch {
	case l == nil:
		return "-"
	case l.Limits.RecipientsPerDay == 0:
		return fmt.Sprint(l.UsedToday(now))
	}
	return fmt.Sprintf("%d/%d", l.UsedToday(now), l.Limits.RecipientsPerDay)
}

// Lanes prints the mailboxes with their limits: what waits, what is under way,
// how much of the day's recipients is used, what is paused and why.
func (k QueueCommands) Lanes(ctx context.Context) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		lanes, err := registry.Lanes(ctx, st)
		if err != nil {
			return err
		}
		now := time.Now()
		if k.Format != Text {
			all := make([]view.Lane, len(lanes))
			for i := range lanes {
				all[i] = view.OfLane(&lanes[i], now, k.Language)
			}
			return writeJSON(k.Stdout, all)
		}
		w := terminal.NewTable(k.Stdout, "LANE", "QUEUED", "SENDING", "RECIPIENTS TODAY", "STATE")
		for i := range lanes {
			l := &lanes[i]
			w.Row(l.Key, l.Queued, l.InFlight, budgetText(l, now), laneState(l, now, k.Language))
		}
		return w.Flush()
	})
}

func laneState(l *store.Lane, now time.Time, lang string) string {
	switch {
	case !l.PausedUntil.After(now):
		if limit := l.Limits.RecipientsPerDay; limit > 0 && l.UsedToday(now) >= limit {
			return "the day's recipients are used up"
		}
		return "ok"
	case l.PausedUntil.Before(store.Never()):
		return "paused until " + l.PausedUntil.Local().Format("2006-01-02 15:04:05") + ": " + l.Reason.In(lang)
	}
	return "paused until it is resumed: " + l.Reason.In(lang)
}
