package gateway

import (
	"encoding/json"
	"maps"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// A document is the JSON form of a Connection with the name that a field had
// before, which is read for ever.
type document struct {
	Connection
	WhenSpent string `json:"when_spent,omitempty"` // on_quota_exceeded before
}

// A shownDocument is a document that was shown: what a view adds to the settings
// (internal/view) is read over, so that it can be given back.
type shownDocument struct {
	document
	State json.RawMessage `json:"state"`
	Lane  json.RawMessage `json:"lane"`
}

func (d *document) connection() *Connection {
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
// errors: a misspelt limit must not be silently without effect. What a view adds
// is read over. The error is an *adapters.InvalidError.
func Parse(data []byte) (*Connection, error) {
	c, err := DecodeShown(data)
	if err != nil {
		return nil, err
	}
	return c, c.Validate()
}

// DecodeShown is Parse without the validation, for edits that still lack the
// stored secrets.
func DecodeShown(data []byte) (*Connection, error) {
	d := new(shownDocument)
	if err := adapters.DecodeObject(data, d); err != nil {
		return nil, err
	}
	return d.given()
}

// Decode is DecodeShown for settings alone: a change of what a view adds would be
// without effect.
func Decode(data []byte) (*Connection, error) {
	d := new(document)
	if err := adapters.DecodeObject(data, d); err != nil {
		return nil, err
	}
	return d.given()
}

// given is the connection of a document that somebody gives.
func (d *document) given() (*Connection, error) {
	if d.WhenSpent != "" && d.OnQuotaExceeded != "" {
		return nil, &adapters.InvalidError{Fields: []adapters.FieldError{{Field: "when_spent",
			Text: mime.NewText("gateway.old_name", "this is the old name of {field}: leave it out", "field", "on_quota_exceeded")}}}
	}
	return d.connection(), nil
}

// Stored returns the JSON form that Restore reads. For one release it has the old
// name of a field too: nodes of the version before read the same records during
// an upgrade (docs/high-availability.md), and drop the new name when they write.
func (c *Connection) Stored() ([]byte, error) {
	return json.Marshal(document{*c, c.OnQuotaExceeded})
}

// Restore reads a connection that was stored, whatever its version: fields that
// are not known are skipped, and nothing is validated. Of both names of a field
// the one of today counts.
func Restore(data []byte) (*Connection, error) {
	d := new(document)
	if err := json.Unmarshal(data, d); err != nil {
		return nil, err
	}
	return d.connection(), nil
}
