package store

import (
	"context"
	"net/netip"
	"time"
)

// A Client is a program or device that submits.
type Client struct {
	ID          string         `json:"id"`
	Revision    int64          `json:"revision"`
	Name        string         `json:"name"`                  // login; unique, letter case folded
	SecretHash  string         `json:"secret_hash,omitempty"` // vault.HashSecret; empty: known by its networks alone
	Networks    []netip.Prefix `json:"networks,omitempty"`
	Senders     []string       `json:"senders,omitempty"`     // addresses or "*@domain"; empty: any that a connection allows
	Connections []string       `json:"connections,omitempty"` // ids it may use; empty: any
	Connection  string         `json:"connection,omitempty"`  // id of its own (routing rule 6)
	PerMinute   int            `json:"per_minute,omitempty"`  // submissions; 0: no limit
	Class       string         `json:"class,omitempty"`       // of its messages: transactional, bulk, or empty
	NotifyOff   bool           `json:"notify_off,omitempty"`  // no notifications to the sender
	// ResubmitMinutes is how long a message that was accepted, without its client
	// hearing of it, answers the same message again; nil: an hour, 0: never.
	ResubmitMinutes *int      `json:"resubmit_minutes,omitempty"`
	Disabled        bool      `json:"disabled,omitempty"`
	CreatedAt       time.Time `json:"created_at"`
	ChangedAt       time.Time `json:"changed_at"`
}

// An APIKey lets a program use the HTTP API: as a client, as a person, or for
// itself.
type APIKey struct {
	ID       string   `json:"id"`
	Revision int64    `json:"revision"`
	Client   string   `json:"client"`           // id
	Person   string   `json:"person,omitempty"` // id: it may what the person may, as long as they may sign in
	Name     string   `json:"name"`
	Hash     string   `json:"hash"` // vault.HashKey of the key: unique, also what it is found by
	Scopes   []string `json:"scopes"`
	// PersonScopes narrows what a person's key may; empty: all that the person may.
	// Scopes is empty then: a node of an earlier release, which does not know that
	// the key is a person's, refuses it.
	PersonScopes []string  `json:"person_scopes,omitempty"`
	CreatedAt    time.Time `json:"created_at"`
	ExpiresAt    time.Time `json:"expires_at,omitzero"`
	RevokedAt    time.Time `json:"revoked_at,omitzero"`
	LastUsedAt   time.Time `json:"last_used_at,omitzero"`
}

// Clients is the port on clients and their keys. Put works as PutConnection
// does: empty ID and Revision 0 make a new one, else Revision must be the
// stored one (ErrConflict); a name or hash that is taken is ErrExists.
type Clients interface {
	Client(ctx context.Context, id string) (*Client, error)
	ClientNamed(ctx context.Context, name string) (*Client, error)
	Clients(ctx context.Context) ([]Client, error)
	PutClient(ctx context.Context, c Client) (*Client, error)
	// DeleteClient removes the client and its API keys. Its messages stay.
	DeleteClient(ctx context.Context, id string) error
	// ClientsVersion changes whenever a client or a key was put or deleted.
	ClientsVersion(ctx context.Context) (int64, error)

	APIKeyByHash(ctx context.Context, hash string) (*APIKey, error)
	// APIKeys returns the keys of one client, of all when client is empty.
	APIKeys(ctx context.Context, client string) ([]APIKey, error)
	PutAPIKey(ctx context.Context, k APIKey) (*APIKey, error)
	DeleteAPIKey(ctx context.Context, id string) error
	// TouchAPIKey notes a use; neither Revision nor ClientsVersion change.
	TouchAPIKey(ctx context.Context, id string, at time.Time) error
}
