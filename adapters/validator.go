package adapters

import (
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/postino-mail/postino/mime"
)

// A Validator collects what is wrong with the fields of a connection.
type Validator struct {
	prefix string
	fields *[]FieldError
}

// NewValidator returns an empty one.
func NewValidator() *Validator { return &Validator{fields: new([]FieldError)} }

// Under is the Validator for an object in this one: paths begin with its name.
func (v *Validator) Under(object string) *Validator { return &Validator{v.path(object), v.fields} }

// Err is an *InvalidError with every field that is wrong, or nil.
func (v *Validator) Err() error {
	if len(*v.fields) == 0 {
		return nil
	}
	return &InvalidError{slices.Clone(*v.fields)}
}

// Add says what is wrong with a field; empty: with the object itself.
func (v *Validator) Add(field string, message Text) {
	*v.fields = append(*v.fields, FieldError{v.path(field), message})
}

func (v *Validator) path(field string) string {
	if v.prefix == "" || field == "" {
		return v.prefix + field
	}
	return v.prefix + "." + field
}

// OneOf wants one of the values; an empty one is not named.
func (v *Validator) OneOf(field, value string, allowed ...string) {
	if !slices.Contains(allowed, value) || value == "" && !slices.Contains(allowed, "") {
		named := slices.DeleteFunc(slices.Clone(allowed), func(s string) bool { return s == "" })
		v.Add(field, mime.NewText("connection.not_one_of", "{value} is none of {allowed}", "value", quoted(value),
			"allowed", strings.Join(named, ", ")))
	}
}

// URL wants https, or http to this machine; empty is right.
func (v *Validator) URL(field, raw string) {
	if raw == "" {
		return
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		v.Add(field, mime.NewText("connection.not_a_url", "not a URL with scheme and host"))
		return
	}
	if u.Scheme == "http" && !Loopback(u.Hostname()) {
		v.Add(field, mime.NewText("connection.https_only",
			"only https is allowed: tokens would cross the network in the clear"))
	}
}

// Sender wants an address or "*@domain", and takes invisible characters off both
// ends, which come with what was pasted; empty is right.
func (v *Validator) Sender(field string, addr *string) {
	if *addr == "" {
		return
	}
	clean, err := mime.CheckSender(*addr)
	if e := new(mime.Error); errors.As(err, &e) {
		v.Add(field, e.Message)
	} else if clean != *addr {
		*addr = clean
	}
}

// Mailbox wants an address as Sender does, or another name of a mailbox at the
// provider.
func (v *Validator) Mailbox(field string, name *string) {
	if strings.Contains(*name, "@") {
		v.Sender(field, name)
	}
}

func (v *Validator) limit(field string, n *int) {
	if n != nil && *n < 0 {
		v.Add(field, mime.NewText("connection.negative_limit",
			"0 means no limit; a negative one has no meaning"))
	}
}

func (v *Validator) unknown(field string) {
	v.Add(field, mime.NewText("connection.unknown_field", "there is no such field: look for a spelling mistake"))
}

// Loopback reports whether a host is this machine, by its name or address.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func quoted(s string) string { return strconv.Quote(s) }

// unreadable tells what encoding/json found wrong. Values of the document are
// not repeated: one of them may be a secret.
func (v *Validator) unreadable(err error) {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	name, unknown := strings.CutPrefix(err.Error(), "json: unknown field ")
	switch {
	case unknown: // encoding/json tells the name alone
		(&Validator{fields: v.fields}).unknown(strings.Trim(name, `"`))
	case errors.As(err, &kind):
		path := slices.DeleteFunc(strings.Split(kind.Field, "."), embedded)
		v.Add(strings.Join(path, "."), mime.NewText("connection.wrong_kind", "not a value of this kind: {kind} is expected",
			"kind", jsonKind(kind)))
	case errors.As(err, &syntax):
		v.Add("", mime.NewText("connection.json_broken",
			"the connection's JSON cannot be read: it breaks at byte {offset}", "offset", syntax.Offset))
	default:
		v.Add("", mime.NewText("connection.json_cut_short",
			"the connection's JSON cannot be read: it is empty or cut short"))
	}
}

// embedded reports whether a step of a path is a struct's Go name, which stands
// in encoding/json's paths and not in the document.
func embedded(step string) bool { return step != "" && unicode.IsUpper(rune(step[0])) }

// jsonKind names what a field takes.
func jsonKind(e *json.UnmarshalTypeError) Text {
	t := mime.NewText("connection.kind_object", "an object")
	if e.Type == nil {
		return t
	}
	kind := e.Type.Kind().String()
	switch {
	case kind == "bool":
		t = mime.NewText("connection.kind_bool", "true or false")
	case kind == "string":
		t = mime.NewText("connection.kind_text", "a text")
	case strings.HasPrefix(kind, "int"):
		t = mime.NewText("connection.kind_number", "a whole number")
	case kind == "slice":
		t = mime.NewText("connection.kind_list", "a list")
	}
	return t
}
