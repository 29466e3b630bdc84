package mime

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// read fills b from its tokens: name-addr or addr-spec (RFC 5322 section 3.4).
func (p *addrParser) read(b *box, toks []token) {
	b.plain = utf8.Valid(b.raw)
	defer func() { b.plain = b.plain && !b.wrong }()
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
	spec, trimmed := p.trimHidden(spec)
	b.wrong = b.wrong || trimmed
	addr, ok := p.spec(b, spec)
	if !ok {
		b.bad = true
		if len(spec) > 0 {
			b.hidden = firstInvisible(string(p.v[spec[0].start:spec[len(spec)-1].end]))
		}
		return
	}
	b.addr.Address = addr
	b.addr.Name = p.phrase(b, name)
	if b.addr.Name == "" && len(name) == 0 {
		b.addr.Name = strings.TrimSpace(decodeWords(unfold([]byte(comment))))
	}
}

// dropHidden leaves out the atoms at both ends of toks that are nothing but
// invisible characters.
func (p *addrParser) dropHidden(toks []token) []token {
	hidden := func(t token) bool {
		return t.kind == tokAtom && p.v[t.start] >= utf8.RuneSelf && len(trimInvisible(p.v[t.start:t.end])) == 0
	}
	for len(toks) > 0 && hidden(toks[0]) {
		toks = toks[1:]
	}
	for len(toks) > 0 && hidden(toks[len(toks)-1]) {
		toks = toks[:len(toks)-1]
	}
	return toks
}

// trimHidden takes invisible characters off both ends of an address, and
// reports that there were some.
func (p *addrParser) trimHidden(toks []token) ([]token, bool) {
	bare := p.dropHidden(toks)
	trimmed := len(bare) != len(toks)
	if len(bare) == 0 {
		return bare, trimmed
	}
	if t := &bare[0]; t.kind == tokAtom && p.v[t.start] >= utf8.RuneSelf {
		word := p.v[t.start:t.end]
		n := len(word) - len(bytes.TrimLeftFunc(word, isInvisible))
		t.start, trimmed = t.start+n, trimmed || n > 0
	}
	if t := &bare[len(bare)-1]; t.kind == tokAtom && p.v[t.end-1] >= utf8.RuneSelf {
		word := p.v[t.start:t.end]
		n := len(word) - len(bytes.TrimRightFunc(word, isInvisible))
		t.end, trimmed = t.end-n, trimmed || n > 0
	}
	return bare, trimmed
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
func (p *addrParser) spec(b *box, toks []token) (Mailbox, bool) {
	if len(toks) > maxPath { // each is an octet at least
		return Mailbox{}, false
	}
	at := -1
	for i, t := range toks {
		if t.space && i > 0 {
			b.plain = false // obsolete white space inside an address
		}
		switch t.kind {
		case '@':
			if at >= 0 {
				return Mailbox{}, false
			}
			at = i
		case tokAtom, tokQuoted, tokLiteral:
		default:
			return Mailbox{}, false
		}
	}
	if at < 0 && p.local != nil {
		b.plain = false
		return p.local.qualify(p.v, toks)
	}
	if at < 1 || at+1 >= len(toks) {
		return Mailbox{}, false
	}
	// nearly all
	if at == 1 && len(toks) == 3 && toks[0].kind == tokAtom && toks[2].kind == tokAtom && toks[0].end == toks[1].start &&
		toks[1].end == toks[2].start {
		addr := string(p.v[toks[0].start:toks[2].end])
		n := toks[1].start - toks[0].start
		b.plain = b.plain && isASCII(addr[n:])
		return joinAddress(addr, addr[:n], addr[n+1:], false)
	}
	local, quoted, ok := p.joinLocal(toks[:at])
	if !ok || !p.dotted(toks[:at]) || !p.dotted(toks[at+1:]) {
		return Mailbox{}, false
	}
	if at > 1 {
		b.plain = false
	}
	domain := ""
	for _, t := range toks[at+1:] {
		if t.kind == tokQuoted || (t.kind == tokLiteral && len(toks) != at+2) {
			return Mailbox{}, false
		}
		domain += string(p.v[t.start:t.end])
	}
	if !isASCII(domain) {
		b.plain = false // A-labels: who takes addresses by their bytes must see one mailbox (contracts F15)
	}
	return joinAddress(local+"@"+domain, local, domain, quoted)
}

// joinLocal joins the words before the @, which are atoms and quoted strings.
func (p *addrParser) joinLocal(toks []token) (local string, quoted, ok bool) {
	form := "" // with each quoted string as one letter
	for _, t := range toks {
		s := string(p.v[t.start:t.end])
		word := s
		switch t.kind {
		case tokQuoted:
			word = "q"
			if s, quoted = unfold([]byte(unquote(s))), true; s == "" && len(toks) > 1 {
				return "", false, false
			}
		case tokLiteral:
			return "", false, false
		}
		local, form = local+s, form+word
	}
	return local, quoted, isDotAtom(form)
}

// dotted reports words with a dot between each two (RFC 5322 section 4.4): what
// stands side by side without one are not the parts of one address, and running
// them together would make an address that no one wrote.
func (p *addrParser) dotted(toks []token) bool {
	for i := 1; i < len(toks); i++ {
		last, first := toks[i-1], toks[i]
		if (last.kind != tokAtom || p.v[last.end-1] != '.') && (first.kind != tokAtom || p.v[first.start] != '.') {
			return false
		}
	}
	return true
}

// isPhraseWord reports a word without specials, but for the dot of old phrases
// (RFC 5322 section 4.1).
func isPhraseWord(s string) bool {
	for i := range len(s) {
		if !isAtext(s[i]) && s[i] != '.' {
			return false
		}
	}
	return true
}

// addressAt is the address around the @ that is toks[i] of a display name,
// none where there is none or it is the same as addr.
func (p *addrParser) addressAt(toks []token, i int, addr Mailbox) Mailbox {
	if i == 0 || i+1 == len(toks) || toks[i].space || toks[i+1].space || toks[i-1].kind != tokAtom {
		return Mailbox{}
	}
	second, err := ParseMailbox(string(p.v[toks[i-1].start:toks[i+1].end]))
	if err != nil || strings.EqualFold(second.spec, addr.spec) {
		return Mailbox{}
	}
	return second
}

// phrase decodes a display name; what no
// phrase may hold marks b as wrong.
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
			if t.coded && !isPhraseWord(text) {
				b.wrong = true // RFC 2047 section 5 (3): a parser that does not know encoded words ends the entry in it
			}
		case '@':
			b.wrong = true
			if b.second.IsZero() {
				b.second = p.addressAt(toks, i, b.addr.Address)
			}
		default:
			b.wrong = true // an @ in a name costs the whole message at Graph (contracts B4.5)
		}
		s.WriteString(text)
	}
	return strings.TrimSpace(decodeWords(s.String()))
}
