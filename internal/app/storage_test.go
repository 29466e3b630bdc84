package app

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/store"
)

// A store whose key is missing is not opened with a new one by mistake.
func TestKeyForStore(t *testing.T) {
	t.Parallel()
	credentials := t.TempDir()
	if err := os.WriteFile(filepath.Join(credentials, "postino-key"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name            string
		files, database string
		env             map[string]string
		refused         bool
	}{
		{name: "a new folder"},
		{name: "a key before the store", files: "key.json"},
		{name: "both", files: "key.json postino.db"},
		{name: "a store without its key", files: "postino.db", refused: true},
		{name: "a key in the environment", files: "postino.db", env: map[string]string{"POSTINO_KEY": "e30="}},
		{name: "a systemd credential", files: "postino.db", env: map[string]string{"CREDENTIALS_DIRECTORY": credentials}},
		{name: "credentials of others", files: "postino.db", env: map[string]string{"CREDENTIALS_DIRECTORY": t.TempDir()}, refused: true},
		{name: "a new key wanted", files: "postino.db", env: map[string]string{"POSTINO_NEW_KEY": "1"}},
		{name: "another database", files: "postino.db", database: "postgres://db"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, f := range strings.Fields(c.files) {
				if err := os.WriteFile(filepath.Join(dir, f), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			err := keyForStore(dir, c.database, func(name string) string { return c.env[name] })
			if (err != nil) != c.refused {
				t.Errorf("%v", err)
			}
			if err != nil && !strings.Contains(err.Error(), "POSTINO_NEW_KEY=1") {
				t.Errorf("it does not say what to do: %v", err)
			}
		})
	}
}

func TestSentence(t *testing.T) {
	t.Parallel()
	err := errors.Join(errors.New("connection \"x\""), store.ErrInUse)
	if got := Sentence(err, "it_IT.UTF-8"); !strings.Contains(got, "messaggi in partenza") || strings.Contains(got, "under way") {
		t.Error(got)
	}
	if got := Sentence(err, "en"); got != err.Error() {
		t.Error(got)
	}
}
