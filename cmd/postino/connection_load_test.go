package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/smtp"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/internal/app"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/vault"
)

// inFlight is how many messages are on their way while an administrator changes
// their connection: a thousand where time does not matter.
func inFlight() int {
	if os.Getenv("POSTINO_PEERS") == "1" {
		return 1000
	}
	return 150
}

// The senders, which are also the logins by which the sandbox tells connections apart.
const (
	oldLogin = "old@contoso.it"
	newLogin = "new@contoso.it"
)

// A loaded server has messages in flight on the connection "old".
type loaded struct {
	t     *testing.T
	s     *sandbox.Sandbox
	flags []string // where the store is
	dir   string
	n     int
	file  func(string) string
	smtp  string
	stop  func()
	start func()
}

// run runs a command on the connections.
func (l *loaded) run(args ...string) string {
	l.t.Helper()
	return l.command(append([]string{"connection"}, args...)...)
}

// vault runs a command on the keys, beside the server.
func (l *loaded) vault(args ...string) {
	l.t.Helper()
	l.command(append([]string{"vault"}, args...)...)
}

func (l *loaded) command(args ...string) string {
	l.t.Helper()
	code, out, errOut := command(l.t, "", append(args, l.flags...)...)
	if code != 0 {
		l.t.Fatalf("%v: exit %d\n%s%s", args, code, out, errOut)
	}
	return out
}

// sentByOld is how many went out by the old connection so far, which must not be all; from then on
// the server is fast.
func (l *loaded) sentByOld() int {
	l.t.Helper()
	n := l.by()[oldLogin]
	l.s.Configure(func(w *sandbox.Switches) { w.SMTPLatency = 0 }) // what follows need not take long
	if n >= l.n {
		l.t.Fatal("nothing was in flight")
	}
	return n
}

// by counts what was delivered with each login.
func (l *loaded) by() (logins map[string]int) {
	logins = map[string]int{}
	for _, d := range l.s.Deliveries() {
		logins[d.Mailbox]++
	}
	return logins
}

// changePassword changes the password of the old connection's login at its provider, and returns the
// file of the connection with the new one.
func (l *loaded) changePassword() string {
	l.t.Helper()
	const password = "changed-Kq7f2m"
	changed := []sandbox.Mailbox{{Address: oldLogin, Password: password}}
	if err := l.s.SetDirectory(sandbox.Directory{Unlisted: true, Mailboxes: changed}); err != nil {
		l.t.Fatal(err)
	}
	c := called("old", l.s.SMTPConnection(oldLogin)) // with the password in force
	data, err := sandbox.ConnectionJSON(c)
	if err != nil {
		l.t.Fatal(err)
	}
	file := filepath.Join(l.t.TempDir(), "changed.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		l.t.Fatal(err)
	}
	return file
}

// until waits until so many were delivered.
func (l *loaded) until(n int) {
	l.t.Helper()
	for end := time.Now().Add(time.Minute); len(l.s.Deliveries()) < n; <-time.After(5 * time.Millisecond) {
		if time.Now().After(end) {
			_, out, _ := command(l.t, "", append([]string{"queue", "list"}, l.flags...)...)
			l.t.Fatalf("%d were delivered, want %d:\n%s", len(l.s.Deliveries()), n, out)
		}
	}
}

// once makes sure that every message arrived, and none twice.
func (l *loaded) once() {
	l.t.Helper()
	seen := map[string]int{}
	for _, d := range l.s.Deliveries() {
		seen[d.Subject]++
	}
	for i := range l.n {
		if got := seen[fmt.Sprint("message ", i)]; got != 1 {
			l.t.Errorf("message %d arrived %d times", i, got)
		}
	}
}

// submit hands over messages with the numbers from first on.
func (l *loaded) submit(first, n int, from string) {
	l.t.Helper()
	c, err := smtp.Dial(l.smtp)
	if err != nil {
		l.t.Fatal(err)
	}
	for i := range n {
		err := c.Mail(from)
		if err == nil {
			err = c.Rcpt("anna@example.com")
		}
		w := io.WriteCloser(nil)
		if err == nil {
			w, err = c.Data()
		}
		if err == nil {
			_, err = fmt.Fprintf(w, "From: %s\r\nTo: anna@example.com\r\nSubject: message %d\r\n\r\nciao\r\n", from, first+i)
			err = errors.Join(err, w.Close())
		}
		if err != nil {
			l.t.Fatal(err)
		}
	}
	if err := c.Quit(); err != nil {
		l.t.Fatal(err)
	}
}

// load starts a server on a store with the connections old and new, and fills its
// queue.
func load(t *testing.T, database string) *loaded {
	t.Helper()
	conn := func(login string) func(*sandbox.Sandbox) *adapters.Connection {
		return func(s *sandbox.Sandbox) *adapters.Connection {
			c := called(strings.TrimSuffix(login, "@contoso.it"), s.SMTPConnection(login))
			eight := 8
			c.Limits.Concurrency = &eight
			return c
		}
	}
	l := &loaded{t: t, n: inFlight(), dir: filepath.Join(t.TempDir(), "data")}
	l.s, l.file = sandboxFiles(t, map[string]func(*sandbox.Sandbox) *adapters.Connection{"old": conn(oldLogin), "new": conn(newLogin)})
	l.s.Configure(func(w *sandbox.Switches) { w.SMTPLatency = 500 * time.Millisecond })
	l.flags = []string{"--data", l.dir}
	if database != "" {
		l.flags = append(l.flags, "--database", database)
	}
	l.run("add", "--file", l.file("old"))
	l.run("add", "--file", l.file("new"))
	config := filepath.Join(t.TempDir(), "postino.toml")
	if err := os.WriteFile(config, []byte("[[smtp]]\naddress = \"127.0.0.1:0\"\n[http]\naddress = \"127.0.0.1:0\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l.start = func() {
		ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
		ready, ended := make(chan app.Addresses, 1), make(chan error, 1)
		go func() {
			ended <- app.Serve(ctx, app.ServeOptions{ConfigFile: config, Data: l.dir, Database: database, CAFile: l.s.CAFile(), Stderr: t.Output(),
				Getenv: func(string) string { return "" }, Ready: func(a app.Addresses) { ready <- a }})
		}()
		l.stop = func() {
			stop()
			if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("the server ended badly: %v", err)
			}
		}
		select {
		case a := <-ready:
			l.smtp = a.SMTP[0]
		case err := <-ended:
			stop()
			t.Fatalf("the server does not start: %v", err)
		}
	}
	l.start()
	t.Cleanup(func() { l.stop() })
	l.submit(0, l.n, oldLogin)
	return l
}

// What an administrator does to a connection with messages in flight loses none of
// them, and once the answer is there nothing goes out by what was before.
func TestConnectionUnderLoad(t *testing.T) {
	t.Parallel()
	const few = 8 // delivered before the change
	for name, work := range map[string]func(*loaded){
		"disable": func(l *loaded) {
			l.run("disable", "old")
			before := l.sentByOld()
			l.submit(l.n, 1, newLogin) // proves that the server goes on
			l.until(before + 1)
			<-time.After(100 * time.Millisecond)
			if got := l.by()[oldLogin]; got != before {
				l.t.Errorf("%d were sent after it was switched off", got-before)
			}
			l.run("enable", "old")
			l.until(l.n + 1)
		},
		"remove and move": func(l *loaded) {
			l.run("remove", "old", "--move-to", "new", "--wait", "30s")
			before := l.sentByOld()
			l.submit(l.n, 1, newLogin)
			l.until(l.n + 1)
			if got := l.by(); got[oldLogin] != before || got[newLogin] != l.n+1-before {
				l.t.Errorf("%v, and %d with the old one before the answer", got, before)
			}
		},
		"edit of the server's account": func(l *loaded) {
			l.run("edit", "old", "--file", l.file("new"), "--set", "name=old", "--set", "from="+oldLogin)
			before := l.sentByOld()
			l.until(l.n)
			if got := l.by(); got[oldLogin] != before {
				l.t.Errorf("%v, and %d with the old account before the answer", got, before)
			}
		},
		"password": func(l *loaded) {
			l.run("edit", "old", "--file", l.changePassword())
			refused := l.s.Counters()["smtp.auth_refused"]
			l.sentByOld()
			l.submit(l.n, 1, oldLogin)
			l.until(l.n + 1)
			if got := l.s.Counters()["smtp.auth_refused"]; got != refused {
				l.t.Errorf("%d logins with the old password after the answer", got-refused)
			}
		},
		"default": func(l *loaded) {
			l.run("default", "old")
			l.sentByOld()
			l.run("default", "new", "--mode", "always")
			l.submit(l.n, 20, oldLogin)
			l.until(l.n + 20)
			if got := l.by(); got[oldLogin] != l.n {
				l.t.Errorf("%v: mail after the answer took the old default", got)
			}
		},
		"key of the vault": func(l *loaded) {
			l.stop()
			if err := vault.Rotate(l.dir); err != nil {
				l.t.Fatal(err)
			}
			l.sentByOld()
			l.start()
			l.run("edit", "old", "--set", "display_name=sealed by the new key")
			l.submit(l.n, 1, newLogin)
			l.until(l.n + 1)
		},
		"rotation of the vault": func(l *loaded) {
			l.s.Configure(func(w *sandbox.Switches) { w.SMTPLatency = 3 * time.Second }) // three commands, not one
			l.vault("rotate", "--prepare")
			l.vault("rotate")
			l.sentByOld()
			l.submit(l.n, 1, newLogin)
			l.vault("drop-old")
			l.run("edit", "old", "--set", "display_name=sealed by the new key")
			l.submit(l.n+1, 1, newLogin)
			l.until(l.n + 2)
		},
		"rename": func(l *loaded) {
			l.run("rename", "old", "renamed")
			l.sentByOld()
			l.until(l.n)
		},
	} {
		for engine, database := range map[string]func(*testing.T) string{
			"sqlite": func(*testing.T) string { return "" }, "postgres": func(t *testing.T) string { return schema(t) },
		} {
			t.Run(name+" on "+engine, func(t *testing.T) {
				t.Parallel()
				l := load(t, database(t))
				l.until(few)
				work(l)
				l.once()
			})
		}
	}
}

// schema is an empty schema for one test on the server of POSTINO_TEST_POSTGRES.
func schema(t testing.TB) string {
	t.Helper()
	server := os.Getenv("POSTINO_TEST_POSTGRES")
	if server == "" {
		t.Skip("POSTINO_TEST_POSTGRES names no server: see testdata/peers/postgres.sh")
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	name := "conn_" + strings.ToLower(store.NewID().String())
	run := func(q string) {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, server)
		if err != nil {
			t.Fatal(err)
		}
		_, err = conn.Exec(ctx, q)
		if err = errors.Join(err, conn.Close(ctx)); err != nil {
			t.Error(err)
		}
	}
	run(`CREATE SCHEMA ` + name)
	t.Cleanup(func() { run(`SET client_min_messages = warning; DROP SCHEMA ` + name + ` CASCADE`) })
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}
