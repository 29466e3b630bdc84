package app

import (
	"context"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

// ways are the connections that deliveries name by id, each read once.
type ways struct {
	st    store.Connections
	known map[string]*adapters.Connection
}

func newWays(st store.Connections) *ways {
	return &ways{st: st, known: map[string]*adapters.Connection{}}
}

// of gives a connection; nil when it was removed or cannot be read: the queue
// is shown and steered all the same.
func (w *ways) of(ctx context.Context, id string) *adapters.Connection {
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

// name is what people call it; the id when it was removed.
func (w *ways) name(ctx context.Context, id string) string {
	if c := w.of(ctx, id); c != nil {
		return c.Name
	}
	return id
}
