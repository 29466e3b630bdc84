package mime

import (
	"strings"
	"unicode/utf8"
)

// box is one entry of an address field.
type box struct {
	addr  Address
	raw   []byte // the entry as written, without white space around it
	group int    // index in addrList.groups, -1 outside of groups
	bad   bool   // no usable address: addr is empty
	plain bool   // every parser reads the same from raw; when not, it is written anew
}

// addrList is a parsed address field, or several joined.
type addrList struct {
	boxes  []box
	groups []string // raw names
	// odd: separators that parsers treat differently (semicolons between
	// entries, empty entries, a group without end). The field is written anew
	// where its recipients count.
	odd bool
}

// plain reports that the field's own bytes may stand in an API view.
func (l *addrList) plain() bool {
	if l.odd {
		return false
	}
	for i := range l.boxes {
		if l.boxes[i].bad || !l.boxes[i].plain {
			return false
		}
	}
	return true
}

// addresses are the usable entries, groups flattened.
func (l *addrList) addresses() []Address {
	if l == nil {
		return nil
	}
	var out []Address
	for i := range l.boxes {
		if !l.boxes[i].bad {
			if out == nil {
				out = make([]Address, 0, len(l.boxes)-i)
			}
			out = append(out, l.boxes[i].addr)
		}
	}
	return out
}

// addrParser reads an address list with tolerance: what it cannot read becomes
// a bad entry and never swallows its neighbours silently.
type addrParser struct {
	list  *addrList
	v     []byte
	pos   int
	toks  []token
	group int
	limit int // entries in the whole list; one more is parsed so that the caller sees the excess
	local *localNames
}

// parseAddresses reads value (raw, with folding) and appends to list.
func parseAddresses(list *addrList, value []byte, limit int) {
	var p addrParser
	p.parse(list, value, limit)
}

// parse is parseAddresses for several fields in turn, with less garbage.
func (p *addrParser) parse(list *addrList, value []byte, limit int) {
	if p.toks == nil {
		p.toks = make([]token, 0, 8) // as many as most entries have
	}
	*p = addrParser{list: list, v: value, group: -1, limit: limit, toks: p.toks[:0], local: p.local}
	p.run()
}

func (p *addrParser) run() {
	angle, route := false, false // inside <>; before the colon of an obsolete source route in it
	for len(p.list.boxes) <= p.limit {
		t := p.next()
		switch t.kind {
		case tokEnd:
			p.flush(true)
			if p.group >= 0 {
				p.list.odd = true
			}
			return
		case ',':
			if route { // commas do not separate there (RFC 5322 section 4.4)
				break
			}
			angle = false
			p.flush(false)
			continue
		case ';':
			angle, route = false, false
			if p.group >= 0 {
				p.flush(true)
				p.group = -1
				if p.peekEntry() {
					p.list.odd = true // an entry right after a group, without a comma
				}
				continue
			}
			p.flush(false)
			p.list.odd = true // Outlook's separator
			continue
		case ':':
			if !angle && p.group < 0 && p.startGroup() {
				continue
			}
			route = false
		case '<':
			angle = true
		case '@':
			route = route || angle && len(p.toks) > 0 && p.toks[len(p.toks)-1].kind == '<'
		case '>':
			angle, route = false, false
		}
		p.toks = append(p.toks, t)
	}
}

// peekEntry reports that something other than a separator follows.
func (p *addrParser) peekEntry() bool {
	pos := p.pos
	t := p.next()
	if t.kind == ',' {
		// The comma belongs to the group; leave it consumed.
		return false
	}
	p.pos = pos
	return t.kind != tokEnd
}

// startGroup takes the tokens so far as a group's name.
func (p *addrParser) startGroup() bool {
	if len(p.toks) == 0 {
		return false
	}
	for _, t := range p.toks {
		if t.kind != tokAtom && t.kind != tokQuoted && t.kind != tokComment {
			return false
		}
	}
	name := p.v[p.toks[0].start:p.toks[len(p.toks)-1].end]
	if !utf8.Valid(name) || hasToken(p.toks, tokComment) {
		p.list.odd = true
	}
	p.list.groups = append(p.list.groups, string(name))
	p.group = len(p.list.groups) - 1
	p.toks = p.toks[:0]
	return true
}

// flush makes an entry of the tokens so far. last says that an empty entry is
// no surprise here (an empty field or group).
func (p *addrParser) flush(last bool) {
	toks := p.toks
	p.toks = p.toks[:0]
	real := 0
	for _, t := range toks {
		if t.kind != tokComment {
			real++
		}
	}
	if real == 0 {
		if !last || len(toks) > 0 || p.pendingComma() {
			p.list.odd = true
		}
		return
	}
	b := box{group: p.group, raw: p.v[toks[0].start:toks[len(toks)-1].end]}
	p.read(&b, toks)
	p.list.boxes = append(p.list.boxes, b)
}

// pendingComma reports that the separator before the end was a comma with
// nothing behind it.
func (p *addrParser) pendingComma() bool {
	i := min(p.pos, len(p.v)) - 1
	for i >= 0 && (isSpace(p.v[i]) || p.v[i] == ';') {
		i--
	}
	return i >= 0 && p.v[i] == ','
}

// read fills b from its tokens: name-addr or addr-spec (RFC 5322 section 3.4).
func (p *addrParser) read(b *box, toks []token) {
	b.plain = utf8.Valid(b.raw)
	name, spec := toks[:0:0], toks
	for i, t := range toks {
		if t.kind == '<' {
			name, spec = toks[:i], toks[i:]
			break
		}
	}
	comment := ""
	if hasToken(toks, tokComment) {
		if toks[0].kind == tokComment {
			b.plain = false // valid, and refused by parsers in wide use
		}
		var kept []token
		for _, t := range spec {
			if t.kind == tokComment {
				comment = string(p.v[t.start+1 : t.end-1])
				continue
			}
			kept = append(kept, t)
		}
		spec = kept
		for _, t := range toks {
			if t.kind == tokComment && strings.ContainsAny(string(p.v[t.start+1:t.end-1]), `()<>@,;:\"`) {
				b.plain = false // a careless parser finds an address in it
			}
		}
	}
	if len(spec) > 0 && spec[0].kind == '<' {
		if spec[len(spec)-1].kind != '>' || len(spec) < 3 {
			b.bad = true
			return
		}
		spec = spec[1 : len(spec)-1]
		if spec[0].kind == '@' { // obsolete route: RFC 5321 section 3.6.1 says ignore it
			b.plain = false
			for i, t := range spec {
				if t.kind == ':' {
					spec = spec[i+1:]
					break
				}
			}
		}
	}
	addr, ok := p.spec(b, spec)
	if !ok {
		b.bad = true
		return
	}
	b.addr.Address = addr
	b.addr.Name = p.phrase(b, name)
	if b.addr.Name == "" && len(name) == 0 {
		b.addr.Name = strings.TrimSpace(decodeWords(unfold([]byte(comment))))
	}
}

func hasToken(toks []token, kind byte) bool {
	for _, t := range toks {
		if t.kind == kind {
			return true
		}
	}
	return false
}

// spec reads local "@" domain.
func (p *addrParser) spec(b *box, toks []token) (string, bool) {
	if len(toks) > maxPath { // each is an octet at least
		return "", false
	}
	at := -1
	for i, t := range toks {
		if t.space && i > 0 {
			b.plain = false // obsolete white space inside an address
		}
		switch t.kind {
		case '@':
			if at >= 0 {
				return "", false
			}
			at = i
		case tokAtom, tokQuoted, tokLiteral:
		default:
			return "", false
		}
	}
	if at < 0 && p.local != nil {
		b.plain = false
		return p.local.qualify(p.v, toks)
	}
	if at < 1 || at+1 >= len(toks) {
		return "", false
	}
	if at == 1 && len(toks) == 3 && toks[0].kind == tokAtom && toks[2].kind == tokAtom && toks[0].end == toks[1].start && toks[1].end == toks[2].start { // nearly all
		addr := string(p.v[toks[0].start:toks[2].end])
		n := toks[1].start - toks[0].start
		b.plain = b.plain && isASCII(addr[n:])
		return joinAddress(addr, addr[:n], addr[n+1:], false)
	}
	local, quoted := "", false
	for _, t := range toks[:at] {
		s := string(p.v[t.start:t.end])
		switch t.kind {
		case tokQuoted:
			s, quoted = unfold([]byte(unquote(s))), true
		case tokLiteral:
			return "", false
		}
		local += s
	}
	if at > 1 {
		b.plain = false
	}
	domain := ""
	for _, t := range toks[at+1:] {
		if t.kind == tokQuoted || (t.kind == tokLiteral && len(toks) != at+2) {
			return "", false
		}
		domain += string(p.v[t.start:t.end])
	}
	if !isASCII(domain) {
		b.plain = false // A-labels: who takes addresses by their bytes must see one mailbox (contracts F15)
	}
	return joinAddress(local+"@"+domain, local, domain, quoted)
}

// phrase decodes a display name; what only tolerant parsers take marks b as not plain.
func (p *addrParser) phrase(b *box, toks []token) string {
	if len(toks) == 0 {
		return ""
	}
	if len(toks) == 1 && toks[0].kind == tokQuoted {
		return strings.TrimSpace(decodeWords(unfold([]byte(unquote(string(p.v[toks[0].start:toks[0].end]))))))
	}
	var s strings.Builder
	for i, t := range toks {
		if t.space && i > 0 {
			s.WriteByte(' ')
		}
		text := string(p.v[t.start:t.end])
		switch t.kind {
		case tokComment:
			continue
		case tokQuoted:
			text = unfold([]byte(unquote(text)))
		case tokAtom:
		default:
			b.plain = false
		}
		s.WriteString(text)
	}
	return strings.TrimSpace(decodeWords(s.String()))
}
