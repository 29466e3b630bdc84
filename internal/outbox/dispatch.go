package outbox

import (
	"context"
	"errors"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// claimBatch bounds one claim, so that one transaction stays short.
const claimBatch = 64

// idle bounds a sleep, should a wake-up get lost.
const idle = 30 * time.Second

// dispatch claims what is due and starts it, until ctx ends.
func (o *Outbox) dispatch(ctx context.Context) {
	for ctx.Err() == nil {
		free := min(o.opt.Workers-int(o.inFlight.Load()), claimBatch)
		if free <= 0 {
			if !o.wait(ctx, idle) {
				return
			}
			continue
		}
		if o.unwritten.Load() > 0 || o.node.over() {
			// finish writes the outcome, heartbeats registers anew; both nudge.
			if !o.wait(ctx, time.Second) {
				return
			}
			continue
		}
		claimed, err := o.opt.Store.Claim(ctx, store.ClaimRequest{Node: o.node.current(), Now: time.Now(), Max: free})
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, store.ErrNodeLost) {
				o.opt.Log.Warn("nothing can be claimed", "err", err)
			}
			if !o.wait(ctx, time.Second) {
				return
			}
			continue
		}
		for _, c := range claimed {
			o.inFlight.Add(1)
			o.working.Go(func() {
				defer func() {
					o.inFlight.Add(-1)
					o.nudge()
				}()
				o.work(c)
			})
		}
		if len(claimed) == free {
			continue
		}
		if !o.wait(ctx, o.nextDue(ctx)) {
			return
		}
	}
}

func (o *Outbox) nextDue(ctx context.Context) time.Duration {
	now := time.Now()
	next, err := o.opt.Store.NextDue(ctx, now)
	if err != nil || next.IsZero() {
		return idle
	}
	// Something due that Claim did not give waits for a lane: its slot nudges.
	return min(max(next.Sub(now), 50*time.Millisecond), idle)
}

// wait sleeps until something may have become due.
func (o *Outbox) wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-o.kick:
	case <-o.opt.Store.Wake():
	case <-t.C:
	}
	return true
}
