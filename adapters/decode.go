package adapters

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/postino-mail/postino/internal/jsonfield"
	"github.com/postino-mail/postino/mime"
)

// Providers make empty settings, by provider: what Decode can read. Package all
// has those of this module.
type Providers map[Provider]func() Settings

// Decode reads the JSON of one connection. Members that a Connection does not have
// go to the structs that also points to, for a program that keeps settings of its
// own in the same object. Unknown members are errors: a misspelt limit must not be
// silently without effect; so is one that is there twice. The error is an *InvalidError. Nothing else is checked:
// see Connection.Validate.
func Decode(data []byte, known Providers, also ...any) (*Connection, error) {
	return decode(data, known, true, also)
}

// DecodeStored is Decode for a connection that another version may have written:
// members that are not known are skipped.
func DecodeStored(data []byte, known Providers, also ...any) (*Connection, error) {
	return decode(data, known, false, also)
}

func decode(data []byte, known Providers, strict bool, also []any) (*Connection, error) {
	var members map[string]json.RawMessage
	v := NewValidator()
	data = PlainText(data)
	if name, above, twice := jsonfield.Twice(data); strict && twice { // what is stored was read once
		v.Add(strings.Join(append(above, name), "."), jsonfield.TwiceMessage(name))
		return nil, v.Err()
	}
	if decodeOne(data, &members, false, v); len(*v.fields) > 0 {
		return nil, v.Err()
	}
	c := new(Connection)
	targets := map[string]any{}
	for _, part := range append([]any{c}, also...) {
		addMembers(targets, reflect.ValueOf(part).Elem())
	}
	objects := map[Provider]Settings{}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		raw := members[name]
		if p, ok := providerOf(known, name); ok {
			if string(raw) == "null" {
				continue
			}
			if objects[p] == nil {
				objects[p] = known[p]()
			}
			decodeOne(raw, objects[p], strict, v.Under(string(p)))
		} else if target, own, ok := memberOf(targets, name); ok {
			decodeOne(raw, target, strict, v.Under(own))
		} else if strict {
			v.unknown(name)
		}
	}
	c.Settings = objects[c.Provider]
	if strict && len(*v.fields) == 0 {
		c.checkProvider(known, objects, v)
	}
	return c, v.Err()
}

// checkProvider looks at which objects a document has.
func (c *Connection) checkProvider(known Providers, objects map[Provider]Settings, v *Validator) {
	names := slices.Sorted(maps.Keys(known))
	if !slices.Contains(names, c.Provider) {
		v.OneOf("provider", string(c.Provider), append([]string{""}, texts(names)...)...)
		return
	}
	for _, p := range names {
		if objects[p] != nil && p != c.Provider {
			v.Add(string(p), mime.NewText("connection.other_provider_object",
				"the provider is {provider}: leave this object out", "provider", quoted(string(c.Provider))))
		}
	}
}

func texts(names []Provider) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = string(n)
	}
	return out
}

// addMembers puts pointers to the fields of a struct into out, by their JSON names.
func addMembers(out map[string]any, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			addMembers(out, v.Field(i))
		case name != "" && name != "-":
			out[name] = v.Field(i).Addr().Interface()
		}
	}
}

// memberOf finds a member as encoding/json does: exactly, else in any letters.
func memberOf(targets map[string]any, name string) (target any, own string, ok bool) {
	if target, ok := targets[name]; ok {
		return target, name, true
	}
	for own, target := range targets {
		if strings.EqualFold(own, name) {
			return target, own, true
		}
	}
	return nil, "", false
}

func providerOf(known Providers, name string) (Provider, bool) {
	for p := range known {
		if strings.EqualFold(string(p), name) {
			return p, true
		}
	}
	return "", false
}

// decodeOne reads one JSON value into target.
func decodeOne(data []byte, target any, strict bool, v *Validator) {
	dec := json.NewDecoder(bytes.NewReader(PlainText(data)))
	if strict {
		dec.DisallowUnknownFields()
	}
	if err := dec.Decode(target); err != nil {
		v.unreadable(err)
		return
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		v.Add("", mime.NewText("connection.trailing_content",
			"the connection's JSON is followed by something else: give one object"))
	}
}

// plainConnection is a Connection without its methods.
type plainConnection Connection

// MarshalJSON writes one object; a secret is Redacted in it.
func (c Connection) MarshalJSON() ([]byte, error) { return c.MarshalWith() }

// MarshalWith writes the connection and behind it the members of further objects,
// which Decode takes apart.
func (c *Connection) MarshalWith(also ...any) ([]byte, error) {
	parts := []any{(*plainConnection)(c)}
	if c.Settings != nil {
		parts = append(parts, map[Provider]Settings{c.Provider: c.Settings})
	}
	var out bytes.Buffer
	out.WriteByte('{')
	for _, part := range append(parts, also...) {
		doc, err := json.Marshal(part)
		if err != nil {
			return nil, err
		}
		members := bytes.TrimSuffix(bytes.TrimPrefix(doc, []byte("{")), []byte("}"))
		if len(members) > 0 && out.Len() > 1 {
			out.WriteByte(',')
		}
		out.Write(members)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// UnmarshalJSON refuses: which settings a connection has depends on its provider,
// which Decode is told.
func (c *Connection) UnmarshalJSON([]byte) error {
	return errors.New("adapters: read a connection with adapters.Decode or all.ParseConnection")
}
