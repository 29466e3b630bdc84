package store

import (
	"encoding/json"
	"time"
)

// A ScriptLink is a link of a person, by which whoever has it sees the scripts that allow
// a connection to send, without signing in: for the administrator of a tenant. Nothing
// of it is secret.
type ScriptLink struct {
	ID        string          `json:"id"` // vault.HashKey of its token, by which alone it opens
	Name      string          `json:"name"`
	Values    json.RawMessage `json:"values"` // of the scripts, when it was made
	CreatedAt time.Time       `json:"created_at"`
	ExpiresAt time.Time       `json:"expires_at"`
}
