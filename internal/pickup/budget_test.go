package pickup

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/spool"
)

// Files take their share of the disk as uploads do: one that finds no room
// waits, and goes when there is some.
func TestFilesHaveAShareOfTheDisk(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	free := int64(1 << 20)
	budget := spool.NewBudget(spool.BudgetOptions{Reserve: 4 << 20, Total: 64 << 20, PerParty: 32 << 20,
		Free: func(string) (int64, error) { return free, nil }, Now: c.now})
	p, st := open(t, Options{Dir: dir, Now: c.now, Budget: budget})
	drop(t, dir, "a.eml", letter("good")+strings.Repeat("x\n", 1<<20))
	p.Look(t.Context())
	if s := subjects(t, st); s != "" || names(t, filepath.Join(dir, failedDir)) != "" {
		t.Fatalf("taken without room: %q, failed %q", s, names(t, filepath.Join(dir, failedDir)))
	}
	free = 1 << 30
	c.pass(time.Minute)
	p.Look(t.Context())
	if s := subjects(t, st); s != "good" {
		t.Errorf("with room: %q", s)
	}
	if n := budget.Used(); n != 0 {
		t.Errorf("%d bytes are still charged", n)
	}
}
