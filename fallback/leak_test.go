package fallback

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// checkLeaks runs the tests and fails when a goroutine of this package outlives them.
func checkLeaks(m *testing.M) int {
	code := m.Run()
	var stacks string
	for range 50 {
		buf := make([]byte, 1<<20)
		stacks = string(buf[:runtime.Stack(buf, true)])
		_, others, _ := strings.Cut(stacks, "\n\n") // the first is this one
		if !strings.Contains(others, "postino/fallback") {
			return code
		}
		time.Sleep(20 * time.Millisecond) //nolint:forbidigo // only when something is still ending, which sends no signal
	}
	fmt.Fprintf(os.Stderr, "goroutines leaked:\n%s\n", stacks)
	return 1
}
