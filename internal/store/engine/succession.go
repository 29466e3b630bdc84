package engine

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
)

// successionKey is the setting that keeps what a connection had before its successor came.
func successionKey(old string) string { return "successor/" + old }

// Succeed implements store.Successions.
func (p Ports) Succeed(ctx context.Context, now time.Time, old, next *gateway.Connection) (out *gateway.Connection, err error) {
	in := next.Clone()
	in.ID, in.Revision = store.NewID().String(), 0
	err = p.DB.Work(ctx, Needs{Edits: true, Connections: []string{old.ID, in.ID}}, func(w Work) error {
		t, err := w.Records()
		if err != nil {
			return err
		}
		before, err := p.connectionIn(t, old.ID)
		if err != nil {
			return err
		}
		if before.Revision != old.Revision {
			return store.ErrConflict
		}
		var kept string
		if err := t.Row(`SELECT value FROM settings WHERE name = $1`, []any{successionKey(old.ID)}, &kept); err == nil && kept != "" {
			return store.ErrExists
		} else if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		out = in.Clone()
		out.Fallback = nil // its own chain comes last: succeed would put its own name into it
		if before.IsDefault() {
			out.Default = before.Default
		}
		if err := p.writeConnection(ctx, t, out); err != nil {
			return err
		}
		if err := p.succeed(ctx, t, old.ID, out.ID); err != nil {
			return err
		}
		if err := p.retire(ctx, t, old.ID); err != nil {
			return err
		}
		if out, err = p.connectionIn(t, out.ID); err != nil {
			return err
		}
		out.Fallback = []string{before.Name}
		for _, name := range before.Fallback {
			if !strings.EqualFold(name, out.Name) && !slices.Contains(out.Fallback, name) {
				out.Fallback = append(out.Fallback, name)
			}
		}
		if err := p.writeConnection(ctx, t, out); err != nil {
			return err
		}
		doc, err := json.Marshal(store.Succession{Old: old.ID, Successor: out.ID, At: store.Micro(now), From: before.From,
			Aliases: before.Aliases, Default: before.Default, Class: before.Class})
		if err != nil {
			return err
		}
		if _, err := t.Exec(setSetting, successionKey(old.ID), string(doc)); err != nil {
			return err
		}
		return p.holdAs(w, now, out)
	})
	if err != nil {
		return nil, err
	}
	p.DB.Edited()
	return out, nil
}

// connectionIn reads a connection inside a transaction.
func (p Ports) connectionIn(t Tx, id string) (*gateway.Connection, error) {
	c, err := p.scanConnection(func(dst ...any) error { return t.Row(connectionColumns+` WHERE id = $1`, []any{id}, dst...) })
	return c.Connection, err
}

// retire takes from a connection what mail is routed to it by.
func (p Ports) retire(ctx context.Context, t Tx, id string) error {
	c, err := p.connectionIn(t, id)
	if err != nil {
		return err
	}
	c.From, c.Aliases, c.Default, c.Class = "", nil, gateway.DefaultNo, ""
	return p.writeConnection(ctx, t, c)
}

// holdAs has the subqueues of a connection go by what it is now.
func (p Ports) holdAs(w Work, now time.Time, c *gateway.Connection) error {
	return holdConnection(w, store.Micro(now), c.ID, &ConnectionHold{Inactive: !c.IsActive()}, c)
}

// TakeBack implements store.Successions.
func (p Ports) TakeBack(ctx context.Context, now time.Time, old string) (out *store.Succession, err error) {
	var doc string
	if err := p.DB.Read(ctx, `SELECT value FROM settings WHERE name = $1`, []any{successionKey(old)}, &doc); err != nil {
		return nil, err
	}
	out = new(store.Succession)
	if doc == "" {
		return nil, store.ErrNotFound
	}
	if err := json.Unmarshal([]byte(doc), out); err != nil {
		return nil, err
	}
	err = p.DB.Work(ctx, Needs{Edits: true, Connections: []string{old, out.Successor}}, func(w Work) error {
		t, err := w.Records()
		if err != nil {
			return err
		}
		next, err := p.connectionIn(t, out.Successor)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if next != nil {
			if err := p.standAside(ctx, w, t, now, next, old); err != nil {
				return err
			}
		}
		c, err := p.connectionIn(t, old)
		if err != nil {
			return err
		}
		if c.From == "" { // else somebody has given it another one since
			c.From, c.Aliases = out.From, out.Aliases
		}
		c.Default, c.Class = out.Default, out.Class
		if err := p.writeConnection(ctx, t, c); err != nil {
			return err
		}
		if _, err := t.Exec(`DELETE FROM settings WHERE name = $1`, successionKey(old)); err != nil {
			return err
		}
		return p.holdAs(w, now, c)
	})
	if err != nil {
		return nil, err
	}
	p.DB.Edited()
	return out, nil
}

// standAside makes a successor inactive and gives its places back to old.
func (p Ports) standAside(ctx context.Context, w Work, t Tx, now time.Time, next *gateway.Connection, old string) error {
	inactive := false
	next.Fallback, next.Default, next.Active = nil, gateway.DefaultNo, &inactive
	if err := p.writeConnection(ctx, t, next); err != nil {
		return err
	}
	if err := p.succeed(ctx, t, next.ID, old); err != nil {
		return err
	}
	return p.holdAs(w, now, next)
}
