package engine

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/postino-mail/postino/internal/store"
)

func uses() table[store.Use] {
	return table[store.Use]{name: "uses", id: func(u *store.Use) *string { return &u.ID },
		rev: func(u *store.Use) *int64 { return &u.Revision }, lookup: (*store.Use).Key}
}

// Uses implements store.Uses.
func (r Ports) Uses(ctx context.Context, kind string, subjects ...string) (map[string]store.Use, error) {
	out := map[string]store.Use{}
	if len(subjects) == 0 {
		all, err := uses().all(ctx, r.DB)
		for i := range all {
			if all[i].Kind == kind {
				out[all[i].Subject] = all[i]
			}
		}
		return out, err
	}
	for _, id := range subjects {
		u, err := uses().get(ctx, r.DB, "lookup", (&store.Use{Kind: kind, Subject: id}).Key())
		switch {
		case err == nil:
			out[id] = *u
		case !errors.Is(err, store.ErrNotFound):
			return nil, err
		}
	}
	return out, nil
}

// SawUses implements store.Uses.
func (r Ports) SawUses(ctx context.Context, seen []store.Use) error {
	// In one order, so that two nodes do not wait for each other's rows.
	seen = slices.Clone(seen)
	slices.SortStableFunc(seen, func(a, b store.Use) int { return strings.Compare(a.Key(), b.Key()) })
	return r.DB.Do(ctx, func(t Tx) error {
		for i := range seen {
			if err := sawUse(t, seen[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func sawUse(t Tx, u store.Use) error {
	of := clients().name
	if u.Kind == store.UseOfKey {
		of = apiKeys().name
	}
	var there bool
	if err := t.Row(`SELECT EXISTS (SELECT 1 FROM `+of+` WHERE id = $1)`, []any{u.Subject}, &there); err != nil || !there {
		return err
	}
	tb := uses()
	known, err := tb.read(func(dst ...any) error {
		return t.Row(`SELECT doc FROM uses WHERE lookup = $1`+t.Lock(), []any{u.Key()}, dst...)
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		u.ID, u.Revision = store.NewID().String(), 1
		_, err = tb.set(t, &u, true)
		return err
	case err != nil:
		return err
	}
	known.Merge(&u)
	known.Revision++
	_, err = tb.set(t, known, false)
	return err
}

// forgetUses removes what is known of clients and keys that are gone.
func forgetUses(t Tx) error {
	for _, of := range []struct{ kind, table string }{{store.UseOfClient, clients().name}, {store.UseOfKey, apiKeys().name}} {
		if _, err := t.Exec(`DELETE FROM uses WHERE lookup LIKE '`+of.kind+`/%' AND NOT EXISTS (SELECT 1 FROM `+of.table+
			` x WHERE x.id = substr(uses.lookup, $1))`, len(of.kind)+2); err != nil {
			return err
		}
	}
	return nil
}
