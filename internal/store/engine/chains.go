package engine

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/postino-mail/postino/internal/store"
)

// This file changes what names a connection when that gets another name or a
// successor.

// renameInChains puts a new name in place of an old one in every chain of
// fallbacks, and returns the ids of the connections that had it. A connection
// with a chain that would name it, or name another twice, drops the name instead.
func (r Ports) renameInChains(ctx context.Context, t Tx, from, to string) (edited []string, err error) {
	quoted, err := json.Marshal(from)
	if err != nil {
		return nil, err
	}
	part := Fold(string(quoted))
	var found []storedConnection
	if err := t.Each(connectionColumns+` WHERE doc LIKE '%"fallback":[%'`, nil, func(sc Scan) error {
		var doc, sealed string
		if err := sc(&doc, &sealed); err != nil || !strings.Contains(Fold(doc), part) {
			return err
		}
		c, err := store.OpenConnection([]byte(doc), []byte(sealed), r.Sealer)
		if err == nil && slices.ContainsFunc(c.Fallback, func(n string) bool { return strings.EqualFold(n, from) }) {
			found = append(found, storedConnection{c, []byte(sealed)})
		}
		return err
	}); err != nil {
		return nil, err
	}
	for _, o := range found {
		before := o.Clone()
		o.Fallback = renamed(o.Fallback, o.Name, from, to)
		o.Revision++
		if err := errors.Join(r.setConnection(t, o.Connection, o.sealed), auditConnection(ctx, t, before, o.Connection)); err != nil {
			return nil, err
		}
		edited = append(edited, o.ID)
	}
	return edited, nil
}

// renamed is the chain of the connection own with to in place of from.
func renamed(chain []string, own, from, to string) []string {
	var out []string
	for _, name := range chain {
		if strings.EqualFold(name, from) {
			name = to
		}
		same := func(n string) bool { return strings.EqualFold(n, name) }
		if same(own) || slices.ContainsFunc(out, same) {
			continue
		}
		out = append(out, name)
	}
	return out
}

// succeed gives a connection's place in the chains, and with the clients that
// name it, to another one.
func (r Ports) succeed(ctx context.Context, t Tx, id, successor string) error {
	names := map[string]string{}
	if err := t.Each(connectionColumns+` WHERE id = $1 OR id = $2`, []any{id, successor}, func(sc Scan) error {
		c, err := r.scanConnection(sc)
		if err == nil {
			names[c.ID] = c.Name
		}
		return err
	}); err != nil {
		return err
	}
	if len(names) < 2 { // one of them is gone meanwhile, or they are one
		return store.ErrNotFound
	}
	edited, err := r.renameInChains(ctx, t, names[id], names[successor])
	if err != nil {
		return err
	}
	if len(edited) > 0 {
		if err := noteEdit(t, edited...); err != nil {
			return err
		}
	}
	return succeedInClients(ctx, t, id, successor)
}

// succeedInClients has the clients that name a connection name another.
func succeedInClients(ctx context.Context, t Tx, id, successor string) error {
	var found []*store.Client
	if err := t.Each(`SELECT doc FROM clients`, nil, func(sc Scan) error {
		c, err := clients().read(sc)
		if err == nil && (c.Connection == id || slices.Contains(c.Connections, id)) {
			found = append(found, c)
		}
		return err
	}); err != nil || len(found) == 0 {
		return err
	}
	for _, c := range found {
		if c.Connection == id {
			c.Connection = successor
		}
		c.Connections = renamed(c.Connections, "", id, successor)
		if err := clients().write(ctx, t, c); err != nil {
			return err
		}
	}
	return bump(t, clientsVersion)
}
