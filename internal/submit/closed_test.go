package submit

import (
	"os"
	"path/filepath"
	"testing"
)

// A connection with a secret that does not open, because the key is another one, has
// its mail refused for now; others go on.
func TestSecretOfAnotherKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	t.Run("first key", func(t *testing.T) { newWorldIn(t, dir, nil, smtpConn("a", "erp@contoso.it", nil)) })
	key := filepath.Join(dir, "key.json")
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	other := newWorld(t, nil) // in another folder, for another key
	made, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(filepath.Dir(other.store.SpoolDir()))), "key.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, made, 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorldIn(t, dir, nil, smtpConn("b", "info@fabrikam.it", nil))
	_, r := w.take(letter{head: "From: erp@contoso.it\nTo: a@example.com\nSubject: s", to: []string{"a@example.com"}})
	if r == nil || r.Code != "closed_secret" || !r.Temporary() {
		t.Errorf("mail of the closed one: %+v", r)
	}
	if _, r := w.take(letter{head: "From: info@fabrikam.it\nTo: a@example.com\nSubject: s", to: []string{"a@example.com"}}); r != nil {
		t.Errorf("mail of the other one: %v", r)
	}
}
