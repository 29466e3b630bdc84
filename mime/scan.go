package mime

import (
	"bytes"
	"errors"
	"io"
	"strings"
)

// maxBoundary is the longest boundary taken; RFC 2046 section 5.1.1 allows 70.
const maxBoundary = 250

// scanner reads a body once, line by line, and builds the tree. Its memory is
// one window and the tree.
type scanner struct {
	in   window
	off  int64 // in the message
	lim  Limits
	root *Part

	open   []*Part // from the root to the part that bytes belong to now
	frames []frame // the open multiparts among them
	head   []byte  // header lines of the last open part while inHead
	inHead bool
	eol    int // length of the line end before the current line
	parts  int

	nul, bareCR, bareLF bool
}

type frame struct {
	boundary string
	depth    int // index of the multipart in open
}

// line is one line of the body; text is its beginning when it is longer than the window.
type line struct {
	start    int64
	text     []byte
	length   int // without line end
	eol      int
	eightBit bool
}

// scanBody reads body, which begins at offset off of the message with header h.
func scanBody(h *block, body Source, off int64, lim Limits) (*scanner, error) {
	s := &scanner{in: newWindow(body), off: off, lim: lim, parts: 1}
	defer s.in.close()
	s.root = &Part{BodyStart: off, delim: -1}
	s.root.describe(h, nil)
	if err := s.enter(s.root); err != nil {
		return nil, err
	}
	for {
		s.text()
		l, err := s.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, unreadable(err)
		}
		if e := s.line(&l); e != nil {
			return nil, e
		}
		s.eol = l.eol
	}
	for s.inHead { // twice when the last part is a message of which nothing came
		if err := s.endHead(s.off); err != nil {
			return nil, err
		}
	}
	s.end(0, s.off)
	s.root.settle()
	return s, nil
}

// text takes what next and line would, for the lines in the window that are
// nothing but text: nearly all of a message.
func (s *scanner) text() {
	w := &s.in
	if s.inHead || !w.paired {
		return
	}
	p := s.open[len(s.open)-1]
	b, pos, longest, eight := w.b[:w.whole], 0, p.LongLine, p.EightBit || w.seven
	for pos < len(b) && b[pos] != '-' {
		n := bytes.IndexByte(b[pos:], '\n')
		if n < 1 || b[pos+n-1] != '\r' {
			break
		}
		if !eight && !sevenBit(b[pos:pos+n]) {
			p.EightBit, eight = true, true
		}
		longest = max(longest, n-1)
		pos += n + 1
	}
	if pos > 0 {
		p.LongLine, s.eol = longest, len(crlf)
		s.off += int64(pos)
		w.take(pos)
	}
}

// next reads a line. Only LF ends one; a bare CR is noted.
func (s *scanner) next() (line, error) {
	w := &s.in
	if w.whole == 0 {
		if err := w.fill(); err != nil {
			return line{}, err
		}
		s.nul = s.nul || w.nul
	}
	if w.whole == 0 {
		return s.longLine()
	}
	n := bytes.IndexByte(w.b, '\n')
	l := line{start: s.off, text: w.b[:n], length: n, eol: 1}
	w.take(n + 1)
	s.off += int64(n) + 1
	if n > 0 && l.text[n-1] == '\r' {
		l.text, l.length, l.eol = l.text[:n-1], n-1, 2
	} else {
		s.bareLF = true
		s.bareCR = s.bareCR || w.paired // then a CR elsewhere has no LF
	}
	if !w.paired && bytes.IndexByte(l.text, '\r') >= 0 {
		s.bareCR = true
	}
	l.eightBit = !w.seven && !sevenBit(l.text)
	return l, nil
}

// longLine reads a line that no window holds, or the last one without line end.
func (s *scanner) longLine() (line, error) {
	w := &s.in
	l := line{start: s.off}
	cr := false // the last octet so far is a CR
	for first, ended := true, false; !ended; first = false {
		b := w.b
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			b, ended = b[:i+1], true
		}
		s.inspect(&l, b, cr)
		cr = b[len(b)-1] == '\r'
		l.length += len(b)
		s.off += int64(len(b))
		switch {
		case first && w.pos < w.size:
			l.text = bytes.Clone(b[:64]) // the next read overwrites the window; a delimiter is never this long
		case first:
			l.text = b
		}
		w.take(len(b))
		if ended {
			w.measure() // what it was measured for began inside of this line
			s.nul = s.nul || w.nul
			break
		}
		if err := w.fill(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return l, err
		}
	}
	if cr { // only at the end of the body
		s.bareCR = true
	}
	l.length -= l.eol
	l.text = l.text[:min(len(l.text), l.length)]
	return l, nil
}

// inspect notes the line end and forbidden octets of a piece of a line; cr
// says that the piece before ended in CR.
func (s *scanner) inspect(l *line, b []byte, cr bool) {
	if bytes.IndexByte(b, 0) >= 0 {
		s.nul = true
	}
	if !l.eightBit && !sevenBit(b) {
		l.eightBit = true
	}
	if cr && b[0] != '\n' {
		s.bareCR = true
	}
	text := b
	if n := len(b); b[n-1] == '\n' {
		l.eol, text = 1, b[:n-1]
		if n > 1 && b[n-2] == '\r' {
			l.eol, text = 2, b[:n-2]
		} else if n == 1 && cr {
			l.eol = 2
		} else {
			s.bareLF = true
		}
	}
	if i := bytes.IndexByte(text, '\r'); i >= 0 && (i < len(text)-1 || l.eol > 0) {
		s.bareCR = true
	}
}

// line hands one line to the part that it belongs to.
func (s *scanner) line(l *line) error {
	if k, last := s.delimiter(l); k >= 0 {
		return s.boundary(k, last, l)
	}
	p := s.open[len(s.open)-1]
	if s.inHead {
		body, err := s.headLine(l)
		if err != nil || !body {
			return err
		}
		p = s.open[len(s.open)-1]
		if s.inHead { // a message inside a message begins with this line
			return nil
		}
	}
	p.EightBit = p.EightBit || l.eightBit
	p.LongLine = max(p.LongLine, l.length)
	return nil
}

// headLine takes a line of a part's header; true when it belongs to the body after all.
func (s *scanner) headLine(l *line) (bool, error) {
	next := l.start + int64(l.length+l.eol)
	if l.length == 0 {
		return false, s.endHead(next)
	}
	if len(s.head)+l.length > s.lim.HeaderBytes {
		return false, errHeaderTooLarge(s.lim.HeaderBytes)
	}
	if n := len(s.open); len(s.head) == 0 && n > 1 && s.open[n-2].Message == s.open[n-1] && s.open[n-1].HeaderStart == l.start {
		k := len(l.text) - len(trimMarks(l.text)) // before the header of an attached message
		s.open[n-1].HeaderStart += int64(k)
		if l.text, l.length, l.start = l.text[k:], l.length-k, l.start+int64(k); l.length == 0 {
			return false, s.endHead(next)
		}
	}
	folded := len(s.head) > 0 && (l.text[0] == ' ' || l.text[0] == '\t')
	if len(l.text) < l.length || !folded && nameLength(l.text) < 0 {
		// No field: the body begins here, as most readers see it.
		if err := s.endHead(l.start); err != nil {
			return false, err
		}
		if s.inHead {
			return false, s.line(l) // again, as first line of an inner message
		}
		return true, nil
	}
	s.head = append(append(s.head, l.text...), crlf...)
	return false, nil
}

// delimiter finds the open multipart that l delimits, innermost first; -1 for none.
func (s *scanner) delimiter(l *line) (k int, last bool) {
	if len(l.text) < 2 || l.text[0] != '-' || l.text[1] != '-' || len(l.text) < l.length {
		return -1, false
	}
	text := l.text[2:]
	text = text[:trimmed(text)]
	for k := len(s.frames) - 1; k >= 0; k-- {
		b := s.frames[k].boundary
		if len(text) != len(b) && len(text) != len(b)+2 {
			continue
		}
		if string(text[:len(b)]) == b {
			if len(text) == len(b) {
				return k, false
			}
			if text[len(b)] == '-' && text[len(b)+1] == '-' {
				return k, true
			}
		}
	}
	return -1, false
}

// boundary ends the part before a delimiter and begins the next.
func (s *scanner) boundary(k int, last bool, l *line) error {
	for s.inHead {
		if err := s.endHead(l.start); err != nil {
			return err
		}
	}
	f := s.frames[k]
	s.end(f.depth+1, l.start)
	p := s.open[f.depth]
	if !p.identity() { // it is not encoded as a whole
		p.Encoding, p.mislabelled = "8bit", true
	}
	if last {
		p.close = l.start
		s.frames = s.frames[:k]
		return nil
	}
	c := &Part{HeaderStart: l.start + int64(l.length+l.eol), delim: l.start}
	p.Parts = append(p.Parts, c)
	return s.begin(c)
}

// begin opens a part before its header.
func (s *scanner) begin(c *Part) error {
	if s.parts++; s.parts > s.lim.Parts {
		return newError("too_many_parts", "", NewText("mime.parts_over_limit",
			"The message has more than {parts} parts: put the attachments into an archive.", "parts", s.lim.Parts))
	}
	if len(s.open) >= s.lim.Depth {
		return newError("too_deep", "", NewText("mime.too_deep",
			"The message has parts nested more than {depth} deep: send the attached messages as files in an archive.",
			"depth", s.lim.Depth))
	}
	s.open = append(s.open, c)
	s.inHead, s.head = true, s.head[:0]
	return nil
}

// end closes all parts from depth on, at a delimiter line (or the end) that starts at off.
func (s *scanner) end(depth int, off int64) {
	bodyEnd := off
	if depth > 0 {
		bodyEnd -= int64(s.eol) // that line end belongs to the delimiter
	}
	for _, p := range s.open[min(depth, len(s.open)):] {
		p.End = max(p.BodyStart, bodyEnd)
		if p.close == 0 {
			p.close = p.End
		}
	}
	s.open = s.open[:min(depth, len(s.open))]
	for n := len(s.frames); n > 0 && s.frames[n-1].depth >= depth; n-- {
		s.frames = s.frames[:n-1]
	}
}

// endHead reads the collected header; the body begins at off.
func (s *scanner) endHead(off int64) error {
	p := s.open[len(s.open)-1]
	var parent *Part
	if n := len(s.open); n > 1 && s.open[n-2].Message != p {
		parent = s.open[n-2]
	}
	s.inHead = false
	h, err := parseBlock(s.head)
	if err != nil && err.Code == "nul" {
		s.nul = true // the caller decides; the fields before it stand
	}
	p.BodyStart = off
	p.describe(&h, parent)
	return s.enter(p)
}

// enter opens what is inside p once its header is known. Of a label that a
// multipart or message cannot have, settle says what it meant.
func (s *scanner) enter(p *Part) error {
	if len(s.open) == 0 {
		s.open = append(s.open, p)
	}
	switch {
	case strings.HasPrefix(p.MediaType, "multipart/"):
		if b := strings.TrimRight(p.Params["boundary"], " "); b != "" && len(b) <= maxBoundary {
			s.frames = append(s.frames, frame{boundary: b, depth: len(s.open) - 1})
		}
	case p.MediaType == "message/rfc822", p.MediaType == "message/global":
		p.Message = &Part{HeaderStart: p.BodyStart, BodyStart: p.BodyStart, delim: -1}
		return s.begin(p.Message)
	}
	return nil
}
