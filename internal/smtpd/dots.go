package smtpd

import "bytes"

// A flaw is what makes content unacceptable.
type flaw uint8

const (
	flawBareLF flaw = 1 << iota
	flawBareCR
	flawNUL
)

// ending says how far a dots is.
type ending int

const (
	dataOpen      ending = iota
	dataEnd              // CR LF . CR LF
	dataAmbiguous        // something that another server could take for the end
)

// place is where a dots stands in a line.
type place uint8

const (
	atLine     place = iota // behind a line end
	inText                  // within a line
	afterCR                 // behind a CR within a line
	afterDot                // behind a . that begins a line
	afterDotCR              // behind . CR
	loose                   // behind a bare LF or bare CR
	looseDot                // behind a . there
	looseDotCR
)

// dots undoes the dot stuffing of DATA and finds its end (RFC 5321 sections
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
type dots struct {
	lax   bool
	ends  lineEnd
	place place
	flaws flaw
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
func (d *dots) feed(p []byte, emit func([]byte)) (used int, end ending) {
	start, i := 0, 0 // p[start:i] is content that was not emitted
	flush := func(to int) {
		if to > start {
			emit(p[start:to])
		}
	}
	for i < len(p) {
		if d.place == atLine {
			if n := d.lines(p[i:]); n > 0 {
				d.crlf()
				i += n
				continue
			}
		}
		if d.place == inText || d.place == atLine && p[i] != '.' && p[i] != '\r' && p[i] != '\n' {
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
				d.place = afterCR
				continue
			}
			i += n
			d.place = inText
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
		switch d.place {
		case atLine:
			switch c {
			case '.':
				flush(i)
				start = i + 1
				d.place = afterDot
			case '\r':
				d.place = afterCR
			case '\n':
				d.newline()
			}
		case afterCR:
			switch {
			case c == '\n':
				d.crlf()
				d.place = atLine
			case c == '\r':
				d.bareCR()
				d.place = afterCR
			case c == '.' && d.strict():
				d.bareCR()
				d.place = looseDot
			default:
				d.bareCR()
				d.place = inText
			}
		case afterDot:
			switch c {
			case '\r':
				// Held back: behind it the dot may prove to be the end.
				flush(i)
				start = i + 1
				d.place = afterDotCR
			case '\n':
				if !d.strict() {
					return i + 1, dataEnd
				}
				d.flaws |= flawBareLF
				return i + 1, dataAmbiguous
			default:
				d.place = inText
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
			d.place = inText
			if c == '\r' {
				d.place = afterCR
			}
		case loose:
			switch c {
			case '.':
				d.place = looseDot
			case '\r':
				d.place = afterCR
			case '\n':
				d.newline()
			default:
				d.place = inText
			}
		case looseDot:
			switch c {
			case '\n':
				d.flaws |= flawBareLF
				return i + 1, dataAmbiguous
			case '\r':
				d.place = looseDotCR
			default:
				d.place = inText
			}
		case looseDotCR:
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

// lines is the length of the lines that p begins with and in which there is
// nothing to see: no dot at the start, no CR or LF but the two at the end.
func (d *dots) lines(p []byte) int {
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
func (d *dots) strict() bool { return !d.lax || d.ends == endCRLF }

// crlf notes a line end with CR LF.
func (d *dots) crlf() {
	if d.ends == endUnknown {
		d.ends = endCRLF
	}
}

// newline is an LF without CR.
func (d *dots) newline() {
	if !d.strict() {
		d.ends, d.place = endLF, atLine
		return
	}
	if !d.lax {
		d.flaws |= flawBareLF
	}
	d.place = loose
}

func (d *dots) bareCR() {
	if !d.lax {
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
