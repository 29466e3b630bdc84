package connections

import (
	"maps"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/registry"
)

// Duplicate returns a copy of a connection, not stored yet, with a JSON merge patch
// applied; patch has its name. The copy is not the default, and not active unless
// the patch says so: two connections for one sender would share its mail by
// chance. Secrets are copied for an administrator alone, and only where the copy
// goes to the same destination; else the patch has them. c is not changed.
func Duplicate(c *gateway.Connection, patch map[string]any, admin bool) (*gateway.Connection, error) {
	from := c.Clone()
	inactive := false
	from.Active, from.Default = &inactive, gateway.DefaultNo
	if !admin {
		from.Owner = ""
		for _, s := range from.Secrets() {
			*s.Value = ""
		}
	}
	patch = maps.Clone(patch)
	delete(patch, "id")
	delete(patch, "revision")
	next, err := registry.Patch(from, patch, admin)
	if err != nil {
		return nil, err
	}
	next.ID, next.Revision = "", 0
	return next, nil
}
