package outbox

import (
	"context"
	"errors"
	"time"

	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
)

const deadlineBatch = 100

// deadlines ends deliveries after their time and warns senders of those that
// are late, also while their lane or connection is paused. Those that cannot be recorded
// stay first in line: the next look reads as many more, for what is behind them.
func (o *Outbox) deadlines(ctx context.Context) {
	failed := 0
	for {
		now := time.Now()
		batch := deadlineBatch + min(failed, 100*deadlineBatch)
		due, next, err := o.opt.Store.Deadlines(ctx, now, batch)
		if err != nil {
			if pause.For(ctx, 5*time.Second) != nil {
				return
			}
			continue
		}
		failed = 0
		for i := range due {
			if err := o.deadline(ctx, now, &due[i]); err != nil && !errors.Is(err, store.ErrConflict) {
				failed++
				if ctx.Err() == nil {
					o.opt.Log.Warn("a deadline cannot be recorded now", "delivery", due[i].ID.String(), "err", err)
				}
			}
		}
		wait := idle
		switch {
		case len(due) == batch && failed < batch:
			continue
		case failed > 0:
			wait = 5 * time.Second
		case !next.IsZero():
			wait = min(max(time.Until(next), 10*time.Millisecond), idle)
		}
		if pause.For(ctx, wait) != nil {
			return
		}
	}
}

func (o *Outbox) deadline(ctx context.Context, now time.Time, d *store.Delivery) error {
	m, err := o.opt.Store.Message(ctx, d.Message)
	if err != nil {
		return err
	}
	conn, err := o.conns.ByID(ctx, d.Route.Connection)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	unknown := d.MayBeSent() // then it has neither failed nor not left
	if !d.ExpiresAt.After(now) && !unknown {
		f, err := o.complete(ctx, store.Lease{}, d, m, conn, expired(now, d))
		if err != nil {
			return err
		}
		f.Transition.Delivery, f.Transition.Epoch = d.ID, d.Epoch
		return o.opt.Store.Transition(ctx, f.Transition)
	}
	var late []store.Recipient
	for _, r := range d.Recipients {
		if r.State == store.Pending {
			late = append(late, r)
		}
	}
	kind := reportDelayed
	transition := store.Transition{Delivery: d.ID, Epoch: d.Epoch, Now: now, State: d.State, NextAt: d.NextAt, Progress: d.Progress,
		Warned: true}
	if unknown {
		kind, transition.Progress.SenderNotified = reportUnknown, true
	}
	if err := o.tell(ctx, &transition, d, m, conn, kind, late); err != nil {
		return err
	}
	return o.opt.Store.Transition(ctx, transition)
}
