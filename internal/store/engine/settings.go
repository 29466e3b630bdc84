package engine

import (
	"context"
	"errors"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

const setSetting = `INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`

// Setting implements store.Settings.
func (r Ports) Setting(ctx context.Context, name string) (v string, err error) {
	err = r.DB.Read(ctx, `SELECT value FROM settings WHERE name = $1`, []any{name}, &v)
	return v, err
}

// SetSetting implements store.Settings.
func (r Ports) SetSetting(ctx context.Context, name, value string) error {
	return r.DB.Do(ctx, func(t Tx) error {
		var before string
		if err := t.Row(`SELECT value FROM settings WHERE name = $1`, []any{name}, &before); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if _, err := t.Exec(setSetting, name, value); err != nil {
			return err
		}
		return enterSetting(ctx, t, name, before, value)
	})
}

// SettingOrSet implements store.Settings.
func (r Ports) SettingOrSet(ctx context.Context, name, value string) (string, error) {
	if err := r.exec(ctx, `INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING`, name, value); err != nil {
		return "", err
	}
	return r.Setting(ctx, name)
}

// Ping implements store.Store.
func (r Ports) Ping(ctx context.Context) error {
	return r.exec(ctx, setSetting, "ping", time.Now().UTC().Format(time.RFC3339Nano))
}

// exec runs one statement, a transaction of its own.
func (r Ports) exec(ctx context.Context, q string, args ...any) error {
	return r.DB.Do(ctx, func(t Tx) error {
		_, err := t.Exec(q, args...)
		return err
	})
}
