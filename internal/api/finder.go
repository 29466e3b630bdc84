package api

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
)

// A connectionFinder finds connections for a request, in the registry's copy: for
// an operator, those that they own alone.
type connectionFinder struct{ all *registry.Connections }

// Invalidate makes the next call look at the store, after an edit by this process.
func (f connectionFinder) Invalidate() { f.all.Invalidate() }

// find returns a connection by its id or name. It is the registry's: not to be
// changed.
func (f connectionFinder) find(ctx context.Context, name string) (*gateway.Connection, error) {
	c, err := f.all.ByID(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		c, err = f.all.Named(ctx, name)
	}
	if err == nil && !mine(ctx, c) {
		err = store.ErrNotFound
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, fail(http.StatusNotFound, "unknown_connection", "connection",
			text("api.unknown_connection", "there is no connection \"{name}\"", "name", clip(name)),
			text("api.unknown_connection_hint", "GET /v1/connections lists them"))
	}
	return c, err
}

// list returns all, by name: for an operator, those that they own alone. The slice
// is not to be changed.
func (f connectionFinder) list(ctx context.Context) ([]*gateway.Connection, error) {
	all, err := f.all.All(ctx)
	if err != nil || caller(ctx).owner() == "" {
		return all, err
	}
	return onlyMine(ctx, slices.Clone(all)), nil
}

// reference names a connection that may have been deleted since.
func (f connectionFinder) reference(ctx context.Context, id string) view.ConnectionRef {
	ref := view.ConnectionRef{ID: id}
	if c, err := f.all.ByID(ctx, id); err == nil && mine(ctx, c) {
		ref.Name, ref.Provider = c.Name, string(c.Provider)
	}
	return ref
}

// A clientFinder finds clients for a request, as they are stored now.
type clientFinder struct{ clientStore }

type clientStore interface{ store.Clients }

// find returns a client by its id or name.
func (f clientFinder) find(ctx context.Context, name string) (*store.Client, error) {
	c, err := f.Client(ctx, name)
	if err == nil {
		return c, nil
	}
	return f.ClientNamed(ctx, name)
}
