package postgres

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
)

// newPair returns a primary and its synchronous standby, by the verbs of
// postgres-pair.sh; they are removed when the test ends.
func newPair(t *testing.T) (pair func(verb string) string) {
	t.Helper()
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
	pair = func(verb string) string {
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
	return pair
}

// The primary dies, its standby is promoted, and the old primary comes back by
// itself, first in the URL: whatever was acknowledged is on the new one, and
// nothing goes to the old one any more.
func TestFailover(t *testing.T) {
	t.Parallel()
	pair := newPair(t)
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

// The address of the database moves to the promoted standby while the old primary
// lives on and keeps its connections: what waits there for its standby is given
// up in doubt, and whatever was acknowledged is on the new one.
func TestMovedAddress(t *testing.T) {
	t.Parallel()
	pair := newPair(t)
	u, err := url.Parse(pair("start"))
	if err != nil {
		t.Fatal(err)
	}
	first, second, _ := strings.Cut(u.Host, ",")
	address := newWire(t, first)
	u.Host = address.Addr().String()
	s := open(t, Options{URL: u.String()})
	if _, err := send(t, s, "l", []byte("x")); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	acked, refused := work(t, s, stop)
	pause.For(t.Context(), 500*time.Millisecond)
	pair("promote")
	address.lead(second)
	until(t, "what waits at the old primary is given up", func() bool { return refused.Load() > 0 })
	until(t, "the new primary takes mail", func() bool { _, err := send(t, s, "l", []byte("x")); return err == nil })
	close(stop)
	ids := acked()
	for _, id := range ids {
		c, err := s.Content(t.Context(), id)
		if err != nil {
			t.Fatalf("acknowledged and lost: %v", err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(ids) == 0 {
		t.Error("nothing was acknowledged")
	}
	t.Logf("%d acknowledged, %d in doubt", len(ids), refused.Load())
}

// A standby that was behind is promoted. What this node had sent, or had in hand,
// waits there as if no one had touched it: it is asked for, not sent again.
func TestFailoverToOneBehind(t *testing.T) {
	t.Parallel()
	pair := newPair(t)
	s := open(t, Options{URL: pair("start")})
	n := node(t, s, "n")
	const total, finished = 6, 4
	for i := range total {
		if _, err := send(t, s, fmt.Sprint("lane-", i), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	pair("lag")
	cc, err := s.Claim(t.Context(), store.ClaimRequest{Node: n, Now: time.Now(), Max: total})
	if err != nil || len(cc) != total {
		t.Fatal(len(cc), err)
	}
	for _, c := range cc[:finished] {
		if err := s.Finish(t.Context(), benchFinish(c, time.Now())); err != nil {
			t.Fatal(err)
		}
	}
	pair("kill")
	pair("promote")
	until(t, "the new primary takes mail", func() bool { _, err := send(t, s, "new", []byte("x")); return err == nil })
	sent := map[store.ID]bool{}
	for _, c := range cc {
		sent[c.Delivery.ID] = true
	}
	again := 0
	until(t, "everything is claimed again", func() bool {
		later := time.Now().Add(time.Hour) // what is to be verified waits for a moment
		got, err := s.Claim(t.Context(), store.ClaimRequest{Node: n, Now: later, Max: 2 * total})
		if errors.Is(err, store.ErrNodeLost) {
			n = node(t, s, "n")
		} else if err != nil && !errors.Is(err, store.ErrUnavailable) {
			t.Error(err)
		}
		for _, c := range got {
			if sent[c.Delivery.ID] {
				if again++; c.Delivery.Kind != store.Verify {
					t.Errorf("%s is claimed to %s it", c.Delivery.ID, c.Delivery.Kind)
				}
			}
		}
		return again == total
	})
}
