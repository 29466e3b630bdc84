package mime

import (
	"unicode"
	"unicode/utf8"
)

// isInvisible reports the characters that show nothing, or only a gap, and come
// with text that was copied from a page or a document: the Unicode categories Zs,
// Zl, Zp and Cf (bidi controls, tags, soft hyphen, zero width space) and all else
// that Unicode lets a program leave out when it draws (variation selectors,
// fillers, joiners), the C1 controls too. In an address they make another mailbox
// that looks the same.
func isInvisible(r rune) bool {
	if r < utf8.RuneSelf {
		return r == ' ' || r == '\t'
	}
	return r < 0xA0 || unicode.In(r, unicode.Zs, unicode.Zl, unicode.Zp, unicode.Cf, unicode.Variation_Selector,
		unicode.Other_Default_Ignorable_Code_Point)
}

// TrimInvisible cuts off what ParseMailbox drops at both ends of an address.
func TrimInvisible(s string) string { return trimInvisible(s) }

// trimInvisible cuts invisible characters at both ends of s.
func trimInvisible[T string | []byte](s T) T {
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(string(s[:min(len(s), utf8.UTFMax)]))
		if !isInvisible(r) {
			break
		}
		s = s[n:]
	}
	for len(s) > 0 {
		r, n := utf8.DecodeLastRuneInString(string(s[max(0, len(s)-utf8.UTFMax):]))
		if !isInvisible(r) {
			break
		}
		s = s[:len(s)-n]
	}
	return s
}

// edgeVisible reports at little cost that trimInvisible would cut nothing.
func edgeVisible(s string) bool {
	return s == "" || graphic(s[0]) && graphic(s[len(s)-1])
}

func graphic(c byte) bool { return c > ' ' && c < utf8.RuneSelf }

// firstInvisible is the first invisible character of s beyond ASCII, 0 when
// there is none.
func firstInvisible(s string) rune {
	if isASCII(s) {
		return 0
	}
	for _, r := range s {
		if r >= utf8.RuneSelf && isInvisible(r) {
			return r
		}
	}
	return 0
}
