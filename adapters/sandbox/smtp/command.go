package smtp

import (
	"net/netip"
	"strings"
	"unicode/utf8"
)

// A command is a command line taken apart.
type command struct {
	verb string // upper case
	arg  string // without surrounding spaces
}

func parseCommand(line []byte) command {
	verb, arg, _ := strings.Cut(string(line), " ")
	return command{strings.ToUpper(verb), strings.TrimSpace(arg)}
}

// A param is an ESMTP parameter; name in upper case.
type param struct {
	name, value string
	hasValue    bool
}

// A path is the argument of MAIL or RCPT.
type path struct {
	address string // empty: the null reverse-path
	utf8    bool   // needs SMTPUTF8
	params  []param
}

// parsePath reads "FROM:<path> params" or "TO:<path> params" strictly: no
// space after the colon, angle brackets, no source route (RFC 5321 section
// 4.1.1.2). text says what is wrong.
func parsePath(arg, keyword string) (p path, text string) {
	if len(arg) < len(keyword) || !strings.EqualFold(arg[:len(keyword)], keyword) {
		return p, "Syntax: " + keyword + "<address>"
	}
	rest := arg[len(keyword):]
	if !strings.HasPrefix(rest, "<") {
		return p, "Syntax: " + keyword + "<address>, without a space"
	}
	end := pathEnd(rest)
	if end < 0 {
		return p, "Bad address syntax: > is missing"
	}
	p.address = rest[1:end]
	if !utf8.ValidString(p.address) {
		return p, "Bad address syntax: not UTF-8"
	}
	p.utf8 = strings.ContainsFunc(p.address, func(r rune) bool { return r >= utf8.RuneSelf })
	postmaster := keyword == "TO:" && strings.EqualFold(p.address, "postmaster")
	if p.address != "" && !postmaster && !isMailbox(p.address) {
		return p, "Bad address syntax"
	}
	rest = rest[end+1:]
	if rest == "" {
		return p, ""
	}
	if rest[0] != ' ' {
		return p, "Bad address syntax: a space is missing before the parameters"
	}
	for word := range strings.FieldsSeq(rest) {
		name, value, has := strings.Cut(word, "=")
		if !isParamName(name) || has && (value == "" || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r == '=' || r == 0x7f })) {
			return p, "Bad parameter syntax"
		}
		name = strings.ToUpper(name)
		for _, have := range p.params {
			if have.name == name {
				return p, "Parameter given twice"
			}
		}
		p.params = append(p.params, param{name, value, has})
	}
	return p, ""
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

func isParamName(name string) bool {
	return name != "" && name[0] != '-' && !strings.ContainsFunc(name, func(r rune) bool { return !isAlnum(r) && r != '-' })
}

func isAlnum(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// isMailbox checks local-part@domain (RFC 5321 section 4.1.2, RFC 6531 section 3.3).
func isMailbox(addr string) bool {
	at := strings.LastIndexByte(addr, '@')
	if at < 1 || at > 64 {
		return false
	}
	return isLocalPart(addr[:at]) && isDomain(addr[at+1:])
}

func isLocalPart(v string) bool {
	if v[0] == '"' {
		if len(v) < 2 || v[len(v)-1] != '"' {
			return false
		}
		inner := v[1 : len(v)-1]
		for i := 0; i < len(inner); i++ {
			switch c := inner[i]; {
			case c == '\\':
				if i++; i == len(inner) || inner[i] < ' ' || inner[i] == 0x7f {
					return false
				}
			case c == '"' || c < ' ' || c == 0x7f:
				return false
			}
		}
		return true
	}
	for atom := range strings.SplitSeq(v, ".") {
		if atom == "" || strings.ContainsFunc(atom, func(r rune) bool {
			return r < utf8.RuneSelf && !isAlnum(r) && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
		}) {
			return false
		}
	}
	return true
}

// isDomain checks a domain of LDH or U-labels, or an address literal.
func isDomain(v string) bool {
	if inner, ok := strings.CutPrefix(v, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		six, isSix := strings.CutPrefix(inner, "IPv6:")
		a, err := netip.ParseAddr(six)
		return ok && err == nil && a.Is6() == isSix && a.Zone() == ""
	}
	if v == "" || len(v) > 255 {
		return false
	}
	for label := range strings.SplitSeq(v, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.ContainsFunc(label, func(r rune) bool { return r < utf8.RuneSelf && !isAlnum(r) && r != '-' }) {
			return false
		}
	}
	return true
}

// isHeloName checks the name of EHLO: ASCII, a domain or an address literal
// (RFC 5321 section 4.1.1.1).
func isHeloName(v string) bool {
	return isDomain(v) && !strings.ContainsFunc(v, func(r rune) bool { return r >= utf8.RuneSelf })
}

// isXtext checks RFC 3461 section 4 xtext: printable, + as +XX alone.
func isXtext(v string) bool {
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
