//go:build unix

package api

import (
	"runtime"
	"syscall"
	"testing"
	"time"
)

// cpuTime is what this process has used.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Checking costs no more than the body does, and twice the body costs at most
// 2.3 times as much, in time and memory.
func TestJSONIsLinear(t *testing.T) {
	w := newWorld(t, nil)
	const n = 1 << 20
	small, large := hostile(n), hostile(2*n)
	cost := func(body []byte) (took time.Duration, bytes uint64) {
		took = time.Hour
		for range 5 {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := cpuTime(t)
			_, _ = decode[MessageInput](t.Context(), w.server.submissions.bodies, body) // refused or not
			took = min(took, cpuTime(t)-start)
			runtime.ReadMemStats(&after)
			bytes = after.TotalAlloc - before.TotalAlloc
		}
		return took, bytes
	}
	const slack = 10 * time.Millisecond // what a busy machine adds
	for name := range small {
		one, two := small[name](), large[name]()
		t1, b1 := cost(one)
		t2, b2 := cost(two)
		for again := 0; again < 5 && !raceEnabled && t2 > 23*t1/10+slack; again++ { // what else the process did in between
			t1, b1 = cost(one)
			t2, b2 = cost(two)
		}
		slow := !raceEnabled && t2 > 23*t1/10+slack // the race detector measures itself
		if float64(b2) > 2.3*float64(b1)+(1<<20) || slow {
			t.Errorf("%s: %d bytes took %v and %d bytes of memory, twice as many %v and %d", name, len(one), t1, b1, t2, b2)
		}
		if most := uint64(2*len(two) + maxValues*valueCost); b2 > most {
			t.Errorf("%s: %d bytes of memory, at most %d", name, b2, most)
		}
	}
}
