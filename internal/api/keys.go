package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/vault"
	"github.com/postino-mail/postino/internal/view"
)

type keyCreate struct {
	Body struct {
		Name      string     `json:"name" minLength:"1" maxLength:"100" example:"web shop"`
		Client    string     `json:"client,omitempty" maxLength:"200" doc:"Id or name; keys that send belong to one"`
		Scopes    []string   `json:"scopes" minItems:"1" maxItems:"7" uniqueItems:"true" enum:"messages:send,messages:read,events:read,connections:read,connections:write,clients:write,admin"`
		ExpiresAt *time.Time `json:"expires_at,omitempty"`
	}
}

// A keyService shows, makes and revokes API keys.
type keyService struct {
	clients clientFinder
	most    int    // valid keys of one client
	edited  func() // called after each revocation
	now     func() time.Time
}

func (s *keyService) routes(rt *router) {
	register(rt, op("list-keys", http.MethodGet, "/v1/keys", clientsTag, ScopeClientsWrite, "List API keys", "Revoked ones too."), s.listKeys)
	create := op("create-key", http.MethodPost, "/v1/keys", clientsTag, ScopeClientsWrite, "Create an API key",
		"The key is shown in this answer and never again. A key of a client has the scopes messages:send, messages:read and events:read alone and sees that client's records; the other scopes, and keys of nobody, are given by the scope admin.")
	create.DefaultStatus = http.StatusCreated
	register(rt, create, s.createKey)
	register(rt, op("revoke-key", http.MethodDelete, "/v1/keys/{id}", clientsTag, ScopeClientsWrite, "Revoke an API key", "At once here, within a second on other nodes."), s.revokeKey)
}

// A KeyList is all keys.
type KeyList struct {
	Items []view.Key `json:"items"`
}

func (s *keyService) listKeys(ctx context.Context, in *struct {
	Client string `query:"client" maxLength:"200" doc:"Id or name"`
}) (*bodyOf[KeyList], error) {
	id := ""
	if in.Client != "" {
		c, err := s.clients.find(ctx, in.Client)
		if err != nil {
			return nil, err
		}
		id = c.ID
	}
	all, err := s.clients.APIKeys(ctx, id)
	if err != nil {
		return nil, err
	}
	out := KeyList{Items: []view.Key{}}
	for i := range all {
		out.Items = append(out.Items, view.OfKey(&all[i]))
	}
	return &bodyOf[KeyList]{out}, nil
}

func (s *keyService) createKey(ctx context.Context, in *keyCreate) (*bodyOf[view.Key], error) {
	b := &in.Body
	k := store.APIKey{Name: b.Name, Scopes: b.Scopes, CreatedAt: s.now()}
	ofClient := true
	for i, scope := range b.Scopes {
		if slices.Contains(clientScopes(), scope) {
			continue
		}
		ofClient = false
		if b.Client != "" {
			return nil, invalid(fmt.Sprintf("scopes[%d]", i), "a key of a client cannot have the scope "+scope, "una chiave di un client non può avere lo scope "+scope)
		}
	}
	if (!ofClient || b.Client == "") && !caller(ctx).admin() {
		return nil, fail(http.StatusForbidden, "forbidden", "scopes", "keys that belong to no client are made by an administrator", "le chiavi che non appartengono a un client le crea un amministratore", "name a client, or ask the administrator", "indicare un client o chiedere all'amministratore")
	}
	if b.Client != "" {
		c, err := s.clients.find(ctx, b.Client)
		if err != nil {
			return nil, named(err, "client")
		}
		k.Client = c.ID
		if err := s.roomForKey(ctx, c.ID); err != nil {
			return nil, err
		}
	}
	if b.ExpiresAt != nil {
		if !b.ExpiresAt.After(s.now()) {
			return nil, invalid("expires_at", "expires_at lies in the past", "expires_at è nel passato")
		}
		k.ExpiresAt = store.Micro(*b.ExpiresAt)
	}
	key := vault.NewKey("pk_")
	k.Hash = vault.HashKey(key)
	stored, err := s.clients.PutAPIKey(ctx, k)
	if err != nil {
		return nil, err
	}
	out := view.OfKey(stored)
	out.Key = key.Reveal()
	return &bodyOf[view.Key]{out}, nil
}

// roomForKey bounds the valid keys of one client.
func (s *keyService) roomForKey(ctx context.Context, client string) error {
	all, err := s.clients.APIKeys(ctx, client)
	if err != nil {
		return err
	}
	n, now := 0, s.now()
	for i := range all {
		if all[i].RevokedAt.IsZero() && (all[i].ExpiresAt.IsZero() || now.Before(all[i].ExpiresAt)) {
			n++
		}
	}
	if n >= s.most {
		return overQuota(n, "API keys", "chiavi API", "[limits] keys")
	}
	return nil
}

func (s *keyService) revokeKey(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"100"`
}) (*noBody, error) {
	all, err := s.clients.APIKeys(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, k := range all {
		if k.ID != in.ID {
			continue
		}
		if k.Client == "" && !caller(ctx).admin() {
			return nil, fail(http.StatusForbidden, "forbidden", "", "keys that belong to no client are revoked by an administrator", "le chiavi che non appartengono a un client le revoca un amministratore", "", "")
		}
		if k.RevokedAt.IsZero() {
			k.RevokedAt = store.Micro(s.now())
			if _, err := s.clients.PutAPIKey(ctx, k); err != nil {
				return nil, err
			}
		}
		s.edited()
		return &noBody{}, nil
	}
	return nil, store.ErrNotFound
}
