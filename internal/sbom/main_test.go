package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata/document.json")

func sum(s string) string {
	b := sha256.Sum256([]byte(s))
	return "h1:" + base64.StdEncoding.EncodeToString(b[:])
}

func in(path, module string, imports ...string) listed {
	p := listed{ImportPath: path, Imports: imports}
	if module != "" {
		p.Module = &listedModule{Path: module}
	}
	return p
}

func example() bill {
	return bill{
		info: &debug.BuildInfo{
			GoVersion: "go1.26.8", Path: "example.com/main/cmd/p", Main: debug.Module{Path: "example.com/main"},
			Deps: []*debug.Module{
				{Path: "example.com/A", Version: "v1.0.0", Sum: sum("a")},
				{Path: "example.com/b", Version: "v0.0.0-2026", Replace: &debug.Module{
					Path: "example.com/fork", Version: "v2.0.0+incompatible", Sum: sum("fork")}},
			},
			Settings: []debug.BuildSetting{{Key: "GOOS", Value: "linux"}, {Key: "GOARCH", Value: "arm64"}},
		},
		program: sha256.Sum256([]byte("program")), version: "v1.2.3", built: time.Unix(1_800_000_000, 0).UTC(),
		packages: []listed{
			in("fmt", ""), in("example.com/A/x", "example.com/A", "fmt"),
			in("example.com/b", "example.com/b", "example.com/A/x"),
			in("example.com/main/cmd/p", "example.com/main", "example.com/b", "example.com/main/y", "fmt"),
			in("example.com/main/y", "example.com/main"),
		},
		embedded: map[string][]byte{"htmx.min.js": []byte("one"), "hx-sse.min.js": []byte("two")},
	}
}

func TestDocument(t *testing.T) {
	t.Parallel()
	doc, err := example().document()
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("testdata/document.json", append(got, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/document.json")
	if err != nil || !bytes.Equal(bytes.TrimSpace(want), got) {
		t.Errorf("testdata/document.json: %v\n%s", err, got)
	}
}

func TestModuleWithoutChecksum(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]*debug.Module{
		"none":              {Path: "example.com/A", Version: "v1.0.0"},
		"not base64":        {Path: "example.com/A", Version: "v1.0.0", Sum: "h1:!"},
		"short":             {Path: "example.com/A", Version: "v1.0.0", Sum: "h1:AAAA"},
		"replaced by a dir": {Path: "example.com/A", Version: "v1.0.0", Sum: sum("a"), Replace: &debug.Module{Path: "../a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := example()
			b.info.Deps[0] = m
			if doc, err := b.document(); err == nil {
				t.Errorf("no error, but %+v", doc.Components)
			}
		})
	}
}

// The versions of scripts are those of the files that the page embeds.
func TestScripts(t *testing.T) {
	t.Parallel()
	for _, s := range scripts {
		found := false
		for _, file := range s.files {
			content, err := os.ReadFile(filepath.Join("../web/assets", file))
			if err != nil {
				t.Fatal(err)
			}
			found = found || bytes.Contains(content, []byte(`"`+s.version+`"`))
		}
		if !found {
			t.Errorf("no file of %s says that it is %s", s.name, s.version)
		}
	}
	files, err := filepath.Glob("../web/assets/*.min.js")
	if err != nil || len(files) != len(scripts[0].files) {
		t.Errorf("scripts of others in internal/web/assets: %q (%v); each stands in the list of scripts", files, err)
	}
}

// A program of this module, here the test itself, has all that run needs.
func TestRun(t *testing.T) {
	t.Chdir("../..")
	t.Setenv("SOURCE_DATE_EPOCH", "1800000000")
	t.Setenv("VERSION", "v1.2.3")
	t.Setenv("GOFLAGS", "")
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var once, again strings.Builder
	for _, out := range []*strings.Builder{&once, &again} {
		if err := run(t.Context(), []string{program}, out); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	want := sha256.Sum256(content)
	if !strings.Contains(once.String(), hex.EncodeToString(want[:])) || !strings.Contains(once.String(), `"2027-01-15T08:00:00Z"`) {
		t.Errorf("neither the program's SHA-256 nor the time of the commit in\n%s", once.String())
	}
	if once.String() != again.String() {
		t.Error("the same program made two documents")
	}
}
