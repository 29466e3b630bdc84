//go:build linux

package crashtest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/app"
)

// A server with many connections and nothing to do uses under one per cent of
// a core. What it uses is counted by the kernel, so other work on the machine
// does not matter.
func TestIdle(t *testing.T) {
	t.Parallel()
	slow(t)
	const connections, span = 1000, 10 * time.Second
	w := newWorld(t, app.Storage{Data: filepath.Join(t.TempDir(), "data")}, 1)
	var putting sync.WaitGroup
	for part := range 32 {
		putting.Go(func() {
			for i := part; i < connections; i += 32 {
				c := w.sandbox.GraphConnection(fmt.Sprintf("idle%d@crash.example", i))
				c.Name = fmt.Sprint("idle ", i)
				if _, err := w.store.PutConnection(t.Context(), time.Now(), c); err != nil {
					t.Error(err)
				}
			}
		})
	}
	putting.Wait()
	n := w.nodes[0]
	w.stop(t)
	if err := os.WriteFile(n.config, nil, 0o600); err != nil { // as it is by default, not in the haste of the other tests
		t.Fatal(err)
	}
	begin := time.Now()
	if err := n.start(); err != nil {
		t.Fatal(err)
	}
	started := time.Since(begin)
	<-time.After(5 * time.Second) // what a start does is not idling
	before := processor(t, n.cmd.Process.Pid)
	<-time.After(span)
	used := processor(t, n.cmd.Process.Pid) - before
	t.Logf("%d connections: doors open after %v; idle %v of processor time in %v (%.2f %% of a core)", connections, started.Round(time.Millisecond), used, span,
		100*used.Seconds()/span.Seconds())
	if used > span/100 {
		t.Errorf("an idle server used %v in %v", used, span)
	}
	w.stop(t)
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
