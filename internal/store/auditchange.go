package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/postino-mail/postino/adapters"
)

// A Change is one field before and after. A value that is a secret is shown as
// adapters.Redacted, before and after, which says only that it was there.
type Change struct {
	Field  string `json:"field"` // path in the JSON of the record
	Before any    `json:"before,omitempty"`
	After  any    `json:"after,omitempty"`
}

// ClosedFields says which fields of a record's JSON the audit trail shows how.
type ClosedFields struct {
	Secret []string // shown as changed, never their values; what lies below them too
	Host   []string // addresses with a path that may be a secret: shown up to the host
	Quiet  []string // not shown: they change by themselves
}

// maxShown bounds a value in the audit trail, in bytes.
const maxShown = 2000

// Changes compares the JSON of a record before and after; either may be empty.
func Changes(before, after []byte, c ClosedFields) ([]Change, error) {
	had, err := flat(before)
	if err != nil {
		return nil, err
	}
	has, err := flat(after)
	if err != nil {
		return nil, err
	}
	var fields []string
	for f := range had {
		fields = append(fields, f)
	}
	for f := range has {
		if _, both := had[f]; !both {
			fields = append(fields, f)
		}
	}
	slices.Sort(fields)
	var out []Change
	for _, f := range fields {
		a, b := had[f], has[f]
		if within(f, c.Quiet) || string(a) == string(b) {
			continue
		}
		x := Change{Field: f, Before: shown(a), After: shown(b)}
		switch {
		case within(f, c.Secret):
			x.Before, x.After = redacted(a), redacted(b)
		case within(f, c.Host):
			x.Before, x.After = host(a), host(b)
		}
		out = append(out, x)
	}
	return out, nil
}

// ChangeOf is the change of one value.
func ChangeOf(field, before, after string) Change {
	c := Change{Field: field}
	if before != "" {
		c.Before = cut(withoutUserInfo(before))
	}
	if after != "" {
		c.After = cut(withoutUserInfo(after))
	}
	return c
}

// SecretChanges names the secrets that differ, by their paths.
func SecretChanges(before, after map[string]adapters.Secret) (out []Change) {
	for _, paths := range [...]map[string]adapters.Secret{before, after} {
		for path := range paths {
			a, had := before[path]
			b, has := after[path]
			if had && has && a == b || slices.ContainsFunc(out, func(c Change) bool { return c.Field == path }) {
				continue
			}
			c := Change{Field: path}
			if had {
				c.Before = adapters.Redacted
			}
			if has {
				c.After = adapters.Redacted
			}
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b Change) int { return strings.Compare(a.Field, b.Field) })
	return out
}

// within reports whether a field is one of the list or lies below one.
func within(field string, list []string) bool {
	return slices.ContainsFunc(list, func(l string) bool { return field == l || strings.HasPrefix(field, l+".") })
}

func redacted(v json.RawMessage) any {
	if v == nil {
		return nil
	}
	return adapters.Redacted
}

// host is an address up to its host.
func host(v json.RawMessage) any {
	var s string
	if v == nil || json.Unmarshal(v, &s) != nil {
		return redacted(v)
	}
	u, err := url.Parse(s)
	if err != nil {
		return adapters.Redacted
	}
	return cut((&url.URL{Scheme: u.Scheme, Host: u.Host}).String() + "/" + adapters.Redacted)
}

// flat returns the values of an object by their paths. What is empty counts as
// absent, and a list is one value.
func flat(doc []byte) (map[string]json.RawMessage, error) {
	out := map[string]json.RawMessage{}
	if len(doc) == 0 {
		return out, nil
	}
	return out, flatten(out, "", doc)
}

func flatten(out map[string]json.RawMessage, prefix string, doc []byte) error {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(doc, &m); err != nil {
		return fmt.Errorf("a record cannot be compared: %w", err)
	}
	for k, v := range m {
		if v = bytes.TrimSpace(v); len(v) > 0 && v[0] == '{' {
			if err := flatten(out, prefix+k+".", v); err != nil {
				return err
			}
			continue
		}
		switch string(v) {
		case "null", `""`, "[]":
		default:
			out[prefix+k] = v
		}
	}
	return nil
}

// shown is a value as the trail has it.
func shown(v json.RawMessage) any {
	if v == nil {
		return nil
	}
	var s string
	if json.Unmarshal(v, &s) == nil {
		return cut(withoutUserInfo(s))
	}
	if len(v) > maxShown {
		return cut(string(v))
	}
	return v
}

// withoutUserInfo takes out of an address what may be a secret: a password or a
// token in its authority, its query or its fragment.
func withoutUserInfo(s string) string {
	if !strings.Contains(s, "://") {
		return s
	}
	u, err := url.Parse(s)
	if err != nil {
		return adapters.Redacted
	}
	if u.User != nil {
		u.User = url.User("redacted")
	}
	if u.RawQuery != "" {
		u.RawQuery = "redacted"
	}
	if u.Fragment != "" {
		u.Fragment = "redacted"
	}
	return u.String()
}

func cut(s string) string {
	if len(s) <= maxShown {
		return s
	}
	n := maxShown
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
