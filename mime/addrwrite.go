package mime

import "strings"

// maxLine is the longest line in octets without CRLF (RFC 5321 section 4.5.3.1.6).
const maxLine = 998

// mailbox adds one entry of an address list and what must follow it without
// white space (a comma, a semicolon).
func (f *fieldWriter) mailbox(a Address, suffix string) {
	if a.Name == "" {
		f.word(" ", a.Address.spec+suffix)
		return
	}
	f.phrase(a.Name)
	f.word(" ", "<"+a.Address.spec+">"+suffix)
}

// asWritten adds an entry in the words it came in, unfolded, so that quoting
// and encoded words of its author stay.
func (f *fieldWriter) asWritten(raw []byte, suffix string) {
	text := unfold(raw)
	for {
		word := text[:wordEnd(text)]
		text = strings.TrimLeft(text[len(word):], " \t")
		if text == "" {
			f.word(" ", word+suffix)
			return
		}
		f.word(" ", word)
	}
}

// wordEnd is the end of the first word of text; a quoted string is one word as
// long as it fits a line.
func wordEnd(text string) int {
	inQuote := false
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			if inQuote {
				i++
			}
		case '"':
			inQuote = !inQuote
		case ' ', '\t':
			if !inQuote || i > maxLine/2 {
				return i
			}
		}
	}
	return len(text)
}

// writeList writes a field again with the entries that keep allows, each as it
// was written where every parser reads that the same way. Groups stay as far as
// someone is left in them. nil when nothing is left.
func writeList(name string, l *addrList, keep func(*box) bool) []byte {
	kept := make([]*box, 0, len(l.boxes))
	for i := range l.boxes {
		if b := &l.boxes[i]; !b.bad && keep(b) {
			kept = append(kept, b)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	f := newField(name)
	group := -1
	for i, b := range kept {
		if b.group >= 0 && group != b.group {
			f.group(l.groups[b.group])
		}
		group = b.group
		suffix := ""
		last := i == len(kept)-1
		if group >= 0 && (last || kept[i+1].group != group) {
			suffix = ";"
		}
		if !last {
			suffix += ","
		}
		if b.plain {
			f.asWritten(b.raw, suffix)
		} else {
			f.mailbox(b.addr, suffix)
		}
	}
	return f.raw()
}

// group adds a group's name and colon (RFC 5322 section 3.4).
func (f *fieldWriter) group(raw string) {
	name := strings.TrimSpace(decodeWords(unfold([]byte(raw))))
	if strings.HasPrefix(name, `"`) && quotedEnd(name) == len(name) {
		name = unquote(name)
	}
	if i := strings.IndexAny(name, "()"); i >= 0 {
		name = strings.TrimSpace(name[:i])
	}
	if name == "" {
		name = "group"
	}
	f.phrase(name)
	f.b = append(f.b, ':')
	f.col++
}

// withEOL gives a CRLF field the line end of the message it goes into.
func withEOL(raw []byte, eol string) []byte {
	if eol == crlf {
		return raw
	}
	return []byte(strings.ReplaceAll(string(raw), crlf, eol))
}
