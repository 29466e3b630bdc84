package terminal

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"
)

// lines is text of several lines: tabs and line ends stay.
func lines(text string) string {
	if clean(text, true) {
		return text
	}
	return string(escape(make([]byte, 0, len(text)+16), text, true))
}

func TestLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Perché la città è qui, 42 € – «sì»": "Perché la città è qui, 42 € – «sì»",
		"日本語 العربية עברית 😀 e\u0301":        "日本語 العربية עברית 😀 e\u0301",
		"no-break\u00a0space":                "no-break\u00a0space",
		"\x1b[31mred\x1b]0;title\x07":        `\u001b[31mred\u001b]0;title\u0007`,
		"C1 \u009b31m":                       `C1 \u009b31m`,
		"raw C1 \x9b31m":                     `raw C1 \x9b31m`,
		"bidi \u202etxt.exe\u2066\u200f":     `bidi \u202etxt.exe\u2066\u200f`,
		"zero\u200bwidth\u2060\ufeff\u00ad":  `zero\u200bwidth\u2060\ufeff\u00ad`,
		"joiner\u034f, filler\u3164\u115f":   `joiner\u034f, filler\u3164\u115f`,
		"tag \U000e0041 plane\U000f0000":     `tag \udb40\udc41 plane\udb80\udc00`,
		"variation \ufe0f\U000e0100":         `variation \ufe0f\udb40\udd00`,
		"two\nlines\ttab\r\u2028\u2029":      `two\u000alines\u0009tab\u000d\u2028\u2029`,
		"del\x7f nul\x00":                    `del\u007f nul\u0000`,
		"the character \ufffd itself":        "the character \ufffd itself",
		`a backslash \u001b`:                 `a backslash \u001b`,
	} {
		if got := Line(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	if got := lines("two\n\tlines\r\n\x1b"); got != "two\n\tlines\\u000d\n\\u001b" {
		t.Errorf("%q", got)
	}
}

// A character that comes in pieces is one character, and JSON stays the same JSON.
func TestWriter(t *testing.T) {
	t.Parallel()
	value := "città \u009b31m \u202e \U000e0041 😀 \x1b\n"
	doc, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := NewWriter(&out)
	for _, b := range doc { // byte by byte
		if n, err := w.Write([]byte{b}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	var back string
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back != value {
		t.Errorf("%q %v", back, err)
	}
	if s := out.String(); strings.ContainsAny(s, "\u009b\u202e\U000e0041\x1b") ||
		!strings.Contains(s, "città") || !strings.Contains(s, "😀") {
		t.Errorf("%s", s)
	}
	if NewWriter(w) != w {
		t.Error("escaped twice")
	}
	broken := errors.New("broken")
	if _, err := NewWriter(failing{broken}).Write([]byte("x")); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestTable(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	table := NewTable(&out, "NAME", "N")
	table.Row("a\tb\nc\x1b[2J\v\f\xff", 1)
	table.Row("è", 22)
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	want := "NAME                                      N\na\\u0009b\\u000ac\\u001b[2J\\u000b\\u000c\\xff  1\nè                             " +
		"            22\n"
	if out.String() != want {
		t.Errorf("%q", out.String())
	}
}

// What a log says of a name is one line that acts on no one.
func TestLog(t *testing.T) {
	t.Parallel()
	const evil = "x\x1b[2J\u009b31m\u202e\u200b\u3164\nlevel=ERROR msg=forged"
	for name, handler := range map[string]func(io.Writer) slog.Handler{
		"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
		"json": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
	} {
		var out bytes.Buffer
		log := slog.New(handler(NewWriter(&out)))
		//nolint:sloglint // the key is hostile on purpose
		log.With("client", evil).WithGroup("g").Warn("refused "+evil, "err", errors.New(evil), evil, 1)
		s := out.String()
		if strings.Count(s, "\n") != 1 || strings.ContainsAny(s, "\x1b\u009b\u202e\u200b\u3164") {
			t.Errorf("%s: %q", name, s)
		}
	}
}

// FuzzWriter: nothing unsafe comes out, however the bytes are cut, and the pieces
// make the same text as the whole.
func FuzzWriter(f *testing.F) {
	f.Add("città \x1b[31m\u009b\u202e😀\xff\xf0\x9f", 3)
	f.Add("\xe2\x80", 1)
	f.Fuzz(func(t *testing.T, text string, cut int) {
		cut = max(0, min(cut, len(text)))
		var out bytes.Buffer
		w := NewWriter(&out)
		for _, piece := range []string{text[:cut], text[cut:], "\n"} {
			if _, err := w.Write([]byte(piece)); err != nil {
				t.Fatal(err)
			}
		}
		if out.String() != lines(text+"\n") {
			t.Errorf("%q, in one piece %q", out.String(), lines(text+"\n"))
		}
		if !utf8.ValidString(out.String()) || !clean(strings.ReplaceAll(out.String(), "\ufffd", ""), true) {
			t.Errorf("%q", out.String())
		}
		if strings.ContainsAny(Line(text), "\n\t") {
			t.Errorf("%q", Line(text))
		}
	})
}
