package postgres

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// The primary dies, its standby is promoted, and the old primary comes back by
// itself, first in the URL: whatever was acknowledged is on the new one, and
// nothing goes to the old one any more.
func TestFailover(t *testing.T) {
	t.Parallel()
	if os.Getenv("POSTINO_PEERS") != "1" {
		t.Skip("makes two PostgreSQL clusters: set POSTINO_PEERS=1")
	}
	dir, err := os.MkdirTemp("", "postino-pair-*") // t.TempDir is closed to the user postgres
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	pair := func(verb string) string {
		cmd := exec.Command("../../../testdata/peers/postgres-pair.sh", verb)
		cmd.Env = append(os.Environ(), "POSTGRES_DIR="+filepath.Join(dir, "pair"))
		var said strings.Builder
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("postgres-pair.sh %s: %v %s", verb, err, said.String())
		}
		return strings.TrimSpace(string(out))
	}
	t.Cleanup(func() {
		pair("stop")
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	both := pair("start")
	s := open(t, Options{URL: both})
	outage(t, s, 1, func() { pair("kill") }, func() {
		pair("promote")
		pair("revive")
	})
	// A node that starts now, with the old primary first in its URL, finds the new one.
	again := open(t, Options{URL: both})
	u, err := url.Parse(both)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(u.Host, ",")
	u.Host = first
	old, err := pgx.Connect(t.Context(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = old.Close(t.Context()) }()
	count := func() (n int) {
		if err := old.QueryRow(t.Context(), `SELECT count(*) FROM messages`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := count()
	for range 20 {
		if _, err := send(t, again, "l", []byte("x")); err != nil {
			t.Error(err)
		}
	}
	if n := count(); n != before {
		t.Errorf("%d messages more on the old primary", n-before)
	}
}
