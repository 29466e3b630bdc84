package pickup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestFilesOfWindows: a file that a program writes is busy, one that is read is not taken
// by another, one that is open is renamed, and no name is taken twice.
func TestFilesOfWindows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	w, err := os.Create(at("fattura è.eml"))
	if err != nil {
		t.Fatal(err)
	}
	if f, err := openFile(w.Name()); err == nil || !isBusy(err) {
		t.Errorf("it was opened while a program writes it: %v, %v", f, err)
	}
	if _, err := w.WriteString("From: a@b.it\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := openFile(w.Name())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := openFile(w.Name()); err == nil || !isBusy(err) {
		t.Errorf("two have it: %v, %v", again, err)
	}
	if err := renameNew(w.Name(), at("taken.eml")); err != nil {
		t.Errorf("one that is open is not renamed: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at("other.eml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := renameNew(at("other.eml"), at("taken.eml")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over one that is there: %v", err)
	}
	if got, err := os.ReadFile(at("taken.eml")); err != nil || len(got) == 0 {
		t.Errorf("what was there is %q, %v", got, err)
	}
	if err := renameNew(at("none.eml"), at("new.eml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("one that is not there: %v", err)
	}
	if _, err := openFile(at("a|b.eml")); err == nil || !tooLong(err) {
		t.Errorf("a name that Windows does not take: %v", err)
	}
}
