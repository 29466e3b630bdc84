package mime

import "strings"

// transferEncoding reads a Content-Transfer-Encoding (RFC 2045 section 6.1): its
// first word, as the readers of mail take it. known is false for a label that
// names no encoding ("8-bit", "utf-8", "none"): the bytes are then as they are.
func transferEncoding(v string) (name string, known bool) {
	for v = strings.TrimLeft(v, " \t\""); strings.HasPrefix(v, "("); v = strings.TrimLeft(v, " \t\"") {
		n := commentEnd(v)
		if n < 0 {
			break
		}
		v = v[n:]
	}
	if i := strings.IndexAny(v, " \t;,(\""); i >= 0 {
		v = v[:i]
	}
	switch name = strings.ToLower(v); name {
	case "":
		return "7bit", true
	case "7bit", "8bit", "binary", "base64", "quoted-printable", "uuencode", "uue", "yenc", "binhex", "mac-binhex40":
		return name, true
	}
	if strings.HasPrefix(name, "x-") { // RFC 2045 section 6.3: private encodings
		return name, true
	}
	return "8bit", false
}

// settle decides what the labels of p and of all inside it say, once the whole
// is read: a multipart or message has no encoding but 7bit, 8bit and binary (RFC
// 2045 section 6.4), and another label says nothing of it. Some programs encode
// one as a whole all the same: then no delimiter line of its own stands in it, or
// no header begins it, and it stays a leaf with its encoding. It returns the
// longest line, and whether octets over 127 are in it.
func (p *Part) settle() (longest int, eight bool) {
	longest, eight = p.LongLine, p.EightBit
	inside := p.Parts
	if p.Message != nil {
		inside = append(inside[:len(inside):len(inside)], p.Message)
	}
	for _, c := range inside {
		n, e := c.settle()
		longest, eight = max(longest, n, c.headLine), eight || e || c.head8
	}
	if p.Message != nil && !p.identity() {
		if p.literal(longest, eight) {
			p.mislabelled = true
		} else {
			p.Message, p.LongLine, p.EightBit = nil, longest, eight
		}
	}
	if p.mislabelled {
		p.Encoding = "7bit"
		if eight {
			p.Encoding = "8bit"
		}
	}
	return longest, eight
}

// literal reports an attached message that is not encoded, whatever its label
// says. A header as such is not in the alphabet of other encodings; in
// quoted-printable it looks the same, and only a delimiter line or what that
// encoding would have encoded tells.
func (p *Part) literal(longest int, eight bool) bool {
	if p.Message.headLine == 0 {
		return false
	}
	return p.Encoding != "quoted-printable" || p.Message.Multipart() || eight || longest > maxLine
}

// relabels reports a multipart or message with a label to be put right, so
// that no reader decodes it. What is signed keeps its bytes.
func (p *Part) relabels() bool {
	if p.mislabelled && p.container() {
		return true
	}
	if p.Sealed() {
		return false
	}
	if p.marked() {
		return true
	}
	for _, c := range p.Parts {
		if c.relabels() {
			return true
		}
	}
	return p.Message != nil && p.Message.relabels()
}

// marked reports a byte order mark before an attached message: most readers see
// no header behind it.
func (p *Part) marked() bool { return p.Message != nil && p.Message.HeaderStart > p.BodyStart }

// container reports a part with other parts or a message in it.
func (p *Part) container() bool { return p.Multipart() || p.Message != nil }
