package mime

import (
	"bytes"
	"errors"
	"io"
	netmail "net/mail"
	"strings"
	"testing"
)

// FuzzCompose puts foreign text into every header value. A draft is refused with
// an *Error, or the standard library's parser, which shares no code with this
// package, finds exactly the fields of the draft, each once, and the same
// values; no line is over 998 octets and every line ends with CRLF.
func FuzzCompose(f *testing.F) {
	f.Add("Perché", "a@example.com", "Oggetto – lungo", "X-A", "valore", "a.pdf", "text/plain; charset=utf-8", "testo", "<p>x")
	f.Add("x\r\nBcc: b@example.com", "a@example.com>\r\nBcc: b@example.com", "s\n\nbody", "X: y\r\nBcc", "v\r\n\r\n", "f\".pdf\r\nX: y",
		"a/b\r\nX: y", "\r\n.\r\n", "\x00")
	f.Add("=?utf-8?q?x?=", "\"a b\"@[127.0.0.1]", " =?utf-8?b?eA==?=\t", "List-Id", "  two   spaces ", "../../é", "message/rfc822", "From x",
		"&#13;&#10;")
	f.Add("\\\"", "ü@ü.example", strings.Repeat("w", 1000), "Errors-To", "ü <a@example.com>", strings.Repeat("日", 90), "", "", "")
	f.Fuzz(func(t *testing.T, name, addr, subject, hname, hvalue, filename, ctype, text, html string) {
		d := seeded(Draft{From: Address{name, mailbox(addr)}, To: []Address{{name, mailbox("to@example.com")}},
			Bcc:     people("bcc@example.com"),
			Subject: subject, Headers: []Field{{hname, hvalue}}, Text: text, HTML: html,
			Attachments: []Attachment{{Filename: filename, ContentType: ctype, Open: open(text)}}})
		var b bytes.Buffer
		if err := Compose(&b, d); err != nil {
			var e *Error
			if !errors.As(err, &e) || b.Len() > 0 {
				t.Fatalf("%v after %d octets", err, b.Len())
			}
			return
		}
		checkWire(t, b.Bytes())
		m, err := netmail.ReadMessage(bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatalf("%v in\n%s", err, b.Bytes())
		}
		want := map[string]bool{"From": true, "To": true, "Bcc": true, "Date": true, "Message-Id": true, "Mime-Version": true,
			"Content-Type": true}
		if subject != "" {
			want["Subject"] = true
		}
		for k, v := range m.Header {
			known := want[k] || strings.EqualFold(k, hname) || k == "Content-Transfer-Encoding" && v[0] == "8bit"
			if !known || len(v) != 1 {
				t.Errorf("field %s: %q", k, v)
			}
			delete(want, k)
		}
		if len(want) > 0 {
			t.Errorf("fields missing: %v", want)
		}
		if _, err := io.Copy(io.Discard, m.Body); err != nil {
			t.Error(err)
		}
		compareOwn(t, b.Bytes(), d)
	})
}

// compareOwn reads the message with this package.
func compareOwn(t *testing.T, raw []byte, d *Draft) {
	m, err := Read(Bytes(raw), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	clean := func(s string) string { return strings.Trim(strings.ReplaceAll(s, "\t", " "), " ") }
	if got := m.Subject(); clean(got) != clean(d.Subject) {
		t.Errorf("subject %q came back as %q", d.Subject, got)
	}
	spec := d.From.Address
	if from := m.From(); len(from) != 1 || from[0].Address != spec {
		t.Errorf("From %q came back as %q", spec, from)
	} else if got := from[0].Name; strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(d.From.Name), " ") {
		t.Errorf("name %q came back as %q", d.From.Name, got)
	}
	if got := strings.Join(addrSpecs(m.Recipients()), " "); got != "to@example.com bcc@example.com" {
		t.Errorf("recipients %q", got)
	}
	root, err := m.Structure()
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	root.Walk(false, func(p *Part) bool {
		if p.Disposition == "attachment" {
			if files++; clean(p.Filename) != clean(BaseName(d.Attachments[0].Filename)) {
				t.Errorf("file name %q came back as %q", d.Attachments[0].Filename, p.Filename)
			}
		}
		return true
	})
	if files != 1 {
		t.Errorf("%d attachments", files)
	}
}
