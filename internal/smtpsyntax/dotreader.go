package smtpsyntax

import "bytes"

// A Flaw is what makes content unacceptable; flaws are bits.
type Flaw uint8

// What flaws content can have.
const (
	FlawBareLF Flaw = 1 << iota
	FlawBareCR
	FlawNUL
)

// A DataState says whether the message has ended.
type DataState uint8

// What states there are.
const (
	DataOpen      DataState = iota // more content follows
	DataEnd                        // CR LF . CR LF was read
	DataAmbiguous                  // something was read that another server could take for the end
)

// A dotState is the position within a line.
type dotState uint8

const (
	lineStart    dotState = iota // after a line end
	inText                       // within a line
	afterCR                      // after a CR within a line
	afterDot                     // after a . at the start of a line
	afterDotCR                   // after . CR
	afterBareEnd                 // after a bare LF or bare CR
	bareEndDot                   // after a . there
	bareEndDotCR
)

// A DotReader removes the dot stuffing of DATA and finds its end (RFC 5321
// sections 4.1.1.4 and 4.5.2). Its zero value is strict.
//
// Only CR LF ends a line. A dot alone between any other mixture of CR and LF is
// what SMTP smuggling uses (CVE-2023-51764, -51765, -51766): it neither ends the
// message nor is it content, it is DataAmbiguous, and the session must end.
// Waiting for the right end instead would leave an honest sender of bare LFs
// hanging until the timeout, without a reply that tells what is wrong.
//
// AllowBareLF is for devices that know LF alone. The first line end decides for
// the whole message: where it is an LF, LF ends every line, and a dot between LFs
// is the end that the device means. Where it is CR LF only CR LF . CR LF is the
// end, or a text that a program took from a stranger could end its message early;
// bare LFs and CRs in the text are then passed on and are no flaws.
type DotReader struct {
	AllowBareLF bool
	Flaws       Flaw // found so far
	Unstuffed   bool // a line began with one dot and more text: the client does not stuff

	lineEnd lineEnd
	state   dotState
}

// A lineEnd is what ends the lines of a message where bare LFs are allowed.
type lineEnd uint8

const (
	endUnknown lineEnd = iota
	endCRLF
	endLF
)

// Feed reads from p until the end of the message and passes the content to emit
// in as few pieces as possible. used is how much of p was read. emit may not keep
// its argument.
func (d *DotReader) Feed(p []byte, emit func([]byte)) (used int, end DataState) {
	start, i := 0, 0 // p[start:i] is content that was not emitted
	flush := func(to int) {
		if to > start {
			emit(p[start:to])
		}
	}
	for i < len(p) {
		if d.state == lineStart {
			if n := d.cleanLines(p[i:]); n > 0 {
				d.crlf()
				i += n
				continue
			}
		}
		if d.state == inText || d.state == lineStart && p[i] != '.' && p[i] != '\r' && p[i] != '\n' {
			// Within a line only its end matters, and what must not be in it.
			n := bytes.IndexByte(p[i:], '\n')
			if n < 0 {
				n = len(p) - i
			}
			line := p[i : i+n]
			if bytes.IndexByte(line, 0) >= 0 {
				d.Flaws |= FlawNUL
			}
			if k := bytes.IndexByte(line, '\r'); k >= 0 {
				i += k + 1
				d.state = afterCR
				continue
			}
			i += n
			d.state = inText
			if i < len(p) {
				d.newline()
				i++
			}
			continue
		}
		c := p[i]
		if c == 0 {
			d.Flaws |= FlawNUL
		}
		switch d.state {
		case lineStart:
			switch c {
			case '.':
				flush(i)
				start = i + 1
				d.state = afterDot
			case '\r':
				d.state = afterCR
			case '\n':
				d.newline()
			}
		case afterCR:
			switch {
			case c == '\n':
				d.crlf()
				d.state = lineStart
			case c == '\r':
				d.bareCR()
				d.state = afterCR
			case c == '.' && d.strict():
				d.bareCR()
				d.state = bareEndDot
			default:
				d.bareCR()
				d.state = inText
			}
		case afterDot:
			switch c {
			case '\r':
				// Held back: the dot may prove to be the end.
				flush(i)
				start = i + 1
				d.state = afterDotCR
			case '\n':
				if !d.strict() {
					return i + 1, DataEnd
				}
				d.Flaws |= FlawBareLF
				return i + 1, DataAmbiguous
			case '.':
				d.state = inText
			default:
				d.Unstuffed = true
				d.state = inText
			}
		case afterDotCR:
			if c == '\n' {
				return i + 1, DataEnd
			}
			d.bareCR()
			if d.strict() {
				return i, DataAmbiguous
			}
			emit([]byte{'\r'})
			start = i
			d.state = inText
			if c == '\r' {
				d.state = afterCR
			}
		case afterBareEnd:
			switch c {
			case '.':
				d.state = bareEndDot
			case '\r':
				d.state = afterCR
			case '\n':
				d.newline()
			default:
				d.state = inText
			}
		case bareEndDot:
			switch c {
			case '\n':
				d.Flaws |= FlawBareLF
				return i + 1, DataAmbiguous
			case '\r':
				d.state = bareEndDotCR
			default:
				d.state = inText
			}
		case bareEndDotCR:
			if c == '\n' {
				i++
			}
			return i, DataAmbiguous
		case inText:
		}
		i++
	}
	flush(i)
	return i, DataOpen
}

// cleanLines is the length of the lines at the start of p that need no change: no
// dot at the start, no CR or LF except the two at the end.
func (d *DotReader) cleanLines(p []byte) int {
	n := 0
	for n < len(p) && p[n] != '.' {
		i := bytes.IndexByte(p[n:], '\n')
		if i < 1 || bytes.IndexByte(p[n:n+i], '\r') != i-1 {
			break
		}
		n += i + 1
	}
	if bytes.IndexByte(p[:n], 0) >= 0 {
		d.Flaws |= FlawNUL
	}
	return n
}

// strict reports that CR LF alone ends a line.
func (d *DotReader) strict() bool { return !d.AllowBareLF || d.lineEnd == endCRLF }

// crlf notes a line end with CR LF.
func (d *DotReader) crlf() {
	if d.lineEnd == endUnknown {
		d.lineEnd = endCRLF
	}
}

// newline is an LF without CR.
func (d *DotReader) newline() {
	if !d.strict() {
		d.lineEnd, d.state = endLF, lineStart
		return
	}
	if !d.AllowBareLF {
		d.Flaws |= FlawBareLF
	}
	d.state = afterBareEnd
}

func (d *DotReader) bareCR() {
	if !d.AllowBareLF {
		d.Flaws |= FlawBareCR
	}
}
