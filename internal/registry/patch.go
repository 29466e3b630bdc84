package registry

import (
	"encoding/json"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

// Patch applies a JSON merge patch (RFC 7396) to a connection and validates the
// result. Secrets stay where the patch does not replace them; id and revision
// stay always. c is not changed.
func Patch(c *adapters.Connection, patch map[string]any) (*adapters.Connection, error) {
	doc, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := json.Unmarshal(doc, &tree); err != nil {
		return nil, err
	}
	mergePatch(tree, patch)
	if doc, err = json.Marshal(tree); err != nil {
		return nil, err
	}
	next, err := adapters.DecodeConnection(doc)
	if err != nil {
		return nil, err
	}
	next.ID, next.Revision = c.ID, c.Revision
	store.KeepSecrets(next, c)
	return next, next.Validate()
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
