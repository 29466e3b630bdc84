package smtpd

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/postino-mail/postino/mime"
)

// A syntaxError says what is wrong with a command, with its codes.
type syntaxError struct {
	code     int
	enhanced string
	text     string
}

func badSyntax(code int, enhanced, text string) *syntaxError {
	return &syntaxError{code, enhanced, text}
}

// A param is one ESMTP parameter, its name in upper case.
type param struct {
	name, value string
	has         bool // "=" was there
}

// splitCommand takes a line apart. The verb is upper case.
func splitCommand(line []byte) (verb, arg string) {
	v, a, _ := strings.Cut(string(line), " ")
	return strings.ToUpper(v), strings.Trim(a, " \t")
}

// parsePath reads "FROM:<path> params" (RFC 5321 section 4.1.2). A space behind
// the colon is taken as all servers do; a missing bracket only from old devices
// (lax). Source routes are read over (RFC 5321 appendix C).
func parsePath(arg, keyword string, lax bool) (path string, params []param, err *syntaxError) {
	if len(arg) < len(keyword) || !strings.EqualFold(arg[:len(keyword)], keyword) {
		return "", nil, badSyntax(501, "5.5.4", "syntax: "+keyword+"<address>")
	}
	rest := strings.TrimLeft(arg[len(keyword):], " \t")
	if !strings.HasPrefix(rest, "<") {
		if !lax || rest == "" {
			return "", nil, badSyntax(501, "5.5.4", "syntax: "+keyword+"<address>, with angle brackets")
		}
		path, rest, _ = strings.Cut(rest, " ")
	} else {
		end := pathEnd(rest)
		if end < 0 {
			return "", nil, badSyntax(501, "5.5.4", "the > behind the address is missing")
		}
		path, rest = rest[1:end], rest[end+1:]
		if rest != "" && rest[0] != ' ' {
			return "", nil, badSyntax(501, "5.5.4", "a space is missing behind the >")
		}
	}
	if strings.HasPrefix(path, "@") {
		i := strings.IndexByte(path, ':')
		if i < 0 {
			return "", nil, badSyntax(501, "5.1.0", "the source route is not followed by an address")
		}
		path = path[i+1:]
	}
	if len(path) > 254 { // RFC 5321 section 4.5.3.1.3, with the brackets
		return "", nil, badSyntax(501, "5.1.0", "the address is longer than 254 octets")
	}
	if !utf8.ValidString(path) {
		return "", nil, badSyntax(501, "5.1.0", "the address is not UTF-8")
	}
	params, err = parseParams(rest)
	return path, params, err
}

// pathEnd is the index of the > that ends a path, outside quotes; -1: none.
func pathEnd(v string) int {
	quoted := false
	for i := 0; i < len(v); i++ {
		switch {
		case quoted && v[i] == '\\':
			i++
		case v[i] == '"':
			quoted = !quoted
		case v[i] == '>' && !quoted:
			return i
		}
	}
	return -1
}

func parseParams(rest string) ([]param, *syntaxError) {
	var out []param
	for word := range strings.FieldsSeq(rest) {
		name, value, has := strings.Cut(word, "=")
		p := param{strings.ToUpper(name), value, has}
		if !isKeyword(p.name) || has && !isValue(value) {
			return nil, badSyntax(501, "5.5.4", "a parameter is not of the form NAME=VALUE")
		}
		for _, have := range out {
			if have.name == p.name {
				return nil, badSyntax(501, "5.5.4", "the parameter "+p.name+" is given twice")
			}
		}
		out = append(out, p)
	}
	return out, nil
}

// isKeyword: esmtp-keyword of RFC 5321 section 4.1.2, in upper case.
func isKeyword(v string) bool {
	return v != "" && v[0] != '-' && strings.IndexFunc(v, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-'
	}) < 0
}

// isValue: esmtp-value, with UTF-8 (RFC 6531 section 3.3).
func isValue(v string) bool {
	return v != "" && utf8.ValidString(v) && strings.IndexFunc(v, func(r rune) bool { return r <= ' ' || r == '=' || r == 0x7f }) < 0
}

// address gives the form that submit takes. What it cannot be says the code.
func address(path string, utf8Allowed bool, enhanced string) (string, *syntaxError) {
	if !utf8Allowed && !isASCII(path) {
		return "", badSyntax(553, "5.6.7", "the address has characters outside ASCII: that needs SMTPUTF8 (RFC 6531)")
	}
	a, err := mime.NormalizeAddress(path)
	if err != nil {
		return "", badSyntax(553, enhanced, err.Error())
	}
	return a, nil
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// decodeXtext undoes xtext (RFC 3461 section 4). Only printable ASCII comes out.
func decodeXtext(v string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		c := v[i]
		if c == '+' {
			if i+2 >= len(v) {
				return "", false
			}
			hi, lo := hexDigit(v[i+1]), hexDigit(v[i+2])
			if hi < 0 || lo < 0 {
				return "", false
			}
			c = byte(hi<<4 | lo)
			i += 2
		} else if c < '!' || c > '~' || c == '=' {
			return "", false
		}
		if c < ' ' || c > '~' {
			return "", false
		}
		b.WriteByte(c)
	}
	return b.String(), b.Len() > 0
}

// hexDigit: upper case alone, as RFC 3461 has it.
func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// isHello checks the name of EHLO loosely: names with an underscore, names that
// are no domain and, from curl, the name of the file are what programs say. lax
// takes anything, and nothing.
func isHello(v string, lax bool) bool {
	if lax {
		return true
	}
	return v != "" && len(v) <= 255 && strings.IndexFunc(v, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`<>"\`, r) }) < 0
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
		if r <= ' ' || r == '+' || r == '=' || r == 0x7f || r >= utf8.RuneSelf && (!raw || r == utf8.RuneError || r < 0xa0) {
			return "", false
		}
		b.WriteString(v[:n])
		v = v[n:]
	}
	return b.String(), b.Len() > 0
}
