package repotest

import (
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	maxColumns = 140 // of a Go line; a tab is one, as in the linter
	maxLines   = 400 // of a Go file
)

// Go files are short and their lines too, so that two fit side by side.
func TestFilesAreShort(t *testing.T) {
	t.Parallel()
	for _, file := range goFiles(t) {
		lines := strings.Split(strings.TrimSuffix(read(t, file), "\n"), "\n")
		if len(lines) > maxLines {
			t.Errorf("%s has %d lines, at most %d: a file does one thing", file, len(lines), maxLines)
		}
		for i, line := range lines {
			if n := utf8.RuneCountInString(line); n > maxColumns {
				t.Errorf("%s:%d has %d columns, at most %d", file, i+1, n, maxColumns)
			}
		}
	}
}
