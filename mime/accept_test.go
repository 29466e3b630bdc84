package mime

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

var testNow = time.Date(2026, 11, 22, 10, 0, 0, 0, time.FixedZone("", 3600))

func acceptOptions(lenient bool) AcceptOptions {
	return AcceptOptions{Now: func() time.Time { return testNow }, Hostname: "relay.example.it", Lenient: lenient,
		Remove: []string{"X-Postino-Connection"}}
}

// accepted runs Accept and checks what must hold for every result.
func accepted(t testing.TB, in string, opt AcceptOptions) (*Message, string) {
	t.Helper()
	m, err := Accept(Bytes([]byte(in)), opt)
	if err != nil {
		t.Fatalf("Accept: %v", err)
	}
	stored := text(t, m.Source())
	if got := string(m.Head()) + text(t, m.Body()); got != stored {
		t.Errorf("Head and Body are not the source:\n%q\n%q", got, stored)
	}
	readFirst(t, in, opt, m)
	again, err := Accept(m.Source(), acceptOptions(false))
	if err != nil {
		t.Fatalf("second Accept: %v\n%s", err, stored)
	}
	if got := text(t, again.Source()); got != stored {
		t.Errorf("second Accept changes\n%q\nto\n%q", stored, got)
	}
	return m, stored
}

// readFirst accepts in as a message that was read before: the same must come of
// it as of its bytes.
func readFirst(t testing.TB, in string, opt AcceptOptions, want *Message) {
	t.Helper()
	for _, src := range []Source{Bytes([]byte(in)), strings.NewReader(in)} {
		read, err := Read(src, opt.Limits)
		if err != nil {
			continue // what Accept would repair
		}
		m, err := read.Accept(opt)
		if err != nil {
			t.Fatalf("Accept of a message that was read: %v", err)
		}
		ids := strings.NewReplacer(m.MessageID(), "<>", want.MessageID(), "<>") // one may be made by chance
		if a, b := ids.Replace(text(t, m.Source())), ids.Replace(text(t, want.Source())); a != b {
			t.Errorf("accepted after reading\n%q\nand at once\n%q", a, b)
		}
		if a, b := fmt.Sprint(m.From(), m.To(), m.Cc(), m.Bcc()), fmt.Sprint(want.From(), want.To(), want.Cc(), want.Bcc()); a != b {
			t.Errorf("accepted after reading it has %s, at once %s", a, b)
		}
	}
}

const okHead = "From: a@x.it\r\nTo: b@x.it\r\nDate: Sun, 22 Nov 2026 10:00:00 +0100\r\nMessage-ID: <1@x.it>\r\n"

func TestAcceptHeader(t *testing.T) {
	t.Parallel()
	tail := "Date: Sun, 22 Nov 2026 10:00:00 +0100\nMessage-ID: <1@x.it>\n"
	for _, tt := range []struct{ name, in, want string }{
		{"kept to the byte", "Received: x\nX-Odd:\tfoo \n\tbar\nFrom: a@x.it\n" + tail + "Bcc: c@x.it\n",
			"Received: x\nX-Odd:\tfoo \n\tbar\nFrom: a@x.it\n" + tail + "Bcc: c@x.it\n"},
		{"removed", "Return-Path: <x@y>\nX-POSTINO-Connection: Ufficio\n folded\nFrom: a@x.it\n" + tail, "From: a@x.it\n" + tail},
		{"date added", "From: a@x.it\nMessage-ID: <1@x.it>\n", "From: a@x.it\nMessage-ID: <1@x.it>\nDate: Sun, 22 Nov 2026 10:00:00 +0100\n"},
		{"bad date", "From: a@x.it\nDate: 2026-11-22\nMessage-ID: <1@x.it>\n",
			"From: a@x.it\nDate: Sun, 22 Nov 2026 10:00:00 +0100\nMessage-ID: <1@x.it>\nX-Postino-Original-Date: 2026-11-22\n"},
		{"mime version", "From: a@x.it\n" + tail + "Content-Type: text/html\n", "From: a@x.it\n" + tail +
			"Content-Type: text/html\nMIME-Version: 1.0\n"},
		{"byte order mark and mbox line", "\ufeffFrom a@x.it Sun Nov 22 10:00:00 2026\nFrom: a@x.it\n" + tail, "From: a@x.it\n" + tail},
		{"space before the colon", "From : a@x.it\nTo\t: b@x.it\n" + tail, "From: a@x.it\nTo: b@x.it\n" + tail},
		{"line of white space", "From: a@x.it\nX-A: 1\n \t\n 2\n" + tail, "From: a@x.it\nX-A: 1\n 2\n" + tail},
		{"several To", "From: a@x.it\nTo: b@x.it\nSubject: s\nTo: C <c@x.it>\nTO: b@x.it\n" + tail,
			"From: a@x.it\nTo: b@x.it,\n C <c@x.it>\nSubject: s\n" + tail},
		{"several To that swallow", "From: a@x.it\nTo: b@x.it,\nTo: c@x.it;\n" + tail, "From: a@x.it\nTo: b@x.it, c@x.it\n" + tail},
		{"equal fields", "From: a@x.it\nFrom:  a@x.it\nSubject: s\nSubject: s\n" + tail + tail, "From: a@x.it\nSubject: s\n" + tail},
		{"two From fields with Sender", "From: a@x.it\nFrom: b@x.it\nSender: s@x.it\n" + tail, "From: a@x.it,\n b@x.it\nSender: s@x.it\n" + tail},
		{"sender without address", "From: a@x.it\nSender: nobody\n" + tail, "From: a@x.it\n" + tail},
		{"references", "From: a@x.it\nReferences: <1@a.b>\nReferences: <2@a.b>\n" + tail, "From: a@x.it\nReferences: <1@a.b>\n <2@a.b>\n" + tail},
		{"latin-1", "From: Nicol\xf2 <a@x.it>\nSubject: citt\xe0\nTo: \"B\xf2, C\" <b@x.it>\n" + tail,
			"From: =?utf-8?q?Nicol=C3=B2?= <a@x.it>\nSubject: =?utf-8?q?citt=C3=A0?=\nTo: =?utf-8?q?B=C3=B2=2C_C?= <b@x.it>\n" + tail},
		{"latin-1 beside an address in UTF-8", "From: Nicol\xf2 <\u00e8@x.it>\n" + tail, "From: Nicol\xf2 <\u00e8@x.it>\n" + tail},
		{"raw UTF-8 is kept", "From: Nicolò <a@x.it>\n" + tail, "From: Nicolò <a@x.it>\n" + tail},
		{"id with comment", "From: a@x.it\nDate: Sun, 22 Nov 2026 10:00:00 +0100\nMessage-ID: <1@x.it> (x)\n",
			"From: a@x.it\nDate: Sun, 22 Nov 2026 10:00:00 +0100\nMessage-ID: <1@x.it>\nX-Postino-Original-Message-ID: <1@x.it> (x)\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, got := accepted(t, crlfText(tt.in+"\nbody\n"), acceptOptions(false))
			if want := crlfText(tt.want + "\nbody\n"); got != want {
				t.Errorf("got\n%q\nwant\n%q", got, want)
			}
		})
	}
}

func TestAcceptMessageID(t *testing.T) {
	t.Parallel()
	for _, old := range []string{"", "<1@>", "<a@b@c.d>", "<a b@c.d>", "1@c.d.", "<a@c.d.>", "nonsense", "<é@c.d>",
		"<" + strings.Repeat("a", 950) + "@c.d>"} {
		m, _ := accepted(t, "From: a@x.it\r\nMessage-ID: "+old+"\r\n\r\n", acceptOptions(false))
		if id := m.MessageID(); !validID(id) || !strings.HasSuffix(id, "@relay.example.it>") {
			t.Errorf("%q: got %q", old, id)
		}
		if got := m.Get("X-Postino-Original-Message-ID"); got != old {
			t.Errorf("%q: kept %q", old, got)
		}
	}
	opt := acceptOptions(false)
	opt.Hostname = "localhost"
	if m, _ := accepted(t, "From: a@firma.it\r\n\r\n", opt); !strings.HasSuffix(m.MessageID(), "@firma.it>") {
		t.Error(m.MessageID())
	}
}

func TestAcceptReplacesSender(t *testing.T) {
	t.Parallel()
	opt := acceptOptions(false)
	opt.From = &Address{"Ufficio,\r\nBcc: x@y.z", mailbox("Erp@X.it")}
	opt.ReplyTo = &Address{"", mailbox("info@x.it")}
	m, got := accepted(t, "To: b@x.it\r\nFrom: q@q.q\r\nSender: r@q.q\r\nReply-To: s@q.q\r\nDate: Sun, 22 Nov 2026 10:00:00 "+
		"+0100\r\nMessage-ID: <1@x.it>\r\n\r\n", opt)
	if want := "To: b@x.it\r\nFrom: \"Ufficio,  Bcc: x@y.z\" <Erp@x.it>\r\nReply-To: info@x.it\r\n"; !strings.HasPrefix(got, want) ||
		m.Sender() != nil {
		t.Errorf("got %q", got)
	}
}

func TestAcceptRefuses(t *testing.T) {
	t.Parallel()
	many := strings.Repeat("x@y.it, ", 10_000) + "z@y.it"
	nested := okHead + "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\nContent-Type: message/rfc822\r\n\r\n", 2)
	nested += strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 1000)
	long := strings.Repeat("x", 999)
	for _, tt := range []struct{ name, in, code string }{
		{"empty", "", "no_from"},
		{"no From", "To: a@x.it\r\n\r\n", "no_from"},
		{"empty From", "From: \r\n\r\n", "no_from"},
		{"From without address", "From: Mario Rossi\r\n\r\n", "bad_address"},
		{"null From", "From: <>\r\n\r\n", "no_from"},
		{"two From", "From: a@x.it\r\nFrom: b@x.it\r\n\r\n", "several_from"},
		{"two senders in From", "From: a@x.it, b@x.it\r\n\r\n", "several_from"},
		{"NUL in header", okHead + "X: \x00\r\n\r\n", "nul"},
		{"NUL in body", okHead + "\r\na\x00b\r\n", "nul"},
		{"bare LF in header", "From: a@x.it\nTo: b@x.it\r\n\r\n", "bare_lf"},
		{"bare LF in body", okHead + "\r\na\nb\r\n", "bare_lf"},
		{"bare CR in header", okHead + "X: a\rBcc: c@x.it\r\n\r\n", "bare_cr"},
		{"bare CR in body", okHead + "\r\na\r.\r\nMAIL FROM", "bare_cr"},
		{"two subjects", okHead + "Subject: a\r\nSubject: b\r\n\r\n", "duplicate_field"},
		{"two types", okHead + "Content-Type: text/html\r\nContent-Type: text/plain\r\n\r\n", "duplicate_field"},
		{"no empty line", okHead + "Hello there\r\n", "bad_header"},
		{"no header", "Hello there\r\n\r\n", "bad_header"},
		{"recipients", okHead + "Cc: " + many + "\r\n\r\n", "too_many_recipients"},
		{"long header", okHead + "X: " + long + "\r\n\r\n", "long_header"},
		{"huge header", okHead + strings.Repeat("X: y\r\n", 200_000) + "\r\n", "header_too_large"},
		{"nested", nested, "too_deep"},
		{"long line in signed mail", okHead + "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n" + long + "\r\n--b--\r\n",
			"long_line_signed"},
		{"long line under DKIM", okHead + "DKIM-Signature: v=1\r\n\r\n" + long + "\r\n", "long_line_signed"},
		{"long line in a message type", okHead + "Content-Type: message/delivery-status\r\n\r\n" + long + "\r\n", "long_line"},
	} {
		m, err := Accept(Bytes([]byte(tt.in)), acceptOptions(false))
		var e *Error
		if !asError(err, &e) || e.Code != tt.code || e.Message.In("it") == "" || m != nil {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.code)
		}
	}
	// Repairs must not show a Bcc to everyone, nor let NUL pass.
	for in, code := range map[string]string{okHead + "Hello\nBcc: x@y.z\n\n": "bad_header", okHead + "\na\x00": "nul",
		"hello\n\n": "bad_header",
		okHead + "Content-Type: text/a\nContent-Type: text/b\n\n": "duplicate_field"} {
		_, err := Accept(Bytes([]byte(in)), acceptOptions(true))
		var e *Error
		if !asError(err, &e) || e.Code != code {
			t.Errorf("lenient %q: %v", in, err)
		}
	}
}

func TestAcceptLenient(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"LF", strings.ReplaceAll(okHead, "\r", "") + "\na\n\nb", okHead + "\r\na\r\n\r\nb\r\n"},
		{"doubled CR", strings.ReplaceAll(okHead, "\r", "\r\r") + "\r\r\na\r\r\nb\r", okHead + "\r\na\r\nb\r\n"},
		{"CR in header", okHead + "X: a\rBcc: c@x.it\r\n\r\n", okHead + "X: a Bcc: c@x.it\r\n\r\n"},
		{"CR in body", okHead + "\r\na\rb\r\rc", okHead + "\r\na\r\nb\r\n\r\nc\r\n"},
		{"no empty line", okHead + "Hello there\r\nyou: x\r\n", okHead + "\r\nHello there\r\nyou: x\r\n"},
		{"two subjects", okHead + "Subject: a\r\nSubject: b\r\n\r\n", okHead + "Subject: a\r\n\r\n"},
	} {
		if _, got := accepted(t, tt.in, acceptOptions(true)); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestAcceptLongLines(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("wörter = ", 200)
	b64 := strings.Repeat("QUJD", 500)
	in := okHead + "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("p", 3000) + "\r\n--b\r\n\r\n" + long +
		"\r\nend \r\n" +
		"\r\n--b\r\nContent-Type: application/x-y; name=\"" + strings.Repeat("n ", 600) +
		"\"\r\nContent-Transfer-Encoding: 8bit\r\nX: y\r\n\r\n" + long +
		"\r\n--b\r\nContent-Transfer-Encoding: Base64\r\n\r\n" + b64 +
		"\r\n--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.Repeat("=C3=A0 b", 300) + "=\r\nx" +
		"\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\n" + long + "\r\n--b\r\nX-Short: kept\r\n\r\nshort\r\n--b--\r\n"
	before := mustRead(t, in)
	m, out := accepted(t, in, acceptOptions(false))
	if n := longestLine([]byte(out)); n > maxLine {
		t.Errorf("line of %d", n)
	}
	want, err := before.Structure()
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Structure()
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Parts) != 6 {
		t.Fatalf("%s", sketch(got))
	}
	leaf := func(p *Part) *Part {
		if p.Message != nil {
			return p.Message
		}
		return p
	}
	for i, enc := range []string{"quoted-printable", "base64", "base64", "quoted-printable", "quoted-printable", "7bit"} {
		a, err := io.ReadAll(before.Open(leaf(want.Parts[i])))
		if err != nil {
			t.Fatal(err)
		}
		p := leaf(got.Parts[i])
		b, err := io.ReadAll(m.Open(p))
		if err != nil || !bytes.Equal(a, b) || p.Encoding != enc || p.EightBit {
			t.Errorf("part %d (%s): %v, %d and %d bytes", i, p.Encoding, err, len(a), len(b))
		}
		if p.Filename != leaf(want.Parts[i]).Filename {
			t.Errorf("part %d: name %q", i, p.Filename)
		}
	}
	if !strings.Contains(out, "--b\r\nX-Short: kept\r\n\r\nshort\r\n--b--\r\n") {
		t.Error("a part without long lines changed")
	}
	// A message of one leaf gets its encoding into the header.
	_, out = accepted(t, okHead+"\r\n"+long+"\r\n", acceptOptions(false))
	if !strings.Contains(out, "Content-Transfer-Encoding: quoted-printable\r\nMIME-Version: 1.0\r\n\r\nw=C3=B6rter") {
		t.Errorf("%.300q", out)
	}
	// An address list on one line is folded, not refused.
	m, out = accepted(t, okHead+"Cc: "+strings.Repeat("Name <x@y.it>,", 5000)+"z@y.it\r\n\r\n", acceptOptions(false))
	if len(m.Cc()) != 5001 || longestLine([]byte(out)) > 78 {
		t.Errorf("%d addresses, longest line %d", len(m.Cc()), longestLine([]byte(out)))
	}
}

type failingSpool struct{}

func (failingSpool) Write([]byte) (int, error) { return 0, errors.New("disk full") }
func (failingSpool) Source() (Source, error)   { return nil, errors.New("disk full") }

func TestAcceptSpool(t *testing.T) {
	t.Parallel()
	opt := acceptOptions(true)
	opt.Spool = func() (Spool, error) { return failingSpool{}, nil }
	if _, err := Accept(Bytes([]byte(okHead+"\r\nfine\r\n")), opt); err != nil {
		t.Errorf("a clean message needs no spool: %v", err)
	}
	_, err := Accept(Bytes([]byte(okHead+"\r\na\nb\r\n")), opt)
	var e *Error
	if !asError(err, &e) || e.Code != "spool" {
		t.Errorf("got %v", err)
	}
}
