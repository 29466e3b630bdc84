package sqlite

import (
	"context"
	"errors"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

const laneQuery = `SELECT ` + laneColumns + `, (SELECT coalesce(sum(queued), 0) FROM flows WHERE lane = lanes.id),
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
func (s *Store) Lane(ctx context.Context, key string) (out *store.Lane, err error) {
	err = s.list(ctx, laneQuery+` WHERE key = ?`, []any{key}, func(sc scan) (err error) {
		out, err = scanLaneRecord(sc)
		return err
	})
	if err == nil && out == nil {
		err = store.ErrNotFound
	}
	return out, err
}

// Lanes implements store.Lanes.
func (s *Store) Lanes(ctx context.Context, after string, limit int) (out []store.Lane, err error) {
	err = s.list(ctx, laneQuery+` WHERE key > ? ORDER BY key LIMIT ?`, []any{after, limit}, func(sc scan) error {
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
	err = s.list(ctx, `SELECT `+laneColumns+`, n, due, connection FROM (SELECT lane, connection, sum(queued) AS n, min(due_at) AS due FROM flows WHERE queued > 0
		GROUP BY lane, connection) JOIN lanes ON lanes.id = lane`, nil, func(sc scan) error {
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
	l.now = now
	t.ungate(l)
	t.writes++ // flush will write
	return nil
}
