package filelock

import (
	"os"
	"path/filepath"
	"testing"
)

// One holds a lock at a time; it is free when its file is closed, and a folder that is
// locked can be removed then.
func TestLock(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "Società")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "server.lock")
	first, err := Lock(name)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := Lock(name); err == nil {
		t.Errorf("two hold it: %v", second.Close())
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Lock(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{name, dir} {
		if err := os.Remove(at); err != nil {
			t.Error(err)
		}
	}
	if f, err := Lock(name); err == nil {
		t.Errorf("a lock in a folder that is gone: %v", f.Close())
	}
}
