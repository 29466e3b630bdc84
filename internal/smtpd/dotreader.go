package smtpd

import "bytes"

// A flaw is what makes content unacceptable.
type flaw uint8

const (
	flawBareLF flaw = 1 << iota
	flawBareCR
	flawNUL
)

// dataState says how far a dots is.
type dataState int

const (
	dataOpen      dataState = iota
	dataEnd                 // CR LF . CR LF
	dataAmbiguous           // something that another server could take for the end
)

// dotState is where a dots stands in a line.
type dotState uint8

const (
	lineStart    dotState = iota // behind a line end
	inText                       // within a line
	afterCR                      // behind a CR within a line
	afterDot                     // behind a . that begins a line
	afterDotCR                   // behind . CR
	afterBareEnd                 // behind a bare LF or bare CR
	bareEndDot                   // behind a . there
	bareEndDotCR
)

// dotReader undoes the dot stuffing of DATA and finds its end (RFC 5321 sections
// 4.1.1.4 and 4.5.2).
//
// Only CR LF ends a line. A dot alone between any other mixture of CR and LF is
// what SMTP smuggling uses (CVE-2023-51764, -51765, -51766): here it neither
// ends the message nor is it content, it is dataAmbiguous, and the session must
// end. Waiting for the right end instead would leave an honest sender of bare
// LFs hanging until the timeout, without the sentence that tells what is wrong.
//
// lax is for devices that know LF alone. The first line end decides for the
// whole message: where it is an LF, LF ends every line, and a dot between LFs is
// the end that the device means. Where it is CR LF only CR LF . CR LF is the
// end, or what a program took from a stranger could end its message early; bare
// LFs and CRs in the text are left for submit to mend.
type dotReader struct {
	bareLF  bool
	lineEnd lineEnd
	state   dotState
	flaws   flaw
}

// A lineEnd is what ends the lines of a message on a lax listener.
type lineEnd uint8

const (
	endUnknown lineEnd = iota
	endCRLF
	endLF
)

// feed reads from p until the end of the message, handing the content to emit
// in as few pieces as possible. It gives how much of p was used. emit may not
// keep its argument.
func (d *dotReader) feed(p []byte, emit func([]byte)) (used int, end dataState) {
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
				d.flaws |= flawNUL
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
			d.flaws |= flawNUL
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
				// Held back: behind it the dot may prove to be the end.
				flush(i)
				start = i + 1
				d.state = afterDotCR
			case '\n':
				if !d.strict() {
					return i + 1, dataEnd
				}
				d.flaws |= flawBareLF
				return i + 1, dataAmbiguous
			default:
				d.state = inText
			}
		case afterDotCR:
			if c == '\n' {
				return i + 1, dataEnd
			}
			d.bareCR()
			if d.strict() {
				return i, dataAmbiguous
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
				d.flaws |= flawBareLF
				return i + 1, dataAmbiguous
			case '\r':
				d.state = bareEndDotCR
			default:
				d.state = inText
			}
		case bareEndDotCR:
			if c == '\n' {
				i++
			}
			return i, dataAmbiguous
		case inText:
		}
		i++
	}
	flush(i)
	return i, dataOpen
}

// cleanLines is the length of the lines that p begins with and in which there is
// nothing to see: no dot at the start, no CR or LF but the two at the end.
func (d *dotReader) cleanLines(p []byte) int {
	n := 0
	for n < len(p) && p[n] != '.' {
		i := bytes.IndexByte(p[n:], '\n')
		if i < 1 || bytes.IndexByte(p[n:n+i], '\r') != i-1 {
			break
		}
		n += i + 1
	}
	if bytes.IndexByte(p[:n], 0) >= 0 {
		d.flaws |= flawNUL
	}
	return n
}

// strict reports that CR LF alone ends a line.
func (d *dotReader) strict() bool { return !d.bareLF || d.lineEnd == endCRLF }

// crlf notes a line end with CR LF.
func (d *dotReader) crlf() {
	if d.lineEnd == endUnknown {
		d.lineEnd = endCRLF
	}
}

// newline is an LF without CR.
func (d *dotReader) newline() {
	if !d.strict() {
		d.lineEnd, d.state = endLF, lineStart
		return
	}
	if !d.bareLF {
		d.flaws |= flawBareLF
	}
	d.state = afterBareEnd
}

func (d *dotReader) bareCR() {
	if !d.bareLF {
		d.flaws |= flawBareCR
	}
}

// name is the line end that a flaw is about.
func (f flaw) name() string {
	if f&flawBareCR != 0 {
		return "CR"
	}
	return "LF"
}
