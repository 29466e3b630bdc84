package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/smtp"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/internal/app"
	"github.com/postino-mail/postino/internal/store"
)

// What an administrator does with connections while no server runs.
func TestConnectionCommands(t *testing.T) {
	t.Parallel()
	_, file := sandboxFiles(t, map[string]func(*sandbox.Sandbox) *adapters.Connection{
		"graph": func(s *sandbox.Sandbox) *adapters.Connection {
			return called("graph", s.GraphConnection("erp@contoso.it"))
		},
		"smtp": func(s *sandbox.Sandbox) *adapters.Connection {
			return called("smtp", s.SMTPConnection("shop@contoso.it"))
		},
	})
	secret := sandboxSecret(t, file("graph"))
	data := filepath.Join(t.TempDir(), "data")
	all := ""
	for _, c := range []struct {
		args, stdin string
		code        int
		want, not   string
	}{
		{args: "list", code: app.ExitConfig, want: "there is no store in " + data},
		{args: "add --file " + file("graph"), want: "graph: added"},
		{args: "list", want: "NAME"},
		{args: "list --json", want: `"state": {`, not: secret},
		{args: "add --file " + file("graph"), code: app.ExitConfig, want: `there is a connection "graph" already`},
		{args: "add --file -", stdin: strings.Replace(readFile(t, file("smtp")), `"name": "smtp"`, `"name": "GRAPH"`, 1), code: app.ExitConfig,
			want: "already"},
		{args: "add --file -", stdin: readFile(t, file("smtp")), want: "smtp: added"},
		{args: "add --file -", stdin: "{", code: app.ExitConfig, want: "JSON"},
		{args: "add --file -", stdin: "", code: app.ExitConfig},
		{args: "add --file -", stdin: `{"name": "x", "provider": "smtp", "smtp": {"host": "h", "pasword": "hunter2"}}`, code: app.ExitConfig,
			want: "pasword", not: "hunter2"},
		{args: "add --file -", stdin: `{"name": "x", "provider": "graph", "graph": {"client_secret": "hunter2"}}`, code: app.ExitConfig,
			want: "graph.tenant", not: "hunter2"},
		{args: "add --file -", stdin: `{"name": "x", "provider": "smtp", "smtp": {"host": "h", "login": "l", "password": "***"}}`,
			code: app.ExitConfig, want: "smtp.password"},
		{args: "add --file no-such-file", code: app.ExitNoInput, want: "the connection file cannot be read: open no-such-file"},
		{args: "edit graph --file no-such-file", code: app.ExitNoInput, want: "the file of the changes cannot be read: open no-such-file"},
		{args: "add", code: app.ExitUsage, want: "--file"},
		{args: "show graph", want: `"client_secret": "***"`, not: secret},
		{args: "show Graph --json", want: `"revision": 1`, not: secret},
		{args: "show nobody", code: app.ExitUsage, want: `"nobody"`},
		{args: "edit graph --file -", stdin: `{"limits": {"per_minute": 20}, "fallback": ["smtp"]}`, want: "graph: changed"},
		{args: "show graph", want: `"per_minute": 20`},
		{args: "edit graph --file -", stdin: `{"provider": "pigeon"}`, code: app.ExitConfig, want: "provider"},
		{args: "edit graph --file -", stdin: `{"nmae": "x"}`, code: app.ExitConfig, want: "nmae"}, //nolint:misspell // a mistyped key is the case
		{args: "edit graph --file -", stdin: `[]`, code: app.ExitConfig, want: "JSON"},
		{args: "edit graph --file -", stdin: `{"name": "SMTP", "fallback": null}`, code: app.ExitConfig,
			want: `there is a connection "SMTP" already`},
		{args: "default graph", want: "graph: default: unrouted"},
		{args: "default smtp --mode always", want: "smtp: default: always"},
		{args: "list", want: "always"},
		{args: "show graph", want: `"default": "no"`},
		{args: "default smtp --mode no", want: "smtp: default: no"},
		{args: "default smtp --mode sometimes", code: app.ExitUsage, want: "sometimes"},
		{args: "disable graph", want: "graph: switched off; its mail waits"},
		{args: "show graph", want: `"active": false`},
		{args: "enable graph", want: "graph: switched on"},
		{args: "resume graph", want: "graph: resumed"},
		{args: "resume GRAPH --json", want: `"state": {`, not: secret},
		{args: "edit graph --file -", stdin: `{"fallback": ["smtp", "smpt"]}`, want: "warning: \"graph\" names the fallback \"smpt\""},
		{args: "edit graph --file -", stdin: `{"fallback": ["SMTP"]}`, want: "graph: changed", not: "warning"},
		{args: "edit graph --file -", stdin: `{"fallback": ["GRAPH"]}`, code: app.ExitConfig, want: "its own fallback"},
		{args: "edit smtp --file -", stdin: `{"name": "Aruba"}`, want: "Aruba: changed", not: "warning"},
		{args: "show graph", want: `"Aruba"`}, // the chain follows
		{args: "edit Aruba --file -", stdin: `{"name": "smtp"}`, want: "smtp: changed", not: "warning"},
		{args: "remove smtp", want: "warning: \"graph\" names the fallback \"smtp\""},
		{args: "remove smtp", code: app.ExitUsage, want: `"smtp"`},
		{args: "show graph", want: `"fallback"`, not: secret},
		{args: "remove graph --json", want: `"revision": `, not: secret},
		{args: "list --json", want: "[]"},
	} {
		code, out, errOut := command(t, c.stdin, append(append([]string{"connection"}, strings.Fields(c.args)...), "--data", data)...)
		if code != c.code || !strings.Contains(out+errOut, c.want) || c.not != "" && strings.Contains(out+errOut, c.not) {
			t.Errorf("connection %s < %.60q: exit %d, want %d with %q and without %q\nstdout: %s\nstderr: %s", c.args, c.stdin, code, c.code, c.want,
				c.not, out, errOut)
		}
		if strings.HasSuffix(c.args, "--json") && !json.Valid([]byte(out)) {
			t.Errorf("connection %s does not print JSON: %s", c.args, out)
		}
		all += out + errOut
	}
	// What was shown would be enough to make it again, but for the secret.
	if strings.Contains(all, secret) {
		t.Error("a secret was shown")
	}
	db, err := filepath.Glob(filepath.Join(data, "postino.db*"))
	if err != nil || len(db) == 0 {
		t.Fatal(db, err)
	}
	for _, name := range db {
		if strings.Contains(readFile(t, name), secret) {
			t.Errorf("%s holds a secret in the clear", filepath.Base(name))
		}
	}
	if info, err := os.Stat(filepath.Join(data, "key.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key file: %v, %v", info, err)
	}
}

func called(name string, c *adapters.Connection) *adapters.Connection {
	c.Name = name
	return c
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// sandboxSecret is the client secret of a connection's file.
func sandboxSecret(t *testing.T, file string) string {
	t.Helper()
	var c struct {
		Graph struct {
			Secret string `json:"client_secret"`
		}
	}
	if err := json.Unmarshal([]byte(readFile(t, file)), &c); err != nil || len(c.Graph.Secret) < 8 {
		t.Fatalf("secret %q, %v", c.Graph.Secret, err)
	}
	return c.Graph.Secret
}

// A running is a server beside which commands are given.
type running struct {
	t    *testing.T
	data string
	smtp string
}

func serve(t *testing.T, s *sandbox.Sandbox, data string) *running {
	t.Helper()
	config := filepath.Join(t.TempDir(), "postino.toml")
	if err := os.WriteFile(config, []byte("[outbox]\nretry_first = \"1h\"\n[[smtp]]\naddress = \"127.0.0.1:0\"\n[http]\naddress = "+
		"\"127.0.0.1:0\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ready, ended := make(chan app.Addresses, 1), make(chan error, 1)
	go func() {
		ended <- app.Serve(ctx, app.ServeOptions{ConfigFile: config, Data: data, CAFile: s.CAFile(), Stderr: t.Output(),
			Getenv: func(string) string { return "" },
			Ready:  func(a app.Addresses) { ready <- a }})
	}()
	r := &running{t: t, data: data}
	select {
	case a := <-ready:
		r.smtp = a.SMTP[0]
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
	return r
}

// serveWith is serve with a sandbox and the one connection conn.
func serveWith(t *testing.T, conn func(*sandbox.Sandbox) *adapters.Connection) (*sandbox.Sandbox, *running) {
	t.Helper()
	s, file := sandboxFiles(t, map[string]func(*sandbox.Sandbox) *adapters.Connection{"conn": conn})
	data := filepath.Join(t.TempDir(), "data")
	if code, out, errOut := command(t, "", "connection", "add", "--data", data, "--file", file("conn")); code != 0 {
		t.Fatal(out, errOut)
	}
	return s, serve(t, s, data)
}

func (r *running) submit(subject, from, to string) {
	r.t.Helper()
	msg := fmt.Sprintf("From: %s\r\nTo: %s\r\nSubject: %s\r\n\r\nciao\r\n", from, to, subject)
	c, err := smtp.Dial(r.smtp)
	if err != nil {
		r.t.Fatal(err)
	}
	w := io.WriteCloser(nil)
	for _, step := range []func() error{
		func() error { return c.Mail(from) },
		func() error { return c.Rcpt(to) },
		func() error { return c.Rcpt("hidden@example.com") },
		func() (err error) { w, err = c.Data(); return err },
		func() error { _, err := io.WriteString(w, msg); return errors.Join(err, w.Close()) },
		c.Quit,
	} {
		if err := step(); err != nil {
			r.t.Fatal(err)
		}
	}
}

// queue runs a command on the queue.
func (r *running) queue(want int, args ...string) string {
	r.t.Helper()
	code, out, errOut := command(r.t, "", append(append([]string{"queue"}, args...), "--data", r.data)...)
	if code != want {
		r.t.Fatalf("queue %v: exit %d, want %d\nstdout: %s\nstderr: %s", args, code, want, out, errOut)
	}
	return out + errOut
}

// entries are those of queue list.
func (r *running) entries(args ...string) (out []app.QueueEntry) {
	r.t.Helper()
	list := r.queue(0, append([]string{"list", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(list), &out); err != nil {
		r.t.Fatalf("%v: %s", err, list)
	}
	return out
}

// await waits until so many deliveries are in the state.
func (r *running) await(state string, n int) []app.QueueEntry {
	r.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; <-time.After(20 * time.Millisecond) {
		got := r.entries("--state", state)
		if len(got) == n {
			return got
		}
		if time.Now().After(end) {
			r.t.Fatalf("%d are %s, want %d: %s", len(got), state, n, r.queue(0, "list"))
		}
	}
}

// What an administrator does with the queue while the server works on it.
func TestQueueCommands(t *testing.T) {
	t.Parallel()
	s, r := serveWith(t, func(s *sandbox.Sandbox) *adapters.Connection {
		return called("graph", s.GraphConnection("erp@contoso.it"))
	})
	data := r.data
	const from = "erp@contoso.it"
	r.submit("first", from, "anna@example.com")
	first := r.await("sent", 1)[0].Delivery
	show := r.queue(0, "show", first.ID)
	for _, want := range []string{"state           sent", "connection      graph", "anna@example.com: sent", "hidden@example.com: sent",
		"attempt 1", "accepted", "202", "\n                127.0.0.1\n", "MAIL FROM:<erp@contoso.it> BODY=8BITMIME SMTPUTF8 -> 250",
		"bytes) -> 250\n"} {
		if !strings.Contains(show, want) {
			t.Errorf("queue show has no %q:\n%s", want, show)
		}
	}
	lanes := r.queue(0, "lanes")
	if !strings.Contains(lanes, ":erp@contoso.it") || !strings.Contains(lanes, " 2/10000 ") {
		t.Errorf("the day's recipients are not shown:\n%s", lanes)
	}

	// A refusal is told with its hint; a retry by hand sends it.
	s.Inject(sandbox.Fault{Service: "graph", Op: "sendMail", Times: 1, Status: 403, Code: "ErrorSendAsDenied"})
	r.submit("refused", from, "bruno@example.com")
	failed := r.await("failed", 1)[0].Delivery
	code, out, _ := command(t, "", "--lang", "it", "queue", "show", failed.ID, "--data", data)
	if code != 0 || !strings.Contains(out, "ErrorSendAsDenied") || !strings.Contains(out, "Invia come") {
		t.Errorf("in Italian, exit %d:\n%s", code, out)
	}
	r.await("sent", 2) // the sender was told
	if out := r.queue(0, "retry", failed.ID); !strings.Contains(out, "retry: 1 changed, 0 skipped") {
		t.Error(out)
	}
	r.await("sent", 3)

	// What waits is held or cancelled by hand, and let go.
	s.Inject(sandbox.Fault{Service: "graph", Op: "sendMail", Times: 1, Status: 429, Code: "ApplicationThrottled", RetryAfter: time.Hour})
	r.submit("waits", from, "carla@example.com")
	r.await("queued", 1)
	r.submit("cancelled", from, "dario@example.com")
	r.await("queued", 2)
	if out := r.queue(0, "hold", "--all", "--to", "carla"); !strings.Contains(out, "1 changed") {
		t.Error(out)
	}
	if out := r.queue(0, "cancel", "--all", "--to", "DARIO", "--state", "queued"); !strings.Contains(out, "1 changed") {
		t.Error(out)
	}
	var stats store.Stats
	if err := json.Unmarshal([]byte(r.queue(0, "stats", "--json")), &stats); err != nil || stats.States[store.Held] != 1 ||
		stats.States[store.Cancelled] != 1 || stats.States[store.Sent] != 3 {
		t.Errorf("stats %+v, %v", stats, err)
	}
	if out := r.queue(0, "release", "--all", "--state", "held"); !strings.Contains(out, "1 changed") {
		t.Error(out)
	}
	if out := r.queue(0, "lanes"); !strings.Contains(out, "paused until") || !strings.Contains(out, "slow down") {
		t.Errorf("the pause is not shown:\n%s", out)
	}
	if out := r.queue(0, "show", r.entries("--state", "queued")[0].ID); !strings.Contains(out, "waits") ||
		!strings.Contains(out, "its mailbox: paused until") {
		t.Errorf("what it waits for is not shown:\n%s", out)
	}
	if code, out, errOut := command(t, "", "connection", "resume", "graph", "--data", data); code != 0 {
		t.Fatal(out, errOut)
	}
	r.await("sent", 4)
	if out := r.queue(app.ExitFailure, "retry", first.ID); !strings.Contains(out, first.ID+": its state is sent: it cannot be retried") {
		t.Errorf("a retry of what was sent: %s", out)
	}

	// Mistakes.
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"show", "x"}, app.ExitUsage, "not the id"},
		{[]string{"show", store.NewID().String()}, app.ExitFailure, "there is no delivery"},
		{[]string{"retry", store.NewID().String()}, app.ExitFailure, "there is no delivery"},
		{[]string{"retry"}, app.ExitUsage, "--all"},
		{[]string{"list", "--state", "lost"}, app.ExitUsage, "lost"},
		{[]string{"list", "--connection", "nobody"}, app.ExitUsage, "nobody"},
	} {
		if out := r.queue(c.code, c.args...); !strings.Contains(out, c.want) {
			t.Errorf("queue %v: %s", c.args, out)
		}
	}

	// The export has what went out and what became of it, with no hidden recipient in it.
	dir := filepath.Join(t.TempDir(), "out")
	r.queue(0, "export", "--dir", dir, "--to", "anna")
	eml := readFile(t, filepath.Join(dir, first.ID+".eml"))
	if !strings.Contains(eml, "Subject: first\r\n") || !strings.HasSuffix(eml, "\r\n\r\nciao\r\n") ||
		strings.Contains(strings.ToLower(eml), "\nbcc:") {
		t.Errorf("exported:\n%s", eml)
	}
	if csv := r.queue(0, "export", "--format", "csv", "--to", "anna"); !strings.HasPrefix(csv, "message,delivery,") ||
		!strings.Contains(csv, first.ID) {
		t.Errorf("list: %s", csv)
	}
	if lines := r.queue(0, "export", "--format", "jsonl", "--to", "anna"); !strings.HasPrefix(lines, `{"message":{`) {
		t.Errorf("list: %s", lines)
	}
	var record app.DeliveryDetail
	if err := json.Unmarshal([]byte(readFile(t, filepath.Join(dir, first.ID+".json"))), &record); err != nil ||
		record.Delivery.ID != first.ID || len(record.Attempts) != 1 {
		t.Errorf("record %+v, %v", record, err)
	}
}
