package web

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/andybalholm/brotli"
)

var update = flag.Bool("update", false, "write the compressed forms of the assets")

// The assets are there, in both compressed forms, and small.
func TestAssets(t *testing.T) {
	a := newAssets()
	if *update {
		writeCompressed(t, a)
		writeGuides(t)
		return
	}
	sum := 0
	for name, path := range a.byName {
		f := a.byPath[path]
		p := f.smaller()
		if len(f.plain) < 100 || len(p.gzip) == 0 {
			t.Errorf("%s is empty", name)
		}
		plain, err := io.ReadAll(brotli.NewReader(bytes.NewReader(p.brotli)))
		if err != nil || !bytes.Equal(plain, f.plain) {
			t.Errorf("%s: its brotli form is missing (%v): go test ./internal/web -run TestAssets -update", name, err)
		}
		sum += len(p.brotli)
	}
	t.Logf("all assets: %d bytes as brotli", sum)
	if most := 30_000; sum > most {
		t.Errorf("the assets have %d bytes, at most %d: the first page must stay under 45 kB", sum, most)
	}
	old, err := filepath.Glob("compressed/*.br")
	if err != nil || len(old) != len(a.byPath) {
		t.Errorf("%d files in compressed/, not %d (%v)", len(old), len(a.byPath), err)
	}
}

// writeCompressed makes compressed/ what the assets are now.
func writeCompressed(t *testing.T, a *assets) {
	if err := os.RemoveAll("compressed"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("compressed", 0o755); err != nil { //nolint:gosec // sources are readable
		t.Fatal(err)
	}
	for path, f := range a.byPath {
		var b bytes.Buffer
		w := brotli.NewWriterLevel(&b, brotli.BestCompression)
		if _, err := w.Write(f.plain); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.FromSlash(brotliFile(path)), b.Bytes(), 0o644); err != nil { //nolint:gosec // sources are readable
			t.Fatal(err)
		}
	}
}
