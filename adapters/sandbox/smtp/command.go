package smtp

import (
	"net/netip"
	"strings"
	"unicode/utf8"

	"github.com/postino-mail/postino/internal/smtpsyntax"
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

// parsePath reads the argument of MAIL or RCPT strictly: no space after the colon,
// angle brackets, no source route (RFC 5321 section 4.1.1.2). text says what is
// wrong.
func parsePath(arg, keyword string) (p smtpsyntax.Path, text string) {
	p, bad := smtpsyntax.ParsePath(arg, keyword)
	postmaster := keyword == "TO:" && strings.EqualFold(p.Address, "postmaster")
	switch {
	case bad == smtpsyntax.PathMissing:
		return p, "Syntax: " + keyword + "<address>"
	case bad != "":
		return p, "Bad syntax: " + string(bad)
	case p.Irregular != "":
		return p, "Bad syntax: " + p.Irregular
	case p.Address != "" && !postmaster && !isMailbox(p.Address):
		return p, "Bad address syntax"
	}
	return p, ""
}

func isASCII(v string) bool {
	return !strings.ContainsFunc(v, func(r rune) bool { return r >= utf8.RuneSelf })
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
	return isDomain(v) && isASCII(v)
}
