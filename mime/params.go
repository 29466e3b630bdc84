package mime

import (
	"io"
	"strconv"
	"strings"

	"github.com/emersion/go-message/charset"
)

// parseParams reads a value such as those of Content-Type and
// Content-Disposition: the first token lower-cased, and the parameters with
// RFC 2231 undone. It takes what senders really write: spaces in values without
// quotes, comments, doubled and missing semicolons, quotes without end, folders
// of Windows in quotes. The standard library returns no parameters at all when one of them is wrong, and a multipart
// without its boundary is unreadable.
func parseParams(value string) (string, map[string]string) {
	first, rest := cutFirst(value)
	var params map[string]string
	if rest != "" {
		params = map[string]string{}
	}
	var ext map[string]*extended
	for rest != "" {
		var name, v string
		name, v, rest = nextParam(rest)
		name = strings.ToLower(strings.TrimSpace(name))
		if name == "" {
			continue
		}
		base, n, coded, ok := splitExtended(name)
		if !ok {
			if _, dup := params[name]; !dup {
				params[name] = toUTF8([]byte(v))
			}
			continue
		}
		e := ext[base]
		if e == nil {
			e = &extended{}
			if ext == nil {
				ext = map[string]*extended{}
			}
			ext[base] = e
		}
		e.add(n, v, coded)
	}
	for base, e := range ext {
		if v, ok := e.decode(); ok {
			params[base] = v // RFC 6266 section 4.3: the extended form wins
		}
	}
	return strings.ToLower(first), params
}

// cutFirst takes the first token, which white space, a comment or a comma ends
// as well as a semicolon: "application/pdf name=a.pdf" is what some programs write.
func cutFirst(s string) (first, rest string) {
	s = strings.TrimLeft(s, " \t\r\n")
	end := strings.IndexAny(s, "; \t\r\n(,")
	if end < 0 {
		return s, ""
	}
	first, s = s[:end], strings.TrimLeft(s[end:], " \t\r\n,")
	for strings.HasPrefix(s, "(") {
		n := commentEnd(s)
		if n < 0 {
			_, s = cutParam(s)
			return first, s
		}
		s = strings.TrimLeft(s[n:], " \t\r\n,")
	}
	return first, s
}

// cutParam cuts at the first semicolon.
func cutParam(s string) (string, string) {
	a, b, _ := strings.Cut(s, ";")
	return a, b
}

// nextParam reads one "name=value" and what is left after its semicolon.
func nextParam(s string) (name, value, rest string) {
	s = strings.TrimLeft(s, "; \t")
	eq := strings.IndexAny(s, "=;")
	if eq < 0 || s[eq] == ';' { // no value: not a parameter
		_, rest = cutParam(s)
		return "", "", rest
	}
	name, s = s[:eq], strings.TrimLeft(s[eq+1:], " \t")
	if !strings.HasPrefix(s, `"`) {
		value, rest = cutParam(s)
		if i := strings.Index(value, " ("); i >= 0 {
			value = value[:i]
		}
		return name, strings.TrimSpace(value), rest
	}
	end := quotedEnd(s)
	if end < 0 {
		return name, s[1:], ""
	}
	rest = strings.TrimLeft(s[end:], " \t")
	if !beginsParam(rest) {
		_, rest = cutParam(rest)
	}
	return name, unquoteParam(s[1 : end-1]), rest
}

// beginsParam reports "name=", as it follows where a semicolon is missing.
func beginsParam(s string) bool {
	name, _, ok := strings.Cut(s[:min(len(s), 80)], "=")
	return ok && isToken(strings.TrimRight(name, " \t"))
}

// unquoteParam undoes the two escapes that readers in wide use know in a
// parameter. Other backslashes stand for themselves: programs of Windows write
// "C:\temp\a.pdf" without doubling them.
func unquoteParam(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\') {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// splitExtended takes a parameter name of RFC 2231 apart: name*, name*0, name*0*.
func splitExtended(name string) (base string, n int, coded, ok bool) {
	base, tail, ok := strings.Cut(name, "*")
	if !ok || base == "" {
		return "", 0, false, false
	}
	if tail == "" {
		return base, 0, true, true
	}
	num, coded := strings.CutSuffix(tail, "*")
	n, err := strconv.Atoi(num)
	if err != nil || n < 0 || n > 999 {
		return "", 0, false, false
	}
	return base, n, coded, true
}

// extended collects the sections of one RFC 2231 parameter.
type extended struct {
	text  map[int]string
	coded map[int]bool
}

func (e *extended) add(n int, v string, coded bool) {
	if e.text == nil {
		e.text, e.coded = map[int]string{}, map[int]bool{}
	}
	if _, dup := e.text[n]; !dup {
		e.text[n], e.coded[n] = v, coded
	}
}

func (e *extended) decode() (string, bool) {
	var raw strings.Builder
	cs := ""
	for n := 0; ; n++ {
		v, ok := e.text[n]
		if !ok {
			if n == 0 {
				return "", false
			}
			break
		}
		if !e.coded[n] {
			raw.WriteString(v)
			continue
		}
		if n == 0 {
			if parts := strings.SplitN(v, "'", 3); len(parts) == 3 {
				cs, v = parts[0], parts[2]
			}
		}
		raw.WriteString(percentDecode(v))
	}
	return charsetToUTF8(cs, raw.String()), true
}

func percentDecode(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// charsetToUTF8 decodes a short text; an unknown charset is read as UTF-8 or windows-1252.
func charsetToUTF8(cs, s string) string {
	if cs != "" && !strings.EqualFold(cs, "utf-8") && !strings.EqualFold(cs, "us-ascii") {
		if r, err := charset.Reader(cs, strings.NewReader(s)); err == nil {
			if b, err := io.ReadAll(r); err == nil {
				return string(b)
			}
		}
	}
	return toUTF8([]byte(s))
}
