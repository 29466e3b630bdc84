package mime

import (
	"bytes"
	"errors"
)

// foreignHead finds the header of src: its lines with CRLF and the empty line
// at the end, and the offset at which the body begins. same reports that src
// begins with just these bytes.
func foreignHead(src Source, opt *AcceptOptions) (head []byte, body int64, same bool, err error) {
	start, err := skipPreface(src)
	if err != nil {
		return nil, 0, false, err
	}
	raw, berr := readBlock(src, start, opt.Limits.HeaderBytes)
	if berr != nil {
		return nil, 0, false, berr
	}
	if bytes.IndexByte(raw, 0) >= 0 {
		return nil, 0, false, errNUL()
	}
	n, herr := fieldLines(raw, opt.Lenient)
	if herr != nil {
		return nil, 0, false, herr
	}
	out := make([]byte, 0, n+64)
	for line := range bytes.Lines(raw[:n]) {
		text := bytes.TrimRight(line, "\r\n")
		clean := len(line)-len(text) == 2 && line[len(text)] == '\r' && bytes.IndexByte(text, '\r') < 0
		if !clean && len(line) > len(text) && !opt.Lenient {
			return nil, 0, false, errLineEnds(line[len(line)-1] != '\n' || bytes.Count(line, []byte{'\r'}) > 0)
		}
		if !opt.Lenient && bytes.IndexByte(text, '\r') >= 0 {
			return nil, 0, false, errLineEnds(true)
		}
		if bytes.IndexByte(text, '\r') >= 0 { // it must never begin a new field
			text = bytes.ReplaceAll(text, []byte{'\r'}, []byte{' '})
		}
		out = append(append(out, text...), crlf...)
	}
	if !bytes.HasSuffix(out, []byte("\r\n\r\n")) && len(out) > 2 {
		out = append(out, crlf...)
	}
	if start == 0 && bytes.Equal(out, raw[:n]) {
		return raw[:n:n], int64(n), true, nil
	}
	return out, start + int64(n), false, nil
}

// byteOrderMark is U+FEFF in UTF-8, which editors and scripts of Windows put
// before a text.
const byteOrderMark = "\xEF\xBB\xBF"

// maybePreface reports at little cost that skipPreface may have something to do
// before a header that begins like raw.
func maybePreface(raw []byte) bool {
	return len(raw) > 0 && (raw[0] >= 0x80 || raw[0] == '>' || bytes.HasPrefix(raw, []byte("From ")) || len(raw) > 1 && (raw[0] == 0 ||
		raw[1] == 0))
}

// skipPreface gives the offset past byte order marks and an mbox "From " line
// (RFC 4155), which are no part of a message.
func skipPreface(src Source) (int64, error) {
	buf := resident(src, 0)
	if size := min(src.Size(), 1024); int64(len(buf)) >= size {
		buf = buf[:size]
	} else {
		buf = make([]byte, size)
		if n, err := src.ReadAt(buf, 0); n < len(buf) {
			return 0, unreadable(err)
		}
	}
	if isUTF16(buf) {
		return 0, newError("utf16", "", NewText("mime.utf16",
			"The message is written in UTF-16, which no mail program reads: save it as UTF-8 or ASCII, or set the "+
				"program that writes it so."))
	}
	return int64(prefaceLength(buf)), nil
}

// prefaceLength is the length of what skipPreface skips at the start of b.
func prefaceLength(b []byte) int {
	rest := trimMarks(b)
	if bytes.HasPrefix(rest, []byte("From ")) || bytes.HasPrefix(rest, []byte(">From ")) {
		if i := bytes.IndexByte(rest, '\n'); i >= 0 && nameLength(rest[:i]) < 0 {
			rest = trimMarks(rest[i+1:])
		}
	}
	return len(b) - len(rest)
}

// trimMarks cuts byte order marks: several, where files were joined.
func trimMarks(b []byte) []byte {
	for bytes.HasPrefix(b, []byte(byteOrderMark)) {
		b = b[len(byteOrderMark):]
	}
	return b
}

// isUTF16 reports text of two octets a character: by its mark, or by the zeros
// that ASCII letters have in it.
func isUTF16(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	little := b[0] != 0 && b[1] == 0 && b[2] != 0 && b[3] == 0
	big := b[0] == 0 && b[1] != 0 && b[2] == 0 && b[3] != 0
	return little || big || b[0] == 0xFF && b[1] == 0xFE || b[0] == 0xFE && b[1] == 0xFF
}

// canonical reports a header as foreignHead makes one: the bytes can stay.
// Bare CRs have been refused when it was read.
func (b *block) canonical() bool {
	return bytes.HasSuffix(b.raw, []byte("\r\n\r\n")) && bytes.Count(b.raw, []byte{'\r'}) == bytes.Count(b.raw, []byte{'\n'})
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
// would be shown to everyone.
func hidesBcc(raw []byte) bool {
	for line := range bytes.Lines(raw) {
		if n := nameLength(line); n >= 0 {
			if k := kindOf(line[:trimmed(line[:n])]); k == kindBcc || k == kindResentBcc {
				return true
			}
		}
	}
	return false
}

// asOwn returns err as *Error when it is one.
func asOwn(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}
