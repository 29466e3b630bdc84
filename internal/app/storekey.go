package app

import (
	"context"
	"errors"
	"io/fs"
	"sync/atomic"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/internal/vault"
	"github.com/postino-mail/postino/mime"
)

// newKey is the variable by which an administrator begins with a new key.
const newKey = "POSTINO_NEW_KEY"

// keyCheck names the setting with the check word (vault.CheckWord).
const keyCheck = "key_check"

// vaultKey is what the audit trail calls the key.
const vaultKey = "vault_key"

// A storeKey seals the secrets of a store. The store is opened first: only it
// tells whether a key may be made.
type storeKey struct{ v atomic.Pointer[vault.Vault] }

var errNoKey = texterr.New(mime.NewText("cli.no_key_yet", "there is no key yet"))

// Seal implements store.Sealer.
func (k *storeKey) Seal(owner, path string, secret adapters.Secret) ([]byte, error) {
	if v := k.v.Load(); v != nil {
		return v.Seal(owner, path, secret)
	}
	return nil, errNoKey
}

// Open implements store.Sealer.
func (k *storeKey) Open(owner, path string, sealed []byte) (adapters.Secret, error) {
	if v := k.v.Load(); v != nil {
		return v.Open(owner, path, sealed)
	}
	return "", errNoKey
}

// find takes the key that is there, if there is one.
func (k *storeKey) find(dir string, getenv func(string) string) error {
	v, err := vault.Find(dir, getenv)
	if err == nil {
		k.v.Store(v)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// fit compares the key with the store. Beside a store that has sealed secrets
// none is made, and none that is another one is used, unless the administrator
// reports it. What is sealed with a lost key must be entered again.
func (k *storeKey) fit(ctx context.Context, st store.Store, dir, where string, getenv func(string) string) error {
	word, err := st.Setting(ctx, keyCheck)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	have, again := k.v.Load(), getenv(newKey) == "1"
	if have == nil {
		sealed := word != ""
		if !sealed {
			if sealed, err = hasSealed(ctx, st); err != nil {
				return err
			}
		}
		if sealed && !again {
			return missingKey(where)
		}
		if have, err = vault.Make(dir); err != nil {
			return err
		}
		k.v.Store(have)
	}
	if word == "" {
		if closed, err := onlyClosed(ctx, st, have); err != nil {
			return err
		} else if closed && !again {
			return otherKey(have, where)
		}
		if word, err = have.CheckWord(); err != nil {
			return err
		}
		if word, err = st.SettingOrSet(ctx, keyCheck, word); err != nil { // another node may be first
			return err
		}
	}
	stale, err := have.Check(word)
	other := err != nil
	if other && !again {
		return otherKey(have, where)
	}
	if !other && (!stale || !have.Newest()) { // a key that waits for its rotation seals nothing, this word neither
		return nil
	}
	if word, err = have.CheckWord(); err != nil {
		return err
	}
	if err := setKeyCheck(ctx, st, word); err != nil || !other {
		return err
	}
	return enterKey(ctx, st, store.AuditChanged, 0)
}

// setKeyCheck stores the check word: a mark of the gateway, which is not for the
// audit trail whoever runs the command.
func setKeyCheck(ctx context.Context, st store.Store, word string) error {
	return st.SetSetting(store.WithActor(ctx, store.Actor{}), keyCheck, word)
}

// enterKey enters that someone changed the key; count is how many secrets were sealed again.
func enterKey(ctx context.Context, st store.Store, action string, count int) error {
	return st.AppendAudit(ctx, store.AuditEntry{Action: action, Kind: store.KindSetting, Object: vaultKey, Name: vaultKey, Count: count})
}

// hasSealed reports that the store has a secret, which shows as closed while
// there is no key.
func hasSealed(ctx context.Context, st store.Store) (bool, error) {
	all, err := st.Connections(ctx)
	if err != nil {
		return false, err
	}
	for _, c := range all {
		if c.RedactedSecret() != "" {
			return true, nil
		}
	}
	hooks, err := st.Webhooks(ctx)
	for _, h := range hooks {
		if len(h.Secret) > 0 {
			return true, nil
		}
	}
	return false, err
}

// onlyClosed reports that there are secrets, and the key opens none of them: a
// store from before there was a check word.
func onlyClosed(ctx context.Context, st store.Store, key *vault.Vault) (bool, error) {
	all, err := st.Connections(ctx)
	if err != nil {
		return false, err
	}
	closed := false
	for _, c := range all {
		for _, f := range c.Secrets() {
			switch *f.Value {
			case "":
			case adapters.Redacted:
				closed = true
			default:
				return false, nil
			}
		}
	}
	hooks, err := st.Webhooks(ctx)
	for _, h := range hooks {
		if len(h.Secret) == 0 {
			continue
		}
		if _, err := key.Open(h.ID, "secret", h.Secret); err == nil {
			return false, nil
		}
		closed = true
	}
	return closed, err
}

func missingKey(where string) error {
	return wrong(ExitConfig, mime.NewText("cli.store_key_missing",
		"the key of the store in {where} is missing: if the server gets it from {variable} or the systemd credential {credential}, give it to "+
			"this command too; else restore {file} from its backup; if it is lost, start once with {new_key}=1 and enter the connections' "+
			"secrets again", "where", where, "variable", vault.Variable, "credential", vault.Credential, "file", vault.FileName, "new_key", newKey))
}

func otherKey(v *vault.Vault, where string) error {
	return wrong(ExitConfig, mime.NewText("cli.store_key_other",
		"the key in {origin} is not the key of the store in {where}: all nodes need the key with which it was made; put that one there; if it "+
			"is lost, start once with {new_key}=1 and enter the connections' secrets again", "origin", v.Origin(), "where", where, "new_key",
		newKey))
}
