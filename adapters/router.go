package adapters

import (
	"context"
	"errors"
	"reflect"
	"strconv"
	"sync"

	"github.com/postino-mail/postino/mime"
)

// A Factory makes the adapter of one connection without touching the network.
type Factory func(c *Connection) (Adapter, error)

// FactoryOf makes a Factory of a provider's New.
func FactoryOf[A Adapter](newAdapter func(c *Connection) (A, error)) Factory {
	return func(c *Connection) (Adapter, error) {
		a, err := newAdapter(c)
		if err != nil {
			return nil, err // no typed nil
		}
		return a, nil
	}
}

// A Router finds the adapter of a connection by its provider, makes it once
// and keeps it until the connection changes. Safe for concurrent use.
type Router struct {
	factories map[Provider]Factory
	mu        sync.Mutex
	kept      map[string]routed
}

type routed struct {
	conn    *Connection
	adapter Adapter
}

// NewRouter makes a Router over factories, one a provider.
func NewRouter(factories map[Provider]Factory) *Router {
	return &Router{factories: factories, kept: make(map[string]routed)}
}

// Adapter returns the adapter of c. Connections are told apart by ID (by Name
// where there is none); one with changed settings gets a new adapter. The
// one it replaces is closed; its Sends in flight finish.
func (r *Router) Adapter(c *Connection) (Adapter, error) {
	a, old, err := r.adapter(c)
	if old != nil {
		// Outside the lock: it waits for servers to answer QUIT. That it does not
		// close in order is no failure of the new one.
		_ = old.Close()
	}
	return a, err
}

// adapter returns the adapter of c and the one it replaces, if any.
func (r *Router) adapter(c *Connection) (a, replaced Adapter, err error) {
	key := keyOf(c)
	r.mu.Lock()
	defer r.mu.Unlock()
	old, ok := r.kept[key]
	if ok && old.of(c) {
		r.kept[key] = routed{c, old.adapter} // the same pointer is found at once the next time
		return old.adapter, nil, nil
	}
	if err := closed(c); err != nil {
		return nil, nil, err
	}
	f := r.factories[c.Provider]
	if f == nil {
		return nil, nil, &Error{Class: Permanent, Scope: ScopeConnection, Provider: c.Provider, Code: CodeUnknownProvider,
			Message: mime.NewText("connection.unknown_provider", "no adapter for provider {provider}", "provider",
				strconv.Quote(string(c.Provider))),
			Hint: mime.NewText("connection.unknown_provider_hint", "choose graph, gmail or smtp")}
	}
	if a, err = f(c); err != nil {
		return nil, nil, err
	}
	r.kept[key] = routed{c, a}
	return a, old.adapter, nil
}

// of reports whether the adapter was made for these settings.
func (r routed) of(c *Connection) bool { return r.conn == c || reflect.DeepEqual(r.conn, c) }

// keyOf tells connections apart.
func keyOf(c *Connection) string {
	if c.ID == "" {
		return "name:" + c.Name
	}
	return c.ID
}

// closed refuses a connection with a secret that is not known here.
func closed(c *Connection) error {
	path := c.RedactedSecret()
	if path == "" {
		return nil
	}
	return &Error{Class: Auth, Scope: ScopeConnection, Provider: c.Provider, Code: CodeClosedSecret,
		Message: mime.NewText("connection.closed_secret",
			"the secret {path} of the connection {name} cannot be opened",
			"path", path, "name", strconv.Quote(c.Name)),
		Hint: mime.NewText("connection.closed_secret_hint",
			"start postino with the key that sealed it, or enter the secret again")}
}

// Send sends over the connection's adapter.
func (r *Router) Send(ctx context.Context, c *Connection, out Outgoing) (Receipt, error) {
	a, err := r.Adapter(c)
	if err != nil {
		return Receipt{}, err
	}
	return a.Send(ctx, out)
}

// Forget closes and drops the adapter that was made for a connection as it was
// before it was changed or removed; one made for its new settings stays. Sends
// in flight finish.
func (r *Router) Forget(c *Connection) error {
	key := keyOf(c)
	r.mu.Lock()
	old, ok := r.kept[key]
	if ok = ok && old.of(c); ok {
		delete(r.kept, key)
	}
	r.mu.Unlock()
	if !ok {
		return nil
	}
	return old.adapter.Close()
}

// Close closes every adapter.
func (r *Router) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for k, v := range r.kept {
		errs = append(errs, v.adapter.Close())
		delete(r.kept, k)
	}
	return errors.Join(errs...)
}
