//go:build unix

package crashtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postino-mail/postino/internal/app"
	"github.com/postino-mail/postino/internal/store"
)

// Settings of the servers: waits short enough for a test. settle is longer
// than a provider of the sandbox can take to show what it has accepted.
const settings = `
[outbox]
lease = "4s"
retry_first = "200ms"
retry_max = "2s"
verify_after = "300ms"
settle = "3s"
give_up = "4h"
grace = "5s"
`

// beyondLease is how long a stopped node is silent: others take over meanwhile.
const beyondLease = 7 * time.Second

// A plan is how one run goes.
type plan struct {
	messages int
	clients  int
	nodes    int
	database string
}

func planOf(t *testing.T) plan {
	t.Helper()
	p := plan{messages: 300, clients: 6, nodes: 1}
	switch n := os.Getenv("POSTINO_CRASH"); {
	case n != "":
		var err error
		p.clients = 16
		if p.messages, err = strconv.Atoi(n); err != nil || p.messages <= 0 {
			t.Fatalf("POSTINO_CRASH=%q is no number of messages", n)
		}
	case os.Getenv("POSTINO_PEERS") == "":
		t.Skip("takes a minute: set POSTINO_PEERS=1 for the short form, POSTINO_CRASH=10000 for the long one")
	}
	return p
}

func TestCrashSQLite(t *testing.T) {
	t.Parallel()
	crash(t, planOf(t))
}

func TestCrashPostgreSQL(t *testing.T) {
	t.Parallel()
	p := planOf(t)
	p.nodes, p.database = 3, database(t)
	crash(t, p)
}

// database is an empty schema for one test on the server of POSTINO_TEST_POSTGRES.
func database(t *testing.T) string {
	t.Helper()
	server := os.Getenv("POSTINO_TEST_POSTGRES")
	if server == "" {
		t.Skip("POSTINO_TEST_POSTGRES names no server: see testdata/peers/postgres.sh")
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	schema := "crash_" + strings.ToLower(store.NewID().String())
	run := func(q string) {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, server)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(ctx, q); err != nil {
			t.Error(err)
		}
		if err := conn.Close(ctx); err != nil {
			t.Error(err)
		}
	}
	run(`CREATE SCHEMA ` + schema)
	t.Cleanup(func() { run(`SET client_min_messages = warning; DROP SCHEMA ` + schema + ` CASCADE`) })
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

func crash(t *testing.T, p plan) {
	seed, err := strconv.ParseUint(os.Getenv("POSTINO_CRASH_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("POSTINO_CRASH_SEED=%d", seed)
	w := newWorld(t, app.Storage{Data: filepath.Join(t.TempDir(), "data"), Database: p.database}, p.nodes)
	misbehave(w.sandbox)
	begin := time.Now()
	// A client is patient in proportion to what it has to send.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute+time.Duration(p.messages)*100*time.Millisecond)
	defer cancel()
	var clock sync.WaitGroup
	clock.Go(func() { hasten(ctx, w.sandbox) })
	defer clock.Wait()
	defer cancel()
	c := w.clients(p.messages)
	c.mixed, c.pause, c.again = true, 500*time.Millisecond, true
	var submitting sync.WaitGroup
	for i := range p.clients {
		submitting.Go(func() { c.run(ctx, rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	quiet := make(chan struct{})
	go func() { submitting.Wait(); close(quiet) }()
	kills, err := killing(quiet, w.nodes, rand.New(rand.NewPCG(seed, 1<<32)), 12/p.nodes+4)
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(begin)
	if c.acked.Load() < c.want {
		t.Fatalf("only %d of %d messages were taken in %v; refusals: %v", c.acked.Load(), c.want, took, c.said)
	}
	w.drained(ctx, t)
	w.stop(t)
	l := readLedger(ctx, t, w.store)
	y := count(t, w.sandbox, c, l)
	y.judge(t)
	t.Logf("%d acknowledged of %d tries from %d clients in %v, %d kills of %d nodes; drained after %v; requests repeated: %d, messages "+
		"sent again: %d", c.acked.Load(),
		len(c.known), p.clients, took.Round(time.Millisecond), kills, p.nodes, time.Since(begin).Round(time.Millisecond), c.repeats.Load(),
		c.resent.Load())
	l.slowest(ctx, t, w.store)
	l.twins(ctx, t, w.sandbox, w.store)
	y.report(t, kills)
	if violations := w.sandbox.SMTPViolations(); len(violations) > 0 {
		t.Errorf("SMTP violations: %q", violations[:min(5, len(violations))])
	}
	if t.Failed() {
		for _, n := range w.nodes {
			t.Logf("log of %s:\n%s", n.name, n.tail())
		}
	}
}

// killing ends one node after another until no one submits any more, at least
// so many times, and leaves all of them running. Where there are several, some
// are only stopped for longer than their lease.
func killing(quiet <-chan struct{}, nodes []*node, rng *rand.Rand, atLeast int) (kills int, err error) {
	for {
		select {
		case <-time.After(200*time.Millisecond + time.Duration(rng.Int64N(int64(2800*time.Millisecond)))):
		case <-quiet:
			if kills >= atLeast {
				return kills, nil
			}
			// What waits in the queue is at stake now.
			<-time.After(200*time.Millisecond + time.Duration(rng.Int64N(int64(800*time.Millisecond))))
		}
		n := nodes[rng.IntN(len(nodes))]
		if len(nodes) > 1 && rng.IntN(3) == 0 {
			if err := n.freeze(beyondLease); err != nil {
				return kills, err
			}
			continue
		}
		if err := n.kill(); err != nil {
			return kills, fmt.Errorf("node %s ended by itself: %w\n%s", n.name, err, n.tail())
		}
		kills++
		if len(nodes) > 1 { // the others go on meanwhile, and may find it dead
			<-time.After(time.Duration(rng.Int64N(int64(6 * time.Second))))
		}
		if err := n.start(); err != nil {
			return kills, err
		}
	}
}
