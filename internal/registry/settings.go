package registry

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
)

// settings are the values of a connection's settings by JSON path, defaults
// filled in, empty ones left out: two connections that behave alike are alike.
// Secrets are among them: never show them.
func settings(c *gateway.Connection) map[string]string {
	out := map[string]string{}
	if c == nil {
		return out
	}
	c = c.Clone()
	if s := c.SMTP; s != nil {
		s.Host, s.Port, s.Encryption = strings.ToLower(s.Host), s.EffectivePort(), s.EffectiveEncryption()
		if s.Auth == "" {
			s.Auth = "auto"
		}
		if s.OAuth != nil && s.Login == "" {
			s.Login = c.Mailbox("")
		}
		if s.OAuth != nil {
			fillCloud(&s.OAuth.GraphSettings)
		}
	}
	if g := c.Graph; g != nil {
		fillCloud(g)
		g.Mailbox = mailboxes(c)
	}
	if g := c.Gmail; g != nil {
		g.Subject = mailboxes(c)
	}
	walk(out, "", reflect.ValueOf(c).Elem())
	return out
}

func fillCloud(g *adapters.GraphSettings) {
	if g.Cloud == "" {
		g.Cloud = "public"
	}
}

// mailboxes are those that an API connection sends from: the configured one, its
// From, or every sender that a pattern covers.
func mailboxes(c *gateway.Connection) string {
	if box := c.Mailbox(""); box != "" {
		return strings.ToLower(box)
	}
	return strings.ToLower(strings.Join(append([]string{c.From}, c.Aliases...), " "))
}

// walk puts the settings of v into out. Objects that hold settings are gone
// into; lists and what else is no plain value count as one.
func walk(out map[string]string, prefix string, v reflect.Value) {
	for i := range v.NumField() {
		f, value := v.Type().Field(i), v.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if value.Kind() == reflect.Pointer && !value.IsNil() && value.Elem().Kind() == reflect.Struct && goneInto(prefix+name) {
			walk(out, prefix+name+".", value.Elem())
			continue
		}
		switch {
		case f.Anonymous:
			walk(out, prefix, value)
		case value.IsZero():
		case value.Kind() == reflect.String:
			out[prefix+name] = value.String()
		default:
			doc, err := json.Marshal(value.Interface())
			if err != nil {
				doc = fmt.Appendf(nil, "%v", value.Interface())
			}
			out[prefix+name] = string(doc)
		}
	}
}

// goneInto are the objects of a connection whose fields are settings of their own.
func goneInto(path string) bool {
	return slices.Contains([]string{"graph", "gmail", "smtp", "smtp.oauth"}, path)
}

// paths are those of both, in order.
func paths(a, b map[string]string) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}
