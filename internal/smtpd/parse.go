package smtpd

import (
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

// splitCommand takes a line apart, with the white space that Postfix takes. The
// verb is upper case.
func splitCommand(line []byte) (verb, arg string) {
	text := strings.Trim(string(line), " \t")
	if i := strings.IndexAny(text, " \t"); i >= 0 {
		return strings.ToUpper(text[:i]), strings.Trim(text[i:], " \t")
	}
	return strings.ToUpper(text), ""
}

// A pathKind is what MAIL and RCPT have of their own.
type pathKind struct {
	keyword string
	bad     string // enhanced code of an address that cannot be (RFC 3463 section 3.2)
}

var (
	senderPath    = pathKind{"FROM:", "5.1.7"}
	recipientPath = pathKind{"TO:", "5.1.3"}
)

// parsePath reads "FROM:<path> params" (RFC 5321 section 4.1.2). As Postfix
// does, it takes a space behind the colon or inside the brackets, doubled
// brackets and none: it is clear all the same which address is meant. Source
// routes are read over (RFC 5321 appendix C).
func parsePath(arg string, kind pathKind) (path string, params []param, err *syntaxError) {
	n := len(kind.keyword)
	if len(arg) < n || !strings.EqualFold(arg[:n], kind.keyword) {
		return "", nil, badSyntax(501, "5.5.4", "syntax: "+kind.keyword+"<address>")
	}
	rest := strings.TrimLeft(arg[n:], " \t")
	end := pathEnd(rest)
	switch {
	case rest == "":
		return "", nil, badSyntax(501, "5.5.4", "syntax: "+kind.keyword+"<address>")
	case rest[0] != '<':
		path, rest = rest[:end], rest[end:]
	case end < 0:
		return "", nil, badSyntax(501, kind.bad, "the > behind the address is missing")
	default:
		path, rest = rest[1:end], rest[end+1:]
		if doubled, is := strings.CutPrefix(path, "<"); is && strings.HasPrefix(rest, ">") {
			path, rest = doubled, rest[1:]
		}
		if rest != "" && rest[0] != ' ' && rest[0] != '\t' {
			return "", nil, badSyntax(501, "5.5.4", "a space is missing behind the >")
		}
	}
	path = strings.Trim(path, " \t")
	if strings.HasPrefix(path, "@") {
		i := strings.IndexByte(path, ':')
		if i < 0 {
			return "", nil, badSyntax(501, kind.bad, "the source route is not followed by an address")
		}
		path = path[i+1:]
	}
	if len(path) > 254 { // RFC 5321 section 4.5.3.1.3, with the brackets
		return "", nil, badSyntax(501, kind.bad, "the address is longer than 254 octets")
	}
	if !utf8.ValidString(path) {
		return "", nil, badSyntax(501, kind.bad, "the address is not UTF-8")
	}
	params, err = parseParams(rest)
	return path, params, err
}

// pathEnd is where the path that v begins with ends, outside quotes: at its >
// (-1: there is none), or without brackets at white space.
func pathEnd(v string) int {
	bracketed, quoted := strings.HasPrefix(v, "<"), false
	for i := 0; i < len(v); i++ {
		switch {
		case quoted && v[i] == '\\':
			i++
		case v[i] == '"':
			quoted = !quoted
		case quoted:
		case bracketed && v[i] == '>', !bracketed && (v[i] == ' ' || v[i] == '\t'):
			return i
		}
	}
	if bracketed {
		return -1
	}
	return len(v)
}

// parseParams reads what follows the path. Of a parameter given twice the last
// counts, as for Postfix.
func parseParams(rest string) ([]param, *syntaxError) {
	var out []param
	for word := range strings.FieldsSeq(rest) {
		name, value, has := strings.Cut(word, "=")
		p := param{strings.ToUpper(name), value, has}
		if !isKeyword(p.name) {
			return nil, badSyntax(501, "5.5.4", "a parameter is not of the form NAME=VALUE")
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

// address gives the form that submit takes.
func address(path string, utf8Allowed bool, kind pathKind) (string, *syntaxError) {
	if !utf8Allowed && !isASCII(mime.TrimInvisible(path)) {
		return "", badSyntax(553, "5.6.7", "the address has characters outside ASCII: that needs SMTPUTF8 (RFC 6531)")
	}
	a, err := mime.NormalizeAddress(path)
	if err != nil {
		return "", badSyntax(553, kind.bad, err.Error())
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
