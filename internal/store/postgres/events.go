package postgres

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/postino-mail/postino/internal/store"
)

// AppendEvents implements store.Events.
func (s *Store) AppendEvents(ctx context.Context, ev ...store.NewEvent) error {
	return s.do(ctx, nil, func(_ context.Context, t *tx) error {
		t.events = append(t.events, ev...)
		return nil
	})
}

// Events implements store.Events.
func (s *Store) Events(ctx context.Context, after int64, limit int, client string, types []string) (out []store.Event, err error) {
	w := &where{}
	w.and("seq > %s", after)
	if client != "" {
		w.and("client = %s", client)
	}
	if len(types) > 0 {
		w.and("type = ANY(%s)", types)
	}
	w.args = append(w.args, limit)
	err = s.list(ctx, `SELECT seq, type, at, client, message, delivery, data FROM events`+w.String()+` ORDER BY seq LIMIT $`+strconv.Itoa(len(w.args)), w.args, func() { out = nil }, func(sc scan) error {
		var e store.Event
		var when int64
		var data string
		if err := sc(&e.Seq, &e.Type, &when, &e.Client, (*[16]byte)(&e.Message), (*[16]byte)(&e.Delivery), &data); err != nil {
			return dbErr(err)
		}
		e.At = at(when)
		if data != "" {
			e.Data = json.RawMessage(data)
		}
		out = append(out, e)
		return nil
	})
	return out, err
}

// LastEvent implements store.Events.
func (s *Store) LastEvent(ctx context.Context) (seq int64, err error) {
	err = s.read(ctx, `SELECT last FROM event_seq`, nil, &seq)
	return seq, err
}

// Setting implements store.Settings.
func (s *Store) Setting(ctx context.Context, name string) (v string, err error) {
	err = s.read(ctx, `SELECT value FROM settings WHERE name = $1`, []any{name}, &v)
	return v, err
}

// SetSetting implements store.Settings.
func (s *Store) SetSetting(ctx context.Context, name, value string) error {
	return s.exec(ctx, `INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2`, name, value)
}

// SettingOrSet implements store.Settings.
func (s *Store) SettingOrSet(ctx context.Context, name, value string) (string, error) {
	if err := s.exec(ctx, `INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING`, name, value); err != nil {
		return "", err
	}
	return s.Setting(ctx, name)
}
