package postgres

import (
	"context"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// ChangeLane implements store.Lanes.
func (s *Store) ChangeLane(ctx context.Context, now time.Time, key string, c store.LaneChange) error {
	now = store.Micro(now)
	return s.do(ctx, func(n *needs) { n.lanes = append(n.lanes, key) }, func(_ context.Context, t *tx) error {
		l := t.keys[key]
		if l == nil {
			return errMissing
		}
		t.changeLane(now, l, c)
		return nil
	})
}

func (t *tx) changeLane(now time.Time, l *lane, c store.LaneChange) {
	l.Change(c)
	l.Now = now
	t.ungate(l)
}
