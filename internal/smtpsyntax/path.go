package smtpsyntax

import (
	"strings"
	"unicode/utf8"
)

// maxPath is the longest address in octets, without its brackets (RFC 5321 section
// 4.5.3.1.3).
const maxPath = 254

// A Problem is why the argument of MAIL or RCPT cannot be read; empty: it can.
type Problem string

// What problems there are.
const (
	PathMissing   Problem = "the keyword or the address is missing"
	PathUnclosed  Problem = "the > after the address is missing"
	PathNoSpace   Problem = "a space is missing after the >"
	PathRoute     Problem = "the source route is not followed by an address"
	PathTooLong   Problem = "the address is longer than 254 octets"
	PathNotUTF8   Problem = "the address is not UTF-8"
	ParamNoSyntax Problem = "a parameter is not of the form NAME=VALUE"
)

// A Param is one ESMTP parameter.
type Param struct {
	Name     string // in upper case
	Value    string
	HasValue bool // "=" was there
}

// A Path is the argument of MAIL or RCPT.
type Path struct {
	Address   string // without brackets; empty: the null reverse-path
	Params    []Param
	Irregular string // how it departs from RFC 5321 although its meaning is clear; empty: it does not
}

func (p *Path) irregular(is bool, how string) {
	if is && p.Irregular == "" {
		p.Irregular = how
	}
}

// ParsePath reads "FROM:<path> params" or "TO:<path> params" (RFC 5321 section
// 4.1.2); keyword is "FROM:" or "TO:". As Postfix does, it takes white space after
// the colon or inside the brackets, doubled brackets and none, and skips source
// routes (RFC 5321 appendix C): it is clear which address is meant. The address
// itself is not checked beyond its length and encoding.
func ParsePath(arg, keyword string) (p Path, bad Problem) {
	n := len(keyword)
	if len(arg) < n || !strings.EqualFold(arg[:n], keyword) {
		return p, PathMissing
	}
	rest := strings.TrimLeft(arg[n:], " \t")
	p.irregular(len(rest) != len(arg)-n, "there is a space after the colon")
	end := pathEnd(rest)
	switch {
	case rest == "":
		return p, PathMissing
	case rest[0] != '<':
		p.irregular(true, "the address has no angle brackets")
		p.Address, rest = rest[:end], rest[end:]
	case end < 0:
		return p, PathUnclosed
	default:
		p.Address, rest = rest[1:end], rest[end+1:]
		if doubled, is := strings.CutPrefix(p.Address, "<"); is && strings.HasPrefix(rest, ">") {
			p.irregular(true, "the angle brackets are doubled")
			p.Address, rest = doubled, rest[1:]
		}
		if rest != "" && rest[0] != ' ' && rest[0] != '\t' {
			return p, PathNoSpace
		}
	}
	trimmed := strings.Trim(p.Address, " \t")
	p.irregular(len(trimmed) != len(p.Address), "there is a space inside the angle brackets")
	p.Address = trimmed
	if strings.HasPrefix(p.Address, "@") {
		i := strings.IndexByte(p.Address, ':')
		if i < 0 {
			return p, PathRoute
		}
		p.irregular(true, "there is a source route")
		p.Address = p.Address[i+1:]
	}
	switch {
	case len(p.Address) > maxPath:
		return p, PathTooLong
	case !utf8.ValidString(p.Address):
		return p, PathNotUTF8
	}
	return p, p.parseParams(rest)
}

// pathEnd is where the path at the start of v ends, outside quotes: at its > (-1:
// there is none), or without brackets at white space.
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

// parseParams reads what follows the path. A parameter may be given twice, as for
// Postfix: the last one counts.
func (p *Path) parseParams(rest string) Problem {
	p.irregular(strings.Contains(rest, "\t"), "there is a tab between the parameters")
	for word := range strings.FieldsSeq(rest) {
		name, value, has := strings.Cut(word, "=")
		param := Param{strings.ToUpper(name), value, has}
		if !IsKeyword(param.Name) {
			return ParamNoSyntax
		}
		p.irregular(has && !isParamValue(value), "the value of a parameter is not one (RFC 5321 section 4.1.2)")
		for _, other := range p.Params {
			p.irregular(other.Name == param.Name, "a parameter is given twice")
		}
		p.Params = append(p.Params, param)
	}
	return ""
}

// IsKeyword reports whether v is an esmtp-keyword in upper case (RFC 5321 section
// 4.1.2).
func IsKeyword(v string) bool {
	return v != "" && v[0] != '-' && strings.IndexFunc(v, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-'
	}) < 0
}

// isParamValue checks esmtp-value (RFC 5321 section 4.1.2), with UTF-8 (RFC 6531
// section 3.4).
func isParamValue(v string) bool {
	return v != "" && strings.IndexFunc(v, func(r rune) bool { return r <= ' ' || r == '=' || r == 0x7f }) < 0
}
