package mime

import (
	"bytes"
	"encoding/base64"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message/charset"
	"golang.org/x/text/encoding/charmap"
)

// decodeWords undoes RFC 2047. What cannot be decoded stays as it was
// written; control characters that were hidden in encoded words become spaces,
// so that a decoded value is never more than one line. Time and memory are
// linear in the length of s.
func decodeWords(s string) string { return sanitize(undoWords(s)) }

// undoWords is decodeWords with the control characters as they are.
func undoWords(s string) string {
	if !utf8.ValidString(s) {
		s = toUTF8([]byte(s))
	}
	if strings.Contains(s, "=?") {
		d := wordDecoder{in: s, out: make([]byte, 0, len(s))}
		s = strings.ToValidUTF8(d.run(), "\uFFFD")
	}
	return s
}

// maxRuns bounds the runs of encoded words of which each needs a decoder of its
// own, several kilobytes large: what follows stays as it was written.
const maxRuns = 1000

// wordDecoder decodes one value. Words beside each other in one character set
// are decoded as one text, because programs cut them inside of characters.
type wordDecoder struct {
	in    string
	out   []byte
	runs  int
	close int    // where the first "?=" after the last place looked at is
	word  []byte // octets of the last word

	cs         string // of the run that is not written yet
	text       []byte // its octets
	start, end int    // where it stands; end is 0 before the first one
}

func (d *wordDecoder) run() string {
	for {
		start, end, cs, ok := d.next(d.end)
		if !ok {
			break
		}
		between := d.in[d.end:start]
		// White space between encoded words is no part of the text (RFC 2047 section 6.2).
		adjacent := d.end > 0 && strings.Trim(between, " \t\r\n") == ""
		if !adjacent || cs != d.cs {
			if !d.flush() || !adjacent {
				d.out = append(d.out, between...)
			}
			d.cs, d.start = cs, start
		}
		d.text, d.end = append(d.text, d.word...), end
	}
	d.flush()
	return string(append(d.out, d.in[d.end:]...))
}

// next finds the next encoded word that can be decoded, from pos on.
func (d *wordDecoder) next(pos int) (start, end int, cs string, ok bool) {
	for {
		i := strings.Index(d.in[pos:], "=?")
		if i < 0 {
			return 0, 0, "", false
		}
		start = pos + i
		pos = start + 1
		rest := d.in[start+2 : min(len(d.in), start+2+maxCharset)]
		q := strings.IndexByte(rest, '?')
		text := start + 2 + q + len("?q?")
		if q < 1 || text > len(d.in) || d.in[text-1] != '?' {
			continue
		}
		if d.close < text {
			n := strings.Index(d.in[text:], "?=")
			if n < 0 {
				return 0, 0, "", false
			}
			d.close = text + n
		}
		if d.word, ok = appendWord(d.word[:0], d.in[text-2], d.in[text:d.close]); ok {
			cs, _, _ = strings.Cut(strings.ToLower(rest[:q]), "*") // RFC 2231 section 5: a language
			return start, d.close + len("?="), cs, true
		}
	}
}

// maxCharset bounds the name of a character set with what surrounds it.
const maxCharset = 100

// appendWord decodes the text of a word. It stops at the first octet that does
// not belong there, such as those that begin another word.
func appendWord(out []byte, encoding byte, text string) ([]byte, bool) {
	switch encoding {
	case 'b', 'B':
		text = strings.TrimRight(text, "=")
		for i := range len(text) {
			if base64Class[text[i]] != digit64 {
				return out, false
			}
		}
		out, err := base64.RawStdEncoding.AppendDecode(out, []byte(text))
		return out, err == nil
	case 'q', 'Q':
		for i := 0; i < len(text); i++ {
			switch c := text[i]; {
			case c == '_':
				out = append(out, ' ')
			case c == '=':
				if i+2 >= len(text) || !isHex(text[i+1]) || !isHex(text[i+2]) {
					return out, false
				}
				out = append(out, unhex(text[i+1])<<4|unhex(text[i+2]))
				i += 2
			case c >= ' ' && c <= '~', c == '\t', c == '\r', c == '\n':
				out = append(out, c)
			default:
				return out, false
			}
		}
		return out, true
	}
	return out, false
}

// flush writes the run; as it came, and false, where its character set is not known.
func (d *wordDecoder) flush() bool {
	text := d.text
	d.text = d.text[:0]
	if d.end == 0 {
		return true
	}
	if d.cs == "utf-8" || d.cs == "us-ascii" {
		d.out = append(d.out, text...)
		return true
	}
	if d.runs++; d.runs <= maxRuns {
		if r, err := charset.Reader(d.cs, bytes.NewReader(text)); err == nil {
			if b, err := io.ReadAll(r); err == nil {
				d.out = append(d.out, b...)
				return true
			}
		}
	}
	d.out = append(d.out, d.in[d.start:d.end]...)
	return false
}

// toUTF8 reads raw octets of a header: UTF-8 when they are valid as that,
// windows-1252 (the superset of ISO 8859-1 that old programs mean) otherwise.
func toUTF8(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	out, err := charmap.Windows1252.NewDecoder().Bytes(b)
	if err != nil { // the decoder of a single-byte table has no errors; do not depend on it
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	return string(out)
}

// sanitize makes every control character a space.
func sanitize(s string) string {
	clean := true
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] == 127 {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 127 {
			return ' '
		}
		return r
	}, s)
}

func isASCII[T string | []byte](s T) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
