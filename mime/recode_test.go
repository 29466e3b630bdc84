package mime

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

func TestSevenBit(t *testing.T) {
	t.Parallel()
	in := crlfText(`
From: Nicolò <nico@münchen.de>
To: "Città, di" <b@x.it>
Bcc: hidden@x.it
Subject: è
MIME-Version: 1.0
Content-Transfer-Encoding: 8bit
Content-Type: multipart/mixed; boundary=b

préambule
--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

perché = no
--b
Content-Type: application/pdf; name="però.pdf"
Content-Transfer-Encoding: binary

ééé
--b
Content-Type: multipart/signed; boundary=s

--s

signed, 7 bit
--s--
--b--
`)
	m := mustRead(t, in)
	if !m.NeedsUTF8() {
		t.Error("NeedsUTF8")
	}
	write, err := m.SevenBit()
	if err != nil {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	if err := write(&a); err != nil {
		t.Fatal(err)
	}
	if err := write(&b); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("second call differs")
	}
	want := crlfText(`
From: =?utf-8?q?Nicol=C3=B2?= <nico@xn--mnchen-3ya.de>
To: =?utf-8?q?Citt=C3=A0=2C_di?= <b@x.it>
Subject: =?utf-8?q?=C3=A8?=
MIME-Version: 1.0
Content-Transfer-Encoding: 7bit
Content-Type: multipart/mixed; boundary=b

pr??ambule
--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

perch=C3=A9 =3D no
--b
Content-Type: application/pdf; name*=utf-8''per%C3%B2.pdf
Content-Transfer-Encoding: base64

w6nDqcOp
--b
Content-Type: multipart/signed; boundary=s

--s

signed, 7 bit
--s--
--b--
`)
	if a.String() != want {
		t.Errorf("got\n%s\nwant\n%s", a.String(), want)
	}
	src, err := m.ASCIIHeader()
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, src); !strings.HasPrefix(got, want[:strings.Index(want, "MIME-Version")]) ||
		!strings.HasSuffix(got, in[strings.Index(in, "Content-Type"):]) {
		t.Errorf("ASCIIHeader: %q", got)
	}
}

// An encoding counts only where MIME-Version stands (RFC 2045 section 4).
func TestSevenBitOfPlainMail(t *testing.T) {
	t.Parallel()
	const encoded = "Content-Transfer-Encoding: quoted-printable\r\nMIME-Version: 1.0\r\n\r\nper=C3=B2"
	mixed := okHead + "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
	for in, want := range map[string]string{
		okHead + "\r\nperò": okHead + encoded,
		mixed + "Content-Type: message/rfc822\r\n\r\nSubject: s\r\n\r\nperò\r\n--b--\r\n": mixed +
			"Content-Type: message/rfc822\r\n\r\nSubject: s\r\n" + encoded + "\r\n--b--\r\n",
		mixed + "X: 1\r\n\r\nperò\r\n--b--\r\n": mixed + "X: 1\r\n" + strings.Replace(encoded, "MIME-Version: 1.0\r\n", "", 1) + "\r\n--b--\r\n",
	} {
		var out bytes.Buffer
		if write, err := mustRead(t, in).SevenBit(); err != nil || write(&out) != nil || out.String() != want {
			t.Errorf("%v\n got %q\nwant %q", err, out.String(), want)
		}
	}
}

func TestSevenBitRefuses(t *testing.T) {
	t.Parallel()
	for in, code := range map[string]string{
		"Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n\r\né\r\n--s--":        "eight_bit_signed",
		"Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\nX: é\r\n\r\n\r\n--s--": "eight_bit_signed",
		"DKIM-Signature: x\r\n\r\né": "eight_bit_signed",
		"To: é@x.it\r\n\r\n":         "needs_utf8",
		"Content-Type: multipart/mixed; boundary=é\r\n\r\n--é\r\n\r\n\r\n--é--": "eight_bit",
		"Content-Type: message/partial\r\n\r\né":                                "eight_bit",
		"Content-Transfer-Encoding: x-uuencode\r\n\r\né":                        "eight_bit",
		// Another boundary than the delimiter lines have: what is there is no preamble that may change.
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--a\r\n\r\né\r\n--a--\r\n":                                              "eight_bit",
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\né\r\n--b--\r\n": "eight_bit",
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--a\r\n\r\n" + strings.Repeat("x", 2000) + "\r\n--a--\r\n":              "long_line",
		"Content-Type: multipart/mixed\r\n\r\n" + "é" + strings.Repeat("x", 2000) + "\r\n":                                        "long_line",
	} {
		_, err := mustRead(t, in).SevenBit()
		var e *Error
		if !asError(err, &e) || e.Code != code {
			t.Errorf("%q: %v", in, err)
		}
	}
	// Plain mail passes as it is.
	in := okHead + "\r\nhello\r\n"
	write, err := mustRead(t, in).SevenBit()
	var out bytes.Buffer
	if err != nil || write(&out) != nil || out.String() != in {
		t.Errorf("%v %q", err, out.String())
	}
}

func TestRewrap(t *testing.T) {
	t.Parallel()
	in := strings.Repeat("=C3=A0bc d", 100) + "=\r\n" + strings.Repeat("x", 75) + "=\r\ny = z=\r\n\r\nend="
	var out bytes.Buffer
	if err := rewrapQuoted(&out, strings.NewReader(in)); err != nil {
		t.Fatal(err)
	}
	if n := longestLine(out.Bytes()); n > wireLine {
		t.Errorf("line of %d", n)
	}
	decode := func(s string) string {
		m := mustRead(t, "Content-Transfer-Encoding: quoted-printable\r\n\r\n"+s)
		p, err := m.Structure()
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(m.Open(p)) // the end is broken on purpose
		return string(b)
	}
	if a, b := decode(in), decode(out.String()); a != b {
		t.Errorf("%q\n%q", a, b)
	}
	var b64 bytes.Buffer
	if err := rewrapBase64(&b64, strings.NewReader(strings.Repeat("QUJD", 40)+"\r\n*")); err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat("QUJD", 19) + "\r\n" + strings.Repeat("QUJD", 19) + "\r\nQUJDQUJD*"; b64.String() != want {
		t.Errorf("%q", b64.String())
	}
}
