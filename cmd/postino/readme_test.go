package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const programRole = "POSTINO_PROGRAM_ROLE" // this test binary is the program

// TestProgram is the body of the program of TestReadmeHTTP: its arguments are
// those after "--".
func TestProgram(t *testing.T) {
	if os.Getenv(programRole) == "" {
		t.Skip("a process of TestReadmeHTTP")
	}
	ctx, stop := untilSignal(context.Background())
	defer stop()
	os.Exit(run(ctx, flag.Args(), stdio{os.Stdin, os.Stdout, os.Stderr}))
}

// The HTTP examples of README.md work as printed: from no store at all to the
// first message, by the socket and with a key.
func TestReadmeHTTP(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the examples are for a shell")
	}
	for _, tool := range []string{"curl", "sh"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("there is no %s", tool)
		}
	}
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	shell := newShell(t, dir)
	connection := `{"name": "Ufficio", "provider": "smtp", "from": "erp@contoso.it",
		"smtp": {"host": "127.0.0.1", "port": 1, "encryption": "none"}}`
	if err := os.WriteFile(filepath.Join(dir, "ufficio.json"), []byte(connection), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := shell("postino connection add --file ufficio.json").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	address := serveIn(t, shell("exec postino serve --smtp 127.0.0.1:0 --http 127.0.0.1:0"))
	key := "pk_…"
	sent, answers := 0, ""
	for _, line := range examples(string(readme)) {
		if !strings.HasPrefix(line, "curl ") && !strings.HasPrefix(line, "postino client add ") && !strings.HasPrefix(line, "postino key ") {
			continue
		}
		line = strings.NewReplacer("127.0.0.1:8025", address, "pk_…", key).Replace(line)
		out, err := shell(line).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v %s", line, err, out)
		}
		answers += string(out)
		if k := regexp.MustCompile(`\bpk_[0-9a-z]{20,}`).Find(out); k != nil {
			key = string(k)
		}
		if strings.Contains(string(out), `"deliveries":[`) {
			sent++
		}
	}
	if sent != 2 || key == "pk_…" {
		t.Errorf("README.md sent %d messages by HTTP, want 2 (socket, key); the answers are %s", sent, answers)
	}
}

// newShell makes a folder a place where a shell finds postino, and returns what runs
// a line there.
func newShell(t *testing.T, dir string) func(line string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := fmt.Sprintf("#!/bin/sh\n%s=1 exec %s '-test.run=^TestProgram$' -- \"$@\"\n", programRole, self)
	if err := os.WriteFile(filepath.Join(dir, "postino"), []byte(program), 0o700); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	return func(line string) *exec.Cmd {
		c := exec.CommandContext(context.WithoutCancel(t.Context()), "sh", "-c", line)
		c.Dir = dir
		c.Env = append(programEnviron(), "PATH="+dir+":"+os.Getenv("PATH"), "POSTINO_MAILDROP="+filepath.Join(dir, "maildrop"))
		return c
	}
}

// programEnviron is the environment of this process without what is meant for postino,
// in English.
func programEnviron() []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "POSTINO_") })
	return append(env, "LANG=en")
}

// serveIn starts the server and returns the address of HTTP; it ends with the test.
func serveIn(t *testing.T, c *exec.Cmd) string {
	t.Helper()
	c.Stderr = io.Discard
	pipe, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM) // it may have ended
		_, _ = io.Copy(io.Discard, pipe)
		if err := c.Wait(); err != nil {
			t.Errorf("the server ended badly: %v", err)
		}
	})
	found := make(chan string, 1)
	ready := bufio.NewScanner(pipe)
	go func() {
		address := ""
		for ready.Scan() {
			if a, ok := strings.CutPrefix(ready.Text(), "http "); ok {
				address = a
			}
			if strings.HasPrefix(ready.Text(), "socket ") {
				found <- address
				return
			}
		}
	}()
	select {
	case a := <-found:
		return a
	case <-time.After(30 * time.Second):
		t.Fatal("the server does not listen")
	}
	return ""
}

// examples are the commands of a page: what follows "$ ", lines that end in a
// backslash going on.
func examples(page string) (out []string) {
	lines := strings.Split(page, "\n")
	for i := 0; i < len(lines); i++ {
		line, ok := strings.CutPrefix(lines[i], "$ ")
		if !ok {
			continue
		}
		for strings.HasSuffix(line, `\`) && i+1 < len(lines) {
			i++
			line = strings.TrimSuffix(line, `\`) + strings.TrimSpace(lines[i])
		}
		out = append(out, line)
	}
	return out
}
