package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/vault"
)

// AddKey makes a key of the HTTP API and prints it, once: of a client (it may
// send and read its own messages and events), or, with no client, the
// administrator's.
func (k ClientCommands) AddKey(ctx context.Context, client, name string, lifetime time.Duration) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		now := time.Now()
		rec := store.APIKey{Name: name, Scopes: []string{api.ScopeAdmin}, CreatedAt: now}
		if client != "" {
			c, err := clientNamed(ctx, st, client)
			if err != nil {
				return err
			}
			rec.Client = c.ID
			rec.Scopes = []string{api.ScopeMessagesSend, api.ScopeMessagesRead, api.ScopeEventsRead}
		}
		if lifetime < 0 {
			return exit(ExitUsage, errors.New("a key cannot have expired before it is made"))
		}
		if lifetime > 0 {
			rec.ExpiresAt = now.Add(lifetime)
		}
		key := vault.NewKey("pk_")
		rec.Hash = vault.HashKey(key)
		stored, err := st.PutAPIKey(ctx, rec)
		if err != nil {
			return err
		}
		if k.JSON {
			return writeJSON(k.Stdout, struct {
				ID     string   `json:"id"`
				Key    string   `json:"key"`
				Scopes []string `json:"scopes"`
			}{stored.ID, key.Reveal(), stored.Scopes})
		}
		_, err = fmt.Fprintf(k.Stdout, "id   %s\nkey  %s   (shown this once)\n", stored.ID, key.Reveal())
		return err
	})
}
