package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
)

// confined is the store as the handlers see it: of an operator, who is the caller
// in the context, it shows and changes what is theirs alone: the connections that
// they own and the mail sent through them. What is another's does not exist for
// them. Everybody else sees the store as it is. Ports on which an operator has
// nothing of their own refuse them.
//
// The ports that are not embedded are written out, so that a new method of one of
// them does not compile before it is decided here what an operator may.
type confined struct {
	unconfined
	all         store.Store
	connections *registry.Connections
	watch       string // name of the connection that carries the mail about alerts
}

// unconfined are the ports that have nothing of a person's.
type unconfined interface {
	store.Submitter
	store.Replays
	store.Queue
	store.Settings
	OnChange(f func())
	Ping(ctx context.Context) error
	Close() error
}

func confine(s store.Store, c *registry.Connections, watch string) store.Store {
	return confined{s, s, c, watch}
}

// own returns the ids of the caller's connections; limited is false where the
// caller is confined to none.
func (s confined) own(ctx context.Context) (ids []string, limited bool, err error) {
	owner := caller(ctx).owner()
	if owner == "" {
		return nil, false, nil
	}
	all, err := s.connections.All(ctx)
	if err != nil {
		return nil, true, err
	}
	ids = []string{}
	for _, c := range all {
		if c.Owner == owner {
			ids = append(ids, c.ID)
		}
	}
	return ids, true, nil
}

// mine reports whether the caller may have to do with the connection.
func mine(ctx context.Context, c *gateway.Connection) bool {
	owner := caller(ctx).owner()
	return owner == "" || c.Owner == owner
}

// forOthers refuses an operator what is an administrator's.
func forOthers(ctx context.Context) error {
	if caller(ctx).owner() == "" {
		return nil
	}
	return fail(http.StatusForbidden, "forbidden", "", text("api.admin_alone", "this is for an administrator alone"),
		text("api.ask_administrator", "ask the administrator"))
}

// Connection implements store.Connections.
func (s confined) Connection(ctx context.Context, id string) (*gateway.Connection, error) {
	return ifMine(ctx)(s.all.Connection(ctx, id))
}

// ConnectionNamed implements store.Connections.
func (s confined) ConnectionNamed(ctx context.Context, name string) (*gateway.Connection, error) {
	return ifMine(ctx)(s.all.ConnectionNamed(ctx, name))
}

func ifMine(ctx context.Context) func(*gateway.Connection, error) (*gateway.Connection, error) {
	return func(c *gateway.Connection, err error) (*gateway.Connection, error) {
		if err == nil && !mine(ctx, c) {
			return nil, store.ErrNotFound
		}
		return c, err
	}
}

func onlyMine(ctx context.Context, all []*gateway.Connection) []*gateway.Connection {
	return slices.DeleteFunc(all, func(c *gateway.Connection) bool { return !mine(ctx, c) })
}

// Connections implements store.Connections.
func (s confined) Connections(ctx context.Context) ([]*gateway.Connection, error) {
	all, err := s.all.Connections(ctx)
	return onlyMine(ctx, all), err
}

// ConnectionsByID implements store.Connections.
func (s confined) ConnectionsByID(ctx context.Context, ids []string) ([]*gateway.Connection, error) {
	all, err := s.all.ConnectionsByID(ctx, ids)
	return onlyMine(ctx, all), err
}

// ConnectionRevisions implements store.Connections.
func (s confined) ConnectionRevisions(ctx context.Context) (map[string]int64, error) {
	if err := forOthers(ctx); err != nil {
		return nil, err
	}
	return s.all.ConnectionRevisions(ctx)
}

// ConnectionEdits implements store.Connections.
func (s confined) ConnectionEdits(ctx context.Context, since int64) (store.Edits, error) {
	if err := forOthers(ctx); err != nil {
		return store.Edits{}, err
	}
	return s.all.ConnectionEdits(ctx, since)
}

// ConnectionsVersion implements store.Connections.
func (s confined) ConnectionsVersion(ctx context.Context) (int64, error) {
	return s.all.ConnectionsVersion(ctx)
}

// PutConnection implements store.Connections.
func (s confined) PutConnection(ctx context.Context, now time.Time, c *gateway.Connection) (*gateway.Connection, error) {
	c, err := s.mayStore(ctx, c)
	if err != nil {
		return nil, err
	}
	return s.all.PutConnection(ctx, now, c)
}

// mayStore refuses a connection that the caller may not put, and returns what is
// stored of it: a new one is its maker's.
func (s confined) mayStore(ctx context.Context, c *gateway.Connection) (*gateway.Connection, error) {
	owner := caller(ctx).owner()
	if owner == "" {
		return c, nil
	}
	var old *gateway.Connection
	if c.Revision != 0 || c.ID != "" {
		var err error
		if old, err = s.Connection(ctx, c.ID); err != nil {
			return nil, err
		}
	} else if c.Owner == "" {
		c = c.Clone()
		c.Owner = owner
	}
	return c, s.mayPut(ctx, owner, old, c)
}

// DeleteConnection implements store.Connections.
func (s confined) DeleteConnection(ctx context.Context, now time.Time, id string) error {
	if err := s.mayDelete(ctx, id); err != nil {
		return err
	}
	return s.all.DeleteConnection(ctx, now, id)
}

// mayDelete refuses to remove a connection that is another's, or that others send by.
func (s confined) mayDelete(ctx context.Context, id string) error {
	c, err := s.Connection(ctx, id)
	if err != nil {
		return err
	}
	if owner := caller(ctx).owner(); owner != "" {
		all, err := s.connections.All(ctx)
		if err != nil {
			return err
		}
		if chained(all, owner, c.Name) {
			return inChain("", c.Name)
		}
	}
	return nil
}

// ApplyConnections implements store.Connections: each edit as if it came alone.
func (s confined) ApplyConnections(ctx context.Context, now time.Time, edits []store.ConnectionEdit) ([]*gateway.Connection, error) {
	if caller(ctx).owner() == "" {
		return s.all.ApplyConnections(ctx, now, edits)
	}
	edits = slices.Clone(edits)
	for i, e := range edits {
		err := error(nil)
		if e.Put != nil {
			edits[i].Put, err = s.mayStore(ctx, e.Put)
		} else {
			err = s.mayDelete(ctx, e.Remove.ID)
		}
		if err != nil {
			return nil, err
		}
	}
	return s.all.ApplyConnections(ctx, now, edits)
}

// Reseal implements store.Resealing: the key is of all.
func (s confined) Reseal(ctx context.Context, stale func([]byte) bool, dry bool) (store.Resealed, error) {
	if err := forOthers(ctx); err != nil {
		return store.Resealed{}, err
	}
	return s.all.Reseal(ctx, stale, dry)
}

// ConnectionState implements store.Connections.
func (s confined) ConnectionState(ctx context.Context, id string) (store.ConnectionState, error) {
	if caller(ctx).owner() != "" {
		if _, err := s.Connection(ctx, id); err != nil {
			return store.ConnectionState{}, err
		}
	}
	return s.all.ConnectionState(ctx, id)
}

// ConnectionStates implements store.Connections.
func (s confined) ConnectionStates(ctx context.Context) ([]store.ConnectionState, error) {
	own, limited, err := s.own(ctx)
	if err != nil {
		return nil, err
	}
	all, err := s.all.ConnectionStates(ctx)
	return slices.DeleteFunc(all, func(st store.ConnectionState) bool { return limited && !slices.Contains(own, st.Connection) }), err
}

// ChangeConnection implements store.Connections.
func (s confined) ChangeConnection(ctx context.Context, now time.Time, id string, c store.ConnectionChange) error {
	if caller(ctx).owner() != "" {
		if _, err := s.Connection(ctx, id); err != nil {
			return err
		}
	}
	return s.all.ChangeConnection(ctx, now, id, c)
}

// ReplaceConnection implements store.Connections: clients and chains of others may
// name it, so it is an administrator's.
func (s confined) ReplaceConnection(ctx context.Context, now time.Time, id, successor string) error {
	if err := forOthers(ctx); err != nil {
		return err
	}
	return s.all.ReplaceConnection(ctx, now, id, successor)
}
