package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// guideSources are the guides by the name that the page gives their compressed form.
func guideSources(t *testing.T) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, name := range guides {
		for lang, file := range map[string]string{"en": name + ".md", "it": "it/" + name + ".md"} {
			if file == "monitoring.md" {
				file = "monitoring/README.md"
			}
			text, err := os.ReadFile(filepath.Join("..", "..", "docs", filepath.FromSlash(file)))
			if os.IsNotExist(err) && lang != "en" {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(text)
			out[name+"."+lang+"."+hex.EncodeToString(sum[:8])+".md.gz"] = text
		}
	}
	return out
}

// The page has the guides as they stand in docs/.
func TestAssetsGuides(t *testing.T) {
	if *update {
		return // TestAssets writes them
	}
	sources, size := guideSources(t), 0
	for name, text := range sources {
		packed, err := assetFiles.ReadFile(guideFolder + name)
		if err != nil {
			t.Errorf("%s is missing: go test ./internal/web -run TestAssets -update", name)
			continue
		}
		size += len(packed)
		r, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s: %d bytes, want %d (%v)", name, len(got), len(text), err)
		}
	}
	t.Logf("%d guides: %d bytes", len(sources), size)
	old, err := filepath.Glob(guideFolder + "*")
	if err != nil || len(old) != len(sources) {
		t.Errorf("%d files in %s, not %d (%v)", len(old), guideFolder, len(sources), err)
	}
}

func writeGuides(t *testing.T) {
	if err := os.Mkdir(filepath.FromSlash(guideFolder), 0o755); err != nil { //nolint:gosec // sources are readable
		t.Fatal(err)
	}
	for name, text := range guideSources(t) {
		var b bytes.Buffer
		w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.FromSlash(guideFolder+name), b.Bytes(), 0o644); err != nil { //nolint:gosec // sources are readable
			t.Fatal(err)
		}
	}
}

// Each guide is shown in the reader's language, and its links lead to guides.
func TestGuidesInBothLanguages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn(w.operator)
	have := map[string]bool{}
	for _, file := range slices.Collect(maps.Keys(guideSources(t))) {
		parts := strings.Split(file, ".")
		have[parts[0]+"."+parts[1]] = true
	}
	for _, name := range guides {
		for _, lang := range []string{"en", "it"} {
			want := lang
			if !have[name+"."+lang] {
				want = "en"
			}
			a := w.get("/help/"+name, "Accept-Language", lang).want(200).without("```", "](")
			if !strings.Contains(a.body, `<article lang="`+want+`"`) {
				t.Errorf("%s in %s is not in %s", name, lang, want)
			}
		}
	}
	if a := w.get("/help", "Accept-Language", "it").want(200, "in inglese"); !strings.Contains(a.body, `href="/help/providers" lang="en"`) {
		t.Error("it is not said that providers.md is in English")
	}
	w.get("/help").want(200).without("in English")
}
