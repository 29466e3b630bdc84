package mime

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// maxPath is the longest address in octets: a path of 256 less its brackets
// (RFC 5321 section 4.5.3.1.3). The 64 octets of a local part are not enforced,
// because bounce addresses of real senders exceed them.
const maxPath = 254

// CheckSender reads an entry of a list of senders in settings: an address, or
// "*@domain" for all addresses of a domain. It returns it as it is written, without
// invisible characters around it; what ParseMailbox refuses is refused.
func CheckSender(pattern string) (string, error) {
	bare := trimInvisible(pattern)
	plain := bare
	if d, ok := strings.CutPrefix(bare, "*@"); ok {
		plain = "x@" + d
	}
	if r := firstInvisible(bare); r != 0 {
		return "", errInvisible(pattern, r)
	}
	if _, err := ParseMailbox(plain); err != nil {
		return "", newError("bad_address", "", NewText("mime.bad_address", "{pattern} is not an address nor *@domain.",
			"pattern", strconv.Quote(shorten(toUTF8([]byte(pattern))))))
	}
	return bare, nil
}

func badAddress(addr string) *Error {
	return newError("bad_address", "", NewText("mime.not_an_address",
		"{addr} is not a mail address: it must look like name@example.com.",
		"addr", strconv.Quote(shorten(toUTF8([]byte(addr))))))
}

// splitAddress cuts at the @; a quoted local part comes back without its quotes.
func splitAddress(s string) (local, domain string, quoted, ok bool) {
	if strings.HasPrefix(s, `"`) {
		end := quotedEnd(s)
		if end < 0 || end >= len(s) || s[end] != '@' {
			return "", "", true, false
		}
		return unquote(s[:end]), s[end+1:], true, true
	}
	local, domain, ok = strings.Cut(s, "@")
	return local, domain, false, ok
}

// quotedEnd is the offset past the quoted string that s begins with, -1 when it does not end.
func quotedEnd[T string | []byte](s T) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// unquote undoes a quoted string, given with its quotes.
func unquote(s string) string {
	s = s[1 : len(s)-1]
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// quote makes a quoted string (RFC 5322 section 3.2.4).
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	b.WriteByte('"')
	return b.String()
}

// joinAddress validates both parts of addr and returns the normal form, which
// shares addr's bytes where that has it.
func joinAddress(addr, local, domain string, quoted bool) (Mailbox, bool) {
	written := domain
	domain, ok := normalizeDomain(domain)
	if !ok || local == "" || !utf8.ValidString(local) {
		return Mailbox{}, false
	}
	if !isDotAtom(local) {
		if !quoted || firstInvisible(local) != 0 {
			return Mailbox{}, false
		}
		for i := 0; i < len(local); i++ {
			if local[i] < ' ' || local[i] == 127 {
				return Mailbox{}, false
			}
		}
		local = quote(local)
	}
	if len(local)+1+len(domain) > maxPath {
		return Mailbox{}, false
	}
	if !quoted && domain == written {
		return Mailbox{addr}, true
	}
	return Mailbox{local + "@" + domain}, true
}

// isAtext reports the characters of an atom (RFC 5322 section 3.2.3, RFC 6532
// section 3.2), without the dot.
func isAtext(c byte) bool {
	switch c {
	case '!', '#', '$', '%', '&', '\'', '*', '+', '-', '/', '=', '?', '^', '_', '`', '{', '|', '}', '~':
		return true
	}
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= utf8.RuneSelf
}

func isDotAtom(s string) bool {
	dot := true // where an atom must begin
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '.':
			if dot {
				return false
			}
			dot = true
		case isAtext(s[i]):
			dot = false
		default:
			return false
		}
	}
	return !dot && firstInvisible(s) == 0
}

// normalizeDomain returns lower-case A-labels, or a checked address literal.
func normalizeDomain(d string) (string, bool) {
	if strings.HasPrefix(d, "[") {
		return normalizeLiteral(d)
	}
	if !isASCII(d) {
		if !utf8.ValidString(d) || firstInvisible(d) != 0 { // IDNA drops some of these: another domain than is written
			return "", false
		}
		a, err := idna.Lookup.ToASCII(d)
		if err != nil {
			return "", false
		}
		d = a
	}
	if len(d) == 0 || len(d) > 253 {
		return "", false
	}
	upper, label := false, 0
	for i := 0; i <= len(d); i++ {
		if i == len(d) || d[i] == '.' {
			if label == 0 || label > 63 || d[i-1] == '-' {
				return "", false
			}
			label = 0
			continue
		}
		c := d[i]
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_':
		case c == '-' && label > 0:
		case c >= 'A' && c <= 'Z':
			upper = true
		default:
			return "", false
		}
		label++
	}
	if upper {
		d = strings.ToLower(d)
	}
	return d, true
}

// normalizeLiteral checks an address literal (RFC 5321 section 4.1.3).
func normalizeLiteral(d string) (string, bool) {
	body, ok := strings.CutSuffix(d[1:], "]")
	if !ok {
		return "", false
	}
	six := len(body) > 5 && strings.EqualFold(body[:5], "IPv6:")
	if six {
		body = body[5:]
	}
	ip, err := netip.ParseAddr(body)
	if err != nil || ip.Zone() != "" || ip.Is6() != six {
		return "", false
	}
	if six {
		return "[IPv6:" + ip.String() + "]", true
	}
	return "[" + ip.String() + "]", true
}
