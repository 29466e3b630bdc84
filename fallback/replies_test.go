package fallback

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters"
)

// reported is a row of a table of replies.
type reported struct {
	line           int
	at             stage
	authed         bool
	class          adapters.Class
	scope          adapters.Scope
	hintEN, hintIT string
	reply, source  string
}

// rowsOf are the rows of a table in testdata: stage, login, class and scope first, the hint's words if it has them, the reply.
func rowsOf(t *testing.T, name string) []reported {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	stages := map[string]stage{
		"greeting": atGreeting, "hello": atHello, "auth": atAuth, "mail": atMail, "rcpt": atRcpt, "data": atData, "dot": atDot,
	}
	var out []reported
	for i, line := range strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) == 5 { // no words of the hint, no source
			f = append(f[:4:4], "", "", f[4], "")
		}
		if len(f) != 8 {
			t.Fatalf("%s:%d has %d columns", name, i+1, len(f))
		}
		at, ok := stages[f[0]]
		if !ok || f[1] != "yes" && f[1] != "no" {
			t.Fatalf("%s:%d: stage %q, login %q", name, i+1, f[0], f[1])
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
	rows := rowsOf(t, "replies.tsv")
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
		if m.class != c.class || m.scope != c.scope || !strings.Contains(m.hint.String(), c.hintEN) ||
			!strings.Contains(m.hint.In("it"), c.hintIT) {
			t.Errorf("line %d: %q: %s/%s %q; %q, want %s/%s %q", c.line, c.reply,
				m.class, m.scope, m.message.String(), m.hint.String(), c.class, c.scope, c.hintEN)
		}
		if m.message.String() == "" || m.message.In("it") == "" || m.message.String() == m.message.In("it") ||
			m.hint.String() == "" || m.hint.In("it") == "" || m.hint.String() == m.hint.In("it") {
			t.Errorf("line %d: %q: message or hint: %+v", c.line, c.reply, m)
		}
	}
}

func TestOtherWordings(t *testing.T) {
	t.Parallel()
	for _, c := range rowsOf(t, "replies-wording.tsv") {
		m := classified(t, c.reply, c.at, c.authed)
		if m.class != c.class || m.scope != c.scope {
			t.Errorf("line %d: %q: %s/%s %q, want %s/%s", c.line, c.reply, m.class, m.scope, m.message.String(), c.class, c.scope)
		}
	}
}

// What a refused body says of a recipient is the recipient's, though the account is spoken of.
func TestRefusedBodyNamesRecipient(t *testing.T) {
	t.Parallel()
	in := input{reply: reply{Code: 554, Lines: []string{"anna@example.com: account is disabled"}}, at: atDot,
		authed: true, ours: []string{"erp@contoso.example"}}
	if m := classify(in); m.scope != adapters.ScopeConnection {
		t.Errorf("without the recipient: %+v", m)
	}
	in.theirs = []string{"bob@example.org", "Anna@example.com"}
	if m := classify(in); m.class != adapters.Permanent || m.scope != "" {
		t.Errorf("with the recipient: %+v", m)
	}
}

func TestHoldsFromTheStartOfAWord(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"the limit": true, "limit": true, "delimiter": false, "/limit": true, "delimiter, limits": true, "": false,
	} {
		if got := holds(text, []string{"limit"}); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// A login that is no address, and a domain that is the recipient's too, point at no one.
func TestWhomTheReplyNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text         string
		ours, theirs []string
		blocked      bool // the account of this side; otherwise the recipient
	}{
		{"User anna is blocked", []string{"user", "info"}, []string{"anna@example.com"}, false},
		{"user info@contoso.example is blocked", []string{"info@contoso.example"}, []string{"anna@example.com"}, true},
		{"user joanna@contoso.example is blocked", []string{"anna@contoso.example"}, []string{"joanna@contoso.example"}, false},
		{"domain contoso.example does not exist", []string{"info@contoso.example"}, []string{"bob@Contoso.example"}, false},
	} {
		m := classify(input{reply: reply{Code: 550, Lines: []string{c.text}}, at: atRcpt, authed: true, ours: c.ours, theirs: c.theirs})
		if (m.scope == adapters.ScopeConnection) != c.blocked || (m.class == adapters.Permanent) == c.blocked {
			t.Errorf("%q: %s/%s %q", c.text, m.class, m.scope, m.message.String())
		}
	}
}
