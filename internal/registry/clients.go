package registry

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// Clients is a copy of the store's clients, refreshed when their version
// changes. Safe for concurrent use.
type Clients struct {
	store store.Clients
	again looker
	heard heard

	mu      sync.Mutex
	looked  time.Time // began then
	changed time.Time // when a look last found something new
	loaded  bool
	version int64
	list    []store.Client
}

// NewClients makes an empty copy; it fills itself.
func NewClients(s store.Clients) *Clients {
	c := &Clients{store: s, again: newLooker()}
	c.heard.follow(s)
	return c
}

func (c *Clients) current(ctx context.Context) ([]store.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if edited := c.heard.Swap(false); c.loaded && !edited && time.Since(c.looked) < fresh {
		return c.list, nil
	}
	now := time.Now()
	v, err := c.store.ClientsVersion(ctx)
	if err != nil {
		c.looked = time.Time{}
		return nil, err
	}
	if !c.loaded || v != c.version {
		if c.list, err = c.store.Clients(ctx); err != nil {
			return nil, err
		}
		if c.loaded {
			c.changed = time.Now()
		}
		c.version, c.loaded = v, true
	}
	c.looked = now
	return c.list, nil
}

// ByID gives a client; store.ErrNotFound when there is none.
func (c *Clients) ByID(ctx context.Context, id string) (*store.Client, error) {
	return c.find(ctx, func(x *store.Client) bool { return x.ID == id })
}

// Named gives the client with this login, letter case folded; disabled ones too.
func (c *Clients) Named(ctx context.Context, name string) (*store.Client, error) {
	return c.find(ctx, func(x *store.Client) bool { return strings.EqualFold(x.Name, name) })
}

// ByAddress gives the enabled client whose networks hold addr, the one with
// the narrowest network first; store.ErrNotFound when there is none.
func (c *Clients) ByAddress(ctx context.Context, addr netip.Addr) (*store.Client, error) {
	list, err := c.current(ctx)
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
	list, err := c.current(ctx)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if ok(&list[i]) {
			out := list[i]
			return &out, nil
		}
	}
	return nil, store.ErrNotFound
}

// Stale makes the next call look at the store, after an edit by this process.
func (c *Clients) Stale() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked = time.Time{}
}
