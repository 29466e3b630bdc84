package adapters

import (
	"encoding/json"
	"errors"
	"fmt"
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

// invalid collects what is wrong.
type invalid struct{ fields []FieldError }

func (v *invalid) bad(field, en, it string) {
	v.fields = append(v.fields, FieldError{field, Text{EN: en, IT: it}})
}

// notOneOf is bad for a value that is none of those allowed.
func (v *invalid) notOneOf(field, value, allowed string) {
	v.bad(field, fmt.Sprintf("%q is none of %s", value, allowed), fmt.Sprintf("%q non è tra %s", value, allowed))
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
		v.bad(strings.Trim(name, `"`), "there is no such field: look for a spelling mistake", "il campo non esiste: controllare come è scritto")
	case errors.As(err, &kind):
		field := strings.NewReplacer("Connection.", "", "Policy.", "", "GraphSettings.", "", "GmailSettings.", "").Replace(kind.Field) // embedded: not in the JSON
		v.bad(field, "not a value of this kind: "+jsonKind(kind, "en")+" is expected", "il valore non è del tipo giusto: serve "+jsonKind(kind, "it"))
	case errors.As(err, &syntax):
		v.bad("", fmt.Sprintf("the connection's JSON cannot be read: it breaks at byte %d", syntax.Offset),
			fmt.Sprintf("il JSON della connessione non è leggibile: si interrompe al byte %d", syntax.Offset))
	default:
		v.bad("", "the connection's JSON cannot be read: it is empty or cut short", "il JSON della connessione non è leggibile: è vuoto o incompleto")
	}
	return v.err()
}

// jsonKind names what a field takes.
func jsonKind(e *json.UnmarshalTypeError, lang string) string {
	t := Text{EN: "an object", IT: "un oggetto"}
	if e.Type == nil {
		return t.In(lang)
	}
	kind := e.Type.Kind().String()
	switch {
	case kind == "bool":
		t = Text{EN: "true or false", IT: "true o false"}
	case kind == "string":
		t = Text{EN: "a text", IT: "un testo"}
	case strings.HasPrefix(kind, "int"):
		t = Text{EN: "a whole number", IT: "un numero intero"}
	case kind == "slice":
		t = Text{EN: "a list", IT: "un elenco"}
	}
	return t.In(lang)
}
