package mime

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"
)

// labels are those that no multipart can have (RFC 2045 section 6.4).
var labels = []string{"base64", "BASE64", "quoted-printable", "Quoted-Printable ; x", "(c) base64", "x-uuencode", "x-foo", "8-bit",
	"8 bit", "7-bit", "utf-8", "none", "7bit, 8bit", "base64 (c)", "\"\""}

// TestLabelOfMultipart: the parts arrive with their bytes whatever the label of
// the multipart or message around them says, and no reader is told to decode it.
func TestLabelOfMultipart(t *testing.T) {
	t.Parallel()
	pdf := bytes.Repeat([]byte{0}, 900)
	parts := func(b string) string {
		return "--" + b + "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nPerch\u00e9\r\n--" + b +
			"\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=a.pdf\r\n\r\n" +
			base64.StdEncoding.EncodeToString(pdf) + "\r\n--" + b + "--\r\n"
	}
	for _, label := range labels {
		cte := "Content-Transfer-Encoding: " + label + "\r\n"
		multi := "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b1\r\n" + cte + "\r\n"
		for name, in := range map[string]string{
			"root": okHead + multi + parts("b1"),
			"nested": okHead + "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b0\r\n" + cte +
				"\r\n--b0\r\nContent-Type: multipart/related; boundary=b1\r\n" + cte + "\r\n" + parts("b1") + "--b0--\r\n",
			"attached": okHead + "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b0\r\n\r\n--b0\r\nContent-Type: message/rfc822\r\n" +
				cte + "\r\n" +
				okHead + multi + parts("b1") + "--b0--\r\n",
		} {
			m, stored := accepted(t, in, acceptOptions(false))
			if enc, _ := transferEncoding(label); enc != "7bit" && strings.Count(stored, cte) > strings.Count(parts("b1"), cte) {
				t.Errorf("%s, %s: the label is still there:\n%.900s", name, label, stored)
			}
			write, err := m.SevenBit()
			if err != nil {
				t.Errorf("%s, %s: %v", name, label, err)
				continue
			}
			var seven strings.Builder
			if err := write(&seven); err != nil || !isASCII(seven.String()) {
				t.Errorf("%s, %s: in 7 bits: %v", name, label, err)
			}
			for _, out := range []string{stored, seven.String()} {
				if got := leaves(t, out); got != fmt.Sprintf("%q %q", "Perch\u00e9", string(pdf)) {
					t.Errorf("%s, %s: arrives as %.80s...\n%.900s", name, label, got, out)
				}
			}
		}
	}
}

// leaves are the contents of the leaves of a message, decoded.
func leaves(t *testing.T, raw string) string {
	t.Helper()
	m := mustRead(t, raw)
	root, err := m.Structure()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	root.Walk(true, func(p *Part) bool {
		if p.container() {
			if p.Encoding != "7bit" && p.Encoding != "8bit" || p.mislabelled {
				t.Errorf("%s is said to be %s", p.MediaType, p.Encoding)
			}
			return true
		}
		b, err := io.ReadAll(m.Open(p))
		if err != nil {
			t.Errorf("%s: %v", p.MediaType, err)
		}
		out = append(out, fmt.Sprintf("%q", strings.TrimSuffix(string(b), "\r\n")))
		return true
	})
	return strings.Join(out, " ")
}

// TestEncodedAsAWhole: a multipart that really is encoded (SAP) keeps its bytes.
func TestEncodedAsAWhole(t *testing.T) {
	t.Parallel()
	body := base64.StdEncoding.EncodeToString([]byte("--b1\r\n\r\nhi\r\n--b1--\r\n")) + "\r\n"
	for _, in := range []string{
		okHead + "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b1\r\nContent-Transfer-Encoding: base64\r\n\r\n" + body,
		okHead + "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b0\r\n\r\n--b0\r\nContent-Type: multipart/mixed; " +
			"boundary=b1\r\nContent-Transfer-Encoding: base64\r\n\r\n" + body + "--b0--\r\n",
		okHead + "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=b1\"\r\nContent-Transfer-Encoding: " +
			"quoted-printable\r\n\r\n--=3Db1\r\n\r\nhi\r\n--=3Db1--\r\n",
		okHead + "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + body,
		okHead + "DKIM-Signature: v=1\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b1\r\nContent-Transfer-Encoding: " +
			"base64\r\n\r\n--b1\r\n\r\nhi\r\n--b1--\r\n",
		okHead + "MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b0\r\n\r\n--b0\r\nContent-Type: multipart/mixed; " +
			"boundary=b1\r\nContent-Transfer-Encoding: base64\r\n\r\n--b1\r\n\r\nhi\r\n--b1--\r\n--b0--\r\n",
	} {
		m, stored := accepted(t, in, acceptOptions(false))
		if stored != in {
			t.Errorf("changed\n%q\nto\n%q", in, stored)
		}
		if write, err := m.SevenBit(); err != nil {
			t.Error(err)
		} else if seven := new(strings.Builder); write(seven) != nil || seven.String() != in {
			t.Errorf("in 7 bits\n%q", seven)
		}
	}
}

// TestLabelOfLeaf: a label that is no encoding leaves the bytes as they are,
// and they can be encoded where a line is too long.
func TestLabelOfLeaf(t *testing.T) {
	t.Parallel()
	content := "<p>" + strings.Repeat("parola perch\u00e9 ", 200) + "=41</p>"
	for _, label := range []string{"8-bit", "7-bit", "8 bit", "utf-8", "none", "7bit, 8bit", "", "UTF8", "base-64", "unknown"} {
		m, stored := accepted(t, okHead+"MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: "+label+
			"\r\n\r\n"+content+"\r\n", acceptOptions(false))
		if !strings.Contains(stored, "\r\nContent-Transfer-Encoding: quoted-printable\r\n") {
			t.Errorf("%s:\n%.300s", label, stored)
		}
		if _, html, err := m.TextBodies(1 << 20); err != nil || strings.TrimSpace(html) != content {
			t.Errorf("%s: %.80q %v", label, html, err)
		}
		short := okHead + "MIME-Version: 1.0\r\nContent-Transfer-Encoding: " + label + "\r\n\r\nhi =41\r\n"
		if _, stored := accepted(t, short, acceptOptions(false)); stored != short || leaves(t, stored) != `"hi =41"` {
			t.Errorf("%s: %q", label, stored)
		}
	}
	for _, label := range []string{"x-foo", "x-yenc", "binhex"} { // what only their readers can undo
		_, err := Accept(Bytes([]byte(okHead+"MIME-Version: 1.0\r\nContent-Transfer-Encoding: "+label+"\r\n\r\n"+content+"\r\n")),
			acceptOptions(false))
		if e := asOwn(err); e == nil || e.Code != "long_line" {
			t.Errorf("%s: %v", label, err)
		}
	}
}
