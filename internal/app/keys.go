package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/vault"
	"github.com/postino-mail/postino/internal/view"
)

// KeyCommands are the jobs of `postino key`. They work on the store; a server
// that runs beside them sees a change at once, a revoked key within a second.
type KeyCommands struct {
	Storage Storage
	JSON    bool
	Stdout  io.Writer
}

// NewKey is what the flags say of a key.
type NewKey struct {
	Name     string // what it is for
	Client   string // name of the client whose key it is; empty: of none
	Scopes   []string
	Lifetime time.Duration // 0: until it is revoked
}

// Add makes a key and prints it, once. One of a client may send and read that
// client's messages and events; one of no client is the administrator's, unless
// scopes say less.
func (k KeyCommands) Add(ctx context.Context, n NewKey) error {
	if n.Name == "" {
		return wrong(ExitUsage, "give the key a name: what it is for", "dare un nome alla chiave: a che cosa serve")
	}
	scopes, err := keyScopes(n)
	if err != nil {
		return err
	}
	if n.Lifetime < 0 {
		return wrong(ExitUsage, "a key cannot have expired before it is made", "una chiave non può essere scaduta prima di essere creata")
	}
	work := withStore
	if n.Client == "" {
		work = withNewStore // the first key may come before the server's first start
	}
	return work(ctx, k.Storage, func(st store.Store) error {
		now := time.Now()
		rec := store.APIKey{Name: n.Name, Scopes: scopes, CreatedAt: now}
		if n.Client != "" {
			c, err := clientNamed(ctx, st, n.Client)
			if err != nil {
				return err
			}
			rec.Client = c.ID
		}
		if n.Lifetime > 0 {
			rec.ExpiresAt = now.Add(n.Lifetime)
		}
		key := vault.NewKey("pk_")
		rec.Hash = vault.HashKey(key)
		stored, err := st.PutAPIKey(ctx, rec)
		if err != nil {
			return err
		}
		if k.JSON {
			shown := view.OfKey(stored)
			shown.Key = key.Reveal()
			return writeJSON(k.Stdout, shown)
		}
		_, err = fmt.Fprintf(k.Stdout, "id      %s\nscopes  %s\nkey     %s   (shown this once)\n", stored.ID, strings.Join(stored.Scopes, " "),
			key.Reveal())
		return err
	})
}

// keyScopes checks the scopes, or chooses them where none is given.
func keyScopes(n NewKey) ([]string, error) {
	may, of := api.Scopes(), "a key"
	if n.Client != "" {
		may, of = api.ClientScopes(), "a client's key"
	}
	if len(n.Scopes) == 0 {
		if n.Client != "" {
			return may, nil
		}
		return []string{api.ScopeAdmin}, nil
	}
	for i, s := range n.Scopes {
		if !slices.Contains(may, s) {
			return nil, exit(ExitUsage, fmt.Errorf("scope %q is none that %s can have: %s", s, of, strings.Join(may, ", ")))
		}
		if slices.Contains(n.Scopes[:i], s) {
			return nil, exit(ExitUsage, fmt.Errorf("scope %q is given twice", s))
		}
	}
	return n.Scopes, nil
}

// List prints all keys, or those of a client.
func (k KeyCommands) List(ctx context.Context, client string) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		id := ""
		if client != "" {
			c, err := clientNamed(ctx, st, client)
			if err != nil {
				return err
			}
			id = c.ID
		}
		all, err := st.APIKeys(ctx, id)
		if err != nil {
			return err
		}
		clients, err := st.Clients(ctx)
		if err != nil {
			return err
		}
		names := map[string]string{}
		for i := range clients {
			names[clients[i].ID] = clients[i].Name
		}
		if k.JSON {
			out := []view.Key{}
			for i := range all {
				out = append(out, view.OfKey(&all[i]))
			}
			return writeJSON(k.Stdout, out)
		}
		now := time.Now()
		w := terminal.NewTable(k.Stdout, "ID", "NAME", "CLIENT", "SCOPES", "CREATED", "LAST USED", "STATE")
		for i := range all {
			a := &all[i]
			w.Row(a.ID, a.Name, names[a.Client], strings.Join(a.Scopes, " "), day(a.CreatedAt), day(a.LastUsedAt), keyState(a, now))
		}
		return w.Flush()
	})
}

func day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateOnly)
}

func keyState(k *store.APIKey, now time.Time) string {
	switch {
	case !k.RevokedAt.IsZero():
		return "revoked " + day(k.RevokedAt)
	case k.ExpiresAt.IsZero():
		return "valid"
	case now.Before(k.ExpiresAt):
		return "valid until " + day(k.ExpiresAt)
	}
	return "expired " + day(k.ExpiresAt)
}

// Revoke ends a key, named by its id or by a name that no other key in force has.
func (k KeyCommands) Revoke(ctx context.Context, name string) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		all, err := st.APIKeys(ctx, "")
		if err != nil {
			return err
		}
		found, err := keyNamed(all, name)
		if err != nil {
			return err
		}
		if found.RevokedAt.IsZero() {
			found.RevokedAt = store.Micro(time.Now())
			if found, err = st.PutAPIKey(ctx, *found); err != nil {
				return err
			}
		}
		if k.JSON {
			return writeJSON(k.Stdout, view.OfKey(found))
		}
		_, err = fmt.Fprintf(k.Stdout, "%s: revoked\n", terminal.Line(found.Name))
		return err
	})
}

func keyNamed(all []store.APIKey, name string) (*store.APIKey, error) {
	var ids []string
	var found *store.APIKey
	for i := range all {
		switch {
		case all[i].ID == name:
			return &all[i], nil
		case all[i].Name == name && all[i].RevokedAt.IsZero():
			found, ids = &all[i], append(ids, all[i].ID)
		}
	}
	if strings.HasPrefix(name, "pk_") {
		return nil, exit(ExitUsage,
			errors.New("name the key by its id, not by itself: a command line is seen by other users; 'postino key list' shows the ids"))
	}
	switch len(ids) {
	case 0:
		return nil, wrong(ExitUsage, fmt.Sprintf("there is no key %q in force: see 'postino key list'", name),
			fmt.Sprintf("non esiste una chiave valida %q: vedi 'postino key list'", name))
	case 1:
		return found, nil
	}
	return nil, wrong(ExitUsage, fmt.Sprintf("several keys are called %q: give the id of one: %s", name, strings.Join(ids, ", ")),
		fmt.Sprintf("più chiavi si chiamano %q: indicare l'id di una: %s", name, strings.Join(ids, ", ")))
}
