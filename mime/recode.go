package mime

import (
	"bufio"
	"io"
	"mime/quotedprintable"
	"strconv"
	"strings"
)

// An edit replaces the bytes [start,end) of a message by what write writes.
type edit struct {
	start, end int64
	write      func(w io.Writer) error
}

// applyEdits streams src with edits, which are in order and do not overlap.
func applyEdits(w io.Writer, src Source, edits []edit) error {
	pos := int64(0)
	for _, e := range edits {
		if err := copyRange(w, src, pos, e.start); err != nil {
			return err
		}
		if err := e.write(w); err != nil {
			return err
		}
		pos = e.end
	}
	return copyRange(w, src, pos, src.Size())
}

// copyRange copies the bytes [from,to); a Source that ends early is an error.
func copyRange(w io.Writer, src Source, from, to int64) error {
	n, err := io.Copy(w, io.NewSectionReader(src, from, to-from))
	if err == nil && n < to-from {
		return unreadable(io.ErrUnexpectedEOF)
	}
	return err
}

// recoder plans how a message becomes fit for a transport: no line over
// maxLine, and with seven set nothing outside ASCII. Only parts that need it
// are touched.
type recoder struct {
	m       *Message
	seven   bool
	relabel bool // transfer encodings that cannot be are put right
	edits   []edit
}

// plan collects the edits of everything below the root's header, and returns the
// encoding that the root's header must name ("" when unchanged).
func (r *recoder) plan() (rootEncoding string, err error) {
	root, err := r.m.Structure()
	if err != nil {
		return "", err
	}
	return r.part(root, place{root: true, message: true})
}

// place is where a part stands.
type place struct {
	root    bool
	message bool // the header is that of a message
	sealed  bool // what is around it is signed or encrypted
}

func (r *recoder) part(p *Part, at place) (encoding string, err error) {
	own := len(r.edits)
	r.edits = append(r.edits, edit{}) // for the header
	inner := at.sealed || p.Sealed()
	// Without a delimiter line everything below the header may be read, and is no noise.
	framed := strings.HasPrefix(p.MediaType, "multipart/") && p.identity() && p.Multipart()
	bad := p.LongLine > maxLine || r.seven && p.EightBit
	switch {
	case p.Message != nil:
		if r.relabel && !inner && p.marked() {
			r.edits = append(r.edits, edit{p.BodyStart, p.Message.HeaderStart, func(io.Writer) error { return nil }})
		}
		if _, err := r.part(p.Message, place{message: true, sealed: inner}); err != nil {
			return "", err
		}
	case framed:
		if r.seven && !isASCII(p.Params["boundary"]) {
			return "", r.unfit(p)
		}
		if bad {
			r.noise(p.BodyStart, p.Parts[0].delim)
		}
		for _, c := range p.Parts {
			if _, err := r.part(c, place{sealed: inner}); err != nil {
				return "", err
			}
		}
		if bad {
			r.noise(p.close, p.End)
		}
	case bad:
		if at.sealed { // a sealed leaf itself (S/MIME) is a wrapping around its content
			return "", r.sealedError(p)
		}
		if encoding, err = r.leaf(p); err != nil {
			return "", err
		}
	}
	if encoding == "" && r.seven && p.identity() && p.Encoding != "7bit" && !at.sealed {
		encoding = "7bit" // nothing below needs more any longer
	}
	if encoding == "" && r.relabel && !at.sealed && p.mislabelled && p.container() {
		encoding = p.Encoding
	}
	if at.root {
		r.edits = append(r.edits[:own], r.edits[own+1:]...)
		return encoding, nil
	}
	if encoding == "" && p.headLine <= maxLine && (!r.seven || !p.head8) {
		r.edits = append(r.edits[:own], r.edits[own+1:]...)
		return "", nil
	}
	if at.sealed {
		return "", r.sealedError(p)
	}
	head, err := r.head(p, encoding, at.message)
	if err != nil {
		return "", err
	}
	r.edits[own] = edit{p.HeaderStart, p.BodyStart, func(w io.Writer) error { _, err := w.Write(head); return err }}
	return encoding, nil
}

// head is the new header of a part; message says that it is that of a message.
func (r *recoder) head(p *Part, encoding string, message bool) ([]byte, error) {
	raw, err := r.m.partHead(p)
	if err != nil {
		return nil, err
	}
	h, perr := parseBlock(raw)
	if perr != nil {
		return nil, perr
	}
	out, perr := h.recode(headEdit{encoding: encoding, ascii: r.seven, message: message})
	if perr != nil {
		return nil, perr
	}
	return out, nil
}

// noise makes a preamble or epilogue fit; no one reads it (RFC 2046 section 5.1.1).
func (r *recoder) noise(start, end int64) {
	if start >= end {
		return
	}
	src, seven := r.m.src, r.seven
	r.edits = append(r.edits, edit{start, end, func(w io.Writer) error {
		return copyRange(&noiseWriter{w: w, seven: seven}, src, start, end)
	}})
}

// leaf plans the new body of a leaf.
func (r *recoder) leaf(p *Part) (encoding string, err error) {
	var body func(w io.Writer, raw io.Reader) error
	encoding = p.Encoding
	switch {
	case p.Encoding == "base64" && !p.EightBit:
		body = rewrapBase64
	case p.Encoding == "quoted-printable":
		body = rewrapQuoted
	case !p.identity(), strings.HasPrefix(p.MediaType, "multipart/"), strings.HasPrefix(p.MediaType, "message/"):
		// RFC 2045 section 6.4: no encoding may be applied to these.
		return "", r.unfit(p)
	case strings.HasPrefix(p.MediaType, "text/") && !strings.HasPrefix(strings.ToLower(p.Params["charset"]), "utf-16"):
		encoding, body = "quoted-printable", encodeQuoted
	default:
		encoding, body = "base64", encodeBase64
	}
	src, start, end := r.m.src, p.BodyStart, p.End
	r.edits = append(r.edits, edit{start, end, func(w io.Writer) error {
		return body(w, io.NewSectionReader(src, start, end-start))
	}})
	if encoding == p.Encoding {
		return "", nil
	}
	return encoding, nil
}

func (r *recoder) unfit(p *Part) *Error {
	if r.seven && p.LongLine <= maxLine {
		return newError("eight_bit", "", NewText("mime.eight_bit",
			"The part {media_type} cannot be written in 7 bits, and the server takes nothing else: send it with "+
				"base64 encoding or over another connection.",
			"media_type", strconv.Quote(shorten(p.MediaType))))
	}
	return newError("long_line", "", NewText("mime.long_line",
		"The part {media_type} has a line of {long_line} octets and cannot be encoded again (998 is the most mail "+
			"carries): break its lines or send it with base64 encoding.",
		"media_type", strconv.Quote(shorten(p.MediaType)), "long_line", p.LongLine))
}

func (r *recoder) sealedError(p *Part) *Error {
	if r.seven && p.LongLine <= maxLine && p.headLine <= maxLine {
		return newError("eight_bit_signed", "", NewText("mime.eight_bit_signed",
			"The signed or encrypted message contains 8-bit text that this server does not take, and encoding it again "+
				"would break the signature: sign it in 7-bit form or use another connection."))
	}
	return newError("long_line_signed", "", NewText("mime.long_line_signed",
		"The signed or encrypted message has a line of more than {max_line} octets, and encoding it again would "+
			"break the signature: the signing program must write shorter lines.",
		"max_line", maxLine))
}

// SevenBit returns a writer of the SMTP view in pure ASCII, for a server without
// 8BITMIME: leaf parts with 8-bit content are encoded again, header fields with
// raw UTF-8 become encoded words. All else keeps its bytes; every call of the
// function writes the same. The error says why it cannot be done: a signature
// would break, or an address needs SMTPUTF8.
func (m *Message) SevenBit() (func(w io.Writer) error, error) {
	r := &recoder{m: m, seven: true, relabel: !m.signedByDKIM()}
	encoding, err := r.plan()
	if err != nil {
		return nil, err
	}
	if (len(r.edits) > 0 || encoding != "") && m.signedByDKIM() {
		return nil, r.sealedError(m.tree)
	}
	head, herr := m.head.recode(headEdit{encoding: encoding, ascii: true, hide: true, message: true})
	if herr != nil {
		return nil, herr
	}
	edits := append([]edit{{0, int64(len(m.head.raw)), func(w io.Writer) error { _, err := w.Write(head); return err }}}, r.edits...)
	return func(w io.Writer) error { return applyEdits(w, m.src, edits) }, nil
}

// ASCIIHeader is the SMTP view with raw UTF-8 of the header as encoded words
// and A-labels, the body unchanged: for a server without SMTPUTF8. An *Error
// with code "needs_utf8" when the local part of an address cannot be written so.
func (m *Message) ASCIIHeader() (Source, error) {
	if !m.NeedsUTF8() {
		return m.ForSMTP(), nil
	}
	head, err := m.head.recode(headEdit{ascii: true, hide: true})
	if err != nil {
		return nil, err
	}
	return Join(Bytes(head), m.Body()), nil
}

// encodeBase64 writes raw in lines of 76 columns, without a line end at the
// end: that one belongs to what follows.
func encodeBase64(w io.Writer, raw io.Reader) error {
	hold := &holdEOL{w: w}
	return newBase64Lines().copy(hold, raw)
}

func encodeQuoted(w io.Writer, raw io.Reader) error {
	q := quotedprintable.NewWriter(w)
	if _, err := io.Copy(q, raw); err != nil {
		return err
	}
	return q.Close()
}

// holdEOL keeps the last line end back.
type holdEOL struct {
	w    io.Writer
	held bool
}

func (h *holdEOL) Write(b []byte) (int, error) {
	if h.held {
		if _, err := io.WriteString(h.w, crlf); err != nil {
			return 0, err
		}
	}
	out := b
	if h.held = strings.HasSuffix(string(b[max(0, len(b)-2):]), crlf); h.held {
		out = b[:len(b)-2]
	}
	if _, err := h.w.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}

// rewrapBase64 breaks the lines of base64 text again without decoding it, so
// that what is wrong in it stays visible to the reader.
func rewrapBase64(w io.Writer, raw io.Reader) error {
	in, out := bufio.NewReader(raw), bufio.NewWriter(w)
	col := 0
	for {
		c, err := in.ReadByte()
		if err == io.EOF {
			return out.Flush()
		}
		if err != nil {
			return err
		}
		if isSpace(c) {
			continue
		}
		if col == wireLine {
			if _, err := out.WriteString(crlf); err != nil {
				return err
			}
			col = 0
		}
		if err := out.WriteByte(c); err != nil {
			return err
		}
		col++
	}
}

// rewrapQuoted adds soft line breaks (RFC 2045 section 6.7, rule 5) and
// encodes raw octets over 127; hard line breaks stay.
func rewrapQuoted(w io.Writer, raw io.Reader) error {
	in, out := bufio.NewReader(raw), bufio.NewWriter(w)
	col := 0
	for {
		c, err := in.ReadByte()
		if err == io.EOF {
			return out.Flush()
		}
		if err != nil {
			return err
		}
		unit, soft := []byte{c}, false
		switch {
		case c == '\r' || c == '\n':
			if err := out.WriteByte(c); err != nil {
				return err
			}
			col = 0
			continue
		case c == '=':
			next, _ := in.Peek(2) // fewer at the end
			switch {
			case len(next) == 2 && isHex(next[0]) && isHex(next[1]):
				unit = append(unit, next...)
				if _, err := in.Discard(2); err != nil {
					return err
				}
			case len(next) == 0 || next[0] == '\r' || next[0] == '\n':
				soft = true // a soft line break: it may take the last column
			}
		case c >= 0x80:
			unit = []byte(qEncode(string([]byte{c})))
		}
		if col+len(unit) > wireLine-1 && !soft {
			if _, err := out.WriteString("=" + crlf); err != nil {
				return err
			}
			col = 0
		}
		if _, err := out.Write(unit); err != nil {
			return err
		}
		col += len(unit)
	}
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'F' || c >= 'a' && c <= 'f'
}

// noiseWriter breaks long lines and, with seven set, replaces octets over 127.
type noiseWriter struct {
	w     io.Writer
	seven bool
	col   int
}

func (n *noiseWriter) Write(b []byte) (int, error) {
	out := make([]byte, 0, len(b)+len(b)/256)
	for _, c := range b {
		if c == '\n' {
			n.col = -1
		}
		if n.col >= maxLine-100 && c != '\r' {
			out = append(out, crlf+" "...) // the space keeps it from becoming a delimiter
			n.col = 1
		}
		if n.seven && c >= 0x80 {
			c = '?'
		}
		out = append(out, c)
		n.col++
	}
	if _, err := n.w.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}
