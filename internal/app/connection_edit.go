package app

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/connections"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/prompt"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// Add stores a new connection: from a file, flags, or both, or, where neither is
// given, by questions on the terminal.
func (k ConnectionCommands) Add(ctx context.Context, name string, c ConnectionChanges) error {
	if c.none() {
		return k.addByQuestions(ctx, name)
	}
	doc, err := k.document(ctx, &c, "")
	if err != nil {
		return err
	}
	if name != "" {
		doc["name"] = name
	}
	next, err := newConnection(doc)
	if err == nil {
		err = k.completePassword(ctx, next, nil)
	}
	if err != nil {
		return err
	}
	return withNewStore(ctx, k.Storage, func(st store.Store) error {
		return k.put(ctx, st, next, nil, text("cli.connection_added", "added"))
	})
}

// completePassword asks for the password of an SMTP connection that has a login
// alone, with which it would never sign in. old is the connection as it was, nil
// for a new one: what lacked a password already is none of this change.
func (k ConnectionCommands) completePassword(ctx context.Context, next, old *gateway.Connection) error {
	if !connections.LacksPassword(next) || old != nil && connections.LacksPassword(old) {
		return nil
	}
	p, err := prompt.New(k.Stdin, k.Stdout)
	if err != nil {
		return wrong(ExitUsage, text("cli.password_missing", "the login {login} has no password: give it by --secret-file, --secret-env or "+
			"--secret-prompt; for a server that wants none: --auth none", "login", strconv.Quote(fallback.SettingsOf(&next.Connection).Login)))
	}
	for {
		v, err := p.Secret(ctx, text("cli.ask_server_password", "Password (it is not shown)").In(k.Language))
		if err != nil {
			return notSaved(ctx, err)
		}
		if v != "" {
			fallback.SettingsOf(&next.Connection).Password = adapters.Secret(v)
			return exit(ExitConfig, next.Validate())
		}
	}
}

// newConnection is the connection of a document, which is complete.
func newConnection(doc map[string]any) (*gateway.Connection, error) {
	content, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	c, err := gateway.Parse(content)
	if err != nil {
		return nil, exit(ExitConfig, err)
	}
	if path := c.RedactedSecret(); path != "" {
		return nil, exit(ExitConfig, texterr.New(mime.NewText("cli.secret_redacted", "{field} is {value}: give the secret itself", "field", path,
			"value", strconv.Quote(adapters.Redacted))))
	}
	c.ID, c.Revision = "", 0
	return c, nil
}

// Edit changes a connection by a JSON merge patch (RFC 7396), by flags, or in an
// editor where neither is given and a person is there. Secrets that the change
// leaves out, or has as "***", stay.
func (k ConnectionCommands) Edit(ctx context.Context, name string, c ConnectionChanges) error {
	done := text("cli.connection_changed", "changed")
	if c.none() {
		p, err := prompt.New(k.Stdin, k.Stdout)
		if err != nil {
			return wrong(ExitUsage, mime.NewText("cli.edit_nothing", "nothing to change: name settings by flags, or a JSON merge patch by --file"))
		}
		return k.change(ctx, name, done, func(c *gateway.Connection) (*gateway.Connection, error) { return k.inEditor(ctx, p, c) })
	}
	return k.change(ctx, name, done, func(old *gateway.Connection) (*gateway.Connection, error) {
		patch, err := k.document(ctx, &c, string(old.Provider))
		if err != nil {
			return nil, err
		}
		next, err := patched(old, patch)
		if err == nil {
			err = k.completePassword(ctx, next, old)
		}
		return next, err
	})
}

// patched applies a merge patch as an administrator.
func patched(c *gateway.Connection, patch map[string]any) (*gateway.Connection, error) {
	next, err := registry.Patch(c, patch, true)
	return next, exit(ExitConfig, err)
}

// Rename gives a connection another name, and that to the chains of fallbacks
// that have the old one.
func (k ConnectionCommands) Rename(ctx context.Context, name, to string) error {
	return k.change(ctx, name, text("cli.connection_renamed", "renamed; the fallbacks of other connections follow"),
		func(c *gateway.Connection) (*gateway.Connection, error) {
			return patched(c, map[string]any{"name": to})
		})
}

// SetOwner sets the owner of a connection; empty: no one.
func (k ConnectionCommands) SetOwner(ctx context.Context, name, owner string) error {
	done := text("cli.connection_no_owner", "belongs to no one")
	if owner != "" {
		err := withStore(ctx, k.Storage, func(st store.Store) error {
			p, err := personNamed(ctx, st, owner)
			if err == nil {
				owner = p.ID
				done = text("cli.connection_owner", "owner: {owner}", "owner", p.Email)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return k.change(ctx, name, done, func(c *gateway.Connection) (*gateway.Connection, error) {
		next := c.Clone()
		next.Owner = owner
		return next, next.Validate()
	})
}

// Duplicate makes a copy of a connection under another name, with changes. The
// copy is switched off unless the changes say otherwise, so that no mail changes
// its route by surprise.
func (k ConnectionCommands) Duplicate(ctx context.Context, name, to string, c ConnectionChanges) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		old, err := stored(ctx, st, name)
		if err != nil {
			return err
		}
		patch, err := k.document(ctx, &c, string(old.Provider))
		if err != nil {
			return err
		}
		patch["name"] = to
		next, err := connections.Duplicate(old, patch, true)
		if err != nil {
			return exit(ExitConfig, err)
		}
		done := text("cli.connection_duplicated_off", "added, switched off: 'postino connection enable' switches it on")
		if next.IsActive() {
			done = text("cli.connection_added", "added")
		}
		return k.put(ctx, st, next, nil, done)
	})
}

// stored reads a connection by name or id.
func stored(ctx context.Context, st store.Store, name string) (*gateway.Connection, error) {
	id, err := named(ctx, st, name)
	if err != nil {
		return nil, err
	}
	return st.Connection(ctx, id)
}
