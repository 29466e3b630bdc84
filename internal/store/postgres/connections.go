package postgres

import (
	"context"
	"time"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// allConnections is the lock of those who put or delete one.
const allConnections = "connections"

// PutConnection implements store.Connections.
func (s *Store) PutConnection(ctx context.Context, now time.Time, c *gateway.Connection) (out *gateway.Connection, err error) {
	now = store.Micro(now)
	in := c.Clone()
	if in.ID == "" {
		in.ID = store.NewID().String()
	}
	err = s.edit(s.doByItself(ctx, func(n *needs) {
		n.names = append(n.names, allConnections)
		n.gate(in.ID)
	}, func(ctx context.Context, t *tx) error {
		out = in.Clone()
		if err := s.WriteConnection(recordsTx{ctx, t.conn}, out); err != nil {
			return err
		}
		limits := out.EffectiveLimits()
		return engine.HoldConnection(unit{ctx, t}, now, out.ID, &engine.ConnectionHold{Inactive: !out.IsActive()}, &limits)
	}))
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DeleteConnection implements store.Connections. The lanes of its subqueues are
// locked while it looks whether they are empty.
func (s *Store) DeleteConnection(ctx context.Context, now time.Time, id string) error {
	now = store.Micro(now)
	return s.edit(s.doByItself(ctx, func(n *needs) {
		n.names = append(n.names, allConnections)
		n.gate(id)
	}, func(ctx context.Context, t *tx) error {
		if err := s.RemoveConnection(recordsTx{ctx, t.conn}, id); err != nil {
			return err
		}
		// What still names it is the outbox's to hold.
		return engine.HoldConnection(unit{ctx, t}, now, id, nil, nil)
	}))
}

// ChangeConnection implements store.Connections.
func (s *Store) ChangeConnection(ctx context.Context, now time.Time, id string, c store.ConnectionChange) error {
	now = store.Micro(now)
	return s.do(ctx, func(n *needs) { n.gate(id) }, func(ctx context.Context, t *tx) error {
		return engine.ChangeConnection(unit{ctx, t}, now, id, c)
	})
}
