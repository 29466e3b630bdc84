package engine

import (
	"context"
	"sync"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// A Signal tells everybody who waits that something may be claimable or due
// earlier. The zero value is ready; it costs nothing while no one waits.
type Signal struct {
	mu sync.Mutex
	ch chan struct{} // closed by the next change; nil: no one asked for it
}

// Next is closed by the first change after this call. Who asks for it before
// looking into the database misses nothing.
func (g *Signal) Next() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ch == nil {
		g.ch = make(chan struct{})
	}
	return g.ch
}

// Awaited reports that someone waits.
func (g *Signal) Awaited() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ch != nil
}

// All wakes all who wait.
func (g *Signal) All() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ch != nil {
		close(g.ch)
		g.ch = nil
	}
}

// Claim implements store.Queue.
func (p Ports) Claim(ctx context.Context, r store.ClaimRequest) ([]store.Claimed, error) {
	if r.Max <= 0 {
		return nil, nil
	}
	r.Now = store.Micro(r.Now)
	w := &waiter{p: p, node: r.Node, from: r.Now, until: r.Now.Add(r.Wait), began: time.Now()}
	for {
		if r.Wait > 0 {
			w.changed = p.Changed.Next()
		}
		out, err := p.DB.Claim(ctx, r, w.began)
		if err != nil || len(out) > 0 || r.Wait <= 0 {
			return out, err
		}
		if ready, err := w.wait(ctx); err != nil || !ready {
			return nil, err
		}
		r.Now = w.now()
	}
}

// A waiter is a claim that found nothing. It holds no connection while it waits.
type waiter struct {
	p           Ports
	node        store.Node
	from, until time.Time // by the clock of the call
	began       time.Time
	changed     <-chan struct{}
	vain        int // claims in a row that found nothing, though something was ready
}

func (w *waiter) now() time.Time { return store.Micro(w.from.Add(time.Since(w.began))) }

// wait returns true when something may begin, and false when the time is over.
func (w *waiter) wait(ctx context.Context) (ready bool, err error) {
	for {
		next, err := w.look(ctx)
		if err != nil {
			return false, err
		}
		now := w.now()
		if !next.IsZero() && !next.After(now) {
			if w.vain++; w.vain > 1 { // others were faster, or are about to be
				Wait(ctx, time.Millisecond<<min(w.vain, 6))
			}
			return true, ctx.Err()
		}
		if !now.Before(w.until) {
			return false, nil
		}
		w.vain = 0
		if next.IsZero() || next.After(w.until) {
			next = w.until
		}
		t := time.NewTimer(next.Sub(now))
		select {
		case <-ctx.Done():
		case <-w.p.Stop:
			return false, ErrClosed()
		case <-w.changed:
			w.changed = w.p.Changed.Next()
		case <-t.C:
		}
		t.Stop()
		if err := ctx.Err(); err != nil {
			return false, err
		}
	}
}

// look asks when the first lane is ready, zero: never without a change, and
// whether the node is alive. It locks nothing, unlike a claim.
func (w *waiter) look(ctx context.Context) (next time.Time, err error) {
	var first int64
	var alive bool
	err = w.p.DB.Read(ctx, `SELECT (`+FirstReady+`), EXISTS (SELECT 1 FROM nodes WHERE name = $1 AND incarnation = $2)`,
		[]any{w.node.Name, w.node.Incarnation}, &first, &alive)
	switch {
	case err != nil:
		return time.Time{}, err
	case !alive:
		return time.Time{}, store.ErrNodeLost
	case first >= Never():
		return time.Time{}, nil
	}
	return At(first), nil
}

// FirstReady is one step into the index lanes_ready; 0: there are no lanes.
const FirstReady = `SELECT coalesce(min(ready_at), 0) FROM lanes`

// Wait waits d or until ctx ends.
func Wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
