package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/connections"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/prompt"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/scratch"
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
	if err != nil {
		return err
	}
	return withNewStore(ctx, k.Storage, func(st store.Store) error {
		return k.put(ctx, st, next, nil, text("cli.connection_added", "added"))
	})
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
		if _, err := prompt.New(k.Stdin, k.Stdout); err != nil {
			return wrong(ExitUsage, mime.NewText("cli.edit_nothing", "nothing to change: name settings by flags, or a JSON merge patch by --file"))
		}
		return k.change(ctx, name, done, func(c *gateway.Connection) (*gateway.Connection, error) { return k.inEditor(ctx, c) })
	}
	return k.change(ctx, name, done, func(old *gateway.Connection) (*gateway.Connection, error) {
		patch, err := k.document(ctx, &c, string(old.Provider))
		if err != nil {
			return nil, err
		}
		return patched(old, patch)
	})
}

// patched applies a merge patch as an administrator.
func patched(c *gateway.Connection, patch map[string]any) (*gateway.Connection, error) {
	next, err := registry.Patch(c, patch, true)
	return next, exit(ExitConfig, err)
}

// inEditor has a person change the JSON of a connection, secrets left out, in the
// editor of the environment.
func (k ConnectionCommands) inEditor(ctx context.Context, c *gateway.Connection) (next *gateway.Connection, err error) {
	getenv := k.Getenv
	if getenv == nil {
		getenv = os.Getenv
	}
	editor := getenv("VISUAL")
	if editor == "" {
		editor = getenv("EDITOR")
	}
	words := strings.Fields(editor)
	if len(words) == 0 {
		return nil, wrong(ExitUsage, mime.NewText("cli.no_editor", "there is no editor: set EDITOR, or name settings by flags or --file"))
	}
	dir, err := scratch.New()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	before, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir.Path(), "connection.json")
	if err := os.WriteFile(file, append(before, '\n'), 0o600); err != nil {
		return nil, err
	}
	run := exec.CommandContext(ctx, words[0], append(words[1:], file)...)
	run.Stdin, run.Stdout, run.Stderr = k.Stdin, os.Stdout, os.Stderr // the editor draws on the terminal itself
	if err := run.Run(); err != nil {
		return nil, exit(ExitFailure, texterr.Wrap(mime.NewText("cli.editor_failed", "the editor ended with an error: nothing was changed"), err))
	}
	after, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(bytes.TrimSpace(after), before) {
		return nil, wrong(ExitOK, mime.NewText("cli.nothing_changed", "nothing was changed"))
	}
	next, err = registry.Replace(c, adapters.PlainText(after), true)
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

// SetOwner says whose a connection is; empty: nobody's.
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
