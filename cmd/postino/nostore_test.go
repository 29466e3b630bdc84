package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/app"
)

// A slip in --data makes no store, and does not say that nothing waits.
func TestNoStore(t *testing.T) {
	t.Parallel()
	for _, args := range []string{
		"queue list", "queue list --json", "queue show 06h0ag98bnxdb769sgdz0mffa0", "queue stats", "queue history", "queue lanes",
		"queue export --dir " +
			t.TempDir(),
		"queue retry --all --state failed", "queue cancel 06h0ag98bnxdb769sgdz0mffa0",
		"connection list", "connection show a", "connection edit a --file -", "connection remove a", "connection enable a",
		"connection disable a",
		"connection default a", "connection resume a", "client list", "client show a", "client remove a", "client rotate a",
		"client key a", "key list",
		"key revoke a",
	} {
		data := filepath.Join(t.TempDir(), "typo")
		code, out, errOut := command(t, "{}", append(strings.Fields(args), "--data", data)...)
		if code != app.ExitConfig || !strings.Contains(errOut, "there is no store in "+data+": name its folder with --data or POSTINO_DATA") {
			t.Errorf("%s: exit %d: %s%s", args, code, out, errOut)
		}
		if _, err := os.Stat(data); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s left a folder: %v", args, err)
		}
	}
	// With --jsonl the error is one line too.
	code, out, errOut := command(t, "", "queue", "list", "--jsonl", "--data", filepath.Join(t.TempDir(), "typo"))
	var doc struct {
		Error struct{ Message string }
		Exit  int
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil || strings.Count(out, "\n") != 1 || doc.Exit != code || doc.Error.Message == "" {
		t.Errorf("exit %d, %v: %s%s", code, err, out, errOut)
	}
	// A folder that holds something else stays as it is.
	data := t.TempDir()
	if code, _, errOut := command(t, "", "queue", "list", "--data", data); code != app.ExitConfig ||
		!strings.Contains(errOut, "there is no store in") {
		t.Errorf("exit %d: %s", code, errOut)
	}
	if left, err := os.ReadDir(data); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
	// Two commands may come first.
	if code, out, errOut := command(t, "", "client", "add", "erp", "--data", filepath.Join(data, "new")); code != 0 {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
	if code, out, errOut := command(t, "", "queue", "list", "--data", filepath.Join(data, "new")); code != 0 {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
}
