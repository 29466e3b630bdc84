package smtpd

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The parameters here serve reports alone (RFC 3461). A program that writes one
// wrongly gets a report that says less: its mail is taken all the same.

const (
	maxEnvID = 100 // octets of xtext (RFC 3461 section 4.4)
	maxOrcpt = 500 // RFC 3461 section 4.2
)

// parseRet gives FULL or HDRS, and nothing for anything else (RFC 3461 section 4.3).
func parseRet(v string) string {
	if v = strings.ToUpper(v); v == "FULL" || v == "HDRS" {
		return v
	}
	return ""
}

// parseEnvID gives the decoded identifier, and nothing when no report and no
// next server could have it.
func parseEnvID(v string) string {
	text := decodeXtext(v)
	if len(v) > maxEnvID || !printableASCII(text) {
		return ""
	}
	return text
}

// parseNotify gives the wishes that are known, once each (RFC 3461 section 4.1).
// NEVER beside others contradicts them: then nothing was wished, and failures
// are reported.
func parseNotify(v string) (out []string) {
	for w := range strings.SplitSeq(strings.ToUpper(v), ",") {
		switch w {
		case "NEVER", "SUCCESS", "FAILURE", "DELAY":
			if !slices.Contains(out, w) {
				out = append(out, w)
			}
		}
	}
	if len(out) > 1 && slices.Contains(out, "NEVER") {
		return nil
	}
	return out
}

// parseOrcpt reads addr-type;xtext, or utf-8;address (RFC 6533 section 3), and
// gives nothing where there is no such thing. An rfc822 address with UTF-8 in
// it, as Postfix writes by itself, is one of type utf-8.
func parseOrcpt(v string, utf8Allowed bool) string {
	kind, text, ok := strings.Cut(v, ";")
	kind = strings.ToLower(kind)
	if !ok || len(v) > maxOrcpt || !isKeyword(strings.ToUpper(kind)) {
		return ""
	}
	if kind == "utf-8" {
		if text, ok = decodeUnitext(text, utf8Allowed); !ok {
			return ""
		}
		return kind + ";" + text
	}
	text = decodeXtext(text)
	switch {
	case printableASCII(text):
		return kind + ";" + text
	case kind == "rfc822" && printableUTF8(text):
		return "utf-8;" + text
	}
	return ""
}

// decodeXtext undoes xtext (RFC 3461 section 4). What is none of it (a "=", a "+"
// without two hexadecimal digits) stays as it is. Anything may come out.
func decodeXtext(v string) string {
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

func printableASCII(v string) bool {
	return v != "" && strings.IndexFunc(v, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

func printableUTF8(v string) bool {
	return v != "" && utf8.ValidString(v) && strings.IndexFunc(v, func(r rune) bool {
		return r == utf8.RuneError || !strconv.IsPrint(r)
	}) < 0
}

// decodeUnitext undoes utf-8-addr-xtext and utf-8-addr-unitext (RFC 6533
// section 3): \x{HEX} stands for a character.
func decodeUnitext(v string, raw bool) (string, bool) {
	var b strings.Builder
	for len(v) > 0 {
		r, n := utf8.DecodeRuneInString(v)
		if r == '\\' {
			body, rest, ok := strings.Cut(v[1:], "}")
			body, led := strings.CutPrefix(body, "x{")
			c, err := strconv.ParseUint(body, 16, 21)
			if !ok || !led || err != nil || !utf8.ValidRune(rune(c)) || c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0 {
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
