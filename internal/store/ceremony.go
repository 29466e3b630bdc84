package store

import (
	"context"
	"encoding/json"
	"time"
)

// A Ceremony is one sign-in, or one registration of a passkey, that a browser has
// begun: what the answer is compared with. It is good once.
type Ceremony struct {
	ID        string          `json:"id"`
	Revision  int64           `json:"revision"`
	Hash      string          `json:"hash"`             // of the challenge: unique, also what it is found by
	Purpose   string          `json:"purpose"`          // what it may be used for
	Person    string          `json:"person,omitempty"` // id; empty: of whoever signs in
	Data      json.RawMessage `json:"data"`             // as the one who has begun it needs it
	CreatedAt time.Time       `json:"created_at"`
	ExpiresAt time.Time       `json:"expires_at"`
}

// Ceremonies is the port on what browsers have begun. None of it is in the audit
// trail, and PeopleVersion does not change.
type Ceremonies interface {
	// PutCeremony stores a new one; ErrExists: the hash is taken.
	PutCeremony(ctx context.Context, c Ceremony) (*Ceremony, error)
	// TakeCeremony removes and returns the one with the hash: of many callers one
	// gets it. ErrNotFound: there is none that has not ended at now.
	TakeCeremony(ctx context.Context, now time.Time, hash string) (*Ceremony, error)
	// TouchPasskey notes a use of a person's passkey: after takes the place of
	// before. Neither Revision nor PeopleVersion change. ErrConflict: it was used, or
	// renamed, since before was read; ErrNotFound: the person has it no longer.
	TouchPasskey(ctx context.Context, person string, before, after Passkey) error
}
