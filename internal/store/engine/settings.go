package engine

import (
	"context"
	"time"
)

const setSetting = `INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`

// Setting implements store.Settings.
func (r Ports) Setting(ctx context.Context, name string) (v string, err error) {
	err = r.DB.Read(ctx, `SELECT value FROM settings WHERE name = $1`, []any{name}, &v)
	return v, err
}

// SetSetting implements store.Settings.
func (r Ports) SetSetting(ctx context.Context, name, value string) error {
	return r.exec(ctx, setSetting, name, value)
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
	return r.SetSetting(ctx, "ping", time.Now().UTC().Format(time.RFC3339Nano))
}

// exec runs one statement, a transaction of its own.
func (r Ports) exec(ctx context.Context, q string, args ...any) error {
	return r.DB.Do(ctx, func(t Tx) error {
		_, err := t.Exec(q, args...)
		return err
	})
}
