// Package registry keeps the store's connections and clients at hand, so that
// the way of a message does not read them from the store each time.
package registry

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

// fresh bounds how long an edit made by another process stays unseen.
const fresh = time.Second

// Connections is a copy of the store's connections, refreshed when their
// version changes. Connections given are shared: never change one. Safe for
// concurrent use.
type Connections struct {
	store store.Connections

	mu     sync.Mutex
	looked time.Time
	now    *snapshot
}

type snapshot struct {
	version int64
	list    []*adapters.Connection // by name
	ids     map[string]*adapters.Connection
	names   map[string]*adapters.Connection
}

// NewConnections makes an empty copy; it fills itself.
func NewConnections(s store.Connections) *Connections { return &Connections{store: s} }

func (c *Connections) current(ctx context.Context) (*snapshot, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now != nil && time.Since(c.looked) < fresh {
		return c.now, nil
	}
	v, err := c.store.ConnectionsVersion(ctx)
	if err != nil {
		return nil, err
	}
	if c.now == nil || c.now.version != v {
		list, err := c.store.Connections(ctx)
		if err != nil {
			return nil, err
		}
		next := &snapshot{version: v, ids: make(map[string]*adapters.Connection, len(list)), names: make(map[string]*adapters.Connection, len(list))}
		for _, conn := range list {
			// An unchanged one stays the same pointer, so that its adapter stays.
			if c.now != nil {
				if old := c.now.ids[conn.ID]; old != nil && old.Revision == conn.Revision {
					conn = old
				}
			}
			next.list = append(next.list, conn)
			next.ids[conn.ID], next.names[strings.ToLower(conn.Name)] = conn, conn
		}
		slices.SortFunc(next.list, func(a, b *adapters.Connection) int { return strings.Compare(a.Name, b.Name) })
		c.now = next
	}
	c.looked = time.Now()
	return c.now, nil
}

// Stale makes the next call look at the store, after an edit by this process.
func (c *Connections) Stale() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked = time.Time{}
}

// ByID gives a connection; store.ErrNotFound when there is none.
func (c *Connections) ByID(ctx context.Context, id string) (*adapters.Connection, error) {
	s, err := c.current(ctx)
	if err != nil {
		return nil, err
	}
	return found(s.ids[id])
}

// Named gives the connection with this name, letter case folded.
func (c *Connections) Named(ctx context.Context, name string) (*adapters.Connection, error) {
	s, err := c.current(ctx)
	if err != nil {
		return nil, err
	}
	return found(s.names[strings.ToLower(name)])
}

func found(c *adapters.Connection) (*adapters.Connection, error) {
	if c == nil {
		return nil, store.ErrNotFound
	}
	return c, nil
}

// All gives every connection by name. The slice must not be changed.
func (c *Connections) All(ctx context.Context) ([]*adapters.Connection, error) {
	s, err := c.current(ctx)
	if err != nil {
		return nil, err
	}
	return s.list, nil
}
