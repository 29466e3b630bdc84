package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/app"
)

// A trigger is standard output that calls once when it has seen mark.
type trigger struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	mark string
	call func()
	once sync.Once
}

func (w *trigger) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf.Write(p)
	if strings.Contains(w.buf.String(), w.mark) {
		w.once.Do(w.call)
	}
	return len(p), nil
}

// TestInterrupted: Ctrl-C and SIGTERM (both end the context, see main) leave
// nothing in the temporary folder, at any moment. Not parallel: the temporary
// folder is the process's.
func TestInterrupted(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	for _, c := range []struct {
		name, mark string
		args       []string
		code       int
	}{
		{"sandbox", "Ctrl-C ends it", []string{"sandbox"}, app.ExitOK},
		{"sandbox as JSON", "ca_file", []string{"sandbox", "--json"}, app.ExitOK},
		{"demo kept", "Ctrl-C ends it", []string{"demo", "--keep"}, app.ExitOK},
		{"demo at its first line", "One message", []string{"demo"}, app.ExitTempFail},
		{"demo in the middle", "One failure of each class", []string{"demo"}, app.ExitFailure},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			out := &trigger{mark: c.mark, call: cancel}
			var errOut bytes.Buffer
			code := run(ctx, append([]string{"--lang", "en"}, c.args...), stdio{strings.NewReader(""), out, &errOut})
			if code != c.code {
				t.Errorf("exit %d, want %d: %s", code, c.code, errOut.String())
			}
			if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
				t.Errorf("left in the temporary folder: %v, %v", left, err)
			}
		})
	}
}

const killedRole = "POSTINO_KILLED_ROLE" // of a process of TestKilledDemo

// TestKilledProcess is the body of the process that is killed.
func TestKilledProcess(t *testing.T) {
	if os.Getenv(killedRole) == "" {
		t.Skip("a process of TestKilledDemo")
	}
	run(t.Context(), strings.Fields(os.Getenv(killedRole)), stdio{strings.NewReader(""), os.Stdout, os.Stderr})
}

// TestKilledDemo: what kill -9 leaves in the temporary folder goes with the
// next run. Not parallel: the temporary folder is the process's.
func TestKilledDemo(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	for _, args := range []string{"demo --keep", "sandbox"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledProcess$")
		cmd.Env = append(os.Environ(), killedRole+"="+args)
		ready := make(chan struct{})
		cmd.Stdout = &trigger{mark: "Ctrl-C ends it", call: func() { close(ready) }}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			_ = cmd.Wait() // "signal: killed"
			close(ended)
		}()
		select {
		case <-ready:
		case <-ended:
			t.Fatalf("%s ended by itself", args)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-ended
		if left, err := os.ReadDir(temp); err != nil || len(left) == 0 {
			t.Fatalf("%s left nothing, so nothing is shown here: %v", args, err)
		}
	}
	if code, _, errOut := command(t, "", "demo"); code != app.ExitOK {
		t.Fatalf("exit %d: %s", code, errOut)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
}
