package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// A signal tells everybody who waits that something may be claimable or due
// earlier. The zero value is ready; it costs nothing while no one waits.
type signal struct {
	mu sync.Mutex
	ch chan struct{} // closed by the next change; nil: no one asked for it
}

// next is closed by the first change after this call. Who asks for it before
// looking into the database misses nothing.
func (g *signal) next() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ch == nil {
		g.ch = make(chan struct{})
	}
	return g.ch
}

// all wakes all who wait.
func (g *signal) all() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ch != nil {
		close(g.ch)
		g.ch = nil
	}
}

// Claim implements store.Queue.
func (s *Store) Claim(ctx context.Context, r store.ClaimRequest) ([]store.Claimed, error) {
	if r.Max <= 0 {
		return nil, nil
	}
	r.Now = store.Micro(r.Now)
	w := &waiter{s: s, node: r.Node, from: r.Now, until: r.Now.Add(r.Wait), began: time.Now()}
	for {
		w.changed = s.changed.next()
		out, err := s.claimNow(ctx, r, w.began)
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
	s           *Store
	node        store.Node
	from, until time.Time // by the clock of the call
	began       time.Time
	changed     <-chan struct{}
	vain        int // claims in a row that gave nothing, though something was ready
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
				wait(ctx, time.Millisecond<<min(w.vain, 6))
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
		case <-w.changed:
			w.changed = w.s.changed.next()
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
	err = w.s.reading(ctx, func(conn *pgxpool.Conn) error {
		return dbErr(conn.QueryRow(ctx, `SELECT (`+firstReady+`), EXISTS (SELECT FROM nodes WHERE name = $1 AND incarnation = $2)`,
			w.node.Name, w.node.Incarnation).Scan(&first, &alive))
	})
	switch {
	case err != nil:
		return time.Time{}, err
	case !alive:
		return time.Time{}, store.ErrNodeLost
	case first >= engine.Never():
		return time.Time{}, nil
	}
	return engine.At(first), nil
}

// firstReady is one step into the index lanes_ready; 0: there are no lanes.
const firstReady = `SELECT coalesce(min(ready_at), 0) FROM lanes`
