package adapters

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/mime"
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

// invalid collects what is wrong.
type invalid struct{ fields []FieldError }

func (v *invalid) bad(field string, message Text) {
	v.fields = append(v.fields, FieldError{field, message})
}

// notOneOf is bad for a value that is none of those allowed.
func (v *invalid) notOneOf(field, value, allowed string) {
	v.bad(field, mime.NewText("connection.none", "{value} is none of {allowed}", "value", strconv.Quote(value), "allowed", allowed))
}

func (v *invalid) err() error {
	if len(v.fields) == 0 {
		return nil
	}
	return &InvalidError{v.fields}
}

// unreadable tells what encoding/json found wrong. Values of the document are
// not repeated: one of them may be a secret.
func unreadable(err error) error {
	var v invalid
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	name, unknown := strings.CutPrefix(err.Error(), "json: unknown field ")
	switch {
	case unknown:
		v.bad(strings.Trim(name, `"`), mime.NewText("connection.no_such_field_look_spelling",
			"there is no such field: look for a spelling mistake"))
	case errors.As(err, &kind):
		// embedded: not in the JSON
		field := strings.NewReplacer("Connection.", "", "Policy.", "", "GraphSettings.", "", "GmailSettings.", "").Replace(kind.Field)
		v.bad(field, mime.NewText("connection.not_value_kind_expected", "not a value of this kind: {kind} is expected", "kind", jsonKind(kind)))
	case errors.As(err, &syntax):
		v.bad("", mime.NewText("connection.connection_json_cannot_read_breaks",
			"the connection's JSON cannot be read: it breaks at byte {offset}", "offset", syntax.Offset))
	default:
		v.bad("", mime.NewText("connection.connection_json_cannot_read_empty",
			"the connection's JSON cannot be read: it is empty or cut short"))
	}
	return v.err()
}

// jsonKind names what a field takes.
func jsonKind(e *json.UnmarshalTypeError) Text {
	t := mime.NewText("connection.object", "an object")
	if e.Type == nil {
		return t
	}
	kind := e.Type.Kind().String()
	switch {
	case kind == "bool":
		t = mime.NewText("connection.true_false", "true or false")
	case kind == "string":
		t = mime.NewText("connection.text", "a text")
	case strings.HasPrefix(kind, "int"):
		t = mime.NewText("connection.whole_number", "a whole number")
	case kind == "slice":
		t = mime.NewText("connection.list", "a list")
	}
	return t
}
