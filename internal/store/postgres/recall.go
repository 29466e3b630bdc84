package postgres

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// recent keeps what this node claimed lately. A standby that was promoted may
// have forgotten the end of it, when the earlier primary did not wait for it: a
// delivery that is out, or on its way out, would wait there as if no one had
// touched it, and go out twice. Before this node claims anything from a new
// primary it gives such deliveries back as what they are: perhaps sent.
type recent struct {
	mu      sync.Mutex
	leases  map[store.ID]recentLease
	pruned  time.Time
	pending []recentLease // to be looked for at the new primary
	hold    time.Time     // claims wait until then, so that all nodes have looked
}

type recentLease struct {
	store.Lease
	kind  store.Kind
	since time.Time
	done  time.Time // when it was finished; zero: it is under way
}

const (
	// lag is how far a standby may be behind and still be promoted.
	lag = time.Minute
	// everybody is how long all nodes together need to look.
	everybody = time.Second
)

func (r *recent) claimed(rows []store.Claimed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.leases == nil {
		r.leases = map[store.ID]recentLease{}
	}
	for i := range rows {
		d := &rows[i].Delivery
		r.leases[d.ID] = recentLease{Lease: rows[i].Lease, kind: d.Kind, since: d.Since}
	}
	if now := time.Now(); now.Sub(r.pruned) > lag/4 {
		r.pruned = now
		maps.DeleteFunc(r.leases, func(_ store.ID, l recentLease) bool { return !l.done.IsZero() && now.Sub(l.done) > lag })
	}
}

// finished notes that the outcome of a lease is in the store, and released that
// its call never began.
func (r *recent) finished(id store.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l, ok := r.leases[id]; ok {
		l.done = time.Now()
		r.leases[id] = l
	}
}

func (r *recent) released(id store.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.leases, id)
}

// moved is called when another server is the primary.
func (r *recent) moved(before identity) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending = slices.Collect(maps.Values(r.leases))
	if !before.replicated() {
		r.hold = time.Now().Add(everybody)
	}
}

// recall restores, at a new primary, what that one has forgotten.
func (s *Store) recall(ctx context.Context, now time.Time) error {
	r := &s.recent
	r.mu.Lock()
	pending, hold := r.pending, r.hold
	r.mu.Unlock()
	n := 0
	for part := range slices.Chunk(pending, engine.BatchCalls) {
		back, err := s.recallSome(ctx, now, part)
		if err != nil {
			return err // the next claim begins again: what is given back already is skipped
		}
		n += back
	}
	if n > 0 {
		s.opt.Log.Warn("the new primary has forgotten deliveries that this node had in hand: they are verified before anything is sent again",
			"count", n)
	}
	pause.For(ctx, time.Until(hold))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hold.Equal(hold) { // and no other move came meanwhile
		r.pending = nil
	}
	return ctx.Err()
}

func (s *Store) recallSome(ctx context.Context, now time.Time, part []recentLease) (n int, err error) {
	need := engine.Needs{}
	for _, l := range part {
		need.Deliveries = append(need.Deliveries, l.Delivery)
	}
	err = s.work(ctx, need, func(w engine.Work) error {
		n = 0
		for _, l := range part {
			r, err := w.Delivery(l.Delivery)
			if err != nil || l.kind != store.Send || r.D.Epoch >= l.Epoch || r.D.State == store.Sending || r.D.State.Final() {
				continue // forgotten altogether, or as it should be
			}
			line := engine.AttemptRow{Subqueue: r.Subqueue}
			if err := engine.Save(w, now, r, func(d *store.Delivery) { line.Attempt = d.Recall(l.Lease, l.kind, l.since, now) }); err != nil {
				return err
			}
			if err := w.Attempt(r, line); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return n, err
}
