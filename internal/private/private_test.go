package private

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestMkdirAll(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	dir := filepath.Join(top, "a", "b", "c")
	for range 2 {
		if err := MkdirAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	for at := dir; at != top && runtime.GOOS != "windows"; at = filepath.Dir(at) {
		if found, err := os.Stat(at); err != nil || found.Mode() != fs.ModeDir|0o700 {
			t.Errorf("%s: %v, %v", at, found.Mode(), err)
		}
	}
	shared := filepath.Join(top, "shared")
	if err := os.Mkdir(shared, 0o755); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(shared)
	if err != nil {
		t.Fatal(err)
	}
	if err := MkdirAll(shared); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(shared); err != nil || after.Mode() != before.Mode() {
		t.Errorf("a folder that existed has other rights: %v, %v", after.Mode(), err)
	}
	file := filepath.Join(top, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{file, filepath.Join(file, "below")} {
		if err := MkdirAll(bad); err == nil {
			t.Errorf("%s is a folder now", bad)
		}
	}

}
