package mime

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// sketch writes a tree on one line.
func sketch(p *Part) string {
	s := p.MediaType
	if p.EightBit {
		s += "!8"
	}
	if p.Message != nil {
		s += "{" + sketch(p.Message) + "}"
	}
	if len(p.Parts) > 0 {
		var c []string
		for _, q := range p.Parts {
			c = append(c, sketch(q))
		}
		s += "(" + strings.Join(c, " ") + ")"
	}
	return s
}

func TestStructure(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "Subject: x\n\nhello\n", "text/plain"},
		{"eight bit", "Content-Type: text/html\n\nh\xe9\n", "text/html!8"},
		{"nested", `Content-Type: multipart/mixed; boundary="a b"

preamble
--a b
Content-Type: multipart/alternative;
 boundary=ab

--ab
Content-Type: text/plain

--abc is no delimiter
--ab
Content-Type: text/html

x
--ab--
epilogue
--a b` + "  " + `
Content-Type: application/pdf; name=x y.pdf
Content-Transfer-Encoding: base64

AAAA
--a b--
`, "multipart/mixed(multipart/alternative(text/plain text/html) application/pdf)"},
		{"outer delimiter ends inner parts", `Content-Type: multipart/mixed; boundary=o

--o
Content-Type: multipart/related; boundary=i

--i

x
--o
Content-Type: image/png

--o--
`, "multipart/mixed(multipart/related(text/plain) image/png)"},
		{"digest and inner message", `Content-Type: multipart/digest; boundary=o

--o

Subject: inner
Content-Type: multipart/mixed; boundary=i

--i
Content-Type: image/gif

--i--
--o
Content-Type: message/rfc822
--o--
`, "multipart/digest(message/rfc822{multipart/mixed(image/gif)} message/rfc822{text/plain})"},
		{"no boundary", "Content-Type: multipart/mixed\n\n--x\n\nhi\n", "multipart/mixed"},
		{"never closed", "Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/css\n\nhi", "multipart/mixed(text/css)"},
		{"ends in a header", "Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: message/rfc822",
			"multipart/mixed(message/rfc822{text/plain})"},
		{"multipart encoded as a whole is a leaf",
			"Content-Type: multipart/mixed; boundary=x\nContent-Transfer-Encoding: base64\n\nLS14DQoNCmhpDQotLXgtLQ==\n", "multipart/mixed"},
		{"multipart with a label that cannot be", "Content-Type: multipart/mixed; boundary=x\nContent-Transfer-Encoding: base64\n\n--x\n\nhi",
			"multipart/mixed(text/plain)"},
		{"message encoded as a whole is a leaf",
			"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nRnJvbTogYUB4LnkNCg0KaGkNCg==\n", "message/rfc822"},
		{"message with a label that cannot be", "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nFrom: a@x.y\n\nhi\n",
			"message/rfc822{text/plain}"},
		{"message in quoted-printable, perhaps",
			"Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\nFrom: a@x.y\n\nhi=3D\n", "message/rfc822"},
		{"message that is not quoted-printable",
			"Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\nFrom: a@x.y\n\nperch\u00e9\n",
			"message/rfc822{text/plain!8}"},
		{"bad type", "Content-Type: nonsense\n\nhi", "text/plain"},
		{"bad parameter before boundary", "Content-Type: multipart/mixed; charset=; =; name=a b; boundary=x\n\n--x\nno header line\n--x--",
			"multipart/mixed(text/plain)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, in := range []string{tt.in, strings.ReplaceAll(tt.in, "\n", "\r\n")} {
				m := mustRead(t, in)
				p, err := m.Structure()
				if err != nil {
					t.Fatal(err)
				}
				if got := sketch(p); got != tt.want {
					t.Errorf("got  %s\nwant %s", got, tt.want)
				}
				p.Walk(true, func(p *Part) bool {
					if p.HeaderStart > p.BodyStart || p.BodyStart > p.End || p.End > m.Size() {
						t.Errorf("%s: offsets %d %d %d", p.MediaType, p.HeaderStart, p.BodyStart, p.End)
					}
					return true
				})
			}
		})
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	m := mustRead(t, crlfText(`
Content-Type: multipart/mixed; boundary=x

--x
Content-Type: text/plain; charset=iso-8859-15
Content-Transfer-Encoding: quoted-printable

100 =A4 caff=E8=
 nero
--x
Content-Type: text/html; charset="windows-1252"

<p>`+"\x80"+`</p>

--x
Content-Type: application/pdf; name="=?utf-8?q?fattura_=E2=82=AC.pdf?="
Content-Transfer-Encoding: BASE64 (really)

SGVs bG8
 gd29ybGQ=
--x
Content-Disposition: attachment; filename*0*=iso-8859-1''citt%E0%20; filename*1="2.txt"; filename="citta.txt"

text
--x--
`))
	root, err := m.Structure()
	if err != nil {
		t.Fatal(err)
	}
	want := []struct{ content, name string }{
		{"100 \xa4 caff\xe8 nero", ""}, {"<p>\x80</p>\r\n", ""}, {"Hello world", "fattura €.pdf"}, {"text", "città 2.txt"},
	}
	for i, w := range want {
		p := root.Parts[i]
		b, err := io.ReadAll(m.Open(p))
		if err != nil || string(b) != w.content || p.Filename != w.name {
			t.Errorf("part %d: %q %v, name %q", i, b, err, p.Filename)
		}
		if got := p.Attachment(); got != (i > 1) {
			t.Errorf("part %d: attachment %v", i, got)
		}
	}
	plain, html, err := m.TextBodies(1 << 20)
	if err != nil || plain != "100 € caffè nero" || html != "<p>€</p>\r\n" {
		t.Errorf("%q %q %v", plain, html, err)
	}
	head, err := m.partHead(root.Parts[0])
	if err != nil || !strings.HasPrefix(string(head), "Content-Type: text/plain;") || !strings.HasSuffix(string(head), "printable\r\n\r\n") {
		t.Errorf("head %q %v", head, err)
	}
}

func TestStructureLimits(t *testing.T) {
	t.Parallel()
	deep := "Content-Type: multipart/mixed; boundary=b0\r\n\r\n"
	for i := 1; i <= 1000; i++ {
		deep += fmt.Sprintf("--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n", i-1, i)
	}
	wide := "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\n", 1001)
	inner := strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 1000)
	for _, tt := range []struct{ name, in, code string }{{"deep", deep, "too_deep"}, {"wide", wide, "too_many_parts"},
		{"inner", inner, "too_deep"}} {
		_, err := mustRead(t, tt.in).Structure()
		var e *Error
		if !asError(err, &e) || e.Code != tt.code {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestLineScan(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 200_000)
	for _, tt := range []struct {
		body           string
		nul, cr, lf    bool
		longest, parts int
	}{
		{"a\r\nb\r\n", false, false, false, 1, 0},
		{"a\nb\r\n", false, false, true, 1, 0},
		{"a\rb\r\n", false, true, false, 3, 0},
		{"a\r\r\n", false, true, false, 2, 0},
		{"a\r", false, true, false, 2, 0},
		{"\x00", true, false, false, 1, 0},
		{long + "\r\n", false, false, false, 200_000, 0},
		{long[:65535] + "\r\n", false, false, false, 65535, 0},
		{long[:65536] + "\r\n", false, false, false, 65536, 0},
		{long[:65535] + "\rx\r\n", false, true, false, 65537, 0},
		{long[:65536], false, false, false, 65536, 0},
		{"a\rb\r\nc\n", false, true, true, 3, 0}, // as many CRs as LFs
		{"a\n\rb\r\n", false, true, true, 2, 0},
		{long[:65535] + "\r\na\r\nb\r\r\nc\n", false, true, true, 65535, 0},
		{long[:70_000] + "\r\na\r\n" + long[:70_000] + "\r\n\x00", true, false, false, 70_000, 0},
		{strings.Repeat("abc\r\n", 40_000) + "\r", false, true, false, 3, 0},
	} {
		for _, src := range []Source{Bytes([]byte(tt.body)), strings.NewReader(tt.body)} { // in memory, and not
			s, err := scanBody(&block{}, src, 0, Limits{}.withDefaults())
			if err != nil {
				t.Fatal(err)
			}
			if s.nul != tt.nul || s.bareCR != tt.cr || s.bareLF != tt.lf || s.root.LongLine != tt.longest || s.root.End != int64(len(tt.body)) {
				t.Errorf("%.20q(%d): nul %v cr %v lf %v longest %d end %d", tt.body, len(tt.body), s.nul, s.bareCR, s.bareLF, s.root.LongLine,
					s.root.End)
			}
		}
	}
}

// TestScanWindow finds octets over 127 and delimiters wherever they fall in the window.
func TestScanWindow(t *testing.T) {
	t.Parallel()
	for _, fill := range []int{0, 1, 30, 31, 32, 65_000, 65_400, 65_534, 65_535, 65_536, 65_600, 131_000} {
		body := strings.Repeat("x", fill) + "\r\n--b\r\n\r\nplain\r\n--b\r\n\r\nperch\u00e9\r\n--b--\r\n"
		head := "From: a@x.it\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
		for _, src := range []Source{Bytes([]byte(head + body)), strings.NewReader(head + body)} {
			m, err := Read(src, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			p, err := m.Structure()
			if err != nil || len(p.Parts) != 2 || p.EightBit || p.Parts[0].EightBit || !p.Parts[1].EightBit || p.LongLine != fill ||
				p.Parts[1].LongLine != 7 {
				t.Errorf("%d: %+v %v", fill, p, err)
			}
		}
	}
}
