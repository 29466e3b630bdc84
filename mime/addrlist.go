package mime

import "unicode/utf8"

// box is one entry of an address field.
type box struct {
	addr  Address
	raw   []byte // the entry as written, without white space around it
	group int    // index in addrList.groups, -1 outside of groups
	bad   bool   // no usable address: addr is empty
	plain bool   // every parser reads the same from raw; when not, it is written again
	wrong bool   // no form of RFC 5322, though its meaning is clear: nothing goes out so
	// second is another address that stands in the name without quotes: a comma is missing, or it is a name.
	second Mailbox
	// hidden is the invisible character for which it is bad.
	hidden rune
}

// addrList is a parsed address field, or several joined.
type addrList struct {
	boxes  []box
	groups []string // raw names
	// odd: separators that parsers treat differently (semicolons between
	// entries, empty entries, a group without end). The field is written again
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

// unclear is the first entry with a second address in its name, nil where there
// is none.
func (l *addrList) unclear() *box {
	for i := range l.boxes {
		if !l.boxes[i].second.IsZero() {
			return &l.boxes[i]
		}
	}
	return nil
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
	over  int // end of an entry of more than maxTokens, 0 while there are fewer
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
		p.add(t)
	}
}

// maxTokens bounds what is kept of one entry: no name has so many words, and a
// field of specials alone would take many times its own size.
const maxTokens = 4096

func (p *addrParser) add(t token) {
	if len(p.toks) == maxTokens {
		p.over = t.end
		return
	}
	p.toks = append(p.toks, t)
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
	if len(p.toks) == 0 || p.over > 0 || len(p.list.groups) > p.limit { // more groups than entries may be: they cost as much
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
	if p.over > 0 {
		p.list.boxes = append(p.list.boxes, box{group: p.group, raw: p.v[toks[0].start:p.over], bad: true})
		p.over = 0
		return
	}
	shown := p.dropHidden(toks)
	if p.nothing(shown) {
		if !last || len(toks) > 0 || p.pendingComma() {
			p.list.odd = true
		}
		return
	}
	b := box{group: p.group, raw: p.v[toks[0].start:toks[len(toks)-1].end], wrong: len(shown) < len(toks)}
	p.read(&b, shown)
	p.list.boxes = append(p.list.boxes, b)
}

// nothing reports an entry without anything in it: no token, comments alone, or
// empty brackets without a name, which programs write for an address that they
// do not have.
func (p *addrParser) nothing(toks []token) bool {
	n := 0
	for _, t := range toks {
		switch {
		case t.kind == tokComment, n == 0 && t.kind == tokQuoted && t.end-t.start == 2:
		case n == 0 && t.kind == '<', n == 1 && t.kind == '>':
			n++
		default:
			return false
		}
	}
	return n != 1 && (n > 0 || !hasToken(toks, tokQuoted))
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
