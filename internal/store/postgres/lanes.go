package postgres

import (
	"context"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// ChangeLane implements store.Lanes.
func (s *Store) ChangeLane(ctx context.Context, now time.Time, key string, c store.LaneChange) error {
	now = store.Micro(now)
	return s.do(ctx, func(n *needs) { n.lanes = append(n.lanes, key) }, func(ctx context.Context, t *tx) error {
		return engine.ChangeLane(unit{ctx, t}, now, key, c)
	})
}
