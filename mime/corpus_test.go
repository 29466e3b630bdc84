package mime

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const corpusDir = "../testdata/messages"

// seen is what an independent parser sees in a message (testdata/messages/index.py).
type seen struct {
	From        []string   `json:"from"`
	Recipients  []string   `json:"recipients"`
	Subject     *string    `json:"subject"`
	Text        string     `json:"text_sha256"`
	HTML        string     `json:"html_sha256"`
	Attachments []seenFile `json:"attachments"`
}

type seenFile struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	SHA256 string `json:"sha256"`
}

// expected is an entry of the index: what Accept says, strictly and leniently
// ("ok" or the code of its error), and what the independent parser sees.
type expected struct {
	Strict     string   `json:"strict"`
	Lenient    string   `json:"lenient"`
	Unreadable []string `json:"unreadable"` // attachments whose content is an error
	seen
}

func corpusIndex(t *testing.T) map[string]expected {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(corpusDir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var index map[string]expected
	if err := json.Unmarshal(b, &index); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(corpusDir, "*.eml"))
	if err != nil || len(files) != len(index) || len(files) < 45 {
		t.Fatalf("%d messages, %d entries, %v: run index.py", len(files), len(index), err)
	}
	return index
}

func accept(file string, lenient bool) (*Message, []byte, error) {
	raw, err := os.ReadFile(filepath.Join(corpusDir, file))
	if err != nil {
		return nil, nil, err
	}
	m, err := Accept(Bytes(raw), AcceptOptions{Lenient: lenient, Hostname: "gateway.contoso.example",
		Now: func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }})
	return m, raw, err
}

// TestCorpus takes every message in as a door does, reads both views of it
// again, and finds what the independent parser found in the original.
func TestCorpus(t *testing.T) {
	t.Parallel()
	for file, want := range corpusIndex(t) {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			for _, lenient := range []bool{false, true} {
				code, mode := want.Strict, "strict"
				if lenient {
					code, mode = want.Lenient, "lenient"
				}
				m, raw, err := accept(file, lenient)
				if got := errorCode(t, err); got != code {
					t.Errorf("%s: %s, want %s: %v", mode, got, code, err)
					continue
				}
				if err != nil {
					continue
				}
				compare(t, mode, m, want)
				checkStored(t, mode, m, raw)
				checkViews(t, mode, m, want)
			}
		})
	}
}

// errorCode is the code of an *Error that speaks both languages, "ok" for none.
func errorCode(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return "ok"
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%T: %v", err, err)
	}
	if e.Text == "" || e.TextIT == "" || e.Text == e.TextIT {
		t.Errorf("sentences: %q, %q", e.Text, e.TextIT)
	}
	return e.Code
}

// checkStored: what is stored has the form every route can send, and taking it
// in again changes nothing.
func checkStored(t *testing.T, mode string, m *Message, raw []byte) {
	t.Helper()
	stored := read(t, m.Source())
	for n, line := range strings.Split(strings.TrimSuffix(stored, crlf), crlf) {
		if strings.ContainsAny(line, "\r\n\x00") || len(line) > 998 {
			t.Fatalf("%s: line %d: %.60q with %d octets", mode, n, line, len(line))
		}
	}
	if m.MessageID() == "" || m.Date().IsZero() {
		t.Errorf("%s: Message-ID %q, Date %v", mode, m.MessageID(), m.Date())
	}
	again, err := Accept(Bytes([]byte(stored)), AcceptOptions{})
	if err != nil {
		t.Fatalf("%s: refused the second time: %v", mode, err)
	}
	if got := read(t, again.Source()); got != stored {
		t.Errorf("%s: changed the second time:\n%s\n%s", mode, stored, got)
	}
	protected, err := m.Protected(false)
	if err != nil {
		t.Fatal(err)
	}
	if _, body, _ := bytes.Cut(raw, []byte("\r\n\r\n")); protected && read(t, m.Body()) != string(body) {
		t.Errorf("%s: a signed or encrypted body was changed", mode)
	}
}

func checkViews(t *testing.T, mode string, m *Message, want expected) {
	t.Helper()
	smtp := read(t, m.ForSMTP())
	visible, err := Read(Bytes([]byte(smtp)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if len(visible.Bcc()) > 0 || strings.Contains(strings.ToLower(string(visible.Head())), "\nbcc:") {
		t.Errorf("%s: the SMTP view shows Bcc", mode)
	}
	hidden := want
	hidden.Recipients = nil
	for _, r := range want.Recipients {
		if !slices.ContainsFunc(m.Bcc(), func(a Address) bool { return a.Address == r }) || slices.Contains(visible.Recipients(), r) {
			hidden.Recipients = append(hidden.Recipients, r)
		}
	}
	compare(t, mode+", SMTP", visible, hidden)

	envelope := append([]string{"hidden@example.net"}, want.Recipients...)
	src, err := m.ForAPI(envelope)
	if err != nil {
		t.Fatal(err)
	}
	api, err := Read(src, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	everybody := want
	everybody.Recipients = envelope
	compare(t, mode+", API", api, everybody)
	if got := read(t, api.Body()); got != read(t, visible.Body()) {
		t.Errorf("%s: the bodies of the views differ", mode)
	}
}

// compare checks m against what was seen.
func compare(t *testing.T, mode string, m *Message, want expected) {
	t.Helper()
	if got := specs(m.From()); !slices.Equal(got, want.From) {
		t.Errorf("%s: From %q, want %q", mode, got, want.From)
	}
	got := m.Recipients()
	slices.Sort(got)
	if w := slices.Sorted(slices.Values(want.Recipients)); !slices.Equal(got, w) {
		t.Errorf("%s: recipients %q, want %q", mode, got, w)
	}
	if s := strings.TrimSpace(m.Subject()); want.Subject != nil && s != *want.Subject {
		t.Errorf("%s: subject %q, want %q", mode, s, *want.Subject)
	}
	text, html, files := content(t, m, want.Unreadable)
	if text != want.Text || html != want.HTML {
		t.Errorf("%s: text %.8s, want %.8s; HTML %.8s, want %.8s", mode, text, want.Text, html, want.HTML)
	}
	for i, f := range want.Attachments {
		if slices.Contains(want.Unreadable, f.Name) {
			want.Attachments = slices.Clone(want.Attachments)
			want.Attachments[i].SHA256 = ""
		}
	}
	if !slices.Equal(files, want.Attachments) {
		t.Errorf("%s: attachments\n%q, want\n%q", mode, files, want.Attachments)
	}
}

func specs(list []Address) []string {
	out := []string{}
	for _, a := range list {
		out = append(out, a.Address)
	}
	return out
}

// content hashes the leaves of m as index.py does.
func content(t *testing.T, m *Message, unreadable []string) (text, html string, files []seenFile) {
	t.Helper()
	root, err := m.Structure()
	if err != nil {
		t.Fatal(err)
	}
	files = []seenFile{}
	root.Walk(false, func(p *Part) bool {
		if p.Multipart() {
			return true
		}
		data, err := io.ReadAll(m.Open(p))
		if bad := slices.Contains(unreadable, p.Filename); bad != (err != nil) {
			t.Errorf("content of %s %q: %v", p.MediaType, p.Filename, err)
		}
		sum := hashContent(p.MediaType, data)
		switch {
		case err != nil:
			sum = ""
		case p.MediaType == "text/plain" && p.Disposition != "attachment" && text == "":
			text = sum
			return true
		case p.MediaType == "text/html" && p.Disposition != "attachment" && html == "":
			html = sum
			return true
		}
		files = append(files, seenFile{p.Filename, p.MediaType, sum})
		return true
	})
	return text, html, files
}

func hashContent(mediaType string, data []byte) string {
	lf := func() string {
		return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(data))
	}
	switch {
	case strings.HasPrefix(mediaType, "text/"):
		data = []byte(strings.TrimRight(lf(), "\n"))
	case strings.HasPrefix(mediaType, "message/"):
		var kept []string
		for line := range strings.SplitSeq(lf(), "\n") {
			if line = strings.TrimRight(line, " \t"); line != "" {
				kept = append(kept, line)
			}
		}
		data = []byte(strings.Join(kept, "\n"))
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func read(t *testing.T, s Source) string {
	t.Helper()
	b, err := io.ReadAll(NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// python runs index.py over messages written to files.
func python(t *testing.T, messages map[string]string) map[string]seen {
	t.Helper()
	if os.Getenv("POSTINO_PEERS") == "" {
		t.Skip("needs python3: set POSTINO_PEERS=1")
	}
	dir := t.TempDir()
	args := []string{filepath.Join(corpusDir, "index.py")}
	for _, name := range slices.Sorted(maps.Keys(messages)) {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(messages[name]), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	cmd := exec.Command("python3", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]seen{}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// TestCorpusPython gives both views of every accepted message back to the
// independent parser: it sees what it saw in the original.
func TestCorpusPython(t *testing.T) {
	t.Parallel()
	index, views, want := corpusIndex(t), map[string]string{}, map[string]expected{}
	for file, e := range index {
		if e.Lenient != "ok" {
			continue
		}
		m, _, err := accept(file, true)
		if err != nil {
			t.Fatal(err)
		}
		views["smtp-"+file], want["smtp-"+file] = read(t, m.ForSMTP()), e
		if len(e.Recipients) == 0 {
			continue
		}
		api, err := m.ForAPI(e.Recipients)
		if err != nil {
			t.Fatal(err)
		}
		views["api-"+file], want["api-"+file] = read(t, api), e
	}
	for name, got := range python(t, views) {
		w := want[name]
		recipients := slices.Sorted(slices.Values(got.Recipients))
		if strings.HasPrefix(name, "api-") && !slices.Equal(recipients, slices.Sorted(slices.Values(w.Recipients))) {
			t.Errorf("%s: recipients %q, want %q", name, got.Recipients, w.Recipients)
		}
		if !slices.Equal(got.From, w.From) || w.Subject != nil && *got.Subject != *w.Subject || got.Text != w.Text || got.HTML != w.HTML ||
			!slices.Equal(got.Attachments, w.Attachments) {
			t.Errorf("%s: the parser sees\n%+v %s, before\n%+v %s", name, got, *got.Subject, w.seen, *w.Subject)
		}
	}
	if len(views) < 100 {
		t.Errorf("%d views only", len(views))
	}
}

// TestComposePython gives composed messages to the independent parser.
func TestComposePython(t *testing.T) {
	t.Parallel()
	drafts, raw := goldenDrafts(), map[string]string{}
	for name, d := range drafts {
		var b strings.Builder
		if err := Compose(&b, d); err != nil {
			t.Fatal(err)
		}
		raw[name] = b.String()
	}
	for name, got := range python(t, raw) {
		d := drafts[name]
		var want []string
		for _, a := range slices.Concat(d.To, d.Cc, d.Bcc) {
			spec, err := NormalizeAddress(a.Address)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, spec)
		}
		if !slices.Equal(got.Recipients, want) && len(got.Recipients)+len(want) > 0 {
			t.Errorf("%s: recipients %q, want %q", name, got.Recipients, want)
		}
		if *got.Subject != strings.TrimSpace(d.Subject) {
			t.Errorf("%s: subject %q, want %q", name, *got.Subject, d.Subject)
		}
		if d.HTML != "" && got.HTML != hashContent("text/html", []byte(d.HTML)) {
			t.Errorf("%s: the HTML changed", name)
		}
		if d.Text != "" && got.Text != hashContent("text/plain", []byte(d.Text)) {
			t.Errorf("%s: the text changed", name)
		}
		if len(got.Attachments) != len(d.Attachments) {
			t.Fatalf("%s: attachments %q", name, got.Attachments)
		}
		for i, a := range d.Attachments {
			rc, err := a.Open()
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(rc)
			if err := errors.Join(err, rc.Close()); err != nil {
				t.Fatal(err)
			}
			f := got.Attachments[i]
			if f.Name != baseName(a.Filename) || f.SHA256 != hashContent(f.Type, data) {
				t.Errorf("%s: attachment %q: %+v", name, a.Filename, f)
			}
		}
	}
}
