package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
)

// A Sealer keeps the secrets of connections unreadable in the store; the vault
// implements it. Both are safe for concurrent use.
type Sealer interface {
	// Seal encrypts secret so that Open gives it back for the same owner and
	// path alone.
	Seal(owner, path string, secret adapters.Secret) ([]byte, error)
	Open(owner, path string, sealed []byte) (adapters.Secret, error)
}

// ConnectionState is what is known of a connection besides its settings.
type ConnectionState struct {
	Connection  string          `json:"connection"`
	PausedUntil time.Time       `json:"paused_until,omitzero"` // Never: until somebody resumes it or edits the connection
	Error       *adapters.Error `json:"error,omitempty"`       // why
	Breaker     Breaker         `json:"breaker,omitzero"`
	ChangedAt   time.Time       `json:"changed_at,omitzero"`

	Credential CredentialEnd `json:"credential,omitzero"` // what was read of its end
}

// A CredentialEnd is when the credential of a connection ends, as it was read where
// the credential is registered, or from its certificate.
type CredentialEnd struct {
	Kind string    `json:"kind"`
	Ends time.Time `json:"ends"`
	Name string    `json:"name,omitempty"` // as the provider shows it to people
	// Among is of how many it is the one that ends first, because they cannot be
	// told apart; 0 and 1: it is this one.
	Among    int   `json:"among,omitempty"`
	Revision int64 `json:"revision"` // of the connection that it was read for
}

// Certain reports that it is the end of this credential, and not that of another
// of the same application.
func (e CredentialEnd) Certain() bool { return e.Among <= 1 }

// For returns e as read for a revision of its connection; zero where it has no end.
func (e CredentialEnd) For(revision int64) CredentialEnd {
	if e.Ends.IsZero() {
		return CredentialEnd{}
	}
	e.Ends, e.Revision = Micro(e.Ends), revision
	return e
}

// Kinds of credentials that end.
const (
	KindSecret            = "secret"
	KindClientCertificate = "client_certificate"
)

// Ends are the known ends of the credential of c: what was read, and the date that
// was entered, which counts where nothing certain was read of the secret.
func (st *ConnectionState) Ends(c *gateway.Connection) (out []CredentialEnd) {
	read := st.Credential
	known := !read.Ends.IsZero() && read.Revision == c.Revision
	secret := read.Kind == KindSecret
	entered, ok := c.SecretEnds()
	ok = ok && (!known || !secret || !read.Certain())
	if known && (!ok || !secret) {
		out = append(out, read)
	}
	if ok {
		out = append(out, CredentialEnd{Kind: KindSecret, Ends: entered, Revision: c.Revision})
	}
	return out
}

// EncodeState returns the stored form of the state of a connection.
func EncodeState(st ConnectionState) ([]byte, error) {
	return json.Marshal(struct {
		ConnectionState
		Error *keptError `json:"error,omitempty"`
	}{st, kept(st.Error)})
}

// DecodeState reads the stored form of the state of a connection. One that is
// corrupt is empty: the next refusal writes it again.
func DecodeState(connection string, doc []byte) (st ConnectionState) {
	if json.Unmarshal(doc, &st) != nil {
		st = ConnectionState{}
	}
	st.Connection = connection
	return st
}

// A Breaker is the outbox's account of a route that keeps failing; the store
// keeps it and reads nothing in it.
type Breaker struct {
	State     string    `json:"state,omitempty"` // "" or closed, open, half-open
	Failures  int       `json:"failures,omitempty"`
	OpenUntil time.Time `json:"open_until,omitzero"`
	OpenedAt  time.Time `json:"opened_at,omitzero"`
}

// A ConnectionChange alters a ConnectionState; nil fields leave things as they are.
type ConnectionChange struct {
	// PauseUntil makes none of the connection's deliveries begin before; a
	// moment that is past resumes.
	PauseUntil *time.Time
	Error      *adapters.Error // why; removed by a resume
	Breaker    *Breaker
	Credential *CredentialEnd // zero: nothing is known of it any more
}

// Connections is the port on the connections. Their secrets are sealed at rest
// and open in what the port gives; one that cannot be opened is adapters.Redacted.
type Connections interface {
	// Connection returns the one with this id; ConnectionNamed the one with this
	// name, letter case folded.
	Connection(ctx context.Context, id string) (*gateway.Connection, error)
	ConnectionNamed(ctx context.Context, name string) (*gateway.Connection, error)
	// Connections returns all, by name.
	Connections(ctx context.Context) ([]*gateway.Connection, error)
	// ConnectionRevisions returns the revision of each by id, ConnectionsByID those of
	// the ids that there are, in any order: what a cache needs after a change, where
	// there are very many. At most 1,000 ids.
	// ConnectionEdits tells which have changed after the version.
	ConnectionEdits(ctx context.Context, since int64) (Edits, error)
	ConnectionRevisions(ctx context.Context) (map[string]int64, error)
	ConnectionsByID(ctx context.Context, ids []string) ([]*gateway.Connection, error)

	// PutConnection stores a new connection (empty ID: one is made; Revision 0)
	// or a new state of one (Revision as it was read, or ErrConflict), and gives
	// the stored one with ID and Revision. It checks nothing but what only a store
	// can: a name that another has is ErrExists, letter case folded. Secrets that
	// are adapters.Redacted keep their stored value, also one that cannot be
	// opened here. When c is the default,
	// every other connection ceases to be in the same transaction.
	//
	// Editing ends a pause of the connection, gives its limits to its lanes, and
	// an inactive connection's deliveries wait. Where the name changes, the chains
	// of fallbacks that have the old name get the new one in the same transaction.
	PutConnection(ctx context.Context, now time.Time, c *gateway.Connection) (*gateway.Connection, error)

	// DeleteConnection removes the connection and its secrets. ErrInUse while
	// deliveries that are not final name it.
	DeleteConnection(ctx context.Context, now time.Time, id string) error
	// ReplaceConnection is DeleteConnection with a successor (an id), which takes
	// its place in the chains of fallbacks and with the clients that name it, in the
	// same transaction.
	ReplaceConnection(ctx context.Context, now time.Time, id, successor string) error

	// ApplyConnections makes all edits in one transaction, or none: first what is
	// removed, then what is put, as DeleteConnection and PutConnection do. It returns
	// what was put, in order, nil for what was removed. The error is an *EditError
	// where one edit is to blame.
	ApplyConnections(ctx context.Context, now time.Time, edits []ConnectionEdit) ([]*gateway.Connection, error)

	// ConnectionState returns the state; of a connection without a story it is
	// empty, not an error. ConnectionStates returns those that have one.
	ConnectionState(ctx context.Context, id string) (ConnectionState, error)
	ConnectionStates(ctx context.Context) ([]ConnectionState, error)
	// ChangeConnection alters the state and wakes the nodes. A delivery claimed
	// after it returned obeys it. The connection itself need not exist.
	ChangeConnection(ctx context.Context, now time.Time, id string, c ConnectionChange) error

	// ConnectionsVersion changes whenever any connection was put or deleted, by
	// any process: a cache compares it.
	ConnectionsVersion(ctx context.Context) (int64, error)
}

// SealConnection splits c into JSON without secrets and the sealed secrets by
// path, for the stores. A secret that is Redacted keeps what is sealed in old:
// it could not be opened here. c is not changed; c.ID must be set.
func SealConnection(c *gateway.Connection, s Sealer, old []byte) (doc, sealed []byte, err error) {
	plain := c.Clone()
	secrets, had := map[string][]byte{}, map[string][]byte{}
	if len(old) > 0 {
		if err := json.Unmarshal(old, &had); err != nil { // corrupt: there is nothing to keep
			had = nil
		}
	}
	for _, f := range plain.Secrets() {
		if *f.Value == "" {
			continue
		}
		if *f.Value == adapters.Redacted {
			if had[f.Path] == nil {
				return nil, nil, fmt.Errorf("the secret %s is %s and was never stored: give the secret itself", f.Path, adapters.Redacted)
			}
			secrets[f.Path], *f.Value = had[f.Path], ""
			continue
		}
		if s == nil {
			return nil, nil, fmt.Errorf("the store was opened without a key: the secret %s cannot be kept", f.Path)
		}
		if secrets[f.Path], err = s.Seal(c.ID, f.Path, *f.Value); err != nil {
			return nil, nil, fmt.Errorf("the secret %s cannot be sealed: %w", f.Path, err)
		}
		*f.Value = ""
	}
	if doc, err = plain.Stored(); err != nil {
		return nil, nil, fmt.Errorf("the connection cannot be written: %w", err)
	}
	if sealed, err = json.Marshal(secrets); err != nil {
		return nil, nil, fmt.Errorf("the connection cannot be written: %w", err)
	}
	return doc, sealed, nil
}

// OpenConnection puts together what SealConnection split. A secret that cannot
// be opened, because it was sealed with another key or is corrupt, is
// adapters.Redacted: the connection is seen and can be edited, and nothing is
// sent through it (adapters.Router refuses it).
func OpenConnection(doc, sealed []byte, s Sealer) (*gateway.Connection, error) {
	c, err := gateway.Restore(doc)
	if err != nil {
		return nil, fmt.Errorf("a stored connection cannot be read: %w", err)
	}
	secrets := map[string][]byte{}
	corrupt := json.Unmarshal(sealed, &secrets) != nil
	for _, f := range c.Secrets() {
		b, ok := secrets[f.Path]
		if !ok && !corrupt {
			continue
		}
		*f.Value = adapters.Redacted
		if s == nil || corrupt {
			continue
		}
		if v, err := s.Open(c.ID, f.Path, b); err == nil {
			*f.Value = v
		}
	}
	return c, nil
}

// KeepSecrets puts the secrets of old where c says adapters.Redacted, so that a
// connection that was shown can be edited without knowing them. One that old
// does not have is emptied; one that could not be opened stays Redacted.
func KeepSecrets(c, old *gateway.Connection) {
	had := map[string]adapters.Secret{}
	if old != nil {
		for _, f := range old.Secrets() {
			had[f.Path] = *f.Value
		}
	}
	for _, f := range c.Secrets() {
		if *f.Value == adapters.Redacted {
			*f.Value = had[f.Path]
		}
	}
}

// Change applies c.
func (st *ConnectionState) Change(now time.Time, c ConnectionChange) {
	if c.PauseUntil != nil || c.Error != nil || c.Breaker != nil {
		st.ChangedAt = Micro(now)
	}
	if c.PauseUntil != nil {
		st.PausedUntil = Micro(*c.PauseUntil)
		if !st.PausedUntil.After(now) {
			st.PausedUntil, st.Error = time.Time{}, nil
		}
	}
	if c.Error != nil {
		st.Error = c.Error
	}
	if c.Breaker != nil {
		st.Breaker = *c.Breaker
	}
	if c.Credential != nil {
		st.Credential = *c.Credential
		st.Credential.Ends = Micro(st.Credential.Ends)
	}
}
