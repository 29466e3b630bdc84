package view

import (
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// A Person is somebody who signs in, without password and keys.
type Person struct {
	ID          string    `json:"id"`
	Revision    int64     `json:"revision"`
	Name        string    `json:"name"`
	Email       string    `json:"email"`
	Language    string    `json:"language,omitempty"`
	Role        string    `json:"role" enum:"admin,operator"`
	Disabled    bool      `json:"disabled"`
	HasPassword bool      `json:"has_password"`
	Passkeys    []Passkey `json:"passkeys,omitempty"`
	Account     *Account  `json:"account,omitempty" doc:"At an identity provider, by which they sign in too"`
	CreatedAt   time.Time `json:"created_at"`
	ChangedAt   time.Time `json:"changed_at,omitzero"`
}

// Me is the person who asks, with the searches of messages that they keep.
type Me struct {
	Person
	Filters       []Filter       `json:"filters,omitempty" doc:"My searches, by name"`
	SharedFilters []SharedFilter `json:"shared_filters,omitempty" doc:"Those that other administrators share with everyone"`
	ScriptLinks   []ScriptLink   `json:"script_links,omitempty" doc:"My links to scripts that are good"`
}

// A ScriptLink shows the scripts of a connection to whoever has it.
type ScriptLink struct {
	ID        string    `json:"id"`
	Name      string    `json:"name" doc:"Of the connection"`
	URL       string    `json:"url,omitempty" doc:"Shown once, when it is made"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// OfScriptLink shows a link, without what opens it.
func OfScriptLink(l *store.ScriptLink) ScriptLink {
	return ScriptLink{ID: l.ID, Name: l.Name, CreatedAt: l.CreatedAt, ExpiresAt: l.ExpiresAt}
}

// A Filter is a search of messages under a name.
type Filter struct {
	Name   string `json:"name" minLength:"1" maxLength:"100"`
	Query  string `json:"q" minLength:"1" maxLength:"2000" doc:"As of GET /v1/messages"`
	Shared bool   `json:"shared,omitempty" doc:"With everyone; of administrators alone"`
}

// A SharedFilter is one of another person.
type SharedFilter struct {
	Filter
	By     string `json:"by" doc:"Address of who shares it"`
	Person string `json:"person" doc:"Their id"`
}

// OfFilter shows a search that is kept.
func OfFilter(f store.SavedFilter) Filter {
	return Filter{Name: f.Name, Query: f.Query, Shared: f.Shared}
}

// An Account is one at an OpenID Connect provider.
type Account struct {
	Issuer  string `json:"issuer"`
	Subject string `json:"subject" doc:"As the provider names it"`
}

// A Passkey is one authenticator of a person.
type Passkey struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	CreatedAt  time.Time `json:"created_at"`
	LastUsedAt time.Time `json:"last_used_at,omitzero"`
}

// OfPerson returns the view of a person.
func OfPerson(p *store.Person) Person {
	v := Person{ID: p.ID, Revision: p.Revision, Name: p.Name, Email: p.Email, Language: p.Language, Role: string(p.Role),
		Disabled: p.Disabled, HasPassword: p.PasswordHash != "", CreatedAt: p.CreatedAt, ChangedAt: p.ChangedAt}
	for i := range p.Passkeys {
		k := &p.Passkeys[i]
		v.Passkeys = append(v.Passkeys, Passkey{ID: k.ID, Name: k.Name, CreatedAt: k.CreatedAt, LastUsedAt: k.LastUsedAt})
	}
	if p.Account != (store.Account{}) {
		v.Account = &Account{Issuer: p.Account.Issuer, Subject: p.Account.Subject}
	}
	return v
}

// A Session is one browser in which a person has signed in.
type Session struct {
	ID        string    `json:"id"`
	Current   bool      `json:"current,omitempty" doc:"The one that asks"`
	Address   string    `json:"address,omitempty" doc:"IP address; absent: this machine"`
	Program   string    `json:"program,omitempty" doc:"User-Agent"`
	CreatedAt time.Time `json:"created_at"`
	SeenAt    time.Time `json:"seen_at" doc:"To the minute"`
	ExpiresAt time.Time `json:"expires_at" doc:"Ends then in any case, and earlier when it is not used"`
}

// OfSession returns the view of a session.
func OfSession(s *store.Session) Session {
	expires := s.ExpiresAt
	if s.IdleUntil.Before(expires) {
		expires = s.IdleUntil
	}
	return Session{ID: s.ID, Address: s.Address, Program: s.Program, CreatedAt: s.CreatedAt, SeenAt: s.SeenAt, ExpiresAt: expires}
}

// An AuditEntry is one change in the audit trail.
type AuditEntry struct {
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at"`
	Actor   Actor     `json:"actor" doc:"Who made it"`
	Action  string    `json:"action" doc:"added, changed, removed, used, paused, resumed, retry, cancel, hold, release, resend, moved"`
	Kind    string    `json:"kind" doc:"Of the object: connection, client, key, person, session, invitation, webhook, queue, lane, setting"`
	Object  string    `json:"object,omitempty" doc:"Its id; of the queue that of the message, where it is one"`
	Name    string    `json:"name,omitempty" doc:"Its name then"`
	Changes []Change  `json:"changes,omitempty" doc:"Fields before and after; a secret is ***"`
	Count   int       `json:"count,omitempty" doc:"Deliveries that were changed"`
	Skipped int       `json:"skipped,omitempty" doc:"Deliveries in a state that did not allow it"`
}

// An Actor is who made a change, and from where.
type Actor struct {
	Kind    string `json:"kind" doc:"person, key, client, user (of the machine) or gateway"`
	ID      string `json:"id,omitempty"`
	Name    string `json:"name,omitempty"`
	Key     string `json:"key,omitempty" doc:"Id of the API key, where one was used"`
	Via     string `json:"via,omitempty" doc:"page, api or command"`
	Address string `json:"address,omitempty" doc:"IP address; absent: this machine"`
	Program string `json:"program,omitempty" doc:"User-Agent, or the command"`
}

// A Change is one field before and after.
type Change struct {
	Field  string `json:"field"`
	Before any    `json:"before,omitempty"`
	After  any    `json:"after,omitempty"`
}

// OfAuditEntry returns the view of an entry.
func OfAuditEntry(e *store.AuditEntry) AuditEntry {
	a := &e.Actor
	v := AuditEntry{Seq: e.Seq, At: e.At, Action: e.Action, Kind: e.Kind, Object: e.Object, Name: e.Name, Count: e.Count, Skipped: e.Skipped,
		Actor: Actor{Kind: a.Kind, ID: a.ID, Name: a.Name, Key: a.Key, Via: a.Via, Address: a.Address, Program: a.Program}}
	for _, c := range e.Changes {
		v.Changes = append(v.Changes, Change(c))
	}
	return v
}
