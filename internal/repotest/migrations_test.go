package repotest

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestMigrationsHaveNumbers: each migration of a store has a number of its own; two
// with one number keep every store from opening.
func TestMigrationsHaveNumbers(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../store/*/migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal("no migrations are found", err)
	}
	seen := map[string]string{}
	for _, f := range files {
		number, _, _ := strings.Cut(filepath.Base(f), "_")
		key := filepath.Join(filepath.Dir(f), number)
		if other := seen[key]; other != "" {
			t.Errorf("%s and %s have one number", other, f)
		}
		seen[key] = f
	}
}
