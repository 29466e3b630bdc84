package mime

import (
	"bytes"
	"io"
	"sort"
)

// Without is the API view for recipients without the given leaf parts,
// which the caller sends on another way (contracts B3): each goes with its
// header and delimiter line, a multipart that becomes empty goes too, and all
// else is identical to the byte. When nothing is left of the body, an empty text
// stands in its place. The parts are those of Structure; parts inside attached
// messages cannot be dropped. Dropping anything breaks a signature: see Protected.
func (m *Message) Without(recipients []string, drop map[*Part]bool) (Source, error) {
	root, err := m.Structure()
	if err != nil {
		return nil, err
	}
	head, err := m.apiHead(recipients)
	if err != nil {
		return nil, err
	}
	gone := map[*Part]bool{}
	if markEmpty(root, drop, gone) {
		return emptied(head)
	}
	cuts := collectCuts(root, gone, nil)
	sort.Slice(cuts, func(i, j int) bool { return cuts[i].start < cuts[j].start })
	parts := []Source{Bytes(head)}
	pos := int64(len(m.head.raw))
	for _, c := range cuts {
		parts = append(parts, io.NewSectionReader(m.src, pos, c.start-pos))
		pos = c.end
	}
	return Join(append(parts, io.NewSectionReader(m.src, pos, m.src.Size()-pos))...), nil
}

// markEmpty marks what goes; true when p itself goes.
func markEmpty(p *Part, drop, gone map[*Part]bool) bool {
	if !p.Multipart() {
		gone[p] = drop[p]
		return drop[p]
	}
	left := len(p.Parts)
	for _, c := range p.Parts {
		if markEmpty(c, drop, gone) {
			left--
		}
	}
	gone[p] = left == 0
	return left == 0
}

type span struct{ start, end int64 }

// collectCuts gives the byte ranges of the parts that go: from a delimiter line
// up to the next one of the same multipart, so that the line end before stays
// with the delimiter after.
func collectCuts(p *Part, gone map[*Part]bool, cuts []span) []span {
	for i, c := range p.Parts {
		if !gone[c] {
			cuts = collectCuts(c, gone, cuts)
			continue
		}
		next := p.close
		if i+1 < len(p.Parts) {
			next = p.Parts[i+1].delim
		}
		cuts = append(cuts, span{c.delim, next})
	}
	return cuts
}

// emptied is the view when the whole body went: the header without what
// described it, and an empty text.
func emptied(head []byte) (Source, error) {
	h, err := parseBlock(head)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(head))
	for _, f := range h.fields {
		if name := bytes.ToLower(h.name(f)); !bytes.HasPrefix(name, []byte("content-")) {
			out = append(out, h.line(f)...)
		}
	}
	eol := h.eol()
	out = append(out, "Content-Type: text/plain; charset=us-ascii"+eol+eol+eol...)
	return Bytes(out), nil
}
