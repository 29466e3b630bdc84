package mime

import (
	"bytes"
	"errors"
	"io"
	"strings"
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

// addressNames are the names that address lines are written with, in the
// order of the API view (contracts C5.4, F19).
var addressNames = [kindBcc + 1]string{kindFrom: "From", kindSender: "Sender", kindReplyTo: "Reply-To", kindTo: "To", kindCc: "Cc", kindBcc: "Bcc"}

func kindOf(name string) kind {
	switch len(name) {
	case 2:
		if strings.EqualFold(name, "To") {
			return kindTo
		}
		if strings.EqualFold(name, "Cc") {
			return kindCc
		}
	case 3:
		if strings.EqualFold(name, "Bcc") {
			return kindBcc
		}
	case 4:
		if strings.EqualFold(name, "From") {
			return kindFrom
		}
	case 6:
		if strings.EqualFold(name, "Sender") {
			return kindSender
		}
	case 8:
		if strings.EqualFold(name, "Reply-To") {
			return kindReplyTo
		}
	case 10:
		if strings.EqualFold(name, "Resent-Bcc") {
			return kindResentBcc
		}
	}
	return kindOther
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

func (b *block) name(f rawField) string {
	return string(bytes.TrimRight(b.raw[f.start:f.colon], " \t")) // obs-optional, RFC 5322 section 4.5.3
}
func (b *block) line(f rawField) []byte  { return b.raw[f.start:f.end] }
func (b *block) value(f rawField) []byte { return b.raw[f.colon+1 : f.end] }

// is compares the name without allocating.
func (b *block) is(f rawField, name string) bool {
	n := bytes.TrimRight(b.raw[f.start:f.colon], " \t")
	return len(n) == len(name) && strings.EqualFold(string(n), name)
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
		if i := bytes.IndexAny(text, "\r\x00"); i >= 0 {
			if text[i] == 0 {
				return b, errNUL()
			}
			return b, newError("bare_cr", "", "The header contains a carriage return without a line feed: a program builds it wrongly, or somebody tries to add header lines.",
				"L'intestazione contiene un ritorno a capo (CR) senza LF: il programma la compone male, oppure qualcuno cerca di aggiungere righe.")
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
	name := bytes.TrimRight(line[:colon], " \t")
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
	return newError("bad_header", "", "The header contains a line that is no header field: %q. An empty line must stand between header and text.",
		"L'intestazione contiene una riga che non è un campo: %q. Tra intestazione e testo serve una riga vuota.", shorten(toUTF8(text)))
}

func errNUL() *Error {
	return newError("nul", "", "The message contains a NUL byte, which mail cannot carry: send binary data as a base64 attachment.",
		"Il messaggio contiene un byte NUL, che la posta non può trasportare: inviare i dati binari come allegato base64.")
}

// readBlock reads the header block of src from off: up to and with the first
// empty line, or to the end of src when there is none.
func readBlock(src Source, off int64, limit int) ([]byte, *Error) {
	size := src.Size() - off
	buf := make([]byte, min(size, 4096))
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
			return buf[:end:end], nil
		}
		if have > limit {
			return nil, errHeaderTooLarge(limit)
		}
		if int64(have) == size {
			return buf, nil
		}
		scanned = max(0, have-3)
		grown := make([]byte, min(size, int64(have)*4, int64(limit)+4))
		copy(grown, buf)
		buf = grown
	}
}

func errHeaderTooLarge(limit int) *Error {
	return newError("header_too_large", "", "The header is larger than %d bytes: send to fewer recipients at once or remove header fields.",
		"L'intestazione supera %d byte: inviare a meno destinatari per volta o togliere campi.", limit)
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

// unfold gives a raw value as one line (RFC 5322 section 2.2.3).
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
