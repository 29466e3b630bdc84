package mime

import (
	"bytes"
	"encoding/base64"
	"io"
	"math/rand/v2"
	stdmime "mime"
	"mime/quotedprintable"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// TestFieldText reads values back with the standard library's decoder and
// checks each encoded word by itself (RFC 2047 section 5: whole characters).
func TestFieldText(t *testing.T) {
	t.Parallel()
	values := []string{
		"", "a", "plain words", "double  spaces   kept", "tab\tkept", "perché", "perché  no", "a perché no b",
		"=?utf-8?q?literal?=", "x =?", strings.Repeat("è", 500), strings.Repeat("€ ", 200) + "x", strings.Repeat("😀", 100),
		strings.Repeat("w", 900), strings.Repeat("w", 901), strings.Repeat("w", 5000), "a" + strings.Repeat(" ", 31) + "b",
		"a" + strings.Repeat(" ", 2000) + "b",
		strings.Repeat("parole ", 200) + "fine", "combining e\u0301 " + strings.Repeat("e\u0301", 90), "\u2028 \u0085 x", "_?=_ à _?=_",
	}
	for _, name := range []string{"S", "Subject", "X-" + strings.Repeat("n", maxName-2)} {
		for _, v := range values {
			f := newField(name)
			f.text(v)
			raw := string(f.raw())
			checkWire(t, []byte(raw))
			unfolded := strings.ReplaceAll(strings.TrimSuffix(raw, crlf), crlf, "")
			got, err := new(stdmime.WordDecoder).DecodeHeader(strings.TrimPrefix(unfolded, name+":"))
			if err != nil {
				t.Fatal(err)
			}
			if got = strings.TrimPrefix(got, " "); got != v {
				t.Errorf("%s: %q came back as %q", name, v, got)
			}
			for _, w := range strings.Fields(unfolded) {
				if !strings.HasPrefix(w, "=?") {
					continue
				}
				one, err := new(stdmime.WordDecoder).Decode(w)
				if err != nil || !utf8.ValidString(one) || len(w) > maxWord {
					t.Errorf("encoded word %q: %q, %v", w, one, err)
				}
			}
		}
	}
}

// TestFieldParam reads parameters back with the standard library.
func TestFieldParam(t *testing.T) {
	t.Parallel()
	for _, v := range []string{"a.pdf", "with space.pdf", `quo"te\.pdf`, "perché.pdf", longName, strings.Repeat("x", 61),
		strings.Repeat("日本語", 120),
		strings.Repeat("long name ", 40), "100% sure*'.pdf", "=?utf-8?q?x?=.pdf", "😀.png", "semi;colon=.txt", "é"} {
		f := newField("Content-Disposition")
		f.word(" ", "attachment")
		f.param("filename", v)
		raw := string(f.raw())
		for line := range strings.SplitSeq(raw, crlf) {
			if len(line) > foldAt {
				t.Errorf("line of %d octets: %q", len(line), line)
			}
		}
		_, value, _ := strings.Cut(strings.TrimSuffix(raw, crlf), ":")
		_, params, err := stdmime.ParseMediaType(strings.ReplaceAll(value, crlf, ""))
		if err != nil || params["filename"] != v {
			t.Errorf("%q came back as %q, %v from %q", v, params["filename"], err, raw)
		}
	}
}

func TestAsciiName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a.pdf": "a.pdf", "Perché no.pdf": "Perche no.pdf", "Счёт.pdf": "____.pdf", `a"b\c.txt`: "a_b_c.txt", "😀.png": "_.png",
		strings.Repeat("è", 100) + ".xlsx": strings.Repeat("e", 55) + ".xlsx", strings.Repeat("x", 50) + "." +
			strings.Repeat("y", 50): strings.Repeat("x", 50) + "." + strings.Repeat("y", 9),
	} {
		if got := asciiName(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestBaseName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a.pdf": "a.pdf", "": "", " . ": "", "a/b/": "a/b", "..": "",
		"/srv/docs/a.pdf": "a.pdf", "./a.pdf": "a.pdf", "../a/b.pdf": "b.pdf", "~/a.pdf": "a.pdf", "docs/../a.pdf": "a.pdf", "docs/../": "",
		"docs/..": "", "../..": "", "/": "",
		`C:\docs\a.pdf`: "a.pdf", "c:/docs/a.pdf": "a.pdf", `C:\docs/a.pdf`: "a.pdf", `\\server\share\a.pdf`: "a.pdf", `..\a.pdf`: "a.pdf",
		`docs\a.pdf`: "a.pdf", `C:\docs\`: "docs",
		// The slash is part of the name.
		"Fattura 12/2026.pdf": "Fattura 12/2026.pdf", "DDT n. 7/A del 3/5/2026.pdf": "DDT n. 7/A del 3/5/2026.pdf",
		"Offerta 3/.../2026.pdf":   "Offerta 3/.../2026.pdf",
		`temp\Fattura 12/2026.pdf`: "Fattura 12/2026.pdf", "e/o.txt": "e/o.txt", "1:/x.pdf": "1:/x.pdf",
	} {
		if got := BaseName(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// TestBase64Lines compares with the standard library at every length around
// the ends of lines and buffers.
func TestBase64Lines(t *testing.T) {
	t.Parallel()
	l := newBase64Lines()
	for _, n := range []int{0, 1, 2, 3, 56, 57, 58, 114, rawLine*batch - 1, rawLine * batch, rawLine*batch + 1, 3*rawLine*batch + 5} {
		data := make([]byte, n)
		for i := range data {
			data[i] = byte(rand.Uint32())
		}
		var b bytes.Buffer
		if err := l.copy(&b, iotest.HalfReader(bytes.NewReader(data))); err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(b.String(), crlf), crlf) {
			if len(line) > wireLine {
				t.Fatalf("line of %d columns", len(line))
			}
		}
		got, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, &b))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d octets do not come back: %v", n, err)
		}
	}
}

func TestEncodeText(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, encoding string }{
		"ascii":          {"plain\nlines = all\n", "7bit"},
		"empty":          {"", "7bit"},
		"accents":        {"perché così\n", "quoted-printable"},
		"from line":      {"From me\n", "quoted-printable"},
		"dot":            {".\n..\na.b è\n.c\n", "quoted-printable"},
		"trailing space": {"a \nb\t\n", "quoted-printable"},
		"long line":      {strings.Repeat("x", 79), "quoted-printable"},
		"long ago":       {strings.Repeat("From . ", 400) + "è", "quoted-printable"},
		"very long":      {strings.Repeat("parola ", 20000), "quoted-printable"},
		"cyrillic":       {"Здравствуйте\n", "base64"},
		"controls":       {"a\x1b[31mb " + strings.Repeat("c", 30), "quoted-printable"},
		"mixed ends":     {"a\rb\r\nc\nd\n\r", "7bit"},
	} {
		want := canonicalLines(c.in)
		encoding, body := encodeText(want)
		if encoding != c.encoding {
			t.Errorf("%s: %s, want %s", name, encoding, c.encoding)
		}
		var b bytes.Buffer
		if err := body(&b); err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(b.String(), crlf) {
			if strings.ContainsAny(line, "\r\n") || len(line) > 78 || encoding != "7bit" && (len(line) > wireLine ||
				strings.HasPrefix(line, "From ") || strings.HasPrefix(line, ".") || strings.TrimRight(line, " \t") != line) {
				t.Errorf("%s: line %q", name, line)
			}
		}
		r := io.Reader(&b)
		switch encoding {
		case "quoted-printable":
			r = quotedprintable.NewReader(r)
		case "base64":
			r = base64.NewDecoder(base64.StdEncoding, r)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != want {
			t.Errorf("%s: %q came back as %q, %v", name, want, got, err)
		}
	}
}
