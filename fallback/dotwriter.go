package fallback

import (
	"bufio"
	"bytes"
	"fmt"
)

// errLineEnd is a message with a bare CR or LF, which never goes on the wire:
// servers disagree about where such a line ends (SMTP smuggling; contracts F17).
type errLineEnd struct{ offset int64 }

func (e *errLineEnd) Error() string {
	return fmt.Sprintf("a bare CR or LF at byte %d", e.offset)
}

// A dotWriter writes a message as the content of DATA (RFC 5321 section 4.5.2):
// a dot before each line that begins with one, and nothing else changed. It
// refuses bare CR and LF before the block that holds them is written.
type dotWriter struct {
	w      *bufio.Writer
	offset int64
	inLine bool // the last octet was not a line end
	cr     bool // the last octet was CR
}

// Write takes the next bytes of the message. A CR at the end of p is held back
// until its LF has come.
func (d *dotWriter) Write(p []byte) (int, error) {
	n, base := len(p), d.offset
	if d.cr && n > 0 {
		if p[0] != '\n' {
			return 0, &errLineEnd{base - 1}
		}
		if _, err := d.w.WriteString("\r\n"); err != nil {
			return 0, err
		}
		d.cr, d.inLine = false, false
		p, base = p[1:], base+1
	}
	done := 0 // what is before it has been written
	for i := 0; i < len(p); {
		if !d.inLine && p[i] == '.' {
			if _, err := d.w.Write(p[done:i]); err != nil {
				return 0, err
			}
			if err := d.w.WriteByte('.'); err != nil {
				return 0, err
			}
			done = i
		}
		end := bytes.IndexByte(p[i:], '\n')
		d.inLine = end < 0
		line := p[i:]
		if end >= 0 {
			line = p[i : i+end+1]
		}
		if bad := bareEnd(line, d.inLine); bad >= 0 {
			return 0, &errLineEnd{base + int64(i+bad)}
		}
		i += len(line)
	}
	if d.inLine && len(p) > 0 && p[len(p)-1] == '\r' {
		d.cr = true
		p = p[:len(p)-1]
	}
	if _, err := d.w.Write(p[done:]); err != nil {
		return 0, err
	}
	d.offset += int64(n)
	return n, nil
}

// bareEnd finds a bare CR or LF in a line, or in the beginning of one when
// open is true (then a last CR may still get its LF); -1 when there is none.
func bareEnd(line []byte, open bool) int {
	cr := bytes.IndexByte(line, '\r')
	switch {
	case open && (cr < 0 || cr == len(line)-1), !open && cr >= 0 && cr == len(line)-2:
		return -1
	case cr < 0:
		return len(line) - 1 // the LF itself
	}
	return cr
}

// end returns what must follow the message: the final dot, after a line end when
// the message has none.
func (d *dotWriter) end() (string, error) {
	if d.cr {
		return "", &errLineEnd{d.offset - 1}
	}
	if d.inLine {
		return "\r\n.\r\n", nil
	}
	return ".\r\n", nil
}

// finish writes tail so that it leaves in one piece with nothing but buffered
// bytes before it, and reports whether the server may have seen all of it.
func finish(w *bufio.Writer, tail string) (seen bool, err error) {
	if w.Available() < len(tail) {
		if err := w.Flush(); err != nil {
			return false, err
		}
	}
	if _, err := w.WriteString(tail); err != nil {
		return false, err
	}
	err = w.Flush()
	// What the network did not take is still buffered: with even the last octet
	// of the tail unsent, the message cannot have been accepted.
	return err == nil || w.Buffered() == 0, err
}

// lineEnds checks what is written to it as dotWriter does, and changes nothing.
type lineEnds struct {
	offset int64
	cr     bool
}

func (l *lineEnds) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	rest, base := p, l.offset
	if l.cr && p[0] != '\n' {
		return 0, &errLineEnd{base - 1}
	}
	if l.cr {
		rest = p[1:]
	}
	l.cr = false
	for len(rest) > 0 {
		at := base + int64(len(p)-len(rest))
		i := bytes.IndexAny(rest, "\r\n")
		switch {
		case i < 0:
			rest = nil
			continue
		case rest[i] == '\n' || i+1 < len(rest) && rest[i+1] != '\n':
			return 0, &errLineEnd{at + int64(i)}
		case i+1 == len(rest):
			l.cr = true
		}
		rest = rest[min(i+2, len(rest)):]
	}
	l.offset += int64(len(p))
	return len(p), nil
}

// end refuses a message that ends in CR.
func (l *lineEnds) end() error {
	if l.cr {
		return &errLineEnd{l.offset - 1}
	}
	return nil
}
