package mime

import (
	"encoding/base64"
	"io"
)

const (
	rawLine  = 57 // octets that make one line
	wireLine = 76 // RFC 2045 section 6.8
	batch    = 512
)

// base64Lines encodes streams into base64 lines of 76 columns through two
// fixed buffers. It is used by one goroutine, again and again.
type base64Lines struct {
	raw  [rawLine * batch]byte
	wire [(wireLine + len(crlf)) * batch]byte
}

func newBase64Lines() *base64Lines { return new(base64Lines) }

// copy encodes all of r to w; the last line is ended too.
func (l *base64Lines) copy(w io.Writer, r io.Reader) error {
	for {
		n, end, err := fill(r, l.raw[:])
		if err != nil {
			return readError{err}
		}
		if _, err := w.Write(l.encode(n)); err != nil {
			return err
		}
		if end {
			return nil
		}
	}
}

// fill reads until buf is full or r ends. Unlike io.ReadFull it keeps an
// io.ErrUnexpectedEOF of r apart from its end: that one means a file that was
// cut off.
func fill(r io.Reader, buf []byte) (n int, end bool, err error) {
	for idle := 0; n < len(buf); {
		m, err := r.Read(buf[n:])
		n += m
		if err == io.EOF { // a wrapped one is a failure, not the end (io.Reader)
			return n, true, nil
		}
		if err != nil {
			return n, false, err
		}
		if idle++; m > 0 {
			idle = 0
		} else if idle > 100 {
			return n, false, io.ErrNoProgress
		}
	}
	return n, false, nil
}

// encode encodes the first n raw octets.
func (l *base64Lines) encode(n int) []byte {
	out := 0
	for raw := l.raw[:n]; len(raw) > 0; {
		line := raw[:min(rawLine, len(raw))]
		raw = raw[len(line):]
		base64.StdEncoding.Encode(l.wire[out:], line)
		out += base64.StdEncoding.EncodedLen(len(line))
		out += copy(l.wire[out:], crlf)
	}
	return l.wire[:out]
}

// A readError is a failure of what is read, told apart from one of the writer.
type readError struct{ err error }

func (e readError) Error() string { return e.err.Error() }
func (e readError) Unwrap() error { return e.err }
