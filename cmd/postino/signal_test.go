//go:build unix

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

const stoppingRole = "POSTINO_STOPPING_ROLE" // of the process of TestSecondSignal

// TestStoppingProcess is the body of the process that is told to end.
func TestStoppingProcess(t *testing.T) {
	if os.Getenv(stoppingRole) == "" {
		t.Skip("the process of TestSecondSignal")
	}
	ctx, stop := untilSignal(context.Background())
	defer stop()
	fmt.Println("running")
	<-ctx.Done()
	fmt.Println("stopping")
	<-t.Context().Done() // it would finish what is in flight, for very long
}

// The first signal begins an orderly end, a second one does not wait for it.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	for _, second := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestStoppingProcess$")
		cmd.Env = append(os.Environ(), stoppingRole+"=1")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		await := func(word string) {
			for lines.Scan() {
				if lines.Text() == word {
					return
				}
			}
			t.Fatalf("no %q: %v", word, lines.Err())
		}
		await("running")
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		await("stopping")
		// The first signal is let go right after the context ended: one more may be needed.
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		for again := time.NewTicker(20 * time.Millisecond); ; {
			select {
			case err = <-ended:
			case <-again.C:
				if serr := cmd.Process.Signal(second); serr != nil && !errors.Is(serr, os.ErrProcessDone) {
					t.Fatal(serr)
				}
				continue
			}
			again.Stop()
			break
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != second {
			t.Errorf("it ended with %v, want %v", err, second)
		}
	}
}
