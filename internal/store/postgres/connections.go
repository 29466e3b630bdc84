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
		t.gates[out.ID] = &gate{inactive: !out.IsActive(), state: store.ConnectionState{Connection: out.ID}}
		limits := out.EffectiveLimits()
		return t.recompute(now, out.ID, &limits)
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
		t.gates[id] = &gate{} // what still names it is the outbox's to hold
		return t.recompute(now, id, nil)
	}))
}

// ChangeConnection implements store.Connections.
func (s *Store) ChangeConnection(ctx context.Context, now time.Time, id string, c store.ConnectionChange) error {
	now = store.Micro(now)
	return s.do(ctx, func(n *needs) { n.gate(id) }, func(_ context.Context, t *tx) error { return t.changeConnection(now, id, c) })
}

// changeConnection alters the state of a connection whose gate is loaded.
func (t *tx) changeConnection(now time.Time, id string, c store.ConnectionChange) error {
	g := t.gates[id]
	before := g.paused
	g.state.Change(now, c)
	g.paused = engine.Micros(g.state.PausedUntil)
	t.states = append(t.states, g.state)
	if g.paused == before {
		return nil
	}
	return t.recompute(now, id, nil)
}
