package api

import (
	"context"
	"slices"

	"github.com/postino-mail/postino/internal/store"
)

// Scopes of API keys.
const (
	ScopeMessagesSend     = "messages:send"
	ScopeMessagesRead     = "messages:read"
	ScopeEventsRead       = "events:read"
	ScopeConnectionsRead  = "connections:read"
	ScopeConnectionsWrite = "connections:write"
	ScopeClientsWrite     = "clients:write"
	ScopeAdmin            = "admin" // everything
)

// What concerns a person themselves is for no key that was given scopes, and is
// changed by none: one that was stolen must not make itself independent of them.
const (
	scopePerson  = "person"  // a session, or a key with all that its person may
	scopeSession = "session" // a session alone
)

// What a person has of their own among what is an administrator's: who lacks the
// scope of the others may come to their own part.
const (
	scopeKeys     = "clients:write or a person" // reads keys
	scopeKeysEdit = "clients:write or a session"
	scopeTrail    = "admin or a person"
)

// operatorScopes are those of an operator: what of it they see and change is
// confined to what they own (confined).
func operatorScopes() []string {
	return []string{ScopeMessagesSend, ScopeMessagesRead, ScopeEventsRead, ScopeConnectionsRead, ScopeConnectionsWrite}
}

// scopeSubmit is to hand over messages and nothing else, not even to see or to
// steer them. No key has it alone: it is for callers without a key.
const scopeSubmit = "messages:submit"

// clientScopes are those that a key of a client may have; the others are for
// keys that belong to no client.
func clientScopes() []string { return []string{ScopeMessagesSend, ScopeMessagesRead, ScopeEventsRead} }

// ClientScopes are those that a key of a client may have.
func ClientScopes() []string { return clientScopes() }

// Scopes are all that a key may have.
func Scopes() []string {
	return append(clientScopes(), ScopeConnectionsRead, ScopeConnectionsWrite, ScopeClientsWrite, ScopeAdmin)
}

// A principal is who calls.
type principal struct {
	client  *store.Client // nil: no client, all clients' messages are seen
	scopes  []string
	name    string // for the log
	space   string // of idempotency keys, where it is no client's
	keyless bool   // came by TCP without credentials: they would change what it may do

	person  *store.Person  // who signed in, or the person of the key; nil: a program
	session *store.Session // of the person; nil: came by a key
	key     *store.APIKey  // nil: came by none
	user    string         // id of the user of the machine; empty: came by TCP
}

// signedIn is the principal of a person in a session.
func signedIn(p *store.Person, s *store.Session) *principal {
	return &principal{person: p, session: s, scopes: personScopes(p), name: "person " + p.Email, space: "person " + p.ID}
}

// personsKey is the principal of a person's API key: it has at most the person's
// rights.
func personsKey(p *store.Person, k *store.APIKey) *principal {
	out := &principal{person: p, key: k, scopes: personScopes(p), name: "key " + k.Name + " of " + p.Email, space: "key " + k.ID}
	if len(k.PersonScopes) > 0 {
		rights := *out
		out.scopes = slices.DeleteFunc(slices.Clone(k.PersonScopes), func(s string) bool { return !rights.can(s) })
	}
	return out
}

func personScopes(p *store.Person) []string {
	switch p.Role {
	case store.RoleAdmin:
		return []string{ScopeAdmin}
	case store.RoleOperator:
		return operatorScopes()
	}
	return nil
}

// owner is the id of the person that the caller is confined to: to their connections and
// the mail through them; empty: to none.
func (p *principal) owner() string {
	if p.person == nil || p.person.Role == store.RoleAdmin {
		return ""
	}
	return p.person.ID
}

// actor is who the audit trail says the caller is.
func (p *principal) actor() store.Actor {
	a := store.Actor{Via: store.ViaAPI}
	switch {
	case p.person != nil:
		a.Kind, a.ID, a.Name, a.Person = store.ActorPerson, p.person.ID, p.person.Email, p.person.ID
		if p.key != nil {
			a.Key = p.key.ID
		}
	case p.client != nil:
		a.Kind, a.ID, a.Name = store.ActorClient, p.client.ID, p.client.Name
		if p.key != nil {
			a.Key = p.key.ID
		}
	case p.key != nil:
		a.Kind, a.ID, a.Name, a.Key = store.ActorKey, p.key.ID, p.key.Name, p.key.ID
	default:
		a.Kind, a.ID, a.Name = store.ActorUser, p.user, p.name
	}
	return a
}

// can reports whether the scope is held by itself or within another.
func (p *principal) can(scope string) bool {
	switch scope {
	case scopeSession:
		return p.session != nil
	case scopePerson:
		return p.session != nil || p.person != nil && p.key != nil && len(p.key.PersonScopes) == 0
	case scopeKeys:
		return p.can(ScopeClientsWrite) || p.can(scopePerson)
	case scopeKeysEdit:
		return p.can(ScopeClientsWrite) || p.can(scopeSession)
	case scopeTrail:
		return p.can(ScopeAdmin) || p.can(scopePerson)
	}
	return slices.Contains(p.scopes, ScopeAdmin) || slices.Contains(p.scopes, scope) ||
		scope == ScopeConnectionsRead && slices.Contains(p.scopes, ScopeConnectionsWrite) ||
		scope == scopeSubmit && slices.Contains(p.scopes, ScopeMessagesSend)
}

func (p *principal) admin() bool { return slices.Contains(p.scopes, ScopeAdmin) }

// clientID is the client with the records that are seen; empty: everyone's.
func (p *principal) clientID() string {
	if p.client == nil {
		return ""
	}
	return p.client.ID
}

// keySpace names one space of idempotency keys: the client's, or those of
// one API key or one user of the machine.
func (p *principal) keySpace() string {
	if p.client != nil {
		return p.client.ID
	}
	return p.space
}

type principalKey struct{}

// caller is the principal that the middleware put there.
func caller(ctx context.Context) *principal {
	p, ok := ctx.Value(principalKey{}).(*principal)
	if !ok {
		return &principal{} // no one, without any scope
	}
	return p
}
