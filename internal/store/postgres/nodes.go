package postgres

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// Register implements store.Queue.
func (s *Store) Register(ctx context.Context, name string, now, until time.Time) (store.Node, int, error) {
	if err := s.compareClocks(ctx); err != nil {
		return store.Node{}, 0, err
	}
	return s.Ports.Register(ctx, name, now, until)
}

// A clock is this machine's, for the claims of several goroutines.
type clock struct {
	mu sync.Mutex
	store.Clock
}

// noteClock mends what a clock that was set back would keep from being done.
func (s *Store) noteClock(ctx context.Context, now, began time.Time) error {
	s.clock.mu.Lock()
	defer s.clock.mu.Unlock()
	next := s.clock.Clock
	if next.SetBack(now, began) {
		if err := s.ClockSetBack(ctx, now); err != nil {
			return err // the next claim finds it out again
		}
	}
	s.clock.Clock = next
	return nil
}

// Heartbeat implements store.Queue.
func (s *Store) Heartbeat(ctx context.Context, n store.Node, now, until time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, beat) // the next one may find a connection that is alive
	defer cancel()
	if err := s.Ports.Heartbeat(ctx, n, now, until); err != nil {
		if ctx.Err() != nil {
			s.pool.Reset() // connections as old as this one are as dead
		}
		return err
	}
	return s.compareClocks(ctx)
}

// beat is how long a heartbeat may take: a lease outlives one that is lost.
const beat = 4 * time.Second

// Leave implements store.Queue.
func (s *Store) Leave(ctx context.Context, n store.Node, now time.Time) error {
	if err := s.settleUncertain(ctx, store.Micro(now)); err != nil {
		return err
	}
	return s.Ports.Leave(ctx, n, now)
}

// LeasedBy implements engine.Work.
func (t unit) LeasedBy(nodes []string) (rows []*deliveryRow, err error) {
	for _, r := range t.deliveries {
		if r.D.State == store.Sending && slices.Contains(nodes, r.D.Node) {
			rows = append(rows, r)
		}
	}
	return rows, nil
}
