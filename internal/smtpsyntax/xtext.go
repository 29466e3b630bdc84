package smtpsyntax

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// DecodeXtext decodes xtext (RFC 3461 section 4). What is not xtext (a "=", a "+"
// without two hexadecimal digits) stays as it is. The result may hold any octet.
func DecodeXtext(v string) string {
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		if v[i] == '+' && i+2 < len(v) {
			if c, err := strconv.ParseUint(v[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(v[i])
	}
	return b.String()
}

// IsXtext reports whether v is xtext to the letter: printable ASCII without "=",
// and "+" only before two hexadecimal digits in upper case.
func IsXtext(v string) bool {
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c < '!' || c > '~' || c == '=':
			return false
		case c == '+':
			if i+2 >= len(v) || strings.Trim(v[i+1:i+3], "0123456789ABCDEF") != "" {
				return false
			}
			i += 2
		}
	}
	return v != ""
}

// DecodeUnitext decodes utf-8-addr-xtext and, where raw allows UTF-8,
// utf-8-addr-unitext (RFC 6533 section 3): \x{HEX} stands for a character. It is
// false when v is neither or holds a control character.
func DecodeUnitext(v string, raw bool) (string, bool) {
	var b strings.Builder
	for len(v) > 0 {
		r, n := utf8.DecodeRuneInString(v)
		if r == '\\' {
			body, rest, ok := strings.Cut(v[1:], "}")
			body, prefixed := strings.CutPrefix(body, "x{")
			c, err := strconv.ParseUint(body, 16, 21)
			if !ok || !prefixed || err != nil || !utf8.ValidRune(rune(c)) || c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0 {
				return "", false
			}
			b.WriteRune(rune(c))
			v = rest
			continue
		}
		if r <= ' ' || r == 0x7f || r >= utf8.RuneSelf && (!raw || r == utf8.RuneError || r < 0xa0) {
			return "", false
		}
		b.WriteString(v[:n])
		v = v[n:]
	}
	return b.String(), b.Len() > 0
}
