package fallback

import (
	"bufio"
	_ "embed"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters"
)

//go:embed testdata/replies.tsv
var repliesTable string

// reported is a row of testdata/replies.tsv.
type reported struct {
	line           int
	at             stage
	authed         bool
	class          adapters.Class
	scope          adapters.Scope
	hintEN, hintIT string
	reply, source  string
}

func reportedReplies(t *testing.T) []reported {
	t.Helper()
	stages := map[string]stage{"greeting": atGreeting, "hello": atHello, "auth": atAuth, "mail": atMail, "rcpt": atRcpt, "data": atData, "dot": atDot}
	var out []reported
	for i, line := range strings.Split(strings.TrimSuffix(repliesTable, "\n"), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 8 {
			t.Fatalf("line %d has %d columns", i+1, len(f))
		}
		at, ok := stages[f[0]]
		if !ok || f[1] != "yes" && f[1] != "no" {
			t.Fatalf("line %d: stage %q, login %q", i+1, f[0], f[1])
		}
		out = append(out, reported{line: i + 1, at: at, authed: f[1] == "yes", class: adapters.Class(f[2]), scope: adapters.Scope(f[3]),
			hintEN: f[4], hintIT: f[5], reply: strings.ReplaceAll(f[6], `\n`, "\r\n"), source: f[7]})
	}
	return out
}

// classified is what a reply means to a session that sends as erp@contoso.example to anna@example.com.
func classified(t *testing.T, text string, at stage, authed bool) meaning {
	t.Helper()
	r, err := readReply(bufio.NewReader(strings.NewReader(text + "\r\n")))
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	in := input{reply: r, at: at, authed: authed, tls: authed, ours: []string{"erp@contoso.example", "erp@contoso.example"}}
	if at&(atRcpt|atMessage) != 0 {
		in.theirs = []string{"anna@example.com"}
	}
	m := classify(in)
	if m.scope == "" {
		m.scope = adapters.ScopeMessage
	}
	return m
}

// What public reports show servers to say, and what an administrator takes it for.
func TestReportedReplies(t *testing.T) {
	t.Parallel()
	rows := reportedReplies(t)
	if len(rows) < 150 {
		t.Errorf("%d replies", len(rows))
	}
	seen := map[string]int{}
	for _, c := range rows {
		if other := seen[c.reply]; other > 0 {
			t.Errorf("line %d: the reply of line %d", c.line, other)
		}
		seen[c.reply] = c.line
		if !strings.Contains(c.source, ".") || !strings.Contains(c.source, "/") {
			t.Errorf("line %d: no source", c.line)
		}
		m := classified(t, c.reply, c.at, c.authed)
		if m.class != c.class || m.scope != c.scope || !strings.Contains(m.remedy.EN, c.hintEN) || !strings.Contains(m.remedy.IT, c.hintIT) {
			t.Errorf("line %d: %q: %s/%s %q; %q, want %s/%s %q", c.line, c.reply, m.class, m.scope, m.sentence.EN, m.remedy.EN, c.class, c.scope, c.hintEN)
		}
		if m.sentence.EN == "" || m.sentence.IT == "" || m.sentence.EN == m.sentence.IT || m.remedy.EN == "" || m.remedy.IT == "" || m.remedy.EN == m.remedy.IT {
			t.Errorf("line %d: %q: message or hint: %+v", c.line, c.reply, m)
		}
	}
}
