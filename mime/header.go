package mime

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"sync"
)

// kind tells the fields apart that this package treats on their own.
type kind uint8

const (
	kindOther kind = iota
	kindFrom
	kindSender
	kindReplyTo
	kindTo
	kindCc
	kindBcc
	kindResentBcc
	kinds
)

// listed reports the kinds with addresses that a Message returns.
func (k kind) listed() bool { return k != kindOther && k <= kindBcc }

// addressNames are the names that address lines are written with, in the
// order of the API view (contracts C5.4, F19).
var addressNames = [kindBcc + 1]string{kindFrom: "From", kindSender: "Sender", kindReplyTo: "Reply-To", kindTo: "To", kindCc: "Cc",
	kindBcc: "Bcc"}

func kindOf[T string | []byte](name T) kind {
	switch len(name) {
	case 2:
		if sameName(name, "To") {
			return kindTo
		}
		if sameName(name, "Cc") {
			return kindCc
		}
	case 3:
		if sameName(name, "Bcc") {
			return kindBcc
		}
	case 4:
		if sameName(name, "From") {
			return kindFrom
		}
	case 6:
		if sameName(name, "Sender") {
			return kindSender
		}
	case 8:
		if sameName(name, "Reply-To") {
			return kindReplyTo
		}
	case 10:
		if sameName(name, "Resent-Bcc") {
			return kindResentBcc
		}
	}
	return kindOther
}

// sameName compares names of header fields, which are ASCII (nameLength).
func sameName[T, U string | []byte](a T, b U) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if c, d := a[i], b[i]; c != d && (c|0x20 != d|0x20 || c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

// rawField is one header field: its bytes with folding and last line end are
// [start:end] of the block it was read from. Small, because a hostile header
// has a hundred thousand of them.
type rawField struct {
	start, colon, end int32
	kind              kind
}

// block is a header block and its fields. The raw bytes are never changed.
type block struct {
	raw    []byte // with the empty line that ends it, when there was one
	fields []rawField
}

// name is without the white space that may stand before the colon
// (obs-optional, RFC 5322 section 4.5.3).
func (b *block) name(f rawField) []byte {
	return b.raw[f.start : f.start+int32(trimmed(b.raw[f.start:f.colon]))]
}
func (b *block) line(f rawField) []byte  { return b.raw[f.start:f.end] }
func (b *block) value(f rawField) []byte { return b.raw[f.colon+1 : f.end] }

func (b *block) is(f rawField, name string) bool { return sameName(b.name(f), name) }

// trimmed is the length of b without the spaces and tabs at its end.
func trimmed(b []byte) int {
	n := len(b)
	for n > 0 && (b[n-1] == ' ' || b[n-1] == '\t') {
		n--
	}
	return n
}

// first is the raw value of the first field of that name.
func (b *block) first(name string) ([]byte, bool) {
	for _, f := range b.fields {
		if b.is(f, name) {
			return b.value(f), true
		}
	}
	return nil, false
}

// get is the unfolded value of the first field of that name.
func (b *block) get(name string) string {
	v, _ := b.first(name)
	return unfold(v)
}

// eol is the line end that the block uses.
func (b *block) eol() string {
	if i := bytes.IndexByte(b.raw, '\n'); i >= 0 && (i == 0 || b.raw[i-1] != '\r') {
		return "\n"
	}
	return "\r\n"
}

// parseBlock splits raw into fields. It takes CRLF and LF, and refuses what
// parsers read differently: a recipient hidden behind such a line could be
// seen by the provider and not by us.
func parseBlock(raw []byte) (block, *Error) {
	b := block{raw: raw, fields: make([]rawField, 0, 1+bytes.Count(raw, []byte{'\n'}))}
	for pos := 0; pos < len(raw); {
		end := len(raw)
		if i := bytes.IndexByte(raw[pos:], '\n'); i >= 0 {
			end = pos + i + 1
		}
		text := bytes.TrimSuffix(bytes.TrimSuffix(raw[pos:end], []byte{'\n'}), []byte{'\r'})
		cr, nul := bytes.IndexByte(text, '\r'), bytes.IndexByte(text, 0)
		switch {
		case nul >= 0 && (cr < 0 || nul < cr):
			return b, errNUL()
		case cr >= 0:
			return b, newError("bare_cr", "", NewText("mime.bare_cr",
				"The header contains a carriage return without a line feed: a program builds it wrongly, or someone "+
					"tries to add header lines."))
		}
		switch {
		case len(text) == 0:
			return b, nil
		case text[0] == ' ' || text[0] == '\t':
			if len(b.fields) == 0 {
				return b, badHeaderLine(text)
			}
			b.fields[len(b.fields)-1].end = int32(end)
		default:
			colon := nameLength(text)
			if colon < 0 {
				return b, badHeaderLine(text)
			}
			f := rawField{start: int32(pos), colon: int32(pos + colon), end: int32(end)}
			f.kind = kindOf(b.name(f))
			b.fields = append(b.fields, f)
		}
		pos = end
	}
	return b, nil
}

// nameLength is the offset of the colon of a field's first line, -1 when the
// line does not begin a field (RFC 5322 section 2.2).
func nameLength(line []byte) int {
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		return -1
	}
	name := line[:trimmed(line[:colon])]
	if len(name) == 0 {
		return -1
	}
	for _, c := range name {
		if c <= ' ' || c >= 127 {
			return -1
		}
	}
	return colon
}

func badHeaderLine(text []byte) *Error {
	return newError("bad_header", "", NewText("mime.bad_header",
		"The header contains a line that is no header field: {text}. An empty line must stand between header and "+
			"text.",
		"text", strconv.Quote(shorten(toUTF8(text)))))
}

func errNUL() *Error {
	return newError("nul", "", NewText("mime.nul_byte",
		"The message contains a NUL byte, which mail cannot carry: send binary data as a base64 attachment."))
}

// headBuffers are for the first look at a header that is not in memory.
var headBuffers = sync.Pool{New: func() any { return new([4096]byte) }}

// readBlock returns the header block of src from off: up to and with the first
// empty line, or to the end of src when there is none. It shares the bytes of a
// src in memory.
func readBlock(src Source, off int64, limit int) ([]byte, *Error) {
	size := src.Size() - off
	if b := resident(src, off); len(b) > 0 {
		look := len(b)
		if look-4 > limit {
			look = limit + 4
		}
		switch end := blockEnd(b[:look], 0); {
		case end > limit, end < 0 && len(b) > limit:
			return nil, errHeaderTooLarge(limit)
		case end >= 0:
			return b[:end:end], nil
		case int64(len(b)) == size:
			return b[:size:size], nil
		}
	}
	first := headBuffers.Get().(*[4096]byte)
	defer headBuffers.Put(first)
	buf := first[:min(size, int64(len(first)))]
	have, scanned := 0, 0
	for {
		n, err := src.ReadAt(buf[have:], off+int64(have))
		have += n
		if have < len(buf) {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, unreadable(err)
		}
		if end := blockEnd(buf[:have], scanned); end >= 0 {
			if end > limit {
				return nil, errHeaderTooLarge(limit)
			}
			return bytes.Clone(buf[:end]), nil
		}
		if have > limit {
			return nil, errHeaderTooLarge(limit)
		}
		if int64(have) == size {
			return bytes.Clone(buf), nil
		}
		scanned = max(0, have-3)
		grown := make([]byte, min(size, int64(have)*4, int64(limit)+4))
		copy(grown, buf)
		buf = grown
	}
}

func errHeaderTooLarge(limit int) *Error {
	return newError("header_too_large", "", NewText("mime.header_over_limit",
		"The header is larger than {limit} bytes: send to fewer recipients at once or remove header fields.",
		"limit", limit))
}

// blockEnd is the offset just past the first empty line, -1 when there is none.
// from is an offset that an earlier call has searched up to, less 3.
func blockEnd(b []byte, from int) int {
	if from == 0 {
		if bytes.HasPrefix(b, []byte("\n")) {
			return 1
		}
		if bytes.HasPrefix(b, []byte("\r\n")) {
			return 2
		}
	}
	for {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return -1
		}
		from += i + 1
		if bytes.HasPrefix(b[from:], []byte("\n")) {
			return from + 1
		}
		if bytes.HasPrefix(b[from:], []byte("\r\n")) {
			return from + 2
		}
	}
}

// unfold returns a raw value as one line (RFC 5322 section 2.2.3).
func unfold(raw []byte) string {
	raw = bytes.TrimSpace(raw)
	if bytes.IndexByte(raw, '\n') < 0 {
		return string(raw)
	}
	out := make([]byte, 0, len(raw))
	for i, c := range raw {
		if c == '\n' || (c == '\r' && i+1 < len(raw) && raw[i+1] == '\n') {
			continue
		}
		out = append(out, c)
	}
	return string(out)
}
