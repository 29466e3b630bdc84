package app

import (
	"context"
	"fmt"
	"time"

	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
)

// A shownLane is a lane with what counts against its daily budget now.
type shownLane struct {
	store.Lane
	UsedToday int `json:"used_today"` // recipients of the last 24 hours
}

func showLane(l *store.Lane, now time.Time) *shownLane {
	if l == nil {
		return nil
	}
	return &shownLane{*l, l.UsedToday(now)}
}

// budget is used and limit of a day.
func (l *shownLane) budget() string {
	switch {
	case l == nil:
		return "-"
	case l.Limits.RecipientsPerDay == 0:
		return fmt.Sprint(l.UsedToday)
	}
	return fmt.Sprintf("%d/%d", l.UsedToday, l.Limits.RecipientsPerDay)
}

// Lanes prints the mailboxes with their limits: what waits, what is under way,
// how much of the day's recipients is used, what is paused and why.
func (k QueueCommands) Lanes(ctx context.Context) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		lanes, err := registry.Lanes(ctx, st)
		if err != nil {
			return err
		}
		all, now := make([]*shownLane, len(lanes)), time.Now()
		for i := range lanes {
			all[i] = showLane(&lanes[i], now)
		}
		if k.JSON {
			return writeJSON(k.Stdout, all)
		}
		w := terminal.NewTable(k.Stdout, "LANE", "QUEUED", "SENDING", "RECIPIENTS TODAY", "STATE")
		for _, l := range all {
			w.Row(l.Key, l.Queued, l.InFlight, l.budget(), l.state(k.Language))
		}
		return w.Flush()
	})
}

func (l *shownLane) state(lang string) string {
	now := time.Now()
	switch {
	case !l.PausedUntil.After(now):
		if limit := l.Limits.RecipientsPerDay; limit > 0 && l.UsedToday >= limit {
			return "the day's recipients are used up"
		}
		return "ok"
	case l.PausedUntil.Before(store.Never()):
		return "paused until " + l.PausedUntil.Local().Format("2006-01-02 15:04:05") + ": " + l.Reason.In(lang)
	}
	return "paused until it is resumed: " + l.Reason.In(lang)
}
