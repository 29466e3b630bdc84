package app

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A serverLog is the log of a server under test, which can be waited on.
type serverLog struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	fresh chan struct{} // closed and replaced with each line
}

func (l *serverLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.fresh)
	l.fresh = make(chan struct{})
	return l.buf.Write(p)
}

// wait ends when the log has n lines with the words; it reports false when
// that lasts too long.
func (l *serverLog) wait(words string, n int, most time.Duration) bool {
	late := time.After(most)
	for {
		l.mu.Lock()
		have, fresh := strings.Count(l.buf.String(), words), l.fresh
		l.mu.Unlock()
		if have >= n {
			return true
		}
		select {
		case <-fresh:
		case <-late:
			return false
		}
	}
}

func (l *serverLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// startServer runs `postino serve` with the configuration and a store of its
// own until the test ends.
func startServer(t *testing.T, configuration string) (Addresses, *serverLog) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "postino.toml")
	if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	log := &serverLog{fresh: make(chan struct{})}
	ready := make(chan Addresses, 1)
	ended := make(chan error, 1)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	go func() {
		ended <- Serve(ctx, ServeOptions{ConfigFile: file, Data: filepath.Join(dir, "data"), Stderr: log,
			Getenv: func(string) string { return "" },
			Ready:  func(a Addresses) { ready <- a }})
	}()
	var at Addresses
	select {
	case at = <-ready:
	case err := <-ended:
		stop()
		t.Fatalf("the server does not start: %v", err)
	}
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the server ended badly: %v", err)
		}
	})
	return at, log
}
