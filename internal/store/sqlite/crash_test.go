package sqlite

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

const crashDir = "POSTINO_CRASH_DIR"

// TestCrashChild is the process that TestCrash kills: it acknowledges what it
// has stored, line by line, until it dies.
func TestCrashChild(t *testing.T) {
	dir := os.Getenv(crashDir)
	if dir == "" {
		t.Skip("only as a child of TestCrash")
	}
	s, err := Open(context.Background(), Options{Dir: dir, Server: true, Inline: 8 << 10})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				body := bytes.Repeat([]byte{byte(w)}, 1000+(i%3)*20_000) // inline and spooled
				out, err := s.Submit(context.Background(),
					store.Submission{Now: now(), Messages: []store.NewMessage{benchMessage(fmt.Sprint("l", w), body, now())}})
				if err != nil {
					return
				}
				mu.Lock()
				fmt.Println("ack", out[0].ID, len(body))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// TestCrash kills a submitting process again and again: whatever it has
// acknowledged is there, whole.
func TestCrash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	acked := map[string]int64{}
	for round := range 4 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestCrashChild$")
		cmd.Env = append(os.Environ(), crashDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		n := 0
		for lines.Scan() {
			var id string
			var size int64
			if k, _ := fmt.Sscanf(lines.Text(), "ack %s %d", &id, &size); k != 2 {
				continue
			}
			acked[id] = size
			if n++; n == 40+30*round {
				if err := cmd.Process.Kill(); err != nil { // SIGKILL; what is in the pipe was acknowledged
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the child was not killed")
		}
	}
	s := open(t, Options{Dir: dir, Server: true})
	for text, size := range acked {
		id, err := store.ParseID(text)
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Content(t.Context(), id)
		if err != nil {
			t.Errorf("acknowledged, but: %v", err)
			continue
		}
		if c.Size() < size {
			t.Errorf("%s has %d bytes of %d", id, c.Size(), size)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := count(t, s); n < int64(len(acked)) {
		t.Errorf("%d are queued, %d were acknowledged", n, len(acked))
	}
	if _, err := s.Sweep(t.Context(), -time.Minute); err != nil {
		t.Error(err)
	}
	for text := range acked { // the sweep takes nothing that is named
		id, err := store.ParseID(text)
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Content(t.Context(), id)
		if err != nil {
			t.Errorf("after the sweep: %v", err)
			continue
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d acknowledged over 4 kills", len(acked))
}
