package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/internal/vault"
	"github.com/postino-mail/postino/mime"
)

// VaultCommands are the jobs of `postino vault`.
type VaultCommands struct {
	Storage  Storage
	Language string
	Stdout   io.Writer
}

// changing runs work on a store with its key in a file, by one process at a time.
func (k VaultCommands) changing(ctx context.Context, work func(st store.Store, v *vault.Vault, dir string) error) error {
	return withStore(ctx, k.Storage, func(st store.Store) (err error) {
		dir, err := filepath.Abs(k.Storage.Data)
		if err != nil {
			return err
		}
		v, err := vault.Find(dir, os.Getenv)
		if err != nil {
			return exit(ExitConfig, err)
		}
		if !v.InFile() {
			return wrong(ExitConfig, mime.NewText("cli.vault_not_in_file", "the key comes from {origin}, which postino cannot change: put it into "+
				"{file} on every node (mode 600), take it out of there, restart the nodes, and repeat this", "origin", v.Origin(), "file",
				filepath.Join(dir, vault.FileName)))
		}
		lock, err := vault.Lock(dir)
		if err != nil {
			return exit(ExitTempFail, texterr.Wrap(text("cli.vault_busy", "another command is changing the keys"), err))
		}
		defer func() { err = errors.Join(err, lock.Close()) }()
		return work(st, v, dir)
	})
}

func (k VaultCommands) say(t mime.Text) error {
	_, err := fmt.Fprintln(k.Stdout, t.In(k.Language))
	return err
}

// Prepare adds a new key with which nothing is sealed yet, for nodes that have a key
// file of their own.
func (k VaultCommands) Prepare(ctx context.Context) error {
	return k.changing(ctx, func(st store.Store, v *vault.Vault, dir string) error {
		waits, err := vault.Prepared(dir)
		if err != nil {
			return exit(ExitConfig, err)
		}
		if err := vault.Prepare(dir); err != nil {
			return exit(ExitFailure, err)
		}
		if !waits {
			if err := enterKey(ctx, st, store.AuditAdded, 0); err != nil {
				return err
			}
		}
		return k.say(text("cli.vault_prepared", "{file} has a new key, which nothing is sealed with yet. Copy "+
			"the file to every other node (nothing "+
			"is restarted), then run 'postino vault rotate'.", "file", v.Origin()))
	})
}

// Rotate makes a new key, seals every secret again with it, and keeps the old one
// until DropOld. Ended at any moment, everything is readable, and the next call
// goes on.
func (k VaultCommands) Rotate(ctx context.Context) error {
	return k.changing(ctx, func(st store.Store, v *vault.Vault, dir string) error {
		left, err := st.Reseal(ctx, v.Stale, true)
		if err != nil {
			return err
		}
		if left.Done == 0 { // else the last one was broken off
			if err := k.newKey(ctx, st, dir); err != nil {
				return err
			}
		}
		if v, err = vault.Find(dir, os.Getenv); err != nil {
			return exit(ExitConfig, err)
		}
		done := 0
		for {
			terminal.Show(ctx, mime.NewCount("cli.progress_sealed", done, "one secret sealed so far", "{count} secrets sealed so far"))
			n, err := st.Reseal(ctx, v.Stale, false)
			if err != nil {
				return err
			}
			done += n.Done
			if left = n; n.Done == 0 { // nor did another process seal with the old key meanwhile
				break
			}
		}
		word, err := v.CheckWord()
		if err != nil {
			return err
		}
		if err := errors.Join(setKeyCheck(ctx, st, word), enterKey(ctx, st, store.AuditChanged, done)); err != nil {
			return err
		}
		if err := k.say(mime.NewCount("cli.vault_rotated", done, "one secret is sealed with the new key",
			"{count} secrets are sealed with the new "+
				"key")); err != nil {
			return err
		}
		if left.Closed > 0 {
			if err := k.say(mime.NewCount("cli.vault_closed", left.Closed, "one secret does not open with any key that is there: enter it again",
				"{count} secrets do not open with any key that is there: enter them again")); err != nil {
				return err
			}
		}
		return k.say(text("cli.vault_next", "The old key is still in {file}: copy the file to every other node, back it up, and after a day run "+
			"'postino vault drop-old'. Backups of the store from before need the old key: keep it with them.", "file", v.Origin()))
	})
}

// newKey makes a new primary key.
func (k VaultCommands) newKey(ctx context.Context, st store.Store, dir string) error {
	if k.Storage.Database != "" {
		nodes, err := st.Nodes(ctx, time.Now())
		if err != nil {
			return err
		}
		prepared, err := vault.Prepared(dir)
		if err != nil {
			return exit(ExitConfig, err)
		}
		if nodes > 0 && !prepared {
			return wrong(ExitUsage, mime.NewCount("cli.vault_not_prepared", nodes, "a node runs on this database, "+
				"and it may have a key file of its "+
				"own: run 'postino vault rotate --prepare' first, and copy the file to it",
				"{count} nodes run on this database, and may have key files of their own: run 'postino vault rotate --prepare' first, and "+
					"copy the file to them"))
		}
	}
	return exit(ExitFailure, vault.Rotate(dir))
}

// DropOld removes the old keys, once nothing needs them.
func (k VaultCommands) DropOld(ctx context.Context) error {
	return k.changing(ctx, func(st store.Store, v *vault.Vault, dir string) error {
		prepared, err := vault.Prepared(dir)
		if err != nil {
			return exit(ExitConfig, err)
		}
		left, err := st.Reseal(ctx, v.Stale, true)
		switch {
		case err != nil:
			return err
		case prepared || left.Done > 0:
			return wrong(ExitFailure, mime.NewText("cli.vault_not_rotated", "the rotation is not finished: run 'postino vault rotate' first"))
		case left.Answers > 0:
			return wrong(ExitTempFail, mime.NewCount("cli.vault_answers", left.Answers, "one answer that is kept for an Idempotency-Key is sealed "+
				"with the old key: repeat this in a day", "{count} answers that are kept for Idempotency-Keys are "+
				"sealed with the old key: repeat this "+
				"in a day"))
		case v.Keys() == 1:
			return k.say(text("cli.vault_one_key", "there is one key, and no old one"))
		}
		if err := vault.DropOld(dir); err != nil {
			return exit(ExitFailure, err)
		}
		if err := enterKey(ctx, st, store.AuditRemoved, 0); err != nil {
			return err
		}
		return k.say(text("cli.vault_dropped", "the old keys are removed from {file}: copy it to every other node", "file", v.Origin()))
	})
}
