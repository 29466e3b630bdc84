package gateway

import (
	"encoding/json"
	"maps"

	"github.com/postino-mail/postino/adapters"
)

// A Document is the JSON form of a Connection: names that it had before are read.
type Document struct {
	Connection
	WhenSpent string `json:"when_spent,omitempty"` // on_quota_exceeded before
}

func (d *Document) connection() *Connection {
	if d.OnQuotaExceeded == "" {
		d.OnQuotaExceeded = d.WhenSpent
	}
	return &d.Connection
}

// RenameFields returns a merge patch with the names that fields have today.
func RenameFields(patch map[string]any) map[string]any {
	value, old := patch["when_spent"]
	if _, both := patch["on_quota_exceeded"]; !old || both {
		return patch // with both, Decode decides
	}
	patch = maps.Clone(patch)
	delete(patch, "when_spent")
	patch["on_quota_exceeded"] = value
	return patch
}

// Parse reads the JSON of one connection and validates it. Unknown fields are
// errors: a misspelt limit must not be silently without effect. The error is an
// *adapters.InvalidError.
func Parse(data []byte) (*Connection, error) {
	c, err := Decode(data)
	if err != nil {
		return nil, err
	}
	return c, c.Validate()
}

// Decode is Parse without the validation, for edits that still lack the stored
// secrets.
func Decode(data []byte) (*Connection, error) {
	d := new(Document)
	if err := adapters.DecodeObject(data, d); err != nil {
		return nil, err
	}
	if d.WhenSpent != "" && d.OnQuotaExceeded != "" {
		return nil, &adapters.InvalidError{Fields: []adapters.FieldError{{Field: "when_spent", Text: adapters.Text{
			EN: "this is the old name of on_quota_exceeded: leave it out", IT: "è il vecchio nome di on_quota_exceeded: toglierlo"}}}}
	}
	return d.connection(), nil
}

// Restore reads a connection that was stored, whatever its version: fields that
// are not known are skipped, and nothing is validated.
func Restore(data []byte) (*Connection, error) {
	d := new(Document)
	if err := json.Unmarshal(data, d); err != nil {
		return nil, err
	}
	return d.connection(), nil
}
