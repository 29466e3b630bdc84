package mime

// token is a lexical unit of an address field (RFC 5322 section 3.2).
type token struct {
	kind       byte // one of the tok constants, or the special character itself
	start, end int
	space      bool // white space or a comment before it
	coded      bool // an encoded word (RFC 2047), with whatever stands in it
}

const (
	tokAtom    = 'a' // with dots
	tokQuoted  = 'q'
	tokLiteral = 'l'
	tokComment = 'c'
	tokJunk    = '!' // an unterminated quote, comment or literal: to the end of the value
	tokEnd     = 0
)

// next scans one token.
func (p *addrParser) next() token {
	t := token{}
	for p.pos < len(p.v) && isSpace(p.v[p.pos]) {
		p.pos++
		t.space = true
	}
	t.start = p.pos
	if p.pos == len(p.v) {
		t.end = p.pos
		return t
	}
	c := p.v[p.pos]
	size := -1
	switch c {
	case '"':
		t.kind, size = tokQuoted, quotedEnd(p.v[p.pos:])
	case '(':
		t.kind, size = tokComment, commentEnd(p.v[p.pos:])
	case '[':
		t.kind = tokLiteral
		for i := p.pos; i < len(p.v); i++ {
			if p.v[i] == ']' {
				size = i + 1 - p.pos
				break
			}
		}
	case '<', '>', '@', ',', ';', ':', '\\', ')', ']':
		t.kind, size = c, 1
	default:
		t.kind, size = tokAtom, 1
		if n := encodedWordEnd(p.v[p.pos:]); n > 0 {
			size, t.coded = n, true
		}
		for p.pos+size < len(p.v) && !endsAtom[p.v[p.pos+size]] {
			size++
		}
	}
	if size < 0 {
		t.kind, size = tokJunk, len(p.v)-p.pos
	}
	p.pos += size
	t.end = p.pos
	return t
}

// encodedWordEnd is the offset past the encoded word that b begins with (RFC 2047
// section 2), -1 when it begins with none. Its text may hold the specials that
// the standard forbids in a phrase and many programs write: a comma there is
// part of the name. Every step ends at a question mark, so that reading a value
// takes time in proportion to its length.
func encodedWordEnd(b []byte) int {
	if len(b) < 2 || b[0] != '=' || b[1] != '?' {
		return -1
	}
	pos := 2
	for _, last := range [...]bool{false, false, true} { // charset, encoding, text
		i := pos
		for i < len(b) && b[i] != '?' && !isSpace(b[i]) {
			i++
		}
		if i == len(b) || b[i] != '?' || i == pos && !last {
			return -1
		}
		pos = i + 1
	}
	if pos == len(b) || b[pos] != '=' {
		return -1
	}
	return pos + 1
}

// endsAtom are white space and the specials without the dot (RFC 5322 section 3.2.3).
var endsAtom = [256]bool{' ': true, '\t': true, '\r': true, '\n': true, '"': true, '(': true, '[': true, '<': true, '>': true, '@': true,
	',': true, ';': true, ':': true, '\\': true, ')': true, ']': true}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// commentEnd is the offset past the comment that b begins with, -1 when it does not end.
func commentEnd[T string | []byte](b T) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}
