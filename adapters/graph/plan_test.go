package graph

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/mime"
)

func shape(p *mime.Part) string {
	if len(p.Parts) == 0 {
		return p.MediaType
	}
	var in []string
	for _, c := range p.Parts {
		in = append(in, shape(c))
	}
	return p.MediaType + "(" + strings.Join(in, " ") + ")"
}

// signedPart is multipart/signed around a part.
func signedPart(part string) string {
	return "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=S\n\n--S\n" + part +
		"\n--S\nContent-Type: application/pkcs7-signature; name=smime.p7s\n\nAAAA\n--S--"
}

// TestSplit: what is taken out of messages of other shapes, and what stays.
func TestSplit(t *testing.T) {
	t.Parallel()
	a, _ := adapterOn(t, "http://127.0.0.1:1", http.DefaultClient)
	a.ceiling = 30_000
	big, mid := blob(23_000, 1), blob(12_000, 2)
	mixed := func(parts ...string) string {
		return largeHead + "Content-Type: multipart/mixed; boundary=M\n\n--M\n" + strings.Join(parts, "\n--M\n") + "\n--M--\n"
	}
	text := "Content-Type: text/plain\n\nCiao"
	att := func(name string, b []byte) string {
		return filePart("Content-Type: application/pdf\nContent-Disposition: attachment; filename="+name, b)
	}
	for _, c := range []struct {
		name, raw string
		parts     string
		stays     string
	}{
		{"the only part of a mixed", mixed(att("a.pdf", big)), "a.pdf", "text/plain"},
		{"first of two", mixed(att("a.pdf", big), text), "a.pdf", "multipart/mixed(text/plain)"},
		{"two in front", mixed(att("a.pdf", big), att("b.pdf", mid), text, att("c.pdf", mid)), "a.pdf b.pdf",
			"multipart/mixed(text/plain application/pdf)"},
		{"in the middle", mixed(text, att("a.pdf", big), text), "a.pdf", "multipart/mixed(text/plain text/plain)"},
		{"neighbours", mixed(text, att("a.pdf", big), att("b.pdf", big), text), "a.pdf b.pdf", "multipart/mixed(text/plain text/plain)"},
		{"no part at all", largeHead + filePart("Content-Type: application/pdf; name=scan.pdf", big), "scan.pdf", "text/plain"},
		{"without a name", mixed(text, filePart("Content-Type: image/jpeg", big)), "attachment.jpg", "multipart/mixed(text/plain)"},
		{"an attached message", mixed(text, "Content-Type: message/rfc822\n\nSubject: in\n\n"+strings.Repeat("0123456789\n", 2_800)),
			"message.eml", "multipart/mixed(text/plain)"},
		{"a multipart that becomes empty", mixed(text, "Content-Type: multipart/mixed; boundary=I\n\n--I\n"+att("a.pdf", big)+"\n--I\n"+
			att("b.pdf", big)+"\n--I--"), "a.pdf b.pdf", "multipart/mixed(text/plain)"},
		{"a multipart in front that becomes empty", mixed("Content-Type: multipart/mixed; boundary=I\n\n--I\n"+att("a.pdf", big)+"\n--I--",
			text), "a.pdf", "multipart/mixed(text/plain)"},
		{"Apple: mixed within an alternative", largeHead + "Content-Type: multipart/alternative; boundary=M\n\n--M\n" + text +
			"\n--M\nContent-Type: multipart/mixed; boundary=I\n\n--I\nContent-Type: text/html\n\n<p>Ciao\n--I\n" + att("a.pdf", big) +
			"\n--I\nContent-Type: text/html\n\nend\n--I--\n--M--\n",
			"a.pdf", "multipart/alternative(text/plain multipart/mixed(text/html text/html))"},
		{"a log as attachment", mixed(text, "Content-Type: text/plain; name=log.txt\n\n"+strings.Repeat("0123456789\n", 2_800)), "log.txt",
			"multipart/mixed(text/plain)"},
		{"no end", strings.TrimSuffix(mixed(text, att("a.pdf", big)), "\n--M--\n"), "a.pdf", "multipart/mixed(text/plain)"},
		{"signed files", mixed(text, filePart("Content-Type: application/pkcs7-mime; name=fattura.xml.p7m", big),
			filePart("Content-Type: application/pkcs7-signature; name=a.p7s", mid)),
			"fattura.xml.p7m", "multipart/mixed(text/plain application/pkcs7-signature)"},
		{"signed files without names", mixed(text, filePart("Content-Type: application/x-pkcs7-mime; smime-type=signed-data", big),
			filePart("Content-Type: application/ms-tnef", big),
			filePart("Content-Type: application/pkcs7-signature", big)), "smime.p7m winmail.dat smime.p7s", "multipart/mixed(text/plain)"},
		{"a signed text in a list's mixed", mixed(signedPart(text), att("a.pdf", big)), "a.pdf",
			"multipart/mixed(multipart/signed(text/plain application/pkcs7-signature))"},
		{"a signed part with a file", mixed(text, signedPart(att("s.pdf", mid)), att("a.pdf", mid)), "a.pdf",
			"multipart/mixed(text/plain multipart/signed(application/pdf application/pkcs7-signature))"},
		{"a signed message that is attached", mixed(text, "Content-Type: message/rfc822\n\nSubject: in\n"+signedPart(att("s.pdf", big))),
			"message.eml", "multipart/mixed(text/plain)"},
		{"corrupt base64", mixed(text, att("a.pdf", big),
			"Content-Type: application/pdf; name=b.pdf\nContent-Transfer-Encoding: base64\n\nQQ==\n"+base64Lines(mid)),
			"a.pdf", "multipart/mixed(text/plain application/pdf)"},
		{"yEnc", mixed(text, "Content-Type: application/pdf; name=b.pdf\nContent-Transfer-Encoding: x-yenc\n\n"+base64Lines(mid),
			att("a.pdf", big)),
			"a.pdf", "multipart/mixed(text/plain application/pdf)"},
		{"a folder of Windows", mixed(text, att(`"C:\temp\new\fattura.pdf"`, big)), "fattura.pdf", "multipart/mixed(text/plain)"},
		{"a folder above", mixed(text, att(`"../../etc/passwd"`, big), att("..", big)), "passwd attachment.pdf", "multipart/mixed(text/plain)"},
		{"quotes in a name", mixed(text, att(`"a \"b\" \\srv\c.pdf"`, big)), "c.pdf", "multipart/mixed(text/plain)"},
		{"no semicolon", mixed(text, filePart("Content-Type: image/png name=scan.png", big)), "scan.png", "multipart/mixed(text/plain)"},
		{"an invitation as attachment",
			mixed(text, filePart("Content-Type: text/calendar; method=REQUEST; name=invite.ics\nContent-Disposition: attachment", mid),
				att("a.pdf", big)),
			"a.pdf", "multipart/mixed(text/plain text/calendar)"},
		{"a large invitation", mixed(text, filePart("Content-Type: text/calendar; method=REQUEST; name=invite.ics\nContent-Disposition: "+
			"attachment", big), att("a.pdf", mid)),
			"invite.ics a.pdf", "multipart/mixed(text/plain)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := message(t, c.raw)
			view, err := m.ForAPI(mailboxtest.List("anna@example.com"))
			if err != nil {
				t.Fatal(err)
			}
			p, err := a.plan(t.Context(), m, view)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, part := range p.parts {
				names = append(names, part.name)
			}
			if got := strings.Join(names, " "); got != c.parts {
				t.Errorf("taken out: %s, want %s", got, c.parts)
			}
			if p.skeleton.Size() > a.ceiling {
				t.Errorf("%d octets are left", p.skeleton.Size())
			}
			d, err := mime.Read(p.skeleton, mime.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			root, err := d.Structure()
			if err != nil {
				t.Fatal(err)
			}
			if got := shape(root); got != c.stays {
				raw, _ := io.ReadAll(mime.NewReader(p.skeleton))
				t.Errorf("stays: %s, want %s\n%.600s", got, c.stays, raw)
			}
			if d.Get("References") != "<before@example.com>" {
				t.Error("threading is lost")
			}
		})
	}
}

func TestLargeRefusals(t *testing.T) {
	t.Parallel()
	a, _ := adapterOn(t, "http://127.0.0.1:1", http.DefaultClient)
	a.ceiling = 30_000
	text := strings.Repeat("Lorem ipsum dolor sit amet\n", 1_100)
	signed := largeHead + "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=S\n\n--S\n" +
		filePart("Content-Type: application/pdf", blob(23_000, 1)) + "--S\nContent-Type: application/pkcs7-signature\n\nAAAA\n--S--\n"
	mixed := largeHead + "Content-Type: multipart/mixed; boundary=M\n\n--M\nContent-Type: text/plain\n\nCiao\n--M\n"
	coded := func(encoding, body string) string {
		return mixed + "Content-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: " + encoding + "\n\n" + body + "\n--M--\n"
	}
	for _, c := range []struct{ code, raw string }{
		{"text_too_large", largeHead + "Content-Type: text/html\n\n" + text},
		{"protected_too_large", signed},
		{"protected_too_large", mixed + signedPart(filePart("Content-Type: application/pdf", blob(23_000, 1))) + "\n--M--\n"},
		{"protected_too_large", largeHead + filePart("Content-Type: application/pkcs7-mime; smime-type=enveloped-data; "+
			"name=smime.p7m\nContent-Disposition: attachment; filename=smime.p7m", blob(23_000, 1))},
		{"encoding_too_large", coded("x-yenc", text)},
		{"encoding_too_large", coded("base64", "QQ==\n"+base64Lines(blob(23_000, 1)))},
		{"encoding_too_large", coded("uuencode", "begin 644 a.pdf\n"+text)},
	} {
		code := c.code
		out := outgoing(message(t, c.raw), "anna@example.com")
		_, sendErr := a.Send(t.Context(), out)
		for _, err := range []error{a.Check(out), sendErr} {
			if e := wantClass(t, err, adapters.Permanent); string(e.Code) != code || !e.TooLarge {
				t.Errorf("%+v, want %s", e, code)
			}
		}
	}
	huge := mime.Join(mime.Bytes([]byte(strings.ReplaceAll(small, "\n", "\r\n"))), zeros{MaxSize})
	m, err := mime.Read(huge, mime.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if e := wantClass(t, a.Check(outgoing(m, "anna@example.com")), adapters.Permanent); !e.TooLarge || e.Code != "message_too_large" {
		t.Errorf("%+v", e)
	}
}

type zeros struct{ size int64 }

func (z zeros) Size() int64 { return z.size }
func (z zeros) ReadAt(p []byte, off int64) (int, error) {
	n := int(min(int64(len(p)), z.size-off))
	clear(p[:n])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
