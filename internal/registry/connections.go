// Package registry keeps copies of the connections and clients of the store in
// memory, so that a message needs no query for them. A copy is at most a tenth of
// a second old.
package registry

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
)

// Fresh bounds how long an edit made by another process stays unseen: whoever
// edits waits as long for the answer. The look that ends it reads one number, of
// which ten a second cost nothing beside the mail of that second.
const Fresh = 100 * time.Millisecond

const fresh = Fresh

// few is how many connections ByID reads one by one before it reads all: a
// server that starts with ten thousand of them sends at once, and one with an
// administrator who edits all day does not read ten thousand after each edit.
const few = 256

// Connections is a copy of the store's connections, refreshed when their
// version changes. Connections given are shared: never change one. Safe for
// concurrent use.
type Connections struct {
	store store.Connections
	again looker
	heard heard
	gone  func(*gateway.Connection) // nil: no one asked

	mu      sync.Mutex
	looked  time.Time // began then
	changed time.Time // when a look last found something new
	version int64
	now     *snapshot                      // nil: not all were read at this version
	some    map[string]*gateway.Connection // those read one by one at this version, by id; nil: it never looked
	before  map[string]*gateway.Connection // those of the version before
	ordered []*gateway.Connection          // and, where that is all of them, by name
}

// A snapshot changes under the lock of its Connections alone; list is replaced,
// not changed.
type snapshot struct {
	list  []*gateway.Connection // by name
	ids   map[string]*gateway.Connection
	names map[string]*gateway.Connection

	closed int // with a secret that does not open
}

// NewConnections makes an empty copy; it fills itself.
func NewConnections(s store.Connections) *Connections {
	c := &Connections{store: s, again: newLooker()}
	c.heard.follow(s)
	return c
}

// OnGone has f called with each connection as it was, once it is seen that it was
// edited or deleted: what was kept for it is of no use any more. One that was not
// asked for between two edits of others may be among them. f runs under a lock
// and must not wait. Set before the first use.
func (c *Connections) OnGone(f func(old *gateway.Connection)) { c.gone = f }

// left tells of the connections of before that are not, as they were, those of
// now. The lock is held.
func (c *Connections) left(before, now map[string]*gateway.Connection) {
	if c.gone == nil {
		return
	}
	for id, old := range before {
		if now[id] != old {
			c.gone(old)
		}
	}
}

// heard is true after the store told of an edit, until somebody looks.
type heard struct{ atomic.Bool }

// follow has the next call look at the store as soon as that hears of an edit.
func (h *heard) follow(s any) {
	if w, ok := s.(interface{ OnChange(f func()) }); ok {
		w.OnChange(func() { h.Store(true) })
	}
}

// look forgets what is no longer so. The lock is held.
func (c *Connections) look(ctx context.Context) error {
	if edited := c.heard.Swap(false); c.some != nil && !edited && time.Since(c.looked) < fresh {
		return nil
	}
	now := time.Now()
	v, err := c.store.ConnectionsVersion(ctx)
	if err != nil {
		c.looked = time.Time{}
		return err
	}
	if c.now != nil && v != c.version {
		if v, err = c.follow(ctx, v); err != nil {
			c.looked = time.Time{}
			return err
		}
	}
	if c.some == nil || v != c.version {
		seen := c.some
		if c.now != nil {
			seen = c.now.ids
		}
		c.left(c.before, seen) // what is left of the version before that one
		if c.before, c.ordered = c.some, nil; c.now != nil {
			c.before, c.ordered = c.now.ids, c.now.list
		}
		if c.some != nil {
			c.changed = time.Now()
		}
		c.version, c.now, c.some = v, nil, map[string]*gateway.Connection{}
	}
	c.looked = now
	return nil
}

// same returns an unchanged connection as it was returned before. The lock is held.
func (c *Connections) same(conn *gateway.Connection) *gateway.Connection {
	if old := c.known(conn.ID, conn.Revision); old != nil {
		return old
	}
	return conn
}

// known returns a connection that was read at this revision; nil: it was not. The
// lock is held.
func (c *Connections) known(id string, revision int64) *gateway.Connection {
	for _, m := range []map[string]*gateway.Connection{c.some, c.before} {
		if old := m[id]; old != nil && old.Revision == revision {
			return old
		}
	}
	return nil
}

// current calls f with all, under the lock.
func (c *Connections) current(ctx context.Context, f func(*snapshot)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.look(ctx); err != nil {
		return err
	}
	s, err := c.all(ctx)
	if err == nil {
		f(s)
	}
	return err
}

// all reads all, unless that was done at this version. The lock is held.
func (c *Connections) all(ctx context.Context) (*snapshot, error) {
	if c.now != nil {
		return c.now, nil
	}
	list, err := c.read(ctx)
	if err != nil {
		return nil, err
	}
	next := &snapshot{ids: make(map[string]*gateway.Connection, len(list)), names: make(map[string]*gateway.Connection, len(list))}
	next.list = list
	for _, conn := range list {
		next.ids[conn.ID], next.names[strings.ToLower(conn.Name)] = conn, conn
		if conn.RedactedSecret() != "" {
			next.closed++
		}
	}
	slices.SortFunc(next.list, byName)
	c.left(c.before, next.ids)
	c.left(c.some, next.ids)
	c.now, c.before, c.ordered = next, nil, nil
	clear(c.some)
	return next, nil
}

// part is how many connections are read at once after an edit.
const part = 1000

// read returns all; of those known it reads what has another revision alone: one
// edit among twenty thousand costs no second. Those known come in their order,
// so that sorting finds little to do. The lock is held.
func (c *Connections) read(ctx context.Context) ([]*gateway.Connection, error) {
	if len(c.ordered) == 0 {
		return c.readAll(ctx)
	}
	revisions, err := c.store.ConnectionRevisions(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]*gateway.Connection, 0, len(revisions))
	for _, conn := range c.ordered {
		if revision, ok := revisions[conn.ID]; ok && revision == conn.Revision {
			list = append(list, conn)
		}
	}
	if len(list) == len(revisions) {
		return list, nil
	}
	var other []string
	for id, revision := range revisions {
		if old := c.before[id]; old == nil || old.Revision != revision {
			other = append(other, id)
		}
	}
	if len(other) > len(revisions)/2 {
		return c.readAll(ctx)
	}
	for ids := range slices.Chunk(other, part) {
		some, err := c.store.ConnectionsByID(ctx, ids)
		if err != nil {
			return nil, err
		}
		for _, conn := range some {
			list = append(list, c.same(conn))
		}
	}
	return list, nil
}

// readAll reads all from the store. The lock is held.
func (c *Connections) readAll(ctx context.Context) ([]*gateway.Connection, error) {
	list, err := c.store.Connections(ctx)
	for i, conn := range list {
		list[i] = c.same(conn)
	}
	return list, err
}

// Invalidate makes the next call look at the store, after an edit by this process.
func (c *Connections) Invalidate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked = time.Time{}
}

// ByID returns a connection; store.ErrNotFound when there is none.
func (c *Connections) ByID(ctx context.Context, id string) (*gateway.Connection, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.look(ctx); err != nil {
		return nil, err
	}
	if c.now == nil && len(c.some) < few {
		return c.one(ctx, id)
	}
	s, err := c.all(ctx)
	if err != nil {
		return nil, err
	}
	return found(s.ids[id])
}

// one reads one, unless that was done at this version. The lock is held.
func (c *Connections) one(ctx context.Context, id string) (*gateway.Connection, error) {
	if conn := c.some[id]; conn != nil {
		return conn, nil
	}
	conn, err := c.store.Connection(ctx, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	if err == nil {
		conn = c.same(conn)
		c.some[id] = conn
	}
	if old := c.before[id]; old != nil && old != conn {
		c.left(map[string]*gateway.Connection{id: old}, nil)
		delete(c.before, id)
	}
	return conn, err
}

// Named returns the connection with this name, letter case folded.
func (c *Connections) Named(ctx context.Context, name string) (conn *gateway.Connection, err error) {
	if err := c.current(ctx, func(s *snapshot) { conn = s.names[strings.ToLower(name)] }); err != nil {
		return nil, err
	}
	return found(conn)
}

func found(c *gateway.Connection) (*gateway.Connection, error) {
	if c == nil {
		return nil, store.ErrNotFound
	}
	return c, nil
}

// All returns every connection by name. The slice must not be changed.
func (c *Connections) All(ctx context.Context) (list []*gateway.Connection, err error) {
	err = c.current(ctx, func(s *snapshot) { list = s.list })
	return list, err
}

// Closed counts connections with a secret that the store's key does not open.
func (c *Connections) Closed(ctx context.Context) (n int, err error) {
	err = c.current(ctx, func(s *snapshot) { n = s.closed })
	return n, err
}
