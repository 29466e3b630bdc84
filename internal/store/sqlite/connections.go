package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
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
		return t.recompute(now, out.ID, &limits)
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
		return t.recompute(now, id, nil)
	})
}

// ChangeConnection implements store.Connections.
func (s *Store) ChangeConnection(ctx context.Context, now time.Time, id string, c store.ConnectionChange) error {
	now = store.Micro(now)
	return s.do(ctx, func(t *tx) error { return t.changeConnection(now, id, c) })
}

func (t *tx) changeConnection(now time.Time, id string, c store.ConnectionChange) error {
	var doc []byte
	err := t.row(`SELECT doc FROM connection_states WHERE connection = ?`, []any{id}, &doc)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	st := store.DecodeState(id, doc)
	before := st.PausedUntil
	st.Change(now, c)
	if doc, err = json.Marshal(st); err != nil {
		return err
	}
	if err := t.exec(`INSERT OR REPLACE INTO connection_states (connection, paused_until, doc) VALUES (?, ?, ?)`,
		id, engine.Micros(st.PausedUntil), string(doc)); err != nil {
		return err
	}
	if st.PausedUntil.Equal(before) {
		return nil
	}
	return t.recompute(now, id, nil)
}
