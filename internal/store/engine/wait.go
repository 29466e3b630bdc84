package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
)

// A Signal tells the claims that wait that something may be claimable or due
// earlier. A driver may also take them, and run them in the transaction that makes
// it so. The zero value is ready; it costs little while no one waits.
type Signal struct {
	mu      sync.Mutex
	changes int64
	waiting []*Waiter
}

// Awaited reports that someone waits.
func (g *Signal) Awaited() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.waiting) > 0
}

// All has all who wait look for themselves.
func (g *Signal) All() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.changes++
	for _, w := range g.waiting {
		w.wakeUp()
	}
}

// Take takes those who wait out: Back is called for each.
func (g *Signal) Take() (out []*Waiter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	out, g.waiting = g.waiting, nil
	return out
}

// Back ends what Take began. rows are what w has claimed, durable by now. Without
// any it waits on, and looks for itself when something is due before it means to.
func (g *Signal) Back(w *Waiter, rows []*ClaimedRow, due int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(rows) > 0 || w.leaving {
		w.claimed <- rows
		return
	}
	g.waiting = append(g.waiting, w)
	if due < w.alarm {
		w.wakeUp()
	}
}

// Enter has w, which found nothing by DB.Claim, wait until alarm: a driver that
// calls it before it answers leaves no moment in which w could miss something.
func (g *Signal) Enter(w *Waiter, alarm time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.enter(w, alarm)
}

func (g *Signal) enter(w *Waiter, alarm time.Time) {
	if alarm.After(w.until) {
		alarm = w.until
	}
	w.alarm, w.entered, w.leaving = Micros(alarm), true, false
	select {
	case <-w.wake: // an earlier one
	default:
	}
	g.waiting = append(g.waiting, w)
}

// seen is for enterSince.
func (g *Signal) seen() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.changes
}

// enterSince is Enter unless something has changed since seen.
func (g *Signal) enterSince(w *Waiter, seen int64, alarm time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.changes == seen {
		g.enter(w, alarm)
	}
	return g.changes == seen
}

// leave returns what w has claimed meanwhile: a driver that has it is waited for,
// so that nothing is leased for no one.
func (g *Signal) leave(w *Waiter) []*ClaimedRow {
	g.mu.Lock()
	w.entered = false
	if i := slices.Index(g.waiting, w); i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
		g.mu.Unlock()
		return nil
	}
	w.leaving = true
	g.mu.Unlock()
	return <-w.claimed
}

// Claim implements store.Queue.
func (p Ports) Claim(ctx context.Context, r store.ClaimRequest) ([]store.Claimed, error) {
	if r.Max <= 0 {
		return nil, nil
	}
	r.Now = store.Micro(r.Now)
	w := &Waiter{p: p, request: r, until: r.Now.Add(r.Wait), Began: time.Now(), wake: make(chan struct{}, 1),
		claimed: make(chan []*ClaimedRow, 1)}
	for {
		out, err := p.DB.Claim(ctx, w)
		if err != nil || len(out) > 0 || r.Wait <= 0 {
			return out, err
		}
		rows, ready, err := w.wait(ctx)
		if len(rows) > 0 {
			return p.Decode(ctx, rows, w.now()), nil
		}
		if err != nil || !ready {
			return nil, err
		}
	}
}

// A Waiter is a claim, which waits when it finds nothing. It holds no connection
// meanwhile.
type Waiter struct {
	Began   time.Time
	p       Ports
	request store.ClaimRequest // as it was made at Began
	until   time.Time          // by the clock of the call
	vain    int                // claims in a row that found nothing, though something was ready

	wake    chan struct{}
	claimed chan []*ClaimedRow
	alarm   int64 // when it looks in any case
	entered bool  // it waits, or a driver has it
	leaving bool
}

// Request is what it asks for now.
func (w *Waiter) Request() store.ClaimRequest {
	r := w.request
	if r.Wait > 0 {
		r.Now = w.now()
	}
	return r
}

func (w *Waiter) now() time.Time { return store.Micro(w.request.Now.Add(time.Since(w.Began))) }

func (w *Waiter) wakeUp() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// wait returns true when something may begin, and false when the time is over;
// rows, when a driver has claimed them for it.
func (w *Waiter) wait(ctx context.Context) (rows []*ClaimedRow, ready bool, err error) {
	for {
		if !w.entered {
			if ready, err := w.prepare(ctx); !w.entered {
				return nil, ready, err
			}
		}
		t := time.NewTimer(At(w.alarm).Sub(w.now()))
		select {
		case <-ctx.Done():
		case <-w.p.Stop:
			err = ErrClosed()
		case <-w.wake:
		case <-t.C:
		case rows = <-w.claimed:
		}
		t.Stop()
		if len(rows) > 0 {
			w.entered = false
		} else {
			rows = w.p.Changed.leave(w)
		}
		if len(rows) > 0 {
			return rows, true, nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, false, err
		}
	}
}

// prepare enters w where nothing is ready. Else it returns true when something may
// be claimable, and false when the time is over.
func (w *Waiter) prepare(ctx context.Context) (ready bool, err error) {
	for !w.entered {
		seen := w.p.Changed.seen()
		next, err := w.look(ctx)
		if err != nil {
			return false, err
		}
		now := w.now()
		if !next.IsZero() && !next.After(now) {
			if w.vain++; w.vain > 1 { // others were faster, or are about to be
				pause.For(ctx, time.Millisecond<<min(w.vain, 6))
			}
			return true, ctx.Err()
		}
		if !now.Before(w.until) {
			return false, nil
		}
		w.vain = 0
		if next.IsZero() {
			next = w.until
		}
		w.p.Changed.enterSince(w, seen, next)
	}
	return false, nil
}

// look asks when the first lane is ready, zero: never without a change, and
// whether the node is alive. It locks nothing, unlike a claim.
func (w *Waiter) look(ctx context.Context) (next time.Time, err error) {
	var first int64
	var alive bool
	err = w.p.DB.Read(ctx, `SELECT (`+FirstReady+`), EXISTS (SELECT 1 FROM nodes WHERE name = $1 AND incarnation = $2)`,
		[]any{w.request.Node.Name, w.request.Node.Incarnation}, &first, &alive)
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
