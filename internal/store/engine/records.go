package engine

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// Ports implements the ports over a driver. Secrets are sealed by Sealer; nil:
// none can be stored.
type Ports struct {
	DB      DB
	Schema  Schema
	Sealer  store.Sealer
	Inline  int64           // the size up to which bodies live in a row
	Arrived *store.Recent   // small messages from their submission to their first reading or claim
	Claimed *store.Recent   // those that were claimed, where that is kept apart
	Changed *Signal         // what is claimable, or when
	Marks   *store.Marks    // of acceptances that were heard of
	Stop    <-chan struct{} // closed with the store
	closing *closing
}

type closing struct {
	sync.Once
	err error
}

// Close implements store.Store. Of what clients have heard, what is not written
// stays unheard.
func (p Ports) Close() error {
	p.closing.Do(func() {
		if p.Marks.Due() {
			if err := p.writeMarks(); err != nil {
				p.DB.Log.Warn("it was not noted of which messages the clients have heard", "err", err)
			}
		}
		p.closing.err = p.DB.Close()
	})
	return p.closing.err
}

// defaultInline is how large a body may be to live in a row.
const defaultInline = 64 << 10

// New returns the ports of a store that is being opened: inline 0 is defaultInline.
func New(db DB, schema Schema, sealer store.Sealer, inline int64) Ports {
	if inline == 0 {
		inline = defaultInline
	}
	if schema.ID == nil {
		schema.ID, schema.To = func(id store.ID) any { return id }, func(id *store.ID) any { return id }
		schema.Key = func(k string) any { return k }
		schema.Text = schema.Key
	}
	arrived := &store.Recent{}
	return Ports{DB: db, Schema: schema, Sealer: sealer, Inline: inline, Arrived: arrived, Claimed: arrived, Changed: &Signal{},
		Marks: &store.Marks{}, closing: &closing{}}
}

// The settings that count changes, for caches to compare, and the log of the
// connections that changed.
const (
	connectionsEdits   = "connections_edits"
	connectionsVersion = "connections_version"
	clientsVersion     = "clients_version"
	peopleVersion      = "people_version"
)

// A table keeps records of one type as JSON, by id and by one unique key. A new
// kind of record is one of these.
type table[T any] struct {
	name    string
	version string // setting that counts its changes; empty: none
	id      func(*T) *string
	rev     func(*T) *int64
	lookup  func(*T) string

	kind   string          // in the audit trail; empty: not entered, what the gateway notes for itself
	label  func(*T) string // how the audit trail names a record
	closed store.ClosedFields
	quiet  []string // fields that change by themselves: shown where someone changed them
}

func clients() table[store.Client] {
	return table[store.Client]{name: "clients", version: clientsVersion, id: func(c *store.Client) *string { return &c.ID },
		rev: func(c *store.Client) *int64 { return &c.Revision }, lookup: func(c *store.Client) string { return Fold(c.Name) },
		kind: store.KindClient, label: func(c *store.Client) string { return c.Name },
		closed: closed([]string{"secret_hash"})}
}

func apiKeys() table[store.APIKey] {
	return table[store.APIKey]{name: "api_keys", version: clientsVersion, id: func(k *store.APIKey) *string { return &k.ID },
		rev: func(k *store.APIKey) *int64 { return &k.Revision }, lookup: func(k *store.APIKey) string { return k.Hash },
		kind: store.KindKey, label: func(k *store.APIKey) string { return k.Name },
		closed: closed([]string{"hash"}, "last_used_at")}
}

func webhooks() table[store.Webhook] {
	tb := table[store.Webhook]{name: "webhooks", id: func(w *store.Webhook) *string { return &w.ID },
		rev: func(w *store.Webhook) *int64 { return &w.Revision }, lookup: func(w *store.Webhook) string { return w.ID },
		kind: store.KindWebhook, label: func(w *store.Webhook) string { return w.ID },
		closed: closed([]string{"secret"}), quiet: []string{"cursor", "failures", "next_at", "last_error", "recent"}}
	tb.closed.Host = []string{"url"}
	return tb
}

// closed are the fields of a record that the audit trail shows as changed alone,
// and those that it does not show: the ones that every edit changes, and others.
func closed(secret []string, quiet ...string) store.ClosedFields {
	return store.ClosedFields{Secret: secret, Quiet: append(quiet, "id", "revision", "changed_at")}
}

func (tb table[T]) get(ctx context.Context, db DB, column, key string) (*T, error) {
	return tb.read(func(dst ...any) error {
		return db.Read(ctx, `SELECT doc FROM `+tb.name+` WHERE `+column+` = $1`, []any{key}, dst...)
	})
}

// read decodes the record of the document in a row.
func (tb table[T]) read(sc Scan) (*T, error) {
	var doc string
	if err := sc(&doc); err != nil {
		return nil, err
	}
	v := new(T)
	if err := json.Unmarshal([]byte(doc), v); err != nil {
		return nil, err
	}
	return v, nil
}

func (tb table[T]) all(ctx context.Context, db DB) (out []T, err error) {
	err = db.List(ctx, `SELECT doc FROM `+tb.name+` ORDER BY lookup`, nil, func() { out = nil }, func(sc Scan) error {
		v, err := tb.read(sc)
		if err == nil {
			out = append(out, *v)
		}
		return err
	})
	return out, err
}

// put stores v in a transaction of its own.
func (tb table[T]) put(ctx context.Context, db DB, in T) (out *T, err error) {
	err = tb.edit(ctx, db, func(t Tx) error {
		v := in
		out = &v
		return tb.write(ctx, t, out)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// edit has f change the table, counts that as a change, and tells the caches.
func (tb table[T]) edit(ctx context.Context, db DB, f func(Tx) error) error {
	err := db.Do(ctx, func(t Tx) error {
		if err := f(t); err != nil || tb.version == "" {
			return err
		}
		return bump(t, tb.version)
	})
	if err == nil && tb.version != "" {
		db.Edited()
	}
	return err
}

// write stores a new record (revision 0), or a new state of the one with
// the revision of v, counts the revision up, and enters it in the audit trail.
func (tb table[T]) write(ctx context.Context, t Tx, v *T) error {
	if *tb.id(v) == "" {
		*tb.id(v) = store.NewID().String()
	}
	var rev int64
	var before string
	switch err := t.Row(`SELECT revision, doc FROM `+tb.name+` WHERE id = $1`+t.Lock(), []any{*tb.id(v)}, &rev, &before); {
	case errors.Is(err, store.ErrNotFound) && *tb.rev(v) == 0:
	case err != nil:
		return err
	case rev != *tb.rev(v):
		return store.ErrConflict
	}
	// Of two nodes that take one name at once the unique index refuses the second.
	var taken bool
	if err := t.Row(`SELECT EXISTS (SELECT 1 FROM `+tb.name+` WHERE lookup = $1 AND id <> $2)`, []any{tb.lookup(v), *tb.id(v)},
		&taken); err != nil {
		return err
	}
	if taken {
		return store.ErrExists
	}
	*tb.rev(v)++
	after, err := tb.set(t, v, rev == 0)
	if err != nil {
		return err
	}
	return tb.audit(ctx, t, v, before, after)
}

// set writes a record and returns its document.
func (tb table[T]) set(t Tx, v *T, fresh bool) (string, error) {
	doc, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	q := `UPDATE ` + tb.name + ` SET lookup = $2, revision = $3, doc = $4 WHERE id = $1`
	if fresh {
		q = `INSERT INTO ` + tb.name + ` (id, lookup, revision, doc) VALUES ($1, $2, $3, $4)`
	}
	_, err = t.Exec(q, *tb.id(v), tb.lookup(v), *tb.rev(v), string(doc))
	return string(doc), err
}

// remove deletes a record and enters that in the audit trail.
func (tb table[T]) remove(ctx context.Context, t Tx, id string) error {
	var before string
	if err := t.Row(`SELECT doc FROM `+tb.name+` WHERE id = $1`+t.Lock(), []any{id}, &before); err != nil {
		return err
	}
	if _, err := t.Exec(`DELETE FROM `+tb.name+` WHERE id = $1`, id); err != nil {
		return err
	}
	v := new(T)
	if err := json.Unmarshal([]byte(before), v); err != nil { // it is gone all the same
		*tb.id(v) = id
	}
	return tb.audit(ctx, t, v, before, "")
}

// removeWhere deletes the records that which chooses and returns how many.
func (tb table[T]) removeWhere(ctx context.Context, t Tx, which func(*T) bool) (n int, err error) {
	var ids []string
	if err := t.Each(`SELECT doc FROM `+tb.name, nil, func(sc Scan) error {
		v, err := tb.read(sc)
		if err == nil && which(v) {
			ids = append(ids, *tb.id(v))
		}
		return err
	}); err != nil {
		return 0, err
	}
	for _, id := range ids {
		switch err := tb.remove(ctx, t, id); {
		case err == nil:
			n++
		case !errors.Is(err, store.ErrNotFound): // another node was faster
			return n, err
		}
	}
	return n, nil
}

// bump counts a change that caches compare.
func bump(t Tx, name string) error {
	_, err := t.Exec(`UPDATE settings SET value = CAST(CAST(value AS BIGINT) + 1 AS TEXT) WHERE name = $1`, name)
	return err
}

func (r Ports) version(ctx context.Context, name string) (v int64, err error) {
	err = r.DB.Read(ctx, `SELECT CAST(value AS BIGINT) FROM settings WHERE name = $1`, []any{name}, &v)
	return v, err
}

// Client implements store.Clients.
func (r Ports) Client(ctx context.Context, id string) (*store.Client, error) {
	return clients().get(ctx, r.DB, "id", id)
}

// ClientNamed implements store.Clients.
func (r Ports) ClientNamed(ctx context.Context, name string) (*store.Client, error) {
	return clients().get(ctx, r.DB, "lookup", Fold(name))
}

// Clients implements store.Clients.
func (r Ports) Clients(ctx context.Context) ([]store.Client, error) {
	return clients().all(ctx, r.DB)
}

// PutClient implements store.Clients.
func (r Ports) PutClient(ctx context.Context, c store.Client) (*store.Client, error) {
	return clients().put(ctx, r.DB, c)
}

// DeleteClient implements store.Clients.
func (r Ports) DeleteClient(ctx context.Context, id string) error {
	return clients().edit(ctx, r.DB, func(t Tx) error {
		if err := clients().remove(ctx, t, id); err != nil {
			return err
		}
		_, err := apiKeys().removeWhere(ctx, t, func(k *store.APIKey) bool { return k.Client == id })
		return errors.Join(err, forgetUses(t))
	})
}

// ClientsVersion implements store.Clients.
func (r Ports) ClientsVersion(ctx context.Context) (int64, error) {
	return r.version(ctx, clientsVersion)
}

// APIKeyByHash implements store.Clients.
func (r Ports) APIKeyByHash(ctx context.Context, hash string) (*store.APIKey, error) {
	return apiKeys().get(ctx, r.DB, "lookup", hash)
}

// APIKeys implements store.Clients.
func (r Ports) APIKeys(ctx context.Context, client string) ([]store.APIKey, error) {
	all, err := apiKeys().all(ctx, r.DB)
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
func (r Ports) PutAPIKey(ctx context.Context, k store.APIKey) (*store.APIKey, error) {
	return apiKeys().put(ctx, r.DB, k)
}

// DeleteAPIKey implements store.Clients.
func (r Ports) DeleteAPIKey(ctx context.Context, id string) error {
	return apiKeys().edit(ctx, r.DB, func(t Tx) error {
		if err := apiKeys().remove(ctx, t, id); err != nil {
			return err
		}
		return forgetUses(t)
	})
}

// TouchAPIKey implements store.Clients.
func (r Ports) TouchAPIKey(ctx context.Context, id string, when time.Time) error {
	return r.DB.Do(ctx, func(t Tx) error {
		k, err := apiKeys().read(func(dst ...any) error {
			return t.Row(`SELECT doc FROM api_keys WHERE id = $1`+t.Lock(), []any{id}, dst...)
		})
		if err != nil {
			return err
		}
		k.LastUsedAt = store.Micro(when)
		_, err = apiKeys().set(t, k, false)
		return err
	})
}

// Webhook implements store.Events.
func (r Ports) Webhook(ctx context.Context, id string) (*store.Webhook, error) {
	return webhooks().get(ctx, r.DB, "id", id)
}

// Webhooks implements store.Events.
func (r Ports) Webhooks(ctx context.Context) ([]store.Webhook, error) {
	return webhooks().all(ctx, r.DB)
}

// PutWebhook implements store.Events.
func (r Ports) PutWebhook(ctx context.Context, w store.Webhook) (out *store.Webhook, err error) {
	err = webhooks().edit(ctx, r.DB, func(t Tx) error {
		v := w
		out = &v
		if err := r.keepResealed(t, out); err != nil {
			return err
		}
		return webhooks().write(ctx, t, out)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DeleteWebhook implements store.Events.
func (r Ports) DeleteWebhook(ctx context.Context, id string) error {
	return webhooks().edit(ctx, r.DB, func(t Tx) error { return webhooks().remove(ctx, t, id) })
}
