package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postino-mail/postino/internal/store"
)

// A table keeps records of one type as JSON, by id and by one unique key.
type table[T any] struct {
	name   string
	id     func(*T) *string
	rev    func(*T) *int64
	lookup func(*T) string
}

func clients() table[store.Client] {
	return table[store.Client]{"clients", func(c *store.Client) *string { return &c.ID }, func(c *store.Client) *int64 { return &c.Revision },
		func(c *store.Client) string { return fold(c.Name) }}
}

func apiKeys() table[store.APIKey] {
	return table[store.APIKey]{"api_keys", func(k *store.APIKey) *string { return &k.ID }, func(k *store.APIKey) *int64 { return &k.Revision },
		func(k *store.APIKey) string { return k.Hash }}
}

func webhooks() table[store.Webhook] {
	return table[store.Webhook]{"webhooks", func(w *store.Webhook) *string { return &w.ID }, func(w *store.Webhook) *int64 { return &w.Revision },
		func(w *store.Webhook) string { return w.ID }}
}

func (tb table[T]) get(ctx context.Context, s *Store, column, key string) (*T, error) {
	var doc string
	if err := s.read(ctx, `SELECT doc FROM `+tb.name+` WHERE `+column+` = $1`, []any{key}, &doc); err != nil {
		return nil, err
	}
	v := new(T)
	if err := json.Unmarshal([]byte(doc), v); err != nil {
		return nil, err
	}
	return v, nil
}

func (tb table[T]) all(ctx context.Context, s *Store) (out []T, err error) {
	err = s.list(ctx, `SELECT doc FROM `+tb.name+` ORDER BY lookup`, nil, func() { out = nil }, func(sc scan) error {
		var doc string
		var v T
		if err := sc(&doc); err != nil {
			return dbErr(err)
		}
		err := json.Unmarshal([]byte(doc), &v)
		out = append(out, v)
		return err
	})
	return out, err
}

func (tb table[T]) put(ctx context.Context, tx pgx.Tx, in T) (*T, error) {
	v := &in
	if *tb.id(v) == "" {
		*tb.id(v) = store.NewID().String()
	}
	var rev int64
	switch err := tx.QueryRow(ctx, `SELECT revision FROM `+tb.name+` WHERE id = $1 FOR UPDATE`, *tb.id(v)).Scan(&rev); {
	case errors.Is(err, pgx.ErrNoRows):
		if *tb.rev(v) != 0 {
			return nil, store.ErrNotFound
		}
	case err != nil:
		return nil, dbErr(err)
	case rev != *tb.rev(v):
		return nil, store.ErrConflict
	}
	*tb.rev(v)++
	return v, tb.write(ctx, tx, v, rev)
}

// write stores v over the revision before; 0: there was none.
func (tb table[T]) write(ctx context.Context, tx pgx.Tx, v *T, before int64) error {
	doc, err := json.Marshal(v)
	if err != nil {
		return err
	}
	q := `UPDATE ` + tb.name + ` SET lookup = $2, revision = $3, doc = $4 WHERE id = $1`
	if before == 0 {
		q = `INSERT INTO ` + tb.name + ` (id, lookup, revision, doc) VALUES ($1, $2, $3, $4)`
	}
	_, err = tx.Exec(ctx, q, *tb.id(v), tb.lookup(v), *tb.rev(v), string(doc))
	return taken(err)
}

func (tb table[T]) remove(ctx context.Context, tx pgx.Tx, id string) error {
	tag, err := tx.Exec(ctx, `DELETE FROM `+tb.name+` WHERE id = $1`, id)
	if err == nil && tag.RowsAffected() == 0 {
		return store.ErrNotFound
	}
	return dbErr(err)
}

// putIn is put in a transaction of its own; version, when given, is counted up.
func putIn[T any](ctx context.Context, s *Store, tb table[T], v T, version string) (out *T, err error) {
	err = s.alone(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
		if out, err = tb.put(ctx, tx, v); err != nil || version == "" {
			return err
		}
		return bump(ctx, tx, version)
	})
	if err != nil {
		return nil, err
	}
	if version != "" {
		s.edited()
	}
	return out, nil
}

// bump counts a change that caches compare.
func bump(ctx context.Context, tx pgx.Tx, name string) error {
	_, err := tx.Exec(ctx, bumpVersion, name)
	return dbErr(err)
}

const bumpVersion = `UPDATE settings SET value = (value::bigint + 1)::text WHERE name = $1`

func (s *Store) version(ctx context.Context, name string) (v int64, err error) {
	err = s.read(ctx, `SELECT value::bigint FROM settings WHERE name = $1`, []any{name}, &v)
	return v, err
}

// Client implements store.Clients.
func (s *Store) Client(ctx context.Context, id string) (*store.Client, error) {
	return clients().get(ctx, s, "id", id)
}

// ClientNamed implements store.Clients.
func (s *Store) ClientNamed(ctx context.Context, name string) (*store.Client, error) {
	return clients().get(ctx, s, "lookup", fold(name))
}

// Clients implements store.Clients.
func (s *Store) Clients(ctx context.Context) ([]store.Client, error) { return clients().all(ctx, s) }

// PutClient implements store.Clients.
func (s *Store) PutClient(ctx context.Context, c store.Client) (*store.Client, error) {
	return putIn(ctx, s, clients(), c, "clients_version")
}

// DeleteClient implements store.Clients.
func (s *Store) DeleteClient(ctx context.Context, id string) error {
	return s.edit(s.alone(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := clients().remove(ctx, tx, id); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM api_keys WHERE doc::json ->> 'client' = $1`, id); err != nil {
			return dbErr(err)
		}
		return bump(ctx, tx, "clients_version")
	}))
}

// ClientsVersion implements store.Clients.
func (s *Store) ClientsVersion(ctx context.Context) (int64, error) {
	return s.version(ctx, "clients_version")
}

// APIKeyByHash implements store.Clients.
func (s *Store) APIKeyByHash(ctx context.Context, hash string) (*store.APIKey, error) {
	return apiKeys().get(ctx, s, "lookup", hash)
}

// APIKeys implements store.Clients.
func (s *Store) APIKeys(ctx context.Context, client string) ([]store.APIKey, error) {
	all, err := apiKeys().all(ctx, s)
	if err != nil || client == "" {
		return all, err
	}
	var out []store.APIKey
	for _, k := range all {
		if k.Client == client {
			out = append(out, k)
		}
	}
	return out, nil
}

// PutAPIKey implements store.Clients.
func (s *Store) PutAPIKey(ctx context.Context, k store.APIKey) (*store.APIKey, error) {
	return putIn(ctx, s, apiKeys(), k, "clients_version")
}

// DeleteAPIKey implements store.Clients.
func (s *Store) DeleteAPIKey(ctx context.Context, id string) error {
	return s.edit(s.alone(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := apiKeys().remove(ctx, tx, id); err != nil {
			return err
		}
		return bump(ctx, tx, "clients_version")
	}))
}

// TouchAPIKey implements store.Clients.
func (s *Store) TouchAPIKey(ctx context.Context, id string, when time.Time) error {
	return s.alone(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var doc string
		var k store.APIKey
		if err := tx.QueryRow(ctx, `SELECT doc FROM api_keys WHERE id = $1 FOR UPDATE`, id).Scan(&doc); err != nil {
			return notFound(err)
		}
		if err := json.Unmarshal([]byte(doc), &k); err != nil {
			return err
		}
		k.LastUsedAt = store.Micro(when)
		return apiKeys().write(ctx, tx, &k, k.Revision)
	})
}

// Webhook implements store.Events.
func (s *Store) Webhook(ctx context.Context, id string) (*store.Webhook, error) {
	return webhooks().get(ctx, s, "id", id)
}

// Webhooks implements store.Events.
func (s *Store) Webhooks(ctx context.Context) ([]store.Webhook, error) { return webhooks().all(ctx, s) }

// PutWebhook implements store.Events.
func (s *Store) PutWebhook(ctx context.Context, w store.Webhook) (*store.Webhook, error) {
	return putIn(ctx, s, webhooks(), w, "")
}

// DeleteWebhook implements store.Events.
func (s *Store) DeleteWebhook(ctx context.Context, id string) error {
	return s.alone(ctx, func(ctx context.Context, tx pgx.Tx) error { return webhooks().remove(ctx, tx, id) })
}
