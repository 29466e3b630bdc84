package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/app"
)

// A rotation that is killed at any moment leaves every secret readable, and the
// next one goes on until all are sealed with one key.
func TestVaultRotate(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	do := func(code int, want string, args ...string) {
		t.Helper()
		got, out, errOut := command(t, "", append(args, "--data", data)...)
		if got != code || !strings.Contains(out+errOut, want) {
			t.Fatalf("%v: exit %d, want %d with %q\n%s%s", args, got, code, want, out, errOut)
		}
	}
	var docs []string
	for i := range 150 {
		docs = append(docs, fmt.Sprintf(`{"name":"c%d","provider":"smtp","from":"c%d@x.it",`+
			`"smtp":{"host":"h.x.it","login":"l","password":"word %d"}}`, i, i, i))
	}
	file := filepath.Join(t.TempDir(), "c.json")
	if err := os.WriteFile(file, []byte("["+strings.Join(docs, ",")+"]"), 0o600); err != nil {
		t.Fatal(err)
	}
	do(0, "150 changes applied", "connection", "import", file, "--yes")
	readable := func() {
		t.Helper()
		do(0, "nothing to do", "connection", "import", file, "--yes") // every secret is what the file says
	}
	killed := 0
	for after := 20 * time.Millisecond; ; after += 15 * time.Millisecond {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledProcess$")
		cmd.Env = append(os.Environ(), killedRole+"=vault rotate --data "+data)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(after, func() { _ = cmd.Process.Kill() }) // one that has ended is no failure
		err := cmd.Wait()
		kill.Stop()
		readable()
		if err == nil {
			break
		}
		killed++
	}
	t.Logf("killed %d times", killed)
	do(0, "are removed", "vault", "drop-old")
	readable()
	do(0, "there is one key", "vault", "drop-old")
	do(0, "new key", "vault", "rotate", "--prepare")
	do(app.ExitFailure, "not finished", "vault", "drop-old")
	readable()
	do(0, "150 secrets are sealed with the new key", "vault", "rotate")
	readable()
}

// The audit trail says who changed the key, and has nothing that is sealed with it.
func TestVaultTrail(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	do := func(args ...string) string {
		t.Helper()
		code, out, errOut := command(t, "", append(args, "--data", data)...)
		if code != 0 {
			t.Fatalf("%v: exit %d\n%s%s", args, code, out, errOut)
		}
		return out
	}
	do("connection", "add", "a", "--from", "a@x.it", "--host", "h.x.it", "--set", "smtp.auth=none")
	for _, args := range [][]string{{"rotate", "--prepare"}, {"rotate"}, {"drop-old"}} {
		do(append([]string{"vault"}, args...)...)
	}
	var trail []struct{ Action, Kind, Object string }
	out := do("people", "audit", "--kind", "setting", "--json")
	if err := json.Unmarshal([]byte(out), &trail); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range trail {
		got = append(got, e.Action+" "+e.Object)
	}
	if want := []string{"removed vault_key", "changed vault_key", "added vault_key"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q\n%s", got, want, out)
	}
}
