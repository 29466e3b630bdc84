package sqlite

import (
	"context"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// ChangeLane implements store.Lanes.
func (s *Store) ChangeLane(ctx context.Context, now time.Time, key string, c store.LaneChange) error {
	now = store.Micro(now)
	return s.do(ctx, func(t *tx) error { return engine.ChangeLane(t, now, key, c) })
}
