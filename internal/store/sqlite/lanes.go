package sqlite

import (
	"context"
	"errors"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

// ChangeLane implements store.Lanes.
func (s *Store) ChangeLane(ctx context.Context, now time.Time, key string, c store.LaneChange) error {
	now = store.Micro(now)
	return s.do(ctx, func(t *tx) error { return t.changeLane(now, key, c) })
}

func (t *tx) changeLane(now time.Time, key string, c store.LaneChange) error {
	l, err := t.lane(now, key, nil)
	if errors.Is(notFound(err), store.ErrNotFound) {
		l, err = t.lane(now, key, &adapters.LaneLimits{})
	}
	if err != nil {
		return err
	}
	l.Change(c)
	l.Now = now
	t.ungate(l)
	t.writes++ // flush will write
	return nil
}
