package mime

import (
	"bufio"
	"encoding/base64"
	"errors"
	"io"
)

// decoder returns the plain content of a body by the name of its transfer encoding; nil
// where postino does not know it. What readers in wide use agree about is
// decoded as they do; what they read differently is an error where it begins.
func decoder(encoding string, raw io.Reader) io.Reader {
	switch encoding {
	case "base64":
		return base64.NewDecoder(base64.RawStdEncoding, &base64Text{r: bufio.NewReaderSize(raw, 32<<10)})
	case "quoted-printable":
		return &quotedText{r: raw}
	case "x-uuencode", "uuencode", "x-uue", "uue":
		return &uuText{r: bufio.NewReaderSize(raw, 32<<10)}
	}
	return nil
}

// base64Text is the base64 alphabet alone: line ends and other characters are
// no data (RFC 2045 section 6.8), and the padding at the end, which many
// senders leave out or write too often, is not needed (RFC 4648 section 3.2).
// Data after padding is an error of the decoder, because some readers stop there
// and others go on; so is the alphabet of URLs (RFC 4648 section 5).
type base64Text struct {
	r   *bufio.Reader
	pad bool
}

const (
	skipped = iota
	digit64
	padding
	misfit
)

// base64Class says what an octet means in a base64 body.
var base64Class = [256]byte{
	'+': digit64, '/': digit64, '=': padding, '-': misfit, '_': misfit,
	'0': digit64, '1': digit64, '2': digit64, '3': digit64, '4': digit64, '5': digit64, '6': digit64, '7': digit64, '8': digit64, '9': digit64,
	'A': digit64, 'B': digit64, 'C': digit64, 'D': digit64, 'E': digit64, 'F': digit64, 'G': digit64, 'H': digit64, 'I': digit64,
	'J': digit64, 'K': digit64, 'L': digit64, 'M': digit64, 'N': digit64, 'O': digit64, 'P': digit64, 'Q': digit64, 'R': digit64,
	'S': digit64, 'T': digit64, 'U': digit64, 'V': digit64, 'W': digit64, 'X': digit64, 'Y': digit64, 'Z': digit64,
	'a': digit64, 'b': digit64, 'c': digit64, 'd': digit64, 'e': digit64, 'f': digit64, 'g': digit64, 'h': digit64, 'i': digit64,
	'j': digit64, 'k': digit64, 'l': digit64, 'm': digit64, 'n': digit64, 'o': digit64, 'p': digit64, 'q': digit64, 'r': digit64,
	's': digit64, 't': digit64, 'u': digit64, 'v': digit64, 'w': digit64, 'x': digit64, 'y': digit64, 'z': digit64,
}

func (t *base64Text) Read(b []byte) (int, error) {
	n := 0
	for n == 0 {
		m, err := t.r.Read(b)
		for _, c := range b[:m] {
			switch base64Class[c] {
			case skipped:
				continue
			case padding:
				t.pad = true
				continue
			case misfit:
				c = '!' // outside of the alphabet on purpose
			default:
				if t.pad {
					c = '!'
				}
			}
			b[n] = c
			n++
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// quotedText undoes quoted-printable (RFC 2045 section 6.7). An equals sign
// that begins no octet stands for itself, as that section advises and readers do.
type quotedText struct {
	r    io.Reader
	in   [8 << 10]byte
	buf  []byte // what out is a part of
	out  []byte // decoded and not yet delivered
	held []byte // what its successor decides about: "=", "=X", or white space and a CR, which a line end makes void
	err  error
}

// maxHeld bounds white space that is held back; a longer run is no accident at the end of a line.
const maxHeld = 4096

func (q *quotedText) Read(b []byte) (int, error) {
	for len(q.out) == 0 {
		if q.err != nil {
			return 0, q.err
		}
		q.out = q.buf[:0]
		n, err := q.r.Read(q.in[:])
		for _, c := range q.in[:n] {
			q.take(c)
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				q.end()
			}
			q.err = err
		}
		q.buf = q.out
	}
	n := copy(b, q.out)
	q.out = q.out[n:]
	return n, nil
}

func (q *quotedText) take(c byte) {
	if len(q.held) > 0 && q.join(c) {
		return
	}
	switch c {
	case '=', ' ', '\t', '\r':
		q.held = append(q.held, c)
	default:
		q.out = append(q.out, c)
	}
}

// join takes c together with what is held; false when that has been written and
// c stands alone.
func (q *quotedText) join(c byte) bool {
	last := q.held[len(q.held)-1]
	escape := q.held[0] == '='
	switch {
	case escape && len(q.held) == 1 && isHex(c):
		q.held = append(q.held, c)
		return true
	case escape && len(q.held) == 2 && isHex(last):
		if isHex(c) {
			q.out, q.held = append(q.out, unhex(last)<<4|unhex(c)), q.held[:0]
			return true
		}
	case c == '\n':
		if !escape { // white space at the end of a line is not the sender's
			if last == '\r' {
				q.out = append(q.out, '\r')
			}
			q.out = append(q.out, '\n')
		}
		q.held = q.held[:0]
		return true
	case (c == ' ' || c == '\t' || c == '\r') && last != '\r' && len(q.held) < maxHeld:
		q.held = append(q.held, c)
		return true
	}
	q.out, q.held = append(q.out, q.held...), q.held[:0]
	return false
}

// end decides about what is held at the end of the body.
func (q *quotedText) end() {
	switch n := len(q.held); {
	case n == 2 && q.held[0] == '=' && isHex(q.held[1]):
		q.out = append(q.out, q.held...)
	case n > 0 && q.held[0] != '=' && q.held[n-1] == '\r':
		q.out = append(q.out, '\r')
	}
	q.held = nil
}

func unhex(c byte) byte {
	switch {
	case c >= 'a':
		return c - 'a' + 10
	case c >= 'A':
		return c - 'A' + 10
	}
	return c - '0'
}

// uuText undoes uuencode as POSIX describes it. Readers guess at what is wrong;
// this one does not, because a file with wrong octets is worse than none: text
// around the file, a second file, a line that is too short or holds other
// characters, and a missing end are errors.
type uuText struct {
	r     *bufio.Reader
	buf   [63]byte // of one line
	out   []byte   // decoded and not yet delivered
	state uuState
	err   error
}

type uuState uint8

const (
	uuBefore uuState = iota // of the line "begin MODE NAME"
	uuInside
	uuAfter // of the line "end"
)

var (
	errUUNoBegin = errors.New("uuencode: the line that begins the file is missing")
	errUUNoEnd   = errors.New("uuencode: the file has no end")
	errUULine    = errors.New("uuencode: a line is not valid")
	errUUAround  = errors.New("uuencode: more than one file, or text beside it")
)

func (u *uuText) Read(b []byte) (int, error) {
	for len(u.out) == 0 {
		if u.err != nil {
			return 0, u.err
		}
		line, err := u.r.ReadSlice('\n')
		if err == nil || errors.Is(err, io.EOF) {
			if e := u.line(line); e != nil {
				err = e
			}
		}
		if errors.Is(err, io.EOF) {
			switch u.state {
			case uuBefore:
				err = errUUNoBegin
			case uuInside:
				err = errUUNoEnd
			case uuAfter:
			}
		}
		u.err = err
	}
	n := copy(b, u.out)
	u.out = u.out[n:]
	return n, nil
}

func (u *uuText) line(line []byte) error {
	for n := len(line); n > 0 && (line[n-1] == '\n' || line[n-1] == '\r'); n = len(line) {
		line = line[:n-1]
	}
	text := line[:trimmed(line)]
	switch {
	case u.state != uuInside && len(text) == 0:
		return nil
	case u.state == uuAfter:
		return errUUAround
	case u.state == uuBefore:
		if !uuBegins(text) {
			return errUUAround
		}
		u.state = uuInside
		return nil
	case string(text) == "end":
		u.state = uuAfter
		return nil
	}
	return u.data(line)
}

// uuBegins reports "begin 644 name".
func uuBegins(line []byte) bool {
	const word = "begin "
	if len(line) < len(word)+5 || string(line[:len(word)]) != word {
		return false
	}
	mode := 0
	for mode < 4 && line[len(word)+mode] >= '0' && line[len(word)+mode] <= '7' {
		mode++
	}
	return mode >= 3 && line[len(word)+mode] == ' '
}

// data decodes one line: its length, then four characters for three octets.
// Spaces at the end may have been lost on the way; one character more is a
// checksum of some programs.
func (u *uuText) data(line []byte) error {
	if len(line) == 0 {
		return nil // a length of 0 that was a space
	}
	if !uuDigit(line[0]) {
		return errUULine
	}
	size := int(line[0]-' ') & 63
	u.out = u.buf[:0]
	chars := line[1:]
	want := (size + 2) / 3 * 4
	if len(chars) > want+1 && len(chars[:trimmed(chars)]) > want+1 {
		return errUULine
	}
	at := func(i int) (byte, bool) {
		if i >= len(chars) {
			return 0, true
		}
		return (chars[i] - ' ') & 63, uuDigit(chars[i])
	}
	var three [3]byte
	for i := 0; size > 0; i += 4 {
		if i >= len(chars) && size > 3 { // more than spaces are missing
			return errUULine
		}
		var v uint32
		for k := range 4 {
			c, ok := at(i + k)
			if !ok {
				return errUULine
			}
			v = v<<6 | uint32(c)
		}
		three = [3]byte{byte(v >> 16), byte(v >> 8), byte(v)}
		u.out = append(u.out, three[:min(size, 3)]...)
		size -= 3
	}
	return nil
}

func uuDigit(c byte) bool { return c >= ' ' && c <= '`' }
