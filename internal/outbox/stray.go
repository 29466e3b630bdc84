package outbox

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
)

// held is what this process works on. A lease in the store that is not here
// keeps a slot of its lane for nothing: enough of them stop the lane.
type held struct {
	mu     sync.Mutex
	epochs map[store.ID]int64

	stray, taken atomic.Int64
}

func (h *held) add(claimed []store.Claimed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.epochs == nil {
		h.epochs = map[store.ID]int64{}
	}
	for _, c := range claimed {
		h.epochs[c.Lease.Delivery] = c.Lease.Epoch
	}
}

func (h *held) remove(l store.Lease) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.epochs[l.Delivery] == l.Epoch {
		delete(h.epochs, l.Delivery)
	}
}

func (h *held) has(l store.Lease) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	e, ok := h.epochs[l.Delivery]
	return ok && e == l.Epoch
}

// Strays is how many leases of this node, and of nodes that are gone, were found
// at the last check on which no process works; taken is how many were taken back
// since the start.
func (o *Outbox) Strays() (now, taken int64) { return o.held.stray.Load(), o.held.taken.Load() }

// strays looks for leases that no process works on until ctx ends. Whatever lost
// them, the deliveries are verified and go on.
func (o *Outbox) strays(ctx context.Context) {
	var seen map[store.Lease]bool
	for pause.For(ctx, o.opt.Lease/4) == nil {
		next, err := o.lookForStrays(ctx, time.Now(), seen)
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, store.ErrUnavailable) {
				o.opt.Log.Error("the check for abandoned leases failed", "err", err)
			}
			continue
		}
		seen = next
	}
}

// lookForStrays takes back what was a stray at the look before too: a claim
// with its answer on the way is in the store first.
func (o *Outbox) lookForStrays(ctx context.Context, now time.Time, seen map[store.Lease]bool) (map[store.Lease]bool, error) {
	all, err := o.opt.Store.Leases(ctx, o.node.current().Name, now.Add(-o.opt.Lease))
	if err != nil {
		return nil, err
	}
	next := map[store.Lease]bool{}
	var lost []store.Lease
	for _, l := range all {
		switch {
		case o.held.has(l):
		case seen[l]:
			lost = append(lost, l)
		default:
			next[l] = true
		}
	}
	o.held.stray.Store(int64(len(next) + len(lost)))
	if len(lost) == 0 {
		return next, nil
	}
	n, err := o.opt.Store.Abandon(ctx, now, lost)
	if err != nil {
		return nil, err
	}
	o.held.taken.Add(int64(n))
	o.opt.Log.Warn("took back deliveries that no process worked on; their outcome is verified", "count", n)
	o.nudge()
	return next, nil
}
