package gateway

import (
	"maps"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/all"
	"github.com/postino-mail/postino/internal/gateway/policy"
	"github.com/postino-mail/postino/mime"
)

// MarshalJSON writes one flat object.
func (c Connection) MarshalJSON() ([]byte, error) { return c.MarshalWith() }

// MarshalWith writes the connection and behind it the members of further objects.
func (c *Connection) MarshalWith(also ...any) ([]byte, error) {
	return c.Connection.MarshalWith(append([]any{c.Policy}, also...)...)
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
	shown := new(policy.Shown)
	c, err := adapters.Decode(data, all.Providers(), shown)
	if err != nil {
		return nil, err
	}
	return given(c, &shown.Document)
}

// Decode is DecodeShown for settings alone: a change of what a view adds would be
// without effect.
func Decode(data []byte) (*Connection, error) {
	d := new(policy.Document)
	c, err := adapters.Decode(data, all.Providers(), d)
	if err != nil {
		return nil, err
	}
	return given(c, d)
}

// given is the connection of a document that a person or program gives.
func given(c *adapters.Connection, d *policy.Document) (*Connection, error) {
	if d.WhenSpent != "" && d.OnQuotaExceeded != "" {
		return nil, &adapters.InvalidError{Fields: []adapters.FieldError{{Field: "when_spent",
			Text: mime.NewText("gateway.old_name", "this is the old name of {field}: leave it out", "field", "on_quota_exceeded")}}}
	}
	return joined(c, d), nil
}

func joined(c *adapters.Connection, d *policy.Document) *Connection {
	if d.OnQuotaExceeded == "" {
		d.OnQuotaExceeded = d.WhenSpent
	}
	return &Connection{*c, d.Policy}
}

// Stored returns the JSON form that Restore reads. For one release it has the old
// name of a field too: nodes of the version before read the same records during
// an upgrade (docs/high-availability.md), and drop the new name when they write.
func (c *Connection) Stored() ([]byte, error) {
	return c.Connection.MarshalWith(policy.Document{Policy: c.Policy, WhenSpent: c.OnQuotaExceeded})
}

// Restore reads a connection that was stored, whatever its version: fields that
// are not known are skipped, and nothing is validated. Of both names of a field
// the one of today counts.
func Restore(data []byte) (*Connection, error) {
	d := new(policy.Document)
	c, err := adapters.DecodeStored(data, all.Providers(), d)
	if err != nil {
		return nil, err
	}
	return joined(c, d), nil
}
