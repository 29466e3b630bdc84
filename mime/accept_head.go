package mime

import (
	"bytes"
	"errors"
)

// foreignHead finds the header of src: its lines with CRLF and the empty line
// at the end, and the offset at which the body begins.
func foreignHead(src Source, opt *AcceptOptions) ([]byte, int64, error) {
	start, err := skipPreface(src)
	if err != nil {
		return nil, 0, err
	}
	raw, berr := readBlock(src, start, opt.Limits.HeaderBytes)
	if berr != nil {
		return nil, 0, berr
	}
	if bytes.IndexByte(raw, 0) >= 0 {
		return nil, 0, errNUL()
	}
	n, herr := fieldLines(raw, opt.Lenient)
	if herr != nil {
		return nil, 0, herr
	}
	out := make([]byte, 0, n+64)
	for line := range bytes.Lines(raw[:n]) {
		text := bytes.TrimRight(line, "\r\n")
		clean := len(line)-len(text) == 2 && line[len(text)] == '\r' && bytes.IndexByte(text, '\r') < 0
		if !clean && len(line) > len(text) && !opt.Lenient {
			return nil, 0, errLineEnds(line[len(line)-1] != '\n' || bytes.Count(line, []byte{'\r'}) > 0)
		}
		if !opt.Lenient && bytes.IndexByte(text, '\r') >= 0 {
			return nil, 0, errLineEnds(true)
		}
		// A CR inside a field must never begin a new one: it becomes a space.
		out = append(append(out, bytes.ReplaceAll(text, []byte{'\r'}, []byte{' '})...), crlf...)
	}
	if !bytes.HasSuffix(out, []byte("\r\n\r\n")) && len(out) > 2 {
		out = append(out, crlf...)
	}
	return out, start + int64(n), nil
}

// skipPreface gives the offset past a byte order mark and an mbox "From " line
// (RFC 4155), which are no part of a message.
func skipPreface(src Source) (int64, error) {
	buf := make([]byte, min(src.Size(), 1024))
	if n, err := src.ReadAt(buf, 0); n < len(buf) {
		return 0, unreadable(err)
	}
	rest := bytes.TrimPrefix(buf, []byte("\xEF\xBB\xBF"))
	if bytes.HasPrefix(rest, []byte("From ")) || bytes.HasPrefix(rest, []byte(">From ")) {
		if i := bytes.IndexByte(rest, '\n'); i >= 0 && nameLength(rest[:i]) < 0 {
			rest = rest[i+1:]
		}
	}
	return int64(len(buf) - len(rest)), nil
}

// fieldLines is the length of the part of raw that is header: all of it, or up
// to the first line that is no field, where a lenient reader sees an empty line.
func fieldLines(raw []byte, lenient bool) (int, *Error) {
	pos := 0
	for line := range bytes.Lines(raw) {
		text := bytes.TrimRight(line, "\r\n")
		folded := len(text) > 0 && (text[0] == ' ' || text[0] == '\t')
		if len(text) > 0 && (!folded || pos == 0) && nameLength(text) < 0 {
			if !lenient || pos == 0 || hidesBcc(raw[pos:]) {
				return 0, badHeaderLine(text)
			}
			return pos, nil
		}
		pos += len(line)
	}
	return pos, nil
}

// hidesBcc reports a Bcc field among lines that would become body, and so
// would be shown to everybody.
func hidesBcc(raw []byte) bool {
	for line := range bytes.Lines(raw) {
		if n := nameLength(line); n >= 0 {
			if k := kindOf(string(bytes.TrimRight(line[:n], " \t"))); k == kindBcc || k == kindResentBcc {
				return true
			}
		}
	}
	return false
}

// asOwn gives err as *Error when it is one.
func asOwn(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}
