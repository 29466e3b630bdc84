package registry

import (
	"context"
	"errors"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// A Status is how a connection does.
type Status struct {
	State store.ConnectionState
	Lane  *store.Lane // of its mailbox; nil when it sends for several, or has sent nothing yet
	Use   store.LastUse
}

// StatusOf reads how one connection does.
func StatusOf(ctx context.Context, s store.Store, c *gateway.Connection) (st Status, err error) {
	if st.State, err = s.ConnectionState(ctx, c.ID); err != nil {
		return st, err
	}
	uses, err := s.LastUses(ctx, []string{c.ID})
	if err != nil {
		return st, err
	}
	if len(uses) > 0 {
		st.Use = uses[0]
	}
	key := LaneOf(c)
	if key == "" {
		return st, nil
	}
	l, err := s.Lane(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return st, nil
	}
	st.Lane = l
	return st, err
}

// Statuses reads how these connections do, all that there are or most of them, in a few
// looks, and returns that of each.
func Statuses(ctx context.Context, s store.Store, all []*gateway.Connection) (func(*gateway.Connection) Status, error) {
	lanes, err := Lanes(ctx, s)
	if err != nil {
		return nil, err
	}
	return statuses(ctx, s, all, lanes)
}

// StatusesOf is Statuses for some connections: what it reads grows with them, and
// not with all that there are.
func StatusesOf(ctx context.Context, s store.Store, some []*gateway.Connection) (func(*gateway.Connection) Status, error) {
	var keys []string
	for _, c := range some {
		if key := LaneOf(c); key != "" {
			keys = append(keys, key)
		}
	}
	lanes, err := s.LanesByKey(ctx, keys)
	if err != nil {
		return nil, err
	}
	return statuses(ctx, s, some, lanes)
}

func statuses(ctx context.Context, s store.Store, some []*gateway.Connection, lanes []store.Lane) (
	func(*gateway.Connection) Status, error) {
	states, err := States(ctx, s)
	if err != nil {
		return nil, err
	}
	byKey := make(map[string]*store.Lane, len(lanes))
	for i := range lanes {
		byKey[lanes[i].Key] = &lanes[i]
	}
	uses := make(map[string]store.LastUse, len(some))
	ids := make([]string, len(some))
	for i, c := range some {
		ids[i] = c.ID
	}
	found, err := s.LastUses(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, u := range found {
		uses[u.Connection] = u
	}
	return func(c *gateway.Connection) Status { return Status{states(c.ID), byKey[LaneOf(c)], uses[c.ID]} }, nil
}

// States reads the states of all connections in one look, and returns that of
// each by id.
func States(ctx context.Context, s store.Connections) (func(id string) store.ConnectionState, error) {
	all, err := s.ConnectionStates(ctx)
	if err != nil {
		return nil, err
	}
	states := make(map[string]store.ConnectionState, len(all))
	for _, st := range all {
		states[st.Connection] = st
	}
	return func(id string) store.ConnectionState {
		if st, ok := states[id]; ok {
			return st
		}
		return store.ConnectionState{Connection: id}
	}, nil
}

// Lanes reads all lanes, by key.
func Lanes(ctx context.Context, s store.Lanes) (all []store.Lane, err error) {
	for after, page := "", 1000; page == 1000; {
		lanes, err := s.Lanes(ctx, after, page)
		if err != nil {
			return nil, err
		}
		all = append(all, lanes...)
		if page = len(lanes); page > 0 {
			after = lanes[page-1].Key
		}
	}
	return all, nil
}

// LaneOf is the lane of a connection that sends for one mailbox; empty: it sends
// for several.
func LaneOf(c *gateway.Connection) string {
	if c.Provider != adapters.SMTP && c.Mailbox(mime.Mailbox{}) == "" {
		return ""
	}
	return c.Lane(mime.Mailbox{})
}
