package adapters

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// Redacted is what a Secret shows instead of its value.
const Redacted = "***"

// A Secret is a password, key or token that never shows itself: printing,
// logging and marshalling give Redacted (or "" when empty). Only Reveal gives
// the value.
type Secret string

// Reveal returns the value, for the one place that needs it on the wire.
func (s Secret) Reveal() string { return string(s) }

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return Redacted
}

// GoString hides the value from %#v.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// Format hides the value from every other verb.
func (s Secret) Format(f fmt.State, verb rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue hides the value from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON writes Redacted in place of a value.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// MarshalText writes Redacted in place of a value.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
