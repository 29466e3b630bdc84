package registry

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/postino-mail/postino/internal/gateway"
)

// A setting of a connection.
type setting struct {
	value string // the default where it is empty
	role  role
}

// settings are those of a connection that have a value, by JSON path, defaults filled
// in: two connections that behave alike are alike. Secrets are among them: never
// show them.
func settings(c *gateway.Connection) map[string]setting {
	out := map[string]setting{}
	if c == nil {
		return out
	}
	common := common()
	walk(out, "", reflect.ValueOf(c).Elem(), func(path string, _ reflect.StructTag) role { return common[path] })
	if c.Settings != nil {
		set := reflect.ValueOf(c.Settings.Effective(&c.Connection))
		walk(out, string(c.Provider)+".", reflect.Indirect(set), func(_ string, tag reflect.StructTag) role { return roleOf(tag) })
	}
	return out
}

// walk puts the settings of v into out. Pointers to objects with settings of
// their own are gone into; lists and what else is no plain value count as one.
func walk(out map[string]setting, prefix string, v reflect.Value, of func(string, reflect.StructTag) role) {
	for i := range v.NumField() {
		f, value := v.Type().Field(i), v.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			walk(out, prefix, value, of)
		case name == "-" || value.IsZero():
		case goneInto(f.Type):
			walk(out, prefix+name+".", value.Elem(), of)
		case value.Kind() == reflect.String:
			out[prefix+name] = setting{value.String(), of(prefix+name, f.Tag)}
		default:
			doc, err := json.Marshal(value.Interface())
			if err != nil {
				doc = fmt.Appendf(nil, "%v", value.Interface())
			}
			out[prefix+name] = setting{string(doc), of(prefix+name, f.Tag)}
		}
	}
}

// goneInto reports whether a field is an object of fields that are settings of their
// own: one of them says what it means for the credential.
func goneInto(t reflect.Type) bool {
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		return false
	}
	for i := range t.Elem().NumField() {
		if _, ok := t.Elem().Field(i).Tag.Lookup(trustTag); ok {
			return true
		}
	}
	return false
}

// paths are those of both, in order.
func paths(a, b map[string]setting) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}
