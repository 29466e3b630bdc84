package registry

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
)

// follow reads what was edited since this version, where the store remembers
// that, and returns the version that the copy has then: one edit among twenty
// thousand connections costs the reading of one. Otherwise it returns version,
// and all are compared. The lock is held.
func (c *Connections) follow(ctx context.Context, version int64) (int64, error) {
	edits, err := c.store.ConnectionEdits(ctx, c.version)
	if err != nil || !edits.Known || len(edits.IDs) > part {
		return version, err
	}
	list, err := c.store.ConnectionsByID(ctx, edits.IDs)
	if errors.Is(err, store.ErrUnavailable) || ctx.Err() != nil {
		return version, err
	}
	if err != nil { // one that cannot be read must not keep the others from being found
		return version, nil //nolint:nilerr // it is met again where it is asked for
	}
	read := make(map[string]*gateway.Connection, len(list))
	for _, conn := range list {
		read[conn.ID] = conn
	}
	c.now.list = slices.Clone(c.now.list) // the present one has been given out
	for _, id := range edits.IDs {
		old := c.now.ids[id]
		c.now.replace(id, read[id])
		if old != nil && c.now.ids[id] != old && c.gone != nil {
			c.gone(old)
		}
	}
	c.version, c.changed = edits.Version, time.Now()
	return c.version, nil
}

func byName(a, b *gateway.Connection) int { return strings.Compare(a.Name, b.Name) }

// replace puts next, nil when it is gone, in the place of the connection with
// this id.
func (s *snapshot) replace(id string, next *gateway.Connection) {
	if old := s.ids[id]; old != nil {
		if next != nil && next.Revision == old.Revision { // the same pointer: its adapter hangs on it
			return
		}
		delete(s.ids, id)
		if key := strings.ToLower(old.Name); s.names[key] == old { // another may have taken the name
			delete(s.names, key)
		}
		if old.RedactedSecret() != "" {
			s.closed--
		}
		for i, _ := slices.BinarySearchFunc(s.list, old, byName); i < len(s.list); i++ {
			if s.list[i] == old {
				s.list = slices.Delete(s.list, i, i+1)
				break
			}
		}
	}
	if next == nil {
		return
	}
	s.ids[id], s.names[strings.ToLower(next.Name)] = next, next
	if next.RedactedSecret() != "" {
		s.closed++
	}
	i, _ := slices.BinarySearchFunc(s.list, next, byName)
	s.list = slices.Insert(s.list, i, next)
}
