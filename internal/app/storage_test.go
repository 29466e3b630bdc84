package app

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/sqlite"
	"github.com/postino-mail/postino/internal/vault"
)

// aKey makes a key in a folder of its own and returns it as text.
func aKey(t *testing.T) (dir, text string) {
	t.Helper()
	dir = t.TempDir()
	if _, err := vault.Make(dir); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, vault.FileName))
	if err != nil {
		t.Fatal(err)
	}
	return dir, string(b)
}

// A store is opened with its own key alone, and none is made beside one that has
// sealed secrets.
func TestKeyOfStore(t *testing.T) {
	t.Parallel()
	_, right := aKey(t)
	_, other := aKey(t)
	const with, without, old = "with secrets", "without secrets", "with secrets, before there was a check word"
	for _, c := range []struct {
		name, store string
		env         map[string]string
		refused     string // a part of what it says
		made        bool   // a key file
	}{
		{name: "a new store", made: true},
		{name: "a new store and a key", env: map[string]string{vault.Variable: right}},
		{name: "its key", store: with, env: map[string]string{vault.Variable: right}},
		{name: "another key", store: with, env: map[string]string{vault.Variable: other}, refused: "is not the key of the store"},
		{name: "another key, no secret yet", store: without, env: map[string]string{vault.Variable: other},
			refused: "is not the key of the store"},
		{name: "no key", store: with, refused: "is missing"},
		{name: "no key, no secret yet", store: without, refused: "is missing"},
		{name: "an older store and its key", store: old, env: map[string]string{vault.Variable: right}},
		{name: "an older store and another key", store: old, env: map[string]string{vault.Variable: other},
			refused: "is not the key of the store"},
		{name: "an older store without its key", store: old, refused: "is missing"},
		{name: "a new key is wanted", store: with, env: map[string]string{newKey: "1"}, made: true},
		{name: "another key is wanted", store: with, env: map[string]string{vault.Variable: other, newKey: "1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir, data := t.TempDir(), t.TempDir()
			open := func(env map[string]string) (err error) {
				getenv := func(name string) string { return env[name] }
				k := new(storeKey)
				if err := k.find(data, getenv); err != nil {
					return err
				}
				st, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir, Sealer: k})
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, st.Close()) }()
				if env["TEST_SECRET"] == "" || c.store != old { // at that time nothing compared keys
					if err := k.fit(t.Context(), st, data, dir, getenv); err != nil {
						return err
					}
				}
				if env["TEST_SECRET"] != "" {
					_, err = st.PutConnection(t.Context(), time.Now(), &gateway.Connection{Connection: adapters.Connection{
						Name: "x", Provider: adapters.SMTP, From: "a@b.it",
						Settings: &fallback.Settings{Host: "h", Login: "u", Password: "geheim"},
					}})
				}
				return err
			}
			if c.store != "" {
				env := map[string]string{vault.Variable: right}
				if c.store != without {
					env["TEST_SECRET"] = "1"
				}
				if err := open(env); err != nil {
					t.Fatal(err)
				}
			}
			err := open(c.env)
			if (err != nil) != (c.refused != "") || err != nil &&
				(!strings.Contains(err.Error(), c.refused) || !strings.Contains(err.Error(), "POSTINO_NEW_KEY=1")) {
				t.Errorf("%v", err)
			}
			if err != nil && FailureOf(err, "it").Message == err.Error() {
				t.Errorf("not in Italian: %v", err)
			}
			if made := vault.Has(data, func(string) string { return "" }); made != c.made {
				t.Errorf("a key was made: %v", made)
			}
			if err == nil { // and from then on that is the key
				if c.made {
					delete(c.env, newKey)
				}
				if err := open(c.env); err != nil {
					t.Errorf("the second time: %v", err)
				}
			}
		})
	}
}

func TestFailureOf(t *testing.T) {
	t.Parallel()
	err := errors.Join(errors.New("connection \"x\""), store.ErrInUse)
	if got := FailureOf(err, "it_IT.UTF-8").Message; !strings.Contains(got, "messaggi in partenza") || strings.Contains(got, "under way") {
		t.Error(got)
	}
	if got := FailureOf(err, "en").Message; got != err.Error() {
		t.Error(got)
	}
}
