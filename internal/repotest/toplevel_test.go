package repotest

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The top level of the repository is fixed: a new part finds its place below.
func TestTopLevel(t *testing.T) {
	t.Parallel()
	want := []string{
		".ci", ".editorconfig", ".gitattributes", ".gitignore", ".golangci.yml",
		"CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "SECURITY.md",
		"adapters", "cmd", "docs", "fallback", "go.mod", "go.sum", "internal", "mime", "testdata", "tokens",
	}
	c := exec.CommandContext(t.Context(), "git", "ls-files")
	c.Dir = root
	out, err := c.Output()
	if err != nil {
		t.Skipf("this is no checkout of git: %v", err)
	}
	top := map[string]bool{}
	for _, file := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		first, _, _ := strings.Cut(file, "/")
		top[first] = true
	}
	if got := slices.Sorted(maps.Keys(top)); !slices.Equal(got, want) {
		t.Errorf("the top level is\n%q, want\n%q", got, want)
	}
}
