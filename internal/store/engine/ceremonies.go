package engine

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

func ceremonies() table[store.Ceremony] {
	return table[store.Ceremony]{name: "ceremonies", id: func(c *store.Ceremony) *string { return &c.ID },
		rev: func(c *store.Ceremony) *int64 { return &c.Revision }, lookup: func(c *store.Ceremony) string { return c.Hash }}
}

// PutCeremony implements store.Ceremonies.
func (r Ports) PutCeremony(ctx context.Context, c store.Ceremony) (*store.Ceremony, error) {
	return ceremonies().put(ctx, r.DB, c)
}

// TakeCeremony implements store.Ceremonies.
func (r Ports) TakeCeremony(ctx context.Context, now time.Time, hash string) (out *store.Ceremony, err error) {
	err = r.DB.Do(ctx, func(t Tx) error {
		if out, err = ceremonies().read(func(dst ...any) error {
			return t.Row(`SELECT doc FROM ceremonies WHERE lookup = $1`+t.Lock(), []any{hash}, dst...)
		}); err != nil {
			return err
		}
		_, err := t.Exec(`DELETE FROM ceremonies WHERE id = $1`, out.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	if !now.Before(out.ExpiresAt) {
		return nil, store.ErrNotFound
	}
	return out, nil
}

// TouchPasskey implements store.Ceremonies.
func (r Ports) TouchPasskey(ctx context.Context, person string, before, after store.Passkey) error {
	return r.DB.Do(ctx, func(t Tx) error {
		p, err := people().read(func(dst ...any) error {
			return t.Row(`SELECT doc FROM people WHERE id = $1`+t.Lock(), []any{person}, dst...)
		})
		if err != nil {
			return err
		}
		i := slices.IndexFunc(p.Passkeys, func(k store.Passkey) bool { return k.ID == before.ID })
		if i < 0 {
			return store.ErrNotFound
		}
		if k := &p.Passkeys[i]; k.Name != before.Name || !bytes.Equal(k.Credential, before.Credential) {
			return store.ErrConflict
		}
		p.Passkeys[i] = after
		_, err = people().set(t, p, false)
		return err
	})
}
