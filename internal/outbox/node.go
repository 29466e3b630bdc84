package outbox

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
)

// node is this process's right to work: valid until its heartbeat runs out.
// A process that was stopped for longer (SIGSTOP, a frozen machine) notices it
// here, before it sends.
type node struct {
	parent context.Context // of every right: ended by a stop after its grace time

	mu    sync.Mutex
	id    store.Node
	until time.Time       // by both clocks: a machine that sleeps stops the monotonic one, and the store goes by the wall
	ctx   context.Context // of all sends under this right
	end   context.CancelCauseFunc
	timer *time.Timer
}

var errLeaseOver = errors.New("the node's lease ran out")

// begin starts a right that lasts until the moment given.
func (n *node) begin(id store.Node, until time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.timer != nil {
		n.timer.Stop()
	}
	if n.end != nil {
		n.end(errLeaseOver)
	}
	n.id, n.until = id, until
	n.ctx, n.end = context.WithCancelCause(n.parent)
	end := n.end
	n.timer = time.AfterFunc(time.Until(until), func() { n.expire(end) })
}

// expire ends the sends in flight unless a heartbeat came in between.
func (n *node) expire(end context.CancelCauseFunc) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if left := time.Until(n.until); left > 0 {
		n.timer.Reset(left)
		return
	}
	end(errLeaseOver)
}

func (n *node) extend(until time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ctx.Err() == nil {
		n.until = until
	}
}

func (n *node) current() store.Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.id
}

// right returns the context of sends, and whether the node may begin one now.
func (n *node) right() (context.Context, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	return n.ctx, n.ctx.Err() == nil && now.Before(n.until) && now.Round(0).Before(n.until.Round(0))
}

func (n *node) over() bool {
	_, ok := n.right()
	return !ok
}

// register makes this process the node, waiting for a store that is not
// there yet.
func (o *Outbox) register(ctx context.Context) error {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		now := time.Now()
		id, reaped, err := o.opt.Store.Register(ctx, o.opt.Node, now, now.Add(o.opt.Lease))
		if err == nil {
			o.node.begin(id, now.Add(o.opt.Lease))
			if reaped > 0 {
				o.opt.Log.Info("took back deliveries of an earlier process; their outcome is verified", "count", reaped)
			}
			return nil
		}
		if !errors.Is(err, store.ErrUnavailable) {
			return err
		}
		o.opt.Log.Warn("the store is not available; trying again", "err", err)
		if pause.For(ctx, wait) != nil {
			return ctx.Err()
		}
	}
}

// heartbeats keeps the leases until ctx ends, and registers again when they
// were lost.
func (o *Outbox) heartbeats(ctx context.Context) {
	for pause.For(ctx, o.opt.Lease/4) == nil {
		now := time.Now()
		err := o.opt.Store.Heartbeat(ctx, o.node.current(), now, now.Add(o.opt.Lease))
		switch {
		case err == nil && !o.node.over():
			o.node.extend(now.Add(o.opt.Lease))
		case err == nil || errors.Is(err, store.ErrNodeLost):
			o.opt.Log.Warn("this node was silent for longer than its lease: what it had in flight is verified before it is sent again")
			if err := o.register(ctx); err == nil {
				o.nudge()
			}
		case ctx.Err() == nil:
			o.opt.Log.Warn("no heartbeat: the store is not available", "err", err)
		}
	}
}

// reaper takes back what dead nodes had.
func (o *Outbox) reaper(ctx context.Context) {
	for pause.For(ctx, o.opt.Lease/5) == nil {
		n, err := o.opt.Store.Reap(ctx, time.Now())
		if n > 0 {
			o.opt.Log.Warn("took over deliveries of a node that is gone; their outcome is verified", "count", n)
			o.nudge()
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrUnavailable) {
			o.opt.Log.Error("the check for dead nodes failed", "err", err)
		}
	}
}
