package adapters

import (
	"strings"
)

// A FieldError says what is wrong with one field of a connection. It holds no
// secret.
type FieldError struct {
	Field string // its JSON path, such as "graph.tenant"; empty: the document as a whole
	Text  Text
}

// In is field and sentence in lang.
func (f FieldError) In(lang string) string {
	return strings.TrimPrefix(f.Field+": ", ": ") + f.Text.In(lang)
}

// An InvalidError is why a connection cannot be used as it is written: every
// field that is wrong. It is safe to show.
type InvalidError struct {
	Fields []FieldError
}

// Error is one line a field, in English.
func (e *InvalidError) Error() string { return e.In("en") }

// In is one line a field, in lang.
func (e *InvalidError) In(lang string) string {
	lines := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		lines[i] = f.In(lang)
	}
	return strings.Join(lines, "\n")
}
