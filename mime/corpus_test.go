package mime_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/corpus"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/mime"
)

// TestCorpus takes every message in as a listener does, reads both views of it
// again, and finds what the independent parser found in the original.
func TestCorpus(t *testing.T) {
	t.Parallel()
	for file, want := range corpus.Index(t) {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			for _, lenient := range []bool{false, true} {
				code, mode := want.Strict, "strict"
				if lenient {
					code, mode = want.Lenient, "lenient"
				}
				raw := corpus.Raw(t, file)
				m, err := corpus.Accept(raw, lenient)
				if got := errorCode(t, err); got != code {
					t.Errorf("%s: %s, want %s: %v", mode, got, code, err)
					continue
				}
				if err != nil {
					continue
				}
				corpus.Compare(t, mode, m, want)
				checkStored(t, mode, m, raw)
				checkViews(t, mode, m, want)
			}
		})
	}
}

// errorCode is the code of a *mime.Error that speaks both languages, "ok" for none.
func errorCode(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return "ok"
	}
	var e *mime.Error
	if !errors.As(err, &e) {
		t.Fatalf("%T: %v", err, err)
	}
	if e.Message.String() == "" || e.Message.In("it") == "" || e.Message.String() == e.Message.In("it") {
		t.Errorf("sentences: %q, %q", e.Message.String(), e.Message.In("it"))
	}
	return e.Code
}

// checkStored: what is stored has the form every route can send, and taking it
// in again changes nothing.
func checkStored(t *testing.T, mode string, m *mime.Message, raw []byte) {
	t.Helper()
	stored := read(t, m.Source())
	for n, line := range strings.Split(strings.TrimSuffix(stored, "\r\n"), "\r\n") {
		if strings.ContainsAny(line, "\r\n\x00") || len(line) > 998 {
			t.Fatalf("%s: line %d: %.60q with %d octets", mode, n, line, len(line))
		}
	}
	if m.MessageID() == "" || m.Date().IsZero() {
		t.Errorf("%s: Message-ID %q, Date %v", mode, m.MessageID(), m.Date())
	}
	again, err := mime.Accept(mime.Bytes([]byte(stored)), mime.AcceptOptions{})
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

func checkViews(t *testing.T, mode string, m *mime.Message, want corpus.Expected) {
	t.Helper()
	smtp := read(t, m.ForSMTP())
	visible, err := mime.Read(mime.Bytes([]byte(smtp)), mime.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if len(visible.Bcc()) > 0 || strings.Contains(strings.ToLower(string(visible.Head())), "\nbcc:") {
		t.Errorf("%s: the SMTP view shows Bcc", mode)
	}
	hidden := want
	hidden.Recipients = nil
	for _, r := range want.Recipients {
		if !slices.ContainsFunc(m.Bcc(), func(a mime.Address) bool { return a.Address.String() == r }) ||
			slices.Contains(mailboxtest.Strings(visible.Recipients()), r) {
			hidden.Recipients = append(hidden.Recipients, r)
		}
	}
	corpus.Compare(t, mode+", SMTP", visible, hidden)

	envelope := append([]string{"hidden@example.net"}, want.Recipients...)
	src, err := m.ForAPI(mailboxtest.List(envelope...))
	if err != nil {
		t.Fatal(err)
	}
	api, err := mime.Read(src, mime.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	everybody := want
	everybody.Recipients = envelope
	corpus.Compare(t, mode+", API", api, everybody)
	if got := read(t, api.Body()); got != read(t, visible.Body()) {
		t.Errorf("%s: the bodies of the views differ", mode)
	}
}

func read(t *testing.T, s mime.Source) string {
	t.Helper()
	b, err := io.ReadAll(mime.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestCorpusPython hands both views of every accepted message back to the
// independent parser: it sees what it saw in the original.
func TestCorpusPython(t *testing.T) {
	t.Parallel()
	index, views, want := corpus.Index(t), map[string]string{}, map[string]corpus.Expected{}
	for file, e := range index {
		if e.Lenient != "ok" {
			continue
		}
		m, err := corpus.Accept(corpus.Raw(t, file), true)
		if err != nil {
			t.Fatal(err)
		}
		views["smtp-"+file], want["smtp-"+file] = read(t, m.ForSMTP()), e
		if len(e.Recipients) == 0 {
			continue
		}
		api, err := m.ForAPI(mailboxtest.List(e.Recipients...))
		if err != nil {
			t.Fatal(err)
		}
		views["api-"+file], want["api-"+file] = read(t, api), e
	}
	for name, got := range corpus.Python(t, views) {
		w := want[name]
		recipients := slices.Sorted(slices.Values(got.Recipients))
		if strings.HasPrefix(name, "api-") && !slices.Equal(recipients, slices.Sorted(slices.Values(w.Recipients))) {
			t.Errorf("%s: recipients %q, want %q", name, got.Recipients, w.Recipients)
		}
		if !w.Same(got) {
			t.Errorf("%s: the parser sees\n%+v %s, before\n%+v %s", name, got, *got.Subject, w.Seen, *w.Subject)
		}
	}
	if len(views) < 100 {
		t.Errorf("%d views only", len(views))
	}
}

// TestComposePython hands composed messages to the independent parser.
func TestComposePython(t *testing.T) {
	t.Parallel()
	drafts, raw := mime.GoldenDrafts(), map[string]string{}
	for name, d := range drafts {
		var b strings.Builder
		if err := mime.Compose(&b, d); err != nil {
			t.Fatal(err)
		}
		raw[name] = b.String()
	}
	for name, got := range corpus.Python(t, raw) {
		d := drafts[name]
		var want []string
		for _, a := range slices.Concat(d.To, d.Cc, d.Bcc) {
			want = append(want, a.Address.String())
		}
		if !slices.Equal(got.Recipients, want) && len(got.Recipients)+len(want) > 0 {
			t.Errorf("%s: recipients %q, want %q", name, got.Recipients, want)
		}
		if *got.Subject != strings.TrimSpace(d.Subject) {
			t.Errorf("%s: subject %q, want %q", name, *got.Subject, d.Subject)
		}
		if d.HTML != "" && got.HTML != corpus.Hash("text/html", []byte(d.HTML)) {
			t.Errorf("%s: the HTML changed", name)
		}
		if d.Text != "" && got.Text != corpus.Hash("text/plain", []byte(d.Text)) {
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
			if f.Name != mime.BaseName(a.Filename) || f.SHA256 != corpus.Hash(f.Type, data) {
				t.Errorf("%s: attachment %q: %+v", name, a.Filename, f)
			}
		}
	}
}
