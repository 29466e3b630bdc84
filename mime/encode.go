package mime

import (
	"encoding/base64"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	foldAt    = 76  // RFC 2047 section 2: a line with an encoded word; RFC 5322 section 2.1.1 asks for 78
	maxWord   = 75  // RFC 2047 section 2: an encoded word
	maxToken  = 900 // a longer word cannot be kept raw: name and word must stay under 998 (RFC 5322 section 2.1.1)
	maxSpaces = 30  // a longer run of spaces is encoded, so that every line can be folded
	maxName   = 76  // a field name
)

const crlf = "\r\n"

// A fieldWriter is one header field under construction, folded as it grows.
type fieldWriter struct {
	b       []byte
	col     int  // octets in the current line
	started bool // something follows the name
}

func newField(name string) *fieldWriter {
	f := &fieldWriter{b: make([]byte, 0, 128)}
	f.b = append(append(f.b, name...), ':')
	f.col = len(f.b)
	return f
}

func (f *fieldWriter) raw() []byte { return append(f.b, crlf...) }

func (f *fieldWriter) fold() {
	f.b = append(f.b, crlf...)
	f.col = 0
}

func (f *fieldWriter) add(ws, s string) {
	f.b = append(append(f.b, ws...), s...)
	f.col += len(ws) + len(s)
	f.started = true
}

// word adds a raw word after white space. The line is folded before it where
// it would grow over 76; the first word stays beside the name, because some
// parsers take an empty first line for an empty value.
func (f *fieldWriter) word(ws, s string) {
	if f.started && f.col+len(ws)+len(s) > foldAt {
		f.fold()
	}
	f.add(ws, s)
}

// encoded adds text as encoded words (RFC 2047), each of whole characters.
func (f *fieldWriter) encoded(ws, text string) {
	enc := fitEncoding(text)
	for text != "" {
		w, rest := encodeWord(enc, text, min(maxWord, foldAt-f.col-len(ws)))
		if w == "" || rest != "" && len(w) < 24 && f.col > 0 {
			f.fold()
			w, rest = encodeWord(enc, text, min(maxWord, foldAt-len(ws)))
		}
		f.add(ws, w)
		text, ws = rest, " "
	}
}

// text adds an unstructured value (RFC 5322 section 2.2.1): words that cannot
// stand raw are encoded together with the white space between them, all others
// stay readable. The value has been checked and trimmed.
func (f *fieldWriter) text(v string) {
	words := splitWords(v)
	force := false
	for _, w := range words {
		force = force || len(w.text) > maxToken || len(w.ws) > maxSpaces
	}
	for i := 0; i < len(words); {
		if !force && !needsEncoding(words[i].text) {
			f.word(words[i].ws, words[i].text)
			i++
			continue
		}
		// White space between two encoded words is dropped by a reader
		// (RFC 2047 section 6.2): it goes inside.
		first := i
		for i++; i < len(words) && (force || needsEncoding(words[i].text)); i++ {
		}
		f.encoded(words[first].ws, v[words[first].at:words[i-1].at+len(words[i-1].text)])
	}
}

type spaced struct {
	ws, text string
	at       int // offset of text
}

// splitWords cuts v into words, each with the white space before it; the
// first gets the one space that follows a field's colon.
func splitWords(v string) []spaced {
	out := make([]spaced, 0, 1+len(v)/8)
	ws := " "
	for at := 0; at < len(v); {
		n := strings.IndexAny(v[at:], " \t")
		if n < 0 {
			n = len(v) - at
		}
		out = append(out, spaced{ws, v[at : at+n], at})
		next := at + n
		for next < len(v) && (v[next] == ' ' || v[next] == '\t') {
			next++
		}
		ws, at = v[at+n:next], next
	}
	return out
}

func needsEncoding(s string) bool {
	if strings.Contains(s, "=?") { // would be read as an encoded word
		return true
	}
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] > '~' {
			return true
		}
	}
	return false
}

// qSafe are the octets that may stand for themselves in a Q-encoded word
// everywhere, in a phrase too (RFC 2047 section 5, rule 3).
func qSafe(c byte) bool {
	return isAlnum(c) || c == '!' || c == '*' || c == '+' || c == '-' || c == '/'
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// fitEncoding prefers Q, which a person can read, unless it is half as long again.
func fitEncoding(s string) byte {
	q := 0
	for i := range len(s) {
		if q++; !qSafe(s[i]) && s[i] != ' ' {
			q += 2
		}
	}
	if q <= (len(s)+2)/3*4*3/2 {
		return 'q'
	}
	return 'b'
}

// encodeWord makes one encoded word of at most limit octets from the start of
// text, and returns what is left. The word is empty when not one character fits.
func encodeWord(enc byte, text string, limit int) (word, rest string) {
	const overhead = len("=?utf-8?q??=")
	room := limit - overhead
	if enc == 'b' {
		n := min(len(text), max(room, 0)/4*3)
		for n > 0 && n < len(text) && !utf8.RuneStart(text[n]) {
			n--
		}
		if n == 0 {
			return "", text
		}
		return "=?utf-8?b?" + base64.StdEncoding.EncodeToString([]byte(text[:n])) + "?=", text[n:]
	}
	var b strings.Builder
	b.WriteString("=?utf-8?q?")
	used, n := 0, 0
	for n < len(text) {
		_, size := utf8.DecodeRuneInString(text[n:])
		enc := qEncode(text[n : n+size])
		if used+len(enc) > room {
			break
		}
		b.WriteString(enc)
		used += len(enc)
		n += size
	}
	if n == 0 {
		return "", text
	}
	b.WriteString("?=")
	return b.String(), text[n:]
}

func qEncode(char string) string {
	c := char[0]
	switch {
	case c == ' ':
		return "_"
	case qSafe(c):
		return char
	}
	var b strings.Builder
	for i := range len(char) {
		writeHex(&b, '=', char[i])
	}
	return b.String()
}

func writeHex(b *strings.Builder, lead, c byte) {
	const hex = "0123456789ABCDEF"
	b.WriteByte(lead)
	b.WriteByte(hex[c>>4])
	b.WriteByte(hex[c&15])
}

// param adds "; name=value" to a structured field: as a token or a quoted
// string where it is short ASCII, else as RFC 2231 section 4 says, in
// continuations (section 3) where one line is too short.
func (f *fieldWriter) param(name, value string) {
	f.b = append(f.b, ';')
	f.col++
	const room = foldAt - len(" ") - len(";")
	switch {
	case isToken(value) && len(name)+1+len(value) <= room:
		f.word(" ", name+"="+value)
		return
	case isQuotable(value) && len(name)+3+len(value) <= room:
		f.word(" ", name+`="`+value+`"`)
		return
	}
	chars := percentEncode(value)
	if whole := name + "*=utf-8''" + strings.Join(chars, ""); len(whole) <= room {
		f.word(" ", whole)
		return
	}
	for n := 0; len(chars) > 0; n++ {
		seg := name + "*" + strconv.Itoa(n) + "*="
		if n == 0 {
			seg += "utf-8''"
		} else {
			f.b = append(f.b, ';')
			f.col++
		}
		i := 0
		for l := len(seg); i < len(chars) && l+len(chars[i]) <= room; i++ {
			l += len(chars[i])
		}
		f.word(" ", seg+strings.Join(chars[:i], ""))
		chars = chars[i:]
	}
}

// percentEncode returns the extended form of each character of s (RFC 2231
// section 7, attribute-char), so that no segment ends inside one.
func percentEncode(s string) []string {
	out := make([]string, 0, len(s))
	for _, r := range s {
		char := string(r)
		if len(char) == 1 && (isAlnum(char[0]) || strings.IndexByte("!#$&+-.^_`{|}~", char[0]) >= 0) {
			out = append(out, char)
			continue
		}
		var b strings.Builder
		for i := range len(char) {
			writeHex(&b, '%', char[i])
		}
		out = append(out, b.String())
	}
	return out
}

// isToken reports a token of RFC 2045 section 5.1.
func isToken(s string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) && strings.IndexByte("!#$%&'*+-.^_`{|}~", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

// isQuotable reports text that every reader takes the same way between quotes:
// no escapes, and nothing that a lenient reader decodes.
func isQuotable(s string) bool {
	return !needsEncoding(s) && !strings.ContainsAny(s, "\"\\\t")
}
