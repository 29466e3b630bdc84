// Package connections does what administrators do with connections, for the API
// and the command line alike. Edits are answered when nothing goes out by the old
// settings any more; waiting mail is moved only where its outcome is not open.
package connections

import (
	"context"
	"reflect"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
)

// Adapters finds the adapter of a connection; *adapters.Router does.
type Adapters interface {
	Adapter(c *adapters.Connection) (adapters.Adapter, error)
}

// A Service edits the connections of a store. Safe for concurrent use.
type Service struct {
	Store    store.Store
	Adapters Adapters // knows what a connection can carry
	// Server: this process is one of the nodes, and looks at its own copy of the
	// connections after Edited.
	Server bool
	// Edited is called after every change; nil: no one asked.
	Edited func()
	Now    func() time.Time // nil: time.Now
	// Wait is how long an answer waits at most for calls that began before the
	// change; 0: DefaultWait, negative: not at all.
	Wait time.Duration
}

// defaultWait is longer than nearly all calls of a provider take.
const defaultWait = 10 * time.Second

func (s *Service) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (s *Service) wait() time.Duration {
	if s.Wait == 0 {
		return defaultWait
	}
	return s.Wait
}

func (s *Service) edited() {
	if s.Edited != nil {
		s.Edited()
	}
}

// Put stores a connection and returns when no delivery goes out by the settings of
// before any more. underWay counts those that still did when Wait was over. old
// is the connection as it was, nil for a new one. An *adapters.InvalidError says that
// it could not be used.
func (s *Service) Put(ctx context.Context, next, old *gateway.Connection) (stored *gateway.Connection, underWay int, err error) {
	if err := checkPassword(next, old); err != nil {
		return nil, 0, err
	}
	if stored, err = s.Store.PutConnection(ctx, s.now(), next); err != nil {
		return nil, 0, err
	}
	s.edited()
	if old == nil && !next.IsDefault() || old != nil && usedAlike(old, next) {
		return stored, 0, nil
	}
	underWay, err = s.settle(ctx, stored.ID)
	return stored, underWay, err
}

// usedAlike reports that mail is routed and sent in the same way over both.
func usedAlike(a, b *gateway.Connection) bool {
	plain := func(c *gateway.Connection) *gateway.Connection {
		c = c.Clone()
		c.Revision, c.Owner, c.Retry, c.Limits, c.OnQuotaExceeded, c.Fallback = 0, "", nil, adapters.Limits{}, "", nil
		active := c.IsActive()
		c.Active = &active
		if !c.IsDefault() {
			c.Default = ""
		}
		return c
	}
	return reflect.DeepEqual(plain(a), plain(b))
}

// look is how often a wait looks again.
const look = 20 * time.Millisecond

// seenByAll waits until the copies of the connections that other nodes keep are
// younger than this moment.
func (s *Service) seenByAll(ctx context.Context) error {
	nodes, err := s.Store.Nodes(ctx, s.now())
	if err != nil {
		return err
	}
	if s.Server {
		nodes--
	}
	if nodes <= 0 {
		return nil
	}
	return pause.For(ctx, registry.Fresh+look)
}

// leases are the deliveries that are being sent over a connection, with their epochs.
func (s *Service) leases(ctx context.Context, id string) (map[store.ID]int64, error) {
	out := map[store.ID]int64{}
	err := s.deliveries(ctx, id, []store.State{store.Sending}, func(e *store.Entry) error {
		out[e.Delivery.ID] = e.Delivery.Epoch
		return nil
	})
	return out, err
}

// pageSize is how many deliveries are read, and moved, at once.
const pageSize = 500

// deliveries calls f for those of a connection in the states, oldest first.
func (s *Service) deliveries(ctx context.Context, id string, states []store.State, f func(*store.Entry) error) error {
	r := store.ListRequest{Filter: store.Filter{Connection: id, States: states}, Limit: pageSize, Oldest: true}
	for {
		page, err := s.Store.List(ctx, r)
		if err != nil {
			return err
		}
		for i := range page.Entries {
			if err := f(&page.Entries[i]); err != nil {
				return err
			}
		}
		if r.After = page.Next; r.After == "" {
			return nil
		}
	}
}
