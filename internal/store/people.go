package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// ErrLastAdmin refuses a change that would leave no administrator who can sign in.
var ErrLastAdmin = texterr.New(mime.NewText("store.last_admin",
	"this is the last active administrator: make another person an administrator first"))

// ErrAccountTaken refuses a person with an account at an identity provider that
// another person has.
var ErrAccountTaken = texterr.New(mime.NewText("store.account_taken",
	"this account of the identity provider signs in another person here: ask an administrator of this server"))

// A Role is what a person may do.
type Role string

// The roles.
const (
	RoleAdmin    Role = "admin"    // everything
	RoleOperator Role = "operator" // the connections that they own, and the mail sent through them
)

// A Person is someone who signs in.
type Person struct {
	ID           string        `json:"id"`
	Revision     int64         `json:"revision"`
	Name         string        `json:"name"`
	Email        string        `json:"email"`              // what they sign in with; unique, letter case folded
	Language     string        `json:"language,omitempty"` // en, it; empty: as their browser asks
	Role         Role          `json:"role"`
	PasswordHash string        `json:"password_hash,omitempty"` // vault.Hasher.Hash; empty: no password
	Passkeys     []Passkey     `json:"passkeys,omitempty"`
	Disabled     bool          `json:"disabled,omitempty"`
	Account      Account       `json:"account,omitzero"`  // of an identity provider, by which they sign in too; unique
	Filters      []SavedFilter `json:"filters,omitempty"` // searches of messages that they keep, by name
	ScriptLinks  []ScriptLink  `json:"script_links,omitempty"`
	CreatedAt    time.Time     `json:"created_at"`
	ChangedAt    time.Time     `json:"changed_at"`
}

// CanSignIn reports whether the person is not disabled and has a credential here: an
// account elsewhere signs in only as long as its provider answers.
func (p *Person) CanSignIn() bool {
	return !p.Disabled && (p.PasswordHash != "" || len(p.Passkeys) > 0)
}

// IsActiveAdmin reports whether the person is an administrator who can sign in.
func (p *Person) IsActiveAdmin() bool { return p.Role == RoleAdmin && p.CanSignIn() }

// An Account is one at an OpenID Connect provider: the two together name it for ever.
type Account struct {
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
}

// A SavedFilter is a search of messages that a person keeps under a name.
type SavedFilter struct {
	Name   string `json:"name"`             // unique among those of the person, letter case folded
	Query  string `json:"q"`                // as people type it (internal/search)
	Shared bool   `json:"shared,omitempty"` // with everyone, as long as the person is an administrator
}

// A Passkey is a WebAuthn credential of a person. It has no secret: that stays
// in the authenticator.
type Passkey struct {
	ID         string          `json:"id"` // of the credential, base64url
	Name       string          `json:"name"`
	Credential json.RawMessage `json:"credential"`       // as the library keeps it: public key, counter, flags
	Handle     string          `json:"handle,omitempty"` // by which the authenticator names its person; empty: their id
	CreatedAt  time.Time       `json:"created_at"`
	LastUsedAt time.Time       `json:"last_used_at,omitzero"`
}

// A Session is one browser in which a person has signed in.
type Session struct {
	ID        string    `json:"id"`
	Revision  int64     `json:"revision"`
	Person    string    `json:"person"` // id
	Hash      string    `json:"hash"`   // vault.HashKey of the token: unique, also what it is found by
	CreatedAt time.Time `json:"created_at"`
	SeenAt    time.Time `json:"seen_at"`
	IdleUntil time.Time `json:"idle_until"` // ends then unless it is used before
	ExpiresAt time.Time `json:"expires_at"` // ends then in any case
	Address   string    `json:"address,omitempty"`
	Program   string    `json:"program,omitempty"` // User-Agent
}

// Ended reports whether the session is over at now.
func (s *Session) Ended(now time.Time) bool {
	return !now.Before(s.ExpiresAt) || !now.Before(s.IdleUntil)
}

// An Invitation is a link by which a person sets a password or adds a passkey
// without having one. It is good once.
type Invitation struct {
	ID        string    `json:"id"`
	Revision  int64     `json:"revision"`
	Hash      string    `json:"hash"`             // vault.HashKey of the token: unique, also what it is found by
	Person    string    `json:"person,omitempty"` // id; empty: it makes the first administrator
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// People is the port on who signs in. Put works as that of Clients does: empty ID
// and Revision 0 make a new record, else Revision must be the stored one
// (ErrConflict); an address or a hash that is taken is ErrExists.
type People interface {
	Ceremonies

	Person(ctx context.Context, id string) (*Person, error)
	// PersonByEmail finds by the address, letter case folded.
	PersonByEmail(ctx context.Context, email string) (*Person, error)
	// People returns all, by address.
	People(ctx context.Context) ([]Person, error)
	// PutPerson ends the person's sessions in the same transaction when the
	// password has changed, a passkey or the account is gone or the person is disabled, and their invitations when
	// the person is disabled. ErrLastAdmin: there was an active administrator
	// before, and there would be none.
	PutPerson(ctx context.Context, p Person) (*Person, error)
	// DeletePerson removes the person with sessions, invitations and API keys.
	// Their connections stay, and are the administrators' then. ErrLastAdmin as
	// PutPerson.
	DeletePerson(ctx context.Context, id string) error
	// PeopleVersion changes whenever a person, a session or an invitation was put
	// or deleted, by any process: a cache compares it.
	PeopleVersion(ctx context.Context) (int64, error)

	SessionByHash(ctx context.Context, hash string) (*Session, error)
	// Sessions returns those of one person, the newest first; of all when person
	// is empty. Those that have ended may be among them.
	Sessions(ctx context.Context, person string) ([]Session, error)
	PutSession(ctx context.Context, s Session) (*Session, error)
	// TouchSession notes a use; neither Revision nor PeopleVersion change.
	TouchSession(ctx context.Context, id string, seen, idleUntil time.Time) error
	DeleteSession(ctx context.Context, id string) error
	// DeleteSessions removes those of a person but the one with the id except, and
	// returns how many there were.
	DeleteSessions(ctx context.Context, person, except string) (int, error)

	InvitationByHash(ctx context.Context, hash string) (*Invitation, error)
	// Invitations returns those of one person, of all when person is empty.
	Invitations(ctx context.Context, person string) ([]Invitation, error)
	// PutInvitation removes older ones of the same person.
	PutInvitation(ctx context.Context, i Invitation) (*Invitation, error)
	// Redeem uses an invitation that has not ended at now and puts p, in one
	// transaction; p.ID is the invitation's Person, and a new person where that is
	// empty: then ErrExists when there is a person already. ErrNotFound: there is no
	// such invitation any more.
	Redeem(ctx context.Context, now time.Time, hash string, p Person) (*Person, error)

	// PurgePeople removes sessions, invitations and ceremonies that have ended at now, without
	// an entry in the audit trail.
	PurgePeople(ctx context.Context, now time.Time) (removed int, err error)
}
