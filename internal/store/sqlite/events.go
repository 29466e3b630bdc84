package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"github.com/postino-mail/postino/internal/store"
)

// events has ev written with the transaction.
func (t *tx) events(ev []store.NewEvent) error {
	if len(ev) > 0 {
		t.writes++
		t.news = append(t.news, ev...)
	}
	return nil
}

// eventRows is how many events one statement writes.
const eventRows = 16

// writeEvents writes the events of all ops, several with one statement.
func (t *tx) writeEvents() error {
	for ev := range slices.Chunk(t.news, eventRows) {
		args := make([]any, 0, 6*eventRows)
		for _, e := range ev {
			args = append(args, e.Type, us(e.At), e.Client, e.Message, e.Delivery, string(e.Data))
		}
		if err := t.exec(`INSERT INTO events (type, at, client, message, delivery, data) VALUES (?, ?, ?, ?, ?, ?)`+
			strings.Repeat(`, (?, ?, ?, ?, ?, ?)`, len(ev)-1), args...); err != nil {
			return err
		}
	}
	t.news = nil
	return nil
}

// AppendEvents implements store.Events.
func (s *Store) AppendEvents(ctx context.Context, ev ...store.NewEvent) error {
	return s.do(ctx, func(t *tx) error { return t.events(ev) })
}

// Events implements store.Events.
func (s *Store) Events(ctx context.Context, after int64, limit int, client string, types []string) (out []store.Event, err error) {
	q, args := `SELECT seq, type, at, client, message, delivery, data FROM events WHERE seq > ?`, []any{after}
	if client != "" {
		q, args = q+` AND client = ?`, append(args, client)
	}
	if len(types) > 0 {
		q += ` AND type IN (?` + strings.Repeat(`, ?`, len(types)-1) + `)`
		for _, ty := range types {
			args = append(args, ty)
		}
	}
	err = s.list(ctx, q+` ORDER BY seq LIMIT ?`, append(args, limit), func(sc scan) error {
		var e store.Event
		var when int64
		var data []byte
		if err := sc(&e.Seq, &e.Type, &when, &e.Client, &e.Message, &e.Delivery, &data); err != nil {
			return dbErr(err)
		}
		e.At = at(when)
		if len(data) > 0 {
			e.Data = data
		}
		out = append(out, e)
		return nil
	})
	return out, err
}

// LastEvent implements store.Events.
func (s *Store) LastEvent(ctx context.Context) (seq int64, err error) {
	err = s.read(ctx, `SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'`, nil, &seq)
	return seq, err
}

// Setting implements store.Settings.
func (s *Store) Setting(ctx context.Context, name string) (v string, err error) {
	err = s.read(ctx, `SELECT value FROM settings WHERE name = ?`, []any{name}, &v)
	return v, err
}

// SetSetting implements store.Settings.
func (s *Store) SetSetting(ctx context.Context, name, value string) error {
	return s.do(ctx, func(t *tx) error {
		return t.exec(`INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)`, name, value)
	})
}

// SettingOrSet implements store.Settings.
func (s *Store) SettingOrSet(ctx context.Context, name, value string) (v string, err error) {
	err = s.do(ctx, func(t *tx) error {
		err := t.row(`SELECT value FROM settings WHERE name = ?`, []any{name}, &v)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		v = value
		return t.exec(`INSERT INTO settings (name, value) VALUES (?, ?)`, name, value)
	})
	return v, err
}
