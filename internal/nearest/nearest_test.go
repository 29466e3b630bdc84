package nearest

import (
	"strings"
	"testing"
)

func TestWord(t *testing.T) {
	t.Parallel()
	known := []string{"graph", "gmail", "smtp"}
	for name, want := range map[string]string{"graph": "graph", "grpah": "graph", "GMIAL": "gmail", "smpt": "smtp", "smtps": "smtp",
		"gmal": "gmail",
		"":     "", "x": "", "outlook": "", "però": "", strings.Repeat("graph", 1000): ""} {
		if got := Word(name, known); got != want {
			t.Errorf("%.20q: %q, want %q", name, got, want)
		}
	}
}
