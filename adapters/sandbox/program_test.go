package sandbox_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestProgram: a program of at most 25 lines, in a module of its own, sends over every
// kind of connection. It is built from the local module cache, without a network.
func TestProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program: not with -short")
	}
	t.Parallel()
	source, err := os.ReadFile(filepath.Join("testdata", "program", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(source, []byte("\n")); n > 25 {
		t.Errorf("the program has %d lines", n)
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	// Its requirements are the repository's: the cache holds nothing else.
	requirements, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	const path = "github.com/postino-mail/postino"
	mod := regexp.MustCompile(`(?m)^module .*$`).ReplaceAllString(string(requirements), "module example.com/program") +
		"\nrequire " + path + " v0.0.0\n\nreplace " + path + " => " + root + "\n"
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{"main.go": source, "go.mod": []byte(mod), "go.sum": sums} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	binary := filepath.Join(dir, "program")
	build := exec.CommandContext(t.Context(), "go", "build", "-mod=mod", "-o", binary, ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOPROXY=off", "GOWORK=off", "GOFLAGS="+os.Getenv("GOFLAGS"))
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), binary).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := "graph 1 <nil>\ngraph 2 <nil>\ngraph 3 <nil>\ngmail 4 <nil>\nsmtp 5 <nil>\nsmtp 6 <nil>\nsmtp 7 <nil>\n"
	if strings.TrimSpace(string(out)) != strings.TrimSpace(want) {
		t.Errorf("the program printed\n%swant\n%s", out, want)
	}
}
