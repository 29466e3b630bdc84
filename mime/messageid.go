package mime

import "strings"

// validID reports a msg-id of RFC 5322 section 3.6.4, the quoted left side of
// section 4.5.4 among them as long as it has no white space.
func validID(id string) bool {
	if len(id) < 5 || len(id) > 900 || id[0] != '<' || id[len(id)-1] != '>' {
		return false
	}
	at := strings.LastIndexByte(id, '@')
	if at < 2 || !isASCII(id) {
		return false
	}
	left, right := id[1:at], id[at+1:len(id)-1]
	return (isDotAtom(left) || isSolid(left, '"', '"')) && (isDotAtom(right) || isSolid(right, '[', ']'))
}

// isSolid reports printable characters between first and last, with neither of
// these, brackets or white space among them.
func isSolid(s string, first, last byte) bool {
	if len(s) < 3 || s[0] != first || s[len(s)-1] != last {
		return false
	}
	for _, c := range []byte(s[1 : len(s)-1]) {
		if c <= ' ' || c > '~' || c == first || c == last || c == '<' || c == '>' || c == '\\' {
			return false
		}
	}
	return true
}

// gmailKeepsID reports a valid identifier that Gmail does not replace
// (contracts C5.5): a domain with a dot in it, one @.
func gmailKeepsID(id string) bool {
	left, right, _ := strings.Cut(id[1:len(id)-1], "@")
	if strings.HasPrefix(right, "[") {
		_, ok := normalizeLiteral(right)
		return ok
	}
	return isDotAtom(left) && isDotAtom(right) && strings.Contains(right, ".")
}

// newID makes a Message-ID under the host's name, or the sender's domain.
func (c *completer) newID() string {
	domain := "postino.invalid"
	for _, d := range []string{c.from.domain(), c.opt.Hostname} {
		if n, ok := normalizeDomain(d); ok && strings.Contains(n, ".") && !strings.HasPrefix(n, "[") {
			domain = n
		}
	}
	return "<" + randomHex() + "@" + domain + ">"
}
