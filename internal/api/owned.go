package api

import (
	"context"
	"errors"

	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
)

// ownedBy returns the connections that a person owns, for what runs in their name
// while they are not there; false: they may not sign in.
func ownedBy(people store.People, c *registry.Connections) func(context.Context, string) ([]string, bool, error) {
	return func(ctx context.Context, person string) (ids []string, active bool, err error) {
		p, err := people.Person(ctx, person)
		if errors.Is(err, store.ErrNotFound) {
			return nil, false, nil
		}
		if err != nil || p.Disabled {
			return nil, false, err
		}
		all, err := c.All(ctx)
		for _, conn := range all {
			if conn.Owner == person {
				ids = append(ids, conn.ID)
			}
		}
		return ids, true, err
	}
}
