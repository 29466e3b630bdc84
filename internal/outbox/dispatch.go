package outbox

import (
	"context"
	"errors"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// claimBatch bounds one claim, so that one transaction stays short.
const claimBatch = 64

// idle bounds a wait, should a wake-up get lost.
const idle = 30 * time.Second

// dispatchers is how many claim at once: while one starts what it was given,
// the other's claim takes part in the store's next transaction, so that what
// arrives there need not be queued first.
const dispatchers = 2

// dispatch claims what is due and starts it, until ctx ends.
func (o *Outbox) dispatch(ctx context.Context) {
	for ctx.Err() == nil {
		free := o.reserve()
		if free == 0 {
			o.wait(ctx, idle)
			continue
		}
		used := 0
		if o.unwritten.Load() > 0 || o.node.over() {
			// finish writes the outcome, heartbeats registers again; both nudge.
			o.wait(ctx, time.Second)
		} else {
			used = o.claim(ctx, free)
		}
		o.busy.Add(int64(used - free))
	}
}

// reserve takes room for deliveries, 0 when there is none.
func (o *Outbox) reserve() int {
	for {
		busy := o.busy.Load()
		free := min(int64(o.opt.Workers)-busy, claimBatch)
		if free <= 0 {
			return 0
		}
		if o.busy.CompareAndSwap(busy, busy+free) {
			return int(free)
		}
	}
}

// claim starts at most so many deliveries and returns how many.
func (o *Outbox) claim(ctx context.Context, most int) int {
	claimed, err := o.opt.Store.Claim(ctx, store.ClaimRequest{Node: o.node.current(), Now: time.Now(), Max: most, Wait: idle})
	if err != nil {
		if ctx.Err() == nil && !errors.Is(err, store.ErrNodeLost) {
			o.opt.Log.Warn("deliveries cannot be claimed", "err", err)
		}
		o.wait(ctx, time.Second)
		return 0
	}
	if ctx.Err() != nil { // the store had them in its hands when the stop came
		o.releaseAll(ctx, claimed)
		return 0
	}
	o.held.add(claimed)
	o.inFlight.Add(int64(len(claimed)))
	for _, c := range claimed {
		select {
		case o.jobs <- c:
		default:
			o.working.Go(func() { o.worker(ctx, c) })
		}
	}
	return len(claimed)
}

// releaseAll releases what was claimed and is not begun.
func (o *Outbox) releaseAll(ctx context.Context, claimed []store.Claimed) {
	if len(claimed) == 0 {
		return
	}
	leases := make([]store.Lease, len(claimed))
	for i, c := range claimed {
		leases[i] = c.Lease
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := o.opt.Store.Release(ctx, time.Now(), leases); err != nil {
		o.opt.Log.Warn("deliveries could not be released; they are verified at the next start", "count", len(leases), "err", err)
	}
}

// idleWorker is how long a worker waits for the next delivery: a goroutine that
// has grown its stack once is worth keeping while there is work.
const idleWorker = time.Second

// worker works on c and then on what else comes.
func (o *Outbox) worker(ctx context.Context, c store.Claimed) {
	t := time.NewTimer(idleWorker)
	defer t.Stop()
	for {
		o.work(c)
		o.held.remove(c.Lease)
		c = store.Claimed{}
		o.inFlight.Add(-1)
		o.busy.Add(-1)
		o.nudge()
		t.Reset(idleWorker)
		select {
		case c = <-o.jobs:
		case <-t.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// wait sleeps until a worker is free or d is over.
func (o *Outbox) wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-o.kick:
	case <-t.C:
	}
}
