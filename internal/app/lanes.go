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
		w := terminal.NewTable(k.Stdout, headings(k.Language, text("cli.heading_lane", "LANE"), text("cli.heading_queued", "QUEUED"),
			text("cli.heading_sending", "SENDING"), text("cli.heading_recipients_today", "RECIPIENTS TODAY"),
			text("cli.heading_state", "STATE"))...).
			Whole(0).Wrap()
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
		if until := l.UsedUpUntil(now); !until.IsZero() {
			return text("cli.day_used_up", "the day's recipients are used up until {time}", "time", terminal.Time(until)).In(lang)
		}
		if l.NoRoomUntil.After(now) && l.Queued > 0 {
			return text("cli.lane_no_room", "waits until {time}: before that the day's recipients leave no room for the message that is "+
				"first in line", "time", terminal.Time(l.NoRoomUntil)).In(lang)
		}
		return text("cli.ok", "ok").In(lang)
	case l.PausedUntil.Before(store.Never()):
		return text("cli.lane_paused_until", "paused until {time}: {reason}", "time", terminal.Time(l.PausedUntil), "reason",
			l.Reason).In(lang)
	}
	return text("cli.lane_paused", "paused until it is resumed: {reason}", "reason", l.Reason).In(lang)
}
