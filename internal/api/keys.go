package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/vault"
	"github.com/postino-mail/postino/internal/view"
)

// A keyScope is one of Scopes.
type keyScope string

// Schema implements huma.SchemaProvider.
func (keyScope) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, scope := range Scopes() {
		s.Enum = append(s.Enum, scope)
	}
	s.PrecomputeMessages()
	return s
}

type keyCreate struct {
	Body struct {
		Name      string     `json:"name" minLength:"1" maxLength:"100" example:"web shop"`
		Client    string     `json:"client,omitempty" maxLength:"200" doc:"Id or name; keys that send belong to one"`
		Person    string     `json:"person,omitempty" maxLength:"320" doc:"Id or address: the key may what they may, and ends with them"`
		Scopes    []keyScope `json:"scopes,omitempty" minItems:"1" maxItems:"7" uniqueItems:"true" doc:"Of a person's key absent: all they may"`
		ExpiresAt *time.Time `json:"expires_at,omitempty"`
	}
}

// A keyService shows, makes and revokes API keys.
type keyService struct {
	uses    store.Uses
	clients clientFinder
	people  store.People
	most    int    // valid keys of one client
	edited  func() // called after each revocation
	now     func() time.Time
}

func (s *keyService) routes(rt *router) {
	register(rt, op("list-keys", http.MethodGet, "/v1/keys", clientsTag, scopeKeys, "List API keys",
		"Revoked ones too. An operator sees their own."), s.listKeys)
	create := op("create-key", http.MethodPost, "/v1/keys", clientsTag, scopeKeysEdit, "Create an API key",
		"The key is shown in this answer and never again. A key of a client has the scopes messages:send, messages:read and events:read "+
			"alone and sees that client's records; the other scopes, and keys of no client, need the scope admin. An operator makes keys of "+
			"their own in a session: such a key may at most what they may, on their own connections.")
	create.DefaultStatus = http.StatusCreated
	register(rt, create, s.createKey)
	register(rt, op("revoke-key", http.MethodDelete, "/v1/keys/{id}", clientsTag, scopeKeysEdit, "Revoke an API key",
		"At once here, within a second on other nodes."), s.revokeKey)
}

// A KeyList is all keys.
type KeyList struct {
	Items []view.Key `json:"items"`
}

func (s *keyService) listKeys(ctx context.Context, in *struct {
	Client   string `query:"client" maxLength:"200" doc:"Id or name"`
	Language string `header:"Accept-Language" doc:"Language of the reasons of refusals"`
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
	uses, err := s.uses.Uses(ctx, store.UseOfKey)
	if err != nil {
		return nil, err
	}
	out := KeyList{Items: []view.Key{}}
	for i := range all {
		out.Items = append(out.Items, view.OfUsedKey(&all[i], uses, language(in.Language)))
	}
	return &bodyOf[KeyList]{out}, nil
}

func (s *keyService) createKey(ctx context.Context, in *keyCreate) (*bodyOf[view.Key], error) {
	b := &in.Body
	k := store.APIKey{Name: b.Name, CreatedAt: s.now()}
	if owner := caller(ctx).owner(); owner != "" {
		return s.ownKey(ctx, in, k)
	}
	if b.Person != "" {
		return s.personsKey(ctx, in, k)
	}
	if len(b.Scopes) == 0 {
		return nil, invalid("scopes", text("api.scopes_needed", "a key of no person needs at least one scope"))
	}
	ofClient := true
	for i := range b.Scopes {
		scope := string(b.Scopes[i])
		k.Scopes = append(k.Scopes, scope)
		if slices.Contains(clientScopes(), scope) {
			continue
		}
		ofClient = false
		if b.Client != "" {
			return nil, invalid(fmt.Sprintf("scopes[%d]", i),
				text("api.scope_not_for_client", "a key of a client cannot have the scope {scope}", "scope", scope))
		}
	}
	if (!ofClient || b.Client == "") && !caller(ctx).admin() {
		return nil, fail(http.StatusForbidden, "forbidden", "scopes",
			text("api.key_by_admin", "keys that belong to no client are made by an administrator"),
			text("api.key_by_admin_hint", "name a client, or ask the administrator"))
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
	return s.put(ctx, in, k)
}

// personsKey makes a key of a person, which an administrator does: that is no one
// else's right to give.
func (s *keyService) personsKey(ctx context.Context, in *keyCreate, k store.APIKey) (*bodyOf[view.Key], error) {
	b := &in.Body
	if b.Client != "" {
		return nil, invalid("client", text("api.client_and_person", "a key belongs to a client or to a person, not to both"))
	}
	if !caller(ctx).admin() {
		return nil, fail(http.StatusForbidden, "forbidden", "person",
			text("api.key_of_person_by_admin", "keys of people are made by an administrator"),
			text("api.ask_administrator", "ask the administrator"))
	}
	p, err := s.people.Person(ctx, b.Person)
	if errors.Is(err, store.ErrNotFound) {
		p, err = s.people.PersonByEmail(ctx, b.Person)
	}
	if err != nil {
		return nil, named(err, "person")
	}
	k.Person, k.Scopes = p.ID, []string{}
	for _, scope := range b.Scopes {
		k.PersonScopes = append(k.PersonScopes, string(scope))
	}
	return s.put(ctx, in, k)
}

// ownKey makes a key of the operator who calls: what it may is confined as they are.
func (s *keyService) ownKey(ctx context.Context, in *keyCreate, k store.APIKey) (*bodyOf[view.Key], error) {
	b, p := &in.Body, caller(ctx).person
	if b.Client != "" || b.Person != "" && b.Person != p.ID && !strings.EqualFold(b.Person, p.Email) {
		return nil, fail(http.StatusForbidden, "forbidden", "person",
			text("api.own_keys_alone", "an operator makes keys of their own alone"), text("api.ask_administrator", "ask the administrator"))
	}
	for i, scope := range b.Scopes {
		if !caller(ctx).can(string(scope)) {
			return nil, fail(http.StatusForbidden, "forbidden", fmt.Sprintf("scopes[%d]", i),
				text("api.scope_not_yours", "you do not have the scope {scope} yourself", "scope", string(scope)),
				text("api.ask_administrator", "ask the administrator"))
		}
		k.PersonScopes = append(k.PersonScopes, string(scope))
	}
	all, err := s.clients.APIKeys(ctx, "")
	if err != nil {
		return nil, err
	}
	if err := s.room(all); err != nil {
		return nil, err
	}
	k.Person, k.Scopes = p.ID, []string{}
	return s.put(ctx, in, k)
}

// put stores a new key and shows it, once.
func (s *keyService) put(ctx context.Context, in *keyCreate, k store.APIKey) (*bodyOf[view.Key], error) {
	if at := in.Body.ExpiresAt; at != nil {
		if !at.After(s.now()) {
			return nil, invalid("expires_at", text("api.expires_in_past", "expires_at lies in the past"))
		}
		k.ExpiresAt = store.Micro(*at)
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
	return s.room(all)
}

// room bounds the valid ones of keys.
func (s *keyService) room(all []store.APIKey) error {
	n, now := 0, s.now()
	for i := range all {
		if all[i].RevokedAt.IsZero() && (all[i].ExpiresAt.IsZero() || now.Before(all[i].ExpiresAt)) {
			n++
		}
	}
	if n >= s.most {
		return overQuota(n, text("api.keys", "API keys"), "[limits] keys")
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
		if k.Client == "" && !caller(ctx).admin() && caller(ctx).owner() == "" { // an operator finds their own alone
			return nil, fail(http.StatusForbidden, "forbidden", "",
				text("api.revoke_by_admin", "keys that belong to no client are revoked by an administrator"), adapters.Text{})
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
