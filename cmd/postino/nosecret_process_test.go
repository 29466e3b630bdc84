package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// process runs a command as a process of its own, and reads what others see of it.
func (r *secretRun) process(args ...string) {
	r.t.Helper()
	c := programCommand(r.t, append(args, r.flags...)...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		r.t.Fatal(err)
	}
	name := "postino " + strings.Join(args, " ") + " (process)"
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	for {
		r.processes(name)
		select {
		case err := <-done: // any exit code
			if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
				r.t.Errorf("%s: %v", name, err)
			}
			r.output(name, out.String())
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// processes reads arguments and environment of the processes of this test.
func (r *secretRun) processes(name string) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return // no Linux
	}
	group := fmt.Sprint(os.Getpid())
	for _, e := range entries {
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue // none, or gone
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		if f := strings.Fields(rest); e.Name() != group && (len(f) < 2 || f[1] != group) {
			continue
		}
		for _, what := range []string{"cmdline", "environ"} {
			if b, err := os.ReadFile(filepath.Join("/proc", e.Name(), what)); err == nil {
				r.output(name+": /proc/…/"+what, string(b))
			}
		}
	}
}

// programCommand is this test binary as the program.
func programCommand(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(context.WithoutCancel(t.Context()), self, append([]string{"-test.run=^TestProgram$", "--"}, args...)...)
	c.Env = append(programEnviron(), programRole+"=1")
	return c
}

// serve starts the server as a process with everything in its log.
func (r *secretRun) serve() {
	r.t.Helper()
	config := filepath.Join(r.t.TempDir(), "postino.toml")
	text := "[log]\nlevel = \"debug\"\n[outbox]\nretry_first = \"1h\"\n[webhooks]\nnetworks = [\"127.0.0.0/8\"]\n" +
		"[[smtp]]\naddress = \"127.0.0.1:0\"\nplaintext_auth = true\nnetworks = [\"127.0.0.0/8\"]\n[http]\naddress = \"127.0.0.1:0\"\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	r.server = programCommand(r.t, append([]string{"serve", "--config", config, "--ca-file", r.s.CAFile()}, r.flags...)...)
	r.lines, r.log = &lineReader{found: make(chan [2]string, 1)}, &bytes.Buffer{}
	r.server.Stdout, r.server.Stderr = r.lines, r.log
	if err := r.server.Start(); err != nil {
		r.t.Fatal(err)
	}
	select {
	case a := <-r.lines.found:
		r.smtp, r.http = a[0], "http://"+a[1]
	case <-time.After(30 * time.Second):
		_ = r.server.Process.Kill()
		_ = r.server.Wait() // so that the log is complete
		r.t.Fatalf("the server does not listen: %s", r.log)
	}
}

// stop ends the server and takes its log.
func (r *secretRun) stop() {
	if r.server == nil {
		return
	}
	r.processes("serve")
	err := r.server.Process.Signal(os.Interrupt)
	if err = errors.Join(err, r.server.Wait()); err != nil {
		r.t.Errorf("the server ended badly: %v\n%s", err, r.log)
	}
	r.server = nil
	r.output("log of the server", r.log.String()+r.lines.all.String())
}

// A lineReader waits for the listeners that serve prints.
type lineReader struct {
	all   bytes.Buffer
	addr  [2]string
	found chan [2]string
}

func (l *lineReader) Write(p []byte) (int, error) {
	l.all.Write(p)
	for line := range strings.Lines(l.all.String()) {
		kind, addr, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch kind {
		case "smtp":
			l.addr[0] = addr
		case "http":
			l.addr[1] = addr
		case "socket":
			select {
			case l.found <- l.addr:
			default:
			}
		}
	}
	return len(p), nil
}
