package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/internal/app"
)

// TestMain takes the width of the shell that runs the tests from them: it would be that
// of each terminal they open.
func TestMain(m *testing.M) {
	code := 1
	if err := os.Unsetenv("COLUMNS"); err == nil {
		code = m.Run()
	}
	os.Exit(code)
}

// command runs one command line as a process would.
func command(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	code = run(t.Context(), args, stdio{strings.NewReader(stdin), &out, &errOut})
	return code, out.String(), errOut.String()
}

// sandboxFiles starts a sandbox with connection files beside its CA.
func sandboxFiles(t *testing.T, conns map[string]func(*sandbox.Sandbox) *adapters.Connection) (*sandbox.Sandbox, func(name string) string) {
	t.Helper()
	dir := t.TempDir()
	s, err := sandbox.Start(sandbox.Options{AnyMailbox: true, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("the sandbox does not end: %v", err)
		}
	})
	for name, make := range conns {
		data, err := sandbox.ConnectionJSON(make(s))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".json"), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s, func(name string) string { return filepath.Join(dir, name+".json") }
}

func TestDemo(t *testing.T) {
	t.Parallel()
	for lang, words := range map[string][]string{"en": {"permanent", "transient", "throttled", "auth", "unknown", "Done."},
		"it": {"rifiutato", "temporaneo", "rallentato", "credenziale", "esito ignoto", "Fatto."}} {
		code, out, errOut := command(t, "", "--lang", lang, "demo")
		if code != 0 {
			t.Fatalf("exit %d: %s", code, errOut)
		}
		for _, want := range append(words, "Microsoft Graph", "Gmail", "SMTP") {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in:\n%s", lang, want, out)
			}
		}
		if strings.Contains(out, "DIFFERENT") || strings.Contains(out, "SHOWN") || strings.Contains(out, "DIVERSO") ||
			strings.Contains(out, "VISIBILE") {
			t.Errorf("the demo shows a fault:\n%s", out)
		}
		if lang == "en" {
			readmeShows(t, out)
		}
	}
}

// readmeShows compares what the demo prints with README.md, line by line and but
// for what differs from run to run: times, ports and hashes.
func readmeShows(t *testing.T, out string) {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, shown, ok := strings.Cut(string(readme), "and prints:\n\n```\n")
	shown, _, end := strings.Cut(shown, "```\n")
	if !ok || !end {
		t.Fatal("README.md does not show the demo")
	}
	varies := regexp.MustCompile(`\b\d+ms\b|\b\d+\.\d+s\b|127\.0\.0\.1:\d+|[0-9a-f]{16}…`)
	want, got := strings.Split(varies.ReplaceAllString(shown, "*"), "\n"), strings.Split(varies.ReplaceAllString(out, "*"), "\n")
	for i := range max(len(want), len(got)) {
		var w, g string
		if i < len(want) {
			w = want[i]
		}
		if i < len(got) {
			g = got[i]
		}
		if w != g {
			t.Errorf("line %d of the demo: README.md shows %q, it prints %q", i+1, w, g)
		}
	}
}

func TestSend(t *testing.T) {
	t.Parallel()
	const from = "erp@contoso.it"
	s, file := sandboxFiles(t, map[string]func(*sandbox.Sandbox) *adapters.Connection{
		"graph": func(s *sandbox.Sandbox) *adapters.Connection { return s.GraphConnection(from) },
		"gmail": func(s *sandbox.Sandbox) *adapters.Connection { return s.GmailConnection(from) },
		"smtp":  func(s *sandbox.Sandbox) *adapters.Connection { return s.SMTPConnection(from) },
		"expired": func(s *sandbox.Sandbox) *adapters.Connection {
			c := s.GraphConnection(from)
			graph.SettingsOf(c).ClientSecret = sandbox.ExpiredSecret
			return c
		},
	})
	bad := filepath.Join(t.TempDir(), "bad.json")
	const plain = `{"name":"x","provider":"smtp","smtp":{"host":"h","encryption":"none","login":"a","password":"hunter2"}}`
	if err := os.WriteFile(bad, []byte(plain), 0o600); err != nil {
		t.Fatal(err)
	}
	compose := []string{"--from", from, "--to", "Anna <anna@example.com>", "--bcc", "hidden@example.com", "--subject", "Così", "--text", "è",
		"--attach", "main.go"}
	for _, c := range []struct {
		name, conn, stdin string
		args              []string
		code              int
		want              string // in standard output or error
		rcpts             string
	}{
		{name: "compose over graph", conn: "graph", args: compose, want: "accepted by graph", rcpts: "anna@example.com hidden@example.com"},
		{name: "compose over gmail", conn: "gmail", args: compose, want: "accepted by gmail", rcpts: "anna@example.com hidden@example.com"},
		{name: "compose over smtp", conn: "smtp", args: compose, want: "accepted by smtp", rcpts: "anna@example.com hidden@example.com"},
		{name: "whole message, envelope given", conn: "graph", stdin: "From: erp@contoso.it\nTo: a@x.it, b@x.it\nSubject: s\n\nciao\n",
			args: []string{"--eml", "-", "--rcpt", "b@x.it"}, want: "accepted", rcpts: "b@x.it"},
		{name: "whole message, headers decide", conn: "smtp", stdin: "From: erp@contoso.it\nTo: a@x.it\nBcc: c@x.it\n\nciao\n",
			args: []string{"--eml", "-"}, want: "accepted", rcpts: "a@x.it c@x.it"},
		{name: "no From", conn: "smtp", stdin: "To: a@x.it\n\nciao\n", args: []string{"--eml", "-"}, code: app.ExitData, want: "From"},
		{name: "no recipient", conn: "smtp", stdin: "From: erp@contoso.it\n\nciao\n", args: []string{"--eml", "-"}, code: app.ExitData,
			want: "no recipient"},
		{name: "garbage", conn: "smtp", stdin: "\x00\x01\x02", args: []string{"--eml", "-"}, code: app.ExitData},
		{name: "header injection", conn: "graph", args: []string{"--from", from, "--to", "a@x.it", "--subject", "x\r\nBcc: evil@example.com",
			"--text", "x"}, code: app.ExitData, want: "ubject"},
		{name: "expired secret", conn: "expired", args: compose, code: app.ExitNoPerm, want: "AADSTS7000222"},
		{name: "somebody else's sender", conn: "graph", args: []string{"--from", "boss@contoso.it", "--to", "a@x.it", "--text", "x"},
			code: app.ExitUnavailable, want: "boss@contoso.it"},
		{name: "file that is not there", conn: "graph", args: append(compose, "--attach", "no-such-file"), code: app.ExitNoInput,
			want: "no-such-file"},
		{name: "bad recipient", conn: "graph", args: []string{"--from", from, "--to", "not an address", "--text", "x"}, code: app.ExitUsage,
			want: "--to"},
		{name: "a name in another charset", conn: "smtp", args: []string{"--from", from, "--to",
			"=?windows-1252?Q?Caff=E8?= <a@x.it>, b@x.it <b@x.it>", "--cc", "", "--text", "x"}, want: "accepted", rcpts: "a@x.it b@x.it"},
		{name: "invisible around", conn: "smtp", args: []string{"--from", from, "--to", "\u200ba@x.it\u00a0", "--text", "x"}, want: "accepted",
			rcpts: "a@x.it"},
		{name: "invisible inside", conn: "smtp", args: []string{"--from", from, "--to", "a\u200bb@x.it", "--text", "x"}, code: app.ExitUsage,
			want: "U+200B"},
		{name: "words run together", conn: "smtp", args: []string{"--from", from, "--to", "Anna Rossi anna@x.it", "--text", "x"},
			code: app.ExitUsage, want: "--to"},
		{name: "From that cannot be read", conn: "smtp", stdin: "From: Contoso <erp@contoso.it\nTo: a@x.it\n\nciao\n",
			args: []string{"--eml", "-"}, code: app.ExitData, want: "Contoso <erp@contoso.it"},
		{name: "byte order mark", conn: "graph", stdin: "\ufeffFrom: erp@contoso.it <erp@contoso.it>\nTo: a@x.it\nReply-To:\n\nciao\n",
			args: []string{"--eml", "-"}, want: "accepted", rcpts: "a@x.it"},
		{name: "unknown flag", conn: "graph", args: []string{"--frm", from}, code: app.ExitUsage, want: "--frm"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := s.DeliveriesSince(0)
			code, out, errOut := command(t, c.stdin, append([]string{"send", "--connection-file", file(c.conn), "--ca-file", s.CAFile()},
				c.args...)...)
			if code != c.code || !strings.Contains(out+errOut, c.want) {
				t.Fatalf("exit %d, want %d with %q\nstdout: %s\nstderr: %s", code, c.code, c.want, out, errOut)
			}
			after := s.DeliveriesSince(0)
			if got := len(after) - len(before); (got == 1) != (c.rcpts != "") {
				t.Fatalf("%d messages arrived", got)
			}
			if c.rcpts != "" {
				if got := strings.Join(after[len(after)-1].Recipients, " "); got != c.rcpts {
					t.Errorf("arrived for %s, want %s", got, c.rcpts)
				}
			}
		})
	}
	t.Run("bad connection", func(t *testing.T) {
		code, out, errOut := command(t, "", append([]string{"send", "--connection-file", bad}, compose...)...)
		if code != app.ExitConfig || strings.Contains(out+errOut, "hunter2") {
			t.Errorf("exit %d: %s%s", code, out, errOut)
		}
		if _, _, errOut = command(t, "", append([]string{"--lang", "it", "send", "--connection-file", bad},
			compose...)...); !strings.Contains(errOut, bad+": smtp.encryption: una password senza cifratura") {
			t.Errorf("in Italian: %s", errOut)
		}
	})
	t.Run("JSON", func(t *testing.T) {
		code, out, _ := command(t, "", append([]string{"send", "--json", "--connection-file", file("graph"), "--ca-file", s.CAFile()},
			compose...)...)
		var r app.SendResult
		if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 || r.Outcome != adapters.Accepted || r.Receipt.RequestID == "" ||
			len(r.Recipients) != 2 {
			t.Errorf("exit %d, %v: %s", code, err, out)
		}
	})
	t.Run("JSON of a failure", func(t *testing.T) {
		s.Inject(sandbox.Fault{Service: "graph", Op: "sendMail", Times: 1, Status: 429, Code: "ApplicationThrottled",
			RetryAfter: 17 * time.Second})
		code, out, _ := command(t, "", append([]string{"send", "--json", "--connection-file", file("graph"), "--ca-file", s.CAFile()},
			compose...)...)
		if code != app.ExitTempFail || !strings.Contains(out, `"outcome": "throttled"`) || !strings.Contains(out, `"retry_after_seconds": 17`) {
			t.Errorf("exit %d: %s", code, out)
		}
	})
	t.Run("unknown outcome is looked up", func(t *testing.T) {
		before := len(s.Deliveries())
		s.Inject(sandbox.Fault{Service: "gmail", Op: "send", Times: 1, After: true, Reset: true})
		code, out, errOut := command(t, "", append([]string{"send", "--connection-file", file("gmail"), "--ca-file", s.CAFile()}, compose...)...)
		if code != 0 || len(s.Deliveries())-before != 1 {
			t.Errorf("exit %d, %d arrived: %s%s", code, len(s.Deliveries())-before, out, errOut)
		}
	})
	t.Run("unknown outcome stays unknown", func(t *testing.T) {
		s.Inject(sandbox.Fault{Service: "smtp", Op: "dot", Times: 1, After: true, Reset: true})
		code, out, errOut := command(t, "", append([]string{"send", "--connection-file", file("smtp"), "--ca-file", s.CAFile()}, compose...)...)
		if code != app.ExitProtocol {
			t.Errorf("exit %d: %s%s", code, out, errOut)
		}
	})
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {"demo", "--help"}, {"send", "--help"}, {"sandbox", "--help"}, {"serve", "--help"},
		{"connection", "add", "--help"}, {"queue", "list", "--help"}, {"version"}} {
		code, out, errOut := command(t, "", args...)
		if code != 0 || len(out) < 20 || errOut != "" {
			t.Errorf("%v: exit %d: %s%s", args, code, out, errOut)
		}
	}
	if code, _, errOut := command(t, "", "fly"); code != app.ExitUsage || !strings.Contains(errOut, "fly") {
		t.Errorf("an unknown command: exit %d: %s", code, errOut)
	}
}

// With --json an error is JSON too, whatever is wrong; people read it as before.
func TestErrorsAsJSON(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	for _, c := range []struct {
		line string
		exit int
		want string
	}{
		{"queue list --json --data " + data, app.ExitConfig, "there is no store in " + data},
		{"queue retry --json --data " + data, app.ExitUsage, "name deliveries"},
		{"queue lst --json", app.ExitUsage, "lst"},
		{"queue list --limit many --json", app.ExitUsage, "--limit"},
		{"connection add --json --file no-such-file", app.ExitNoInput, "no-such-file"},
		{"send --json --connection-file main.go --text x", app.ExitConfig, "main.go"},
	} {
		code, out, errOut := command(t, "", strings.Fields(c.line)...)
		var got struct {
			Error app.Failure
			Exit  int
		}
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Errorf("%s: %v: %s", c.line, err, out)
		}
		if code != c.exit || got.Exit != c.exit || !strings.Contains(got.Error.Message, c.want) || !strings.Contains(errOut, c.want) {
			t.Errorf("%s: exit %d, want %d with %q: %s%s", c.line, code, c.exit, c.want, out, errOut)
		}
		code, out, _ = command(t, "", strings.Fields(strings.Replace(c.line, " --json", "", 1))...)
		if code != c.exit || out != "" {
			t.Errorf("without --json: exit %d: %s", code, out)
		}
	}
}
