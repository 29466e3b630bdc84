package app

import (
	"context"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
)

// A connectionCache holds the connections that deliveries name by id, each read once.
type connectionCache struct {
	st    store.Connections
	known map[string]*gateway.Connection
}

func newConnectionCache(st store.Connections) *connectionCache {
	return &connectionCache{st: st, known: map[string]*gateway.Connection{}}
}

// of returns a connection; nil when it was removed or cannot be read: the queue
// is shown and managed all the same.
func (w *connectionCache) of(ctx context.Context, id string) *gateway.Connection {
	c, ok := w.known[id]
	if !ok {
		var err error
		if c, err = w.st.Connection(ctx, id); err != nil {
			c = nil
		}
		w.known[id] = c
	}
	return c
}

// reference names it as JSON does.
func (w *connectionCache) reference(ctx context.Context, id string) view.ConnectionRef {
	ref := view.ConnectionRef{ID: id}
	if c := w.of(ctx, id); c != nil {
		ref.Name, ref.Provider = c.Name, string(c.Provider)
	}
	return ref
}
