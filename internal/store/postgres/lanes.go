package postgres

import (
	"context"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

const laneQuery = `SELECT ` + laneColumns + `, (SELECT coalesce(sum(queued), 0)::bigint FROM flows WHERE lane = lanes.id),
	(SELECT coalesce(min(due_at), 0) FROM flows WHERE lane = lanes.id AND queued > 0) FROM lanes`

func scanLaneRecord(sc scan) (*store.Lane, error) {
	var queued int
	var due int64
	l, err := scanLane(func(dst ...any) error { return sc(append(dst, &queued, &due)...) })
	if err != nil {
		return nil, err
	}
	l.Queued, l.NextAt = queued, engine.At(due)
	return &l.Lane, nil
}

// Lane implements store.Lanes.
func (s *Store) Lane(ctx context.Context, key string) (*store.Lane, error) {
	out, err := s.lanes(ctx, laneQuery+` WHERE key = $1`, key)
	if err == nil && len(out) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &out[0], nil
}

// Lanes implements store.Lanes.
func (s *Store) Lanes(ctx context.Context, after string, limit int) ([]store.Lane, error) {
	return s.lanes(ctx, laneQuery+` WHERE key > $1 ORDER BY key LIMIT $2`, after, limit)
}

func (s *Store) lanes(ctx context.Context, q string, args ...any) (out []store.Lane, err error) {
	err = s.list(ctx, q, args, func() { out = nil }, func(sc scan) error {
		l, err := scanLaneRecord(sc)
		if err == nil {
			out = append(out, *l)
		}
		return err
	})
	return out, err
}

// Waiting implements store.Lanes.
func (s *Store) Waiting(ctx context.Context) (out []store.Waiting, err error) {
	err = s.list(ctx, `SELECT `+laneColumns+`, n, due, connection FROM (SELECT lane, connection, sum(queued)::bigint AS n, min(due_at) AS due FROM flows WHERE queued > 0
		GROUP BY lane, connection) w JOIN lanes ON lanes.id = w.lane`, nil, func() { out = nil }, func(sc scan) error {
		var w store.Waiting
		l, err := scanLaneRecord(func(dst ...any) error { return sc(append(dst, &w.Connection)...) })
		if err == nil {
			w.Lane = *l
			out = append(out, w)
		}
		return err
	})
	return out, err
}

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
	l.now = now
	t.ungate(l)
}
