package registry

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// Clients is a copy of the store's clients, refreshed when their version
// changes. Safe for concurrent use.
type Clients struct {
	store store.Clients
	again looker
	heard heard

	known atomic.Pointer[knownClients] // while the store is away

	mu      sync.Mutex
	looked  time.Time // began then
	changed time.Time // when a look last found something new
	loaded  bool
	version int64
	list    []store.Client
	away    error // why the last look failed: list is as it was before
}

type knownClients struct {
	list []store.Client
	away error
}

// NewClients makes an empty copy; it fills itself.
func NewClients(s store.Clients) *Clients {
	c := &Clients{store: s, again: newLooker()}
	c.heard.follow(s)
	return c
}

// current returns the clients, and in away why that is what was known before:
// the store cannot be asked. Then a client that is there is there, for nothing
// is accepted without the store, and one that is not may be.
func (c *Clients) current(ctx context.Context) (list []store.Client, away, err error) {
	if !c.mu.TryLock() {
		if known := c.known.Load(); known != nil { // another asks a store that was away a moment ago
			return known.list, known.away, nil
		}
		c.mu.Lock()
	}
	defer c.mu.Unlock()
	if edited := c.heard.Swap(false); c.loaded && !edited && time.Since(c.looked) < fresh {
		return c.list, c.away, nil
	}
	now := time.Now()
	if err := c.look(ctx); err != nil {
		c.looked = time.Time{}
		if !c.loaded || !errors.Is(err, store.ErrUnavailable) {
			return nil, nil, err
		}
		c.away = err
		c.known.Store(&knownClients{c.list, err})
		c.looked = now
		return c.list, err, nil
	}
	c.away = nil
	c.known.Store(nil)
	c.looked = now
	return c.list, nil, nil
}

// look reads the clients where they have changed. The lock is held.
func (c *Clients) look(ctx context.Context) error {
	v, err := c.store.ClientsVersion(ctx)
	if err != nil || c.loaded && v == c.version {
		return err
	}
	list, err := c.store.Clients(ctx)
	if err != nil {
		return err
	}
	if c.loaded {
		c.changed = time.Now()
	}
	c.list, c.version, c.loaded = list, v, true
	return nil
}

// ByID returns a client; store.ErrNotFound when there is none.
func (c *Clients) ByID(ctx context.Context, id string) (*store.Client, error) {
	return c.find(ctx, func(x *store.Client) bool { return x.ID == id })
}

// Named returns the client with this login, letter case folded; disabled ones too.
func (c *Clients) Named(ctx context.Context, name string) (*store.Client, error) {
	return c.find(ctx, func(x *store.Client) bool { return strings.EqualFold(x.Name, name) })
}

// ByAddress returns the enabled client with a network that holds addr, the one with
// the narrowest network first; store.ErrNotFound when there is none.
// That there is none is what the copy knows, while the store is away too: most
// addresses are no client's, and what is open to them stays open. Whoever refuses
// because of it asks LookAgain first, which fails then.
func (c *Clients) ByAddress(ctx context.Context, addr netip.Addr) (*store.Client, error) {
	list, _, err := c.current(ctx)
	if err != nil {
		return nil, err
	}
	addr = addr.Unmap()
	var best *store.Client
	bits := -1
	for i := range list {
		if list[i].Disabled {
			continue
		}
		for _, n := range list[i].Networks {
			if n.Contains(addr) && n.Bits() > bits {
				best, bits = &list[i], n.Bits()
			}
		}
	}
	if best == nil {
		return nil, store.ErrNotFound
	}
	out := *best
	return &out, nil
}

func (c *Clients) find(ctx context.Context, ok func(*store.Client) bool) (*store.Client, error) {
	list, away, err := c.current(ctx)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if ok(&list[i]) {
			out := list[i]
			return &out, nil
		}
	}
	return nil, absent(away)
}

// absent is the error of a client that is not in the copy: a "no" comes from the
// store.
func absent(away error) error {
	if away != nil {
		return away
	}
	return store.ErrNotFound
}

// Invalidate makes the next call look at the store, after an edit by this process.
func (c *Clients) Invalidate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked = time.Time{}
}
