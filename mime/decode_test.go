package mime

import (
	"bytes"
	"io"
	"mime/quotedprintable"
	"strings"
	"testing"
	"testing/iotest"
)

// TestDecode: what common readers agree about is decoded like theirs, all else
// is an error and never other octets.
func TestDecode(t *testing.T) {
	t.Parallel()
	const broken = "\x00broken"
	uu := func(lines string) string { return "begin 644 a.txt\r\n" + lines + "\r\n`\r\nend\r\n" }
	for _, c := range []struct{ encoding, body, want string }{
		{"base64", "SGVsbG8=", "Hello"},
		{"base64", "SGVs\r\n bG8=\r\n==\r\n", "Hello"},
		{"base64", "SGVsbG8", "Hello"},
		{"base64", "SG*Vs:bG8=", "Hello"}, // RFC 2045 section 6.8: other characters are ignored
		{"base64", "SGVsbG8=SGVs", broken},
		{"base64", "SGVsbG8=\r\n\r\nScanned by X\r\n", broken},
		{"base64", "SGVsb", broken},
		{"base64", "SG-_bG8=", broken}, // base64url: readers make other octets of it
		{"quoted-printable", "a=3Db=e2=82=AC", "a=b€"},
		{"quoted-printable", "soft =\r\nbreak=  \r\n end=", "soft break end"},
		{"quoted-printable", "blank \t \r\nline\n", "blank\r\nline\n"},
		{"quoted-printable", "1+1=2, a==b, =4", "1+1=2, a==b, =4"},
		{"quoted-printable", "=G1=1G", "=G1=1G"},
		{"quoted-printable", "a\rb \rc \xC3\xA8", "a\rb \rc è"},
		{"quoted-printable", "end\r", "end\r"},
		{"quoted-printable", "= x", "= x"},
		{"quoted-printable", strings.Repeat(" ", 10_000) + "x", strings.Repeat(" ", 10_000) + "x"},
		{"x-uuencode", uu("#0V%T"), "Cat"},
		{"uuencode", "\r\n" + uu("#0V%T") + "\r\n", "Cat"},
		{"x-uue", uu("\"0V$`"), "Ca"},
		{"uue", uu("$0V%T(0"), "Cat!"}, // spaces at the end were lost
		{"uue", uu("*0V%T(0"), broken},
		{"uue", uu("$0V%T(0``"), "Cat!"},
		{"uue", uu("$0V%T(0" + "``X"), "Cat!"}, // a checksum
		{"uue", "begin 644 a.txt\r\n#0V%T\r\n \r\nend", "Cat"},
		{"uue", "begin 644 a.txt\r\n#````\r\nend", "\x00\x00\x00"},
		{"uue", "begin 644 a.txt\r\n#\r\nend", "\x00\x00\x00"}, // the spaces at its end were lost
		{"uue", "begin 644 a.txt\r\n#0V%T\r\n", broken},
		{"uue", "#0V%T\r\nend", broken},
		{"uue", "see the file\r\n" + uu("#0V%T"), broken},
		{"uue", uu("#0V%T") + uu("#0V%T"), broken},
		{"uue", uu("#0V~T"), broken},
		{"uue", uu("M0V%T"), broken},
		{"uue", "begin-base64 644 a\r\nQ2F0\r\n====\r\n", broken},
		{"uue", "", broken},
	} {
		for _, one := range []bool{false, true} {
			in := io.Reader(strings.NewReader(c.body))
			if one {
				in = iotest.OneByteReader(in)
			}
			got, err := io.ReadAll(decoder(c.encoding, in))
			if c.want == broken {
				if err == nil {
					t.Errorf("%s %q: %q, want an error", c.encoding, c.body, got)
				}
			} else if err != nil || string(got) != c.want {
				t.Errorf("%s %q: %q %v, want %q", c.encoding, c.body, got, err, c.want)
			}
		}
	}
	m := mustRead(t, "Content-Transfer-Encoding: base64\r\n\r\nSGVsbG8=SGVs")
	_, _, err := m.TextBodies(100)
	var e *Error
	if !asError(err, &e) || e.Code != "bad_encoding" {
		t.Errorf("%v", err)
	}
	for encoding, want := range map[string]bool{"7bit": true, "base64": true, "x-uue": true, "x-yenc": false, "x-binhex": false,
		"base65": false} {
		p := &Part{Encoding: encoding}
		if p.Decodable() != want {
			t.Errorf("%s: decodable %v", encoding, !want)
		}
	}
}

// FuzzQuoted: whatever the standard library decodes, this decodes to the same.
func FuzzQuoted(f *testing.F) {
	f.Add([]byte("a=3D=\r\n  b \t\r\nc"))
	f.Add([]byte("=\r\r\n= \n=4"))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := io.ReadAll(decoder("quoted-printable", bytes.NewReader(in)))
		if err != nil || len(got) > len(in) {
			t.Fatalf("%q: %q %v", in, got, err)
		}
		if bytes.ContainsRune(in, '\r') || bytes.Contains(in, []byte("==")) {
			return // the library drops CRs inside of lines
		}
		want, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(in)))
		if err == nil && !bytes.Equal(got, want) && !bytes.HasSuffix(bytes.TrimRight(in, " \t\n"), []byte("=")) {
			t.Errorf("%q: %q, the library says %q", in, got, want)
		}
	})
}

// FuzzUU: nothing breaks it, and nothing grows.
func FuzzUU(f *testing.F) {
	f.Add([]byte("begin 644 a\n#0V%T\n`\nend\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := io.ReadAll(decoder("uue", bytes.NewReader(in)))
		if err == nil && len(got) > len(in) {
			t.Errorf("%q became %q", in, got)
		}
	})
}

func TestProtected(t *testing.T) {
	t.Parallel()
	mixed := func(part string) string {
		return "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\ntext\r\n--x\r\n" + part + "\r\n--x--"
	}
	for in, want := range map[string]bool{
		"Subject: x\r\n\r\n": false,
		"Content-Type: multipart/signed; boundary=x\r\n\r\n--x\r\n\r\n--x--":                                             true,
		"Content-Type: multipart/encrypted; boundary=x; protocol=\"application/pgp-encrypted\"\r\n\r\n--x\r\n\r\n--x--":  true,
		"Content-Type: Application/PKCS7-Mime; smime-type=enveloped-data\r\n\r\nAAAA":                                    true,
		"Content-Type: application/x-pkcs7-mime; name=smime.p7m\r\nContent-Disposition: attachment\r\n\r\nAAAA":          true,
		"Content-Type: application/octet-stream; name=smime.p7m\r\n\r\nAAAA":                                             true,
		mixed("Content-Type: application/pkcs7-mime; name=fattura.xml.p7m\r\n\r\nAAAA"):                                  false,
		mixed("Content-Type: application/x-pkcs7-mime; smime-type=signed-data; name=fattura.xml.p7m\r\n\r\nAAAA"):        false,
		mixed("Content-Type: application/pkcs7-signature; name=a.p7s\r\n\r\nAAAA"):                                       false,
		mixed("Content-Type: application/pgp-encrypted; name=a.asc\r\n\r\nAAAA"):                                         false,
		mixed("Content-Type: multipart/signed; boundary=y\r\n\r\n--y\r\n\r\n--y--"):                                      false,
		mixed("Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/signed; boundary=y\r\n\r\n--y\r\n\r\n--y--"):  false,
		"Content-Type: message/rfc822\r\n\r\nContent-Type: application/pkcs7-mime\r\n\r\nx":                              false,
		"Content-Type: application/pkcs7-signature; name=fattura.xml.p7s\r\nContent-Disposition: attachment\r\n\r\nAAAA": false,
	} {
		if got, err := mustRead(t, in).Protected(false); err != nil || got != want {
			t.Errorf("%q: %v %v", in, got, err)
		}
	}
	m := mustRead(t, "DKIM-Signature: v=1\r\n\r\n")
	if got, _ := m.Protected(true); !got {
		t.Error("DKIM")
	}
	if got, _ := m.Protected(false); got {
		t.Error("DKIM counted")
	}
}
