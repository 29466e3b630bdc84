//go:build linux

package crashtest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/app"
	"github.com/postino-mail/postino/internal/gateway"
)

// A server with many connections and nothing to do uses under one per cent of
// a core, also after each of them was used. What it uses is counted by the
// kernel, so other work on the machine does not matter.
func TestIdle(t *testing.T) {
	t.Parallel()
	slow(t)
	connections := 1000
	if os.Getenv("POSTINO_SCALE") != "" {
		connections = 10_000
	}
	w := newWorld(t, app.Storage{Data: filepath.Join(t.TempDir(), "data")}, 1)
	w.stop(t)
	senders := w.many(t, connections)
	n := w.nodes[0]
	if err := os.WriteFile(n.config, nil, 0o600); err != nil { // as it is by default, not in the haste of the other tests
		t.Fatal(err)
	}
	begin := time.Now()
	if err := n.start(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d connections: listeners open after %v", connections, time.Since(begin).Round(time.Millisecond))
	open := sockets(t, n.cmd.Process.Pid)
	idle(t, n, "never used")
	// Each sends one message.
	c := w.clients(connections)
	next := make(chan string, connections)
	for _, s := range senders {
		next <- s
	}
	close(next)
	var submitting sync.WaitGroup
	for i := range 8 {
		submitting.Go(func() {
			one := &client{clients: c, rng: rand.New(rand.NewPCG(1, uint64(i)))}
			defer one.close()
			for from := range next {
				if err := one.overSMTP(from, message(from, from, 1)); err != nil {
					t.Errorf("%s: %v", from, err)
				}
			}
		})
	}
	submitting.Wait()
	w.drained(t.Context(), t)
	if got := len(w.sandbox.Deliveries()); got != connections {
		t.Errorf("%d of %d messages arrived", got, connections)
	}
	// Closing what was kept open for the next message belongs to the sending:
	// a thousand TLS connections to the sandbox, for as long as each is kept.
	until := time.Now().Add(3 * time.Minute)
	for sockets(t, n.cmd.Process.Pid) > open+2 {
		if time.Now().After(until) {
			t.Fatalf("%d sockets are open, %d before the messages", sockets(t, n.cmd.Process.Pid), open)
		}
		<-time.After(time.Second)
	}
	idle(t, n, "each used once")
	w.stop(t)
}

// idle watches a server that has nothing to do.
func idle(t *testing.T, n *node, story string) {
	t.Helper()
	const span = 20 * time.Second
	<-time.After(10 * time.Second) // what a start or the last message does is not idling
	before := processor(t, n.cmd.Process.Pid)
	<-time.After(span)
	used := processor(t, n.cmd.Process.Pid) - before
	t.Logf("%s: idle %v of processor time in %v (%.2f %% of a core), %d MB resident", story, used, span,
		100*used.Seconds()/span.Seconds(), resident(t, n.cmd.Process.Pid)>>20)
	if used > span/100 {
		t.Errorf("%s: an idle server used %v in %v", story, used, span)
	}
}

// many puts so many connections to the fake Graph into the store, each with a
// mailbox of its own, and gives their senders.
func (w *world) many(t *testing.T, n int) (senders []string) {
	t.Helper()
	var putting sync.WaitGroup
	for i := range n {
		senders = append(senders, fmt.Sprintf("lane%d@crash.example", i))
	}
	for part := range 32 {
		putting.Go(func() {
			for i := part; i < n; i += 32 {
				c := &gateway.Connection{Connection: *w.sandbox.GraphConnection(senders[i])}
				c.Name = fmt.Sprint("lane ", i)
				c.Fallback = []string{"smtp0"}
				if _, err := w.store.PutConnection(t.Context(), time.Now(), c); err != nil {
					t.Error(err)
				}
			}
		})
	}
	putting.Wait()
	return senders
}

// sockets is how many a process has open.
func sockets(t *testing.T, pid int) int {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	fds, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, fd := range fds {
		if to, err := os.Readlink(filepath.Join(dir, fd.Name())); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// resident is the memory of a process in bytes (proc(5): statm, in pages).
func resident(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(string(bytes.Fields(b)[1]))
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// processor is what a process has used (proc(5): utime and stime in ticks of 10 ms).
func processor(t *testing.T, pid int) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:]) // from the state, field 3, on
	var ticks int
	for _, i := range []int{11, 12} {
		v, err := strconv.Atoi(string(f[i]))
		if err != nil {
			t.Fatal(err)
		}
		ticks += v
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
