package mime

import (
	"bytes"
	"io"
	netmail "net/mail"
	"slices"
	"strings"
	"testing"
)

// seeds are short messages of every odd kind.
var seeds = []string{
	okHead + "\r\nhi\r\n",
	"From: a@x.it\nTo: \"B, C\" <b@x.it>, Team: c@x.it, d@x.it;, e@x.it (f@x.it)\nBcc: g@x.it\nResent-To: h@x.it\n\nbody",
	"From: <@r.x:a@x.it>\r\nTo: b . c@x.it; d@x.it\r\nCc: undisclosed-recipients:;\r\n\r\n",
	"From: a@x.it\r\nTo: =?utf-8?q?=22x=22?= <b@x.it>, b@x.it <c@x.it>, \"open\r\n\r\n",
	"From: \xe8 <a@x.it>\r\nTo: \xe8@m\xfcnchen.de\r\n\r\n\r\n",
	"From: a@x.it\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nX: y\r\n\r\n--b--\r\n",
	"From: a@x.it\r\nContent-Type: multipart/digest; boundary*0=a; boundary*1*=%62\r\n\r\n--ab\r\n--ab\r\n\r\n\xff\x00\r\n--ab--",
	"From: a@x.it\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: x/y\rD\x91",
	"From: a@x.it\rBcc: b@x.it\n\n" + strings.Repeat("x", 1200),
	"\ufeffFrom x\r\nFrom : a@x.it\r\nTo: a@x.it,\r\nTo: b@x.it\r\n \r\n\r\n",
	"From: a@x.it\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=" + strings.Repeat("=41", 400),
}

func FuzzRead(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := Read(Bytes(in), Limits{Parts: 50, Depth: 10, Recipients: 50})
		if err != nil {
			mustBeOwn(t, err)
			return
		}
		for _, v := range append([]string{m.Subject(), m.MessageID(), m.Get("From")}, addrSpecs(m.Recipients())...) {
			if strings.ContainsAny(v, "\r\n\x00") {
				t.Errorf("line end in %q", v)
			}
		}
		if !bytes.HasSuffix(in, append(bytes.Clone(m.Head()), text(t, m.Body())...)) || m.Size() < int64(len(in)) && !maybePreface(in) {
			t.Error("Head and Body are not the message")
		}
		root, err := m.Structure()
		if err != nil {
			mustBeOwn(t, err)
			return
		}
		root.Walk(true, func(p *Part) bool {
			if p.HeaderStart < 0 || p.HeaderStart > p.BodyStart || p.BodyStart > p.End || p.End > m.Size() {
				t.Errorf("%s: offsets %d %d %d of %d", p.MediaType, p.HeaderStart, p.BodyStart, p.End, m.Size())
			}
			for i, c := range p.Parts {
				if c.HeaderStart < p.BodyStart || c.End > p.End || i > 0 && p.Parts[i-1].End > c.delim {
					t.Errorf("%s: child %d lies outside", p.MediaType, i)
				}
			}
			if _, err := io.Copy(io.Discard, m.Open(p)); err != nil {
				mustBeOwn(t, err)
			}
			return true
		})
		if write, err := m.SevenBit(); err != nil {
			mustBeOwn(t, err)
		} else {
			var out bytes.Buffer
			if err := write(&out); err != nil || !isASCII(out.Bytes()) {
				t.Errorf("SevenBit: %v, %q", err, out.Bytes())
			}
		}
	})
}

func mustBeOwn(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if !asError(err, &e) || e == nil || e.Code == "" || e.Message.String() == "" || e.Message.In("it") == "" {
		t.Errorf("not ours: %#v", err)
	}
}

func FuzzAddress(f *testing.F) {
	for _, s := range []string{"a@x.it", `"a b"@x.it`, `B <a@[1.2.3.4]>`, "G: a@b.c, d@e.f;", "ü@ü.de", "<@a,@b:c@d.e>", "a@b.c;d@e.f;",
		`"\"@a.b" <c@d.e>`, "(c(d)) a@b.c (e", "=?utf-8?q?a=2C?= <b@c.d>", "a@b@c", `"a`, "a <b@c.d> e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if n, err := ParseMailbox(in); err == nil {
			again, err := ParseMailbox(n.String())
			if err != nil || again != n || n.Local()+"@"+n.Domain() != n.String() {
				t.Errorf("%q: normal form %q becomes %q, %v", in, n, again, err)
			}
			if strings.ContainsAny(n.String(), "\r\n\x00") || n.Local()[0] != '"' && strings.ContainsAny(n.String(), " <>") {
				t.Errorf("%q: normal form %q", in, n)
			}
		} else {
			mustBeOwn(t, err)
		}
		list := &addrList{}
		parseAddresses(list, []byte(in), 100)
		raw := writeList("To", list, func(*box) bool { return true })
		again := &addrList{}
		if raw != nil {
			parseAddresses(again, raw[3:], 100)
		}
		if !again.plain() {
			t.Errorf("%q: written again it is not plain: %q", in, raw)
		}
		var a, b []string
		for _, x := range list.addresses() {
			a = append(a, x.Address.String())
		}
		for _, x := range again.addresses() {
			b = append(b, x.Address.String())
		}
		if !slices.Equal(a, b) {
			t.Errorf("%q: %q written again becomes %q: %q", in, a, b, raw)
		}
	})
}

func FuzzAccept(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, in []byte, lenient bool) {
		opt := acceptOptions(lenient)
		opt.Limits = Limits{Parts: 50, Depth: 10, Recipients: 50}
		m, err := Accept(Bytes(in), opt)
		if err != nil {
			mustBeOwn(t, err)
			return
		}
		readFirst(t, string(in), opt, m)
		stored := text(t, m.Source())
		if longestLine([]byte(stored)) > maxLine {
			t.Errorf("long line in %q", stored)
		}
		if strings.Contains(stored, "\x00") || strings.Contains(strings.ReplaceAll(stored, "\r\n", ""), "\n") ||
			strings.Contains(strings.ReplaceAll(stored, "\r\n", ""), "\r") {
			t.Errorf("line ends in %q", stored)
		}
		if !validID(m.MessageID()) || m.Date().IsZero() || len(m.From()) == 0 {
			t.Errorf("incomplete: %q", stored)
		}
		strict := acceptOptions(false)
		strict.Limits = opt.Limits
		again, err := Accept(m.Source(), strict)
		if err != nil {
			t.Fatalf("second Accept: %v\n%q", err, stored)
		}
		if got := text(t, again.Source()); got != stored {
			t.Errorf("second Accept changes\n%q\nto\n%q", stored, got)
		}
	})
}

func FuzzViews(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s), "b@x.it c@x.it q@y.z")
	}
	f.Fuzz(func(t *testing.T, in []byte, env string) {
		m, err := Accept(Bytes(in), acceptOptions(true))
		if err != nil {
			return
		}
		var want []Mailbox
		for r := range strings.FieldsSeq(env) {
			if n, err := ParseMailbox(r); err == nil && !slices.Contains(want, n) {
				want = append(want, n)
			}
		}
		src, err := m.ForAPI(want)
		if err != nil {
			if len(want) > 0 {
				t.Errorf("ForAPI: %v", err)
			}
			return
		}
		view := mustRead(t, text(t, src))
		checkView(t, m, view, want)
	})
}

// checkView holds an API view against the SMTP view and the envelope.
func checkView(t *testing.T, m, view *Message, want []Mailbox) {
	t.Helper()
	got, sorted := addrSpecs(view.Recipients()), addrSpecs(want)
	slices.Sort(got)
	slices.Sort(sorted)
	if !slices.Equal(got, sorted) || len(view.BadAddresses()) > 0 {
		t.Errorf("view goes to %q, envelope is %q:\n%s", got, sorted, view.Head())
	}
	// An independent parser must not find anybody else.
	for _, name := range []string{"To", "Cc", "Bcc"} {
		for _, v := range view.Values(name) {
			list, err := netmail.ParseAddressList(v)
			if err != nil {
				continue
			}
			for _, a := range list {
				if n, err := ParseMailbox(a.Address); err == nil && !slices.Contains(want, n) {
					t.Errorf("net/mail finds %q in %s: %q", a.Address, name, v)
				}
			}
		}
	}
	smtp := mustRead(t, text(t, m.ForSMTP()))
	if smtp.Bcc() != nil || len(smtp.Values("Bcc"))+len(smtp.Values("Resent-Bcc")) > 0 {
		t.Errorf("Bcc in the SMTP view:\n%s", smtp.Head())
	}
	if a, b := otherLines(smtp), otherLines(view); a != b {
		t.Errorf("other lines differ:\n%q\n%q", a, b)
	}
	if a, b := text(t, smtp.Body()), text(t, view.Body()); a != b {
		t.Errorf("bodies differ:\n%q\n%q", a, b)
	}
}

func otherLines(m *Message) string {
	var b strings.Builder
	for _, f := range m.head.fields {
		if f.kind == kindOther && !m.head.is(f, "X-Postino-Not-Sent") {
			b.Write(m.head.line(f))
		}
	}
	return b.String()
}
