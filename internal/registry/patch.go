package registry

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// Patch applies a JSON merge patch (RFC 7396) to a connection, validates the
// result and holds it against Edit.Check. Secrets stay where the patch does not
// replace them; id and revision stay always. c is not changed.
func Patch(c *gateway.Connection, patch map[string]any, admin bool) (*gateway.Connection, error) {
	doc, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := json.Unmarshal(doc, &tree); err != nil {
		return nil, err
	}
	patch = gateway.RenameFields(patch)
	mergePatch(tree, patch)
	if path := twice(tree, ""); path != "" {
		return nil, &adapters.InvalidError{Fields: []adapters.FieldError{{Field: path,
			Text: mime.NewText("registry.field_twice", "the field is there already, written in other letters: write it as the documentation does")}}}
	}
	if doc, err = json.Marshal(tree); err != nil {
		return nil, err
	}
	next, err := gateway.Decode(doc)
	if err != nil {
		return nil, err
	}
	given := map[string]bool{}
	namedIn(patch, "", given)
	secretsGiven(next, given)
	return next, finish(Edit{Old: c, Next: next, Given: given, Admin: admin})
}

// Replace is Patch with a whole connection as JSON instead of changes. Secrets
// given as adapters.Redacted stay. A document that was read and is written back
// holds the names of files as well, so they count as kept, not as given.
func Replace(c *gateway.Connection, doc []byte, admin bool) (*gateway.Connection, error) {
	next, err := gateway.DecodeShown(doc)
	if err != nil {
		return nil, err
	}
	if next.Revision != c.Revision {
		return nil, store.ErrConflict
	}
	given := map[string]bool{}
	secretsGiven(next, given)
	return next, finish(Edit{Old: c, Next: next, Given: given, Admin: admin})
}

// finish fills in what an edit keeps, and checks all.
func finish(e Edit) error {
	e.Next.ID, e.Next.Revision = e.Old.ID, e.Old.Revision
	store.KeepSecrets(e.Next, e.Old)
	if e.Next.SecretExpires == e.Old.SecretExpires && newSecret(e.Next, e.Old) {
		e.Next.SecretExpires = "" // it was the old one's
	}
	if err := e.Next.Validate(); err != nil {
		return err
	}
	return e.Check()
}

// newSecret reports whether next has a secret in place of one that old had.
func newSecret(next, old *gateway.Connection) bool {
	had := map[string]adapters.Secret{}
	for _, f := range old.Secrets() {
		had[f.Path] = *f.Value
	}
	return slices.ContainsFunc(next.Secrets(), func(f adapters.SecretField) bool {
		return *f.Value != "" && *f.Value != adapters.Redacted && had[f.Path] != "" && *f.Value != had[f.Path]
	})
}

// secretsGiven notes which secrets of a decoded edit are new. What was decoded
// decides, not what the change seemed to say: that is what will be used.
func secretsGiven(next *gateway.Connection, out map[string]bool) {
	for _, f := range next.Secrets() {
		out[f.Path] = *f.Value != adapters.Redacted
	}
}

// twice is the path of a field that an object has two times, because JSON
// decoders take names in any letters (encoding/json.Unmarshal); empty: there is
// none. Of two, the order of their bytes would decide which one counts.
func twice(object map[string]any, prefix string) string {
	names := slices.Sorted(maps.Keys(object))
	for i, name := range names {
		for _, other := range names[:i] {
			if strings.EqualFold(name, other) {
				return prefix + name
			}
		}
		if sub, ok := object[name].(map[string]any); ok {
			if path := twice(sub, prefix+name+"."); path != "" {
				return path
			}
		}
	}
	return ""
}

// namedIn notes the paths of all plain values of a patch, hidden ones apart.
func namedIn(patch map[string]any, prefix string, out map[string]bool) {
	for name, v := range patch {
		switch v := v.(type) {
		case nil:
		case map[string]any:
			namedIn(v, prefix+name+".", out)
		default:
			out[prefix+name] = v != adapters.Redacted
		}
	}
}

// mergePatch is RFC 7396 section 2.
func mergePatch(target, patch map[string]any) {
	for name, v := range patch {
		sub, isObject := v.(map[string]any)
		old, wasObject := target[name].(map[string]any)
		switch {
		case v == nil:
			delete(target, name)
		case isObject && wasObject:
			mergePatch(old, sub)
		case isObject: // its nulls name what is not there
			fresh := map[string]any{}
			mergePatch(fresh, sub)
			target[name] = fresh
		default:
			target[name] = v
		}
	}
}
