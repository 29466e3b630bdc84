package sqlite

import (
	"context"
	"time"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// PutConnection implements store.Connections.
func (s *Store) PutConnection(ctx context.Context, now time.Time, c *gateway.Connection) (out *gateway.Connection, err error) {
	now = store.Micro(now)
	err = s.do(ctx, func(t *tx) error {
		out = c.Clone()
		if out.ID == "" {
			out.ID = store.NewID().String()
		}
		if err := s.WriteConnection(recordsTx{t}, out); err != nil {
			return err
		}
		limits := out.EffectiveLimits()
		return engine.HoldConnection(t, now, out.ID, &engine.ConnectionHold{Inactive: !out.IsActive()}, &limits)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DeleteConnection implements store.Connections.
func (s *Store) DeleteConnection(ctx context.Context, now time.Time, id string) error {
	now = store.Micro(now)
	return s.do(ctx, func(t *tx) error {
		if err := s.RemoveConnection(recordsTx{t}, id); err != nil {
			return err
		}
		return engine.HoldConnection(t, now, id, nil, nil)
	})
}

// ChangeConnection implements store.Connections.
func (s *Store) ChangeConnection(ctx context.Context, now time.Time, id string, c store.ConnectionChange) error {
	now = store.Micro(now)
	return s.do(ctx, func(t *tx) error { return engine.ChangeConnection(t, now, id, c) })
}
