package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/smtp"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/gmail"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/fallback"
)

// wrongSecret is refused by every provider. Its characters are those that outputs escape.
const wrongSecret = `wrong-S3cret/+"<&>'à`

// A secretRun is one whole run of an installation, with all that it printed, answered
// and stored, and the secrets that must not be in it.
type secretRun struct {
	t        *testing.T
	s        *sandbox.Sandbox
	file     func(string) string
	data     string
	flags    []string // where the store is
	server   *exec.Cmd
	log      *bytes.Buffer // of the server; complete once it has ended
	lines    *lineReader
	received func()      // takes what the webhook got
	told     func() bool // an event of a delivery reached it
	http     string
	smtp     string

	kinds     []string // the connections, one of every provider and kind of credential
	pageLimit int

	mu      sync.Mutex
	secrets map[string]string // by what they are; "name = value"
	outputs []secretOutput
}

type secretOutput struct{ name, text string }

// secret remembers one and returns it.
func (r *secretRun) secret(name, value string) string {
	r.t.Helper()
	if len(value) < 6 {
		r.t.Fatalf("%s is no secret that could be found: %q", name, value)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secrets[name] = value
	return value
}

func (r *secretRun) output(name, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outputs = append(r.outputs, secretOutput{name, text})
}

// run runs a command without a secret in its output, with any exit code.
func (r *secretRun) run(stdin string, args ...string) string {
	r.t.Helper()
	_, out, errOut := command(r.t, stdin, append(args, r.flags...)...)
	r.output("postino "+strings.Join(args, " "), out+errOut)
	return out + errOut
}

// ok is run that must succeed.
func (r *secretRun) ok(stdin string, args ...string) string {
	r.t.Helper()
	code, out, errOut := command(r.t, stdin, append(args, r.flags...)...)
	r.output("postino "+strings.Join(args, " "), out+errOut)
	if code != 0 {
		r.t.Fatalf("%v: exit %d\n%s%s", args, code, out, errOut)
	}
	return out
}

// shown runs a command that shows a new secret, once: it is remembered.
func (r *secretRun) shown(name, stdin string, pattern *regexp.Regexp, args ...string) string {
	r.t.Helper()
	code, out, errOut := command(r.t, stdin, append(args, r.flags...)...)
	m := pattern.FindStringSubmatch(out)
	if code != 0 || m == nil {
		r.t.Fatalf("%v: exit %d\n%s%s", args, code, out, errOut)
	}
	value := m[len(m)-1]
	r.output("postino "+strings.Join(args, " "), strings.ReplaceAll(out+errOut, value, "(shown once)"))
	return r.secret(name, value)
}

// TestNoSecretInAnyOutput: one whole run of an installation, and none of the secrets in
// a log, an answer, an export, a script, a page, the store, the spool or the process list.
func TestNoSecretInAnyOutput(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the server is ended by a signal")
	}
	if testing.Short() {
		t.Skip("a whole run of an installation")
	}
	for engine, database := range map[string]func(*testing.T) string{
		"sqlite": func(*testing.T) string { return "" }, "postgres": func(t *testing.T) string { return schema(t) },
	} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			if engine != "sqlite" && os.Getenv("POSTINO_PEERS") != "1" {
				t.Skip("POSTINO_PEERS is not 1")
			}
			db := database(t)
			r := newSecretRun(t, db)
			r.connections()
			r.serve()
			defer r.stop()
			for _, part := range r.parts() {
				start := time.Now()
				part.do()
				t.Logf("%-10s %v", part.name, time.Since(start).Round(time.Millisecond))
			}
			r.stop()
			r.stored(db)
			r.complete(db)
			r.look()
		})
	}
}

// parts are what is done beside the running server, in their order.
func (r *secretRun) parts() []secretPart {
	return []secretPart{{"programs", r.programs}, {"mail", r.mail}, {"api", r.api}, {"pages", r.pages}, {"tests", r.tests},
		{"exports", r.exports}, {"rotations", r.rotations}, {"calls", r.calls}}
}

type secretPart struct {
	name string
	do   func()
}

const secretFrom = "erp@contoso.example"

func newSecretRun(t *testing.T, database string) *secretRun {
	t.Helper()
	r := &secretRun{t: t, secrets: map[string]string{}, data: filepath.Join(t.TempDir(), "data")}
	type maker = func(*sandbox.Sandbox) *adapters.Connection
	kinds := map[string]maker{}
	for name, make := range map[string]maker{
		"graph":     func(s *sandbox.Sandbox) *adapters.Connection { return s.GraphConnection(secretFrom) },
		"graphcert": func(s *sandbox.Sandbox) *adapters.Connection { return s.GraphCertificateConnection(secretFrom) },
		"graphfed":  func(s *sandbox.Sandbox) *adapters.Connection { return s.GraphFederatedConnection(secretFrom) },
		"gmail":     func(s *sandbox.Sandbox) *adapters.Connection { return s.GmailConnection(secretFrom) },
		"gmailfed":  func(s *sandbox.Sandbox) *adapters.Connection { return s.GmailFederatedConnection(secretFrom) },
		"smtp":      func(s *sandbox.Sandbox) *adapters.Connection { return s.SMTPConnection(secretFrom) },
		"smtpentra": func(s *sandbox.Sandbox) *adapters.Connection { return s.SMTPOAuthConnection(secretFrom, "entra") },
		"smtpgoogle": func(s *sandbox.Sandbox) *adapters.Connection {
			return s.SMTPOAuthConnection(secretFrom, "google")
		},
	} {
		kinds[name] = func(s *sandbox.Sandbox) *adapters.Connection { return called(name, make(s)) }
	}
	r.s, r.file = sandboxFiles(t, kinds)
	r.kinds, r.pageLimit = []string{"graph", "gmail", "smtp"}, 80
	if os.Getenv("POSTINO_PEERS") == "1" {
		r.kinds, r.pageLimit = slices.Sorted(maps.Keys(kinds)), 400
	}
	r.flags = []string{"--data", r.data}
	if database != "" {
		r.flags = append(r.flags, "--database", database)
	}
	if u, err := url.Parse(database); err == nil && u.User != nil {
		if password, has := u.User.Password(); has && len(password) > 8 {
			t.Log("the password of the database is on the command line of this test")
		}
	}
	c := r.s.GraphConnection(secretFrom)
	r.secret("client secret of Entra", string(graph.SettingsOf(c).ClientSecret))
	r.secret("password of the SMTP server", string(fallback.SettingsOf(r.s.SMTPConnection(secretFrom)).Password))
	r.keyLines("service account", []byte(gmail.SettingsOf(r.s.GmailConnection(secretFrom)).ServiceAccountJSON))
	cert, err := os.ReadFile(graph.SettingsOf(r.s.GraphCertificateConnection(secretFrom)).CertificateFile)
	if err != nil {
		t.Fatal(err)
	}
	r.keyLines("client certificate", cert)
	token, err := os.ReadFile(graph.SettingsOf(r.s.GraphFederatedConnection(secretFrom)).FederatedTokenFile)
	if err != nil {
		t.Fatal(err)
	}
	r.secret("federated token", strings.TrimSpace(string(token)))
	r.secret("wrong secret", wrongSecret)
	return r
}

// keyLines takes lines out of the middle of a private key.
func (r *secretRun) keyLines(name string, file []byte) {
	r.t.Helper()
	var account struct {
		Key string `json:"private_key"`
	}
	if json.Unmarshal(file, &account) == nil {
		file = []byte(account.Key)
	}
	for rest := file; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			r.t.Fatalf("%s has no private key", name)
		}
		if strings.Contains(block.Type, "PRIVATE KEY") {
			lines := strings.Split(string(pem.EncodeToMemory(block)), "\n")
			r.secret("private key of the "+name, lines[len(lines)/2])
			return
		}
	}
}

func (r *secretRun) get(req *http.Request) string {
	r.t.Helper()
	return r.getBy(http.DefaultClient, req)
}

func (r *secretRun) getBy(client *http.Client, req *http.Request) string {
	r.t.Helper()
	resp, err := client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil && req.Context().Err() == nil {
		r.t.Errorf("%s: %v", req.URL, err)
	}
	head := ""
	for k, v := range resp.Header {
		head += k + ": " + strings.Join(v, " ") + "\n"
	}
	return resp.Status + "\n" + head + "\n" + string(b)
}

// submitAs hands one message over by SMTP, with a login or none.
func (r *secretRun) submitAs(login, password, subject string) error {
	c, err := smtp.Dial(r.smtp)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // Quit has ended it
	if login != "" {
		if err := c.Auth(smtp.PlainAuth("", login, password, "127.0.0.1")); err != nil {
			return err
		}
	}
	msg := "From: " + secretFrom + "\r\nTo: anna@example.com\r\nSubject: " + subject + "\r\n\r\nciao\r\n"
	if err = errors.Join(c.Mail(secretFrom), c.Rcpt("anna@example.com")); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, msg)
	return errors.Join(err, w.Close(), c.Quit())
}
