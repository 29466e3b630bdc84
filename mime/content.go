package mime

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/emersion/go-message/charset"
)

// Raw is the body of a part as it is stored.
func (m *Message) Raw(p *Part) Source {
	return io.NewSectionReader(m.src, p.BodyStart, p.End-p.BodyStart)
}

// partHead is the raw header block of a part with the empty line that ends it.
func (m *Message) partHead(p *Part) ([]byte, error) {
	b := make([]byte, p.BodyStart-p.HeaderStart)
	if n, err := m.src.ReadAt(b, p.HeaderStart); n < len(b) {
		return nil, unreadable(err)
	}
	return b, nil
}

// Open returns the decoded content of a leaf (transfer encoding undone, charset
// as it is), as a stream: base64, quoted-printable and uuencode; where Decodable
// is false, the bytes as they are. Content that readers do not decode alike is an
// *Error with code "bad_encoding" at the place where it begins.
func (m *Message) Open(p *Part) io.Reader {
	raw := io.Reader(NewReader(m.Raw(p)))
	if r := decoder(p.Encoding, raw); r != nil {
		return &contentReader{r: r, p: p}
	}
	return raw
}

// Decodable reports a part with a transfer encoding that Open can undo. Others (yEnc,
// BinHex, names that no one knows) can only be passed on within their message.
func (p *Part) Decodable() bool { return p.identity() || decoder(p.Encoding, nil) != nil }

// contentReader makes errors of a decoder ours.
type contentReader struct {
	r io.Reader
	p *Part
}

func (c *contentReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	if err == nil || err == io.EOF {
		return n, err
	}
	var own *Error
	if errors.As(err, &own) {
		return n, own
	}
	what := c.p.Filename
	if what == "" {
		what = c.p.MediaType
	}
	return n, newError("bad_encoding", "Content-Transfer-Encoding", NewText("mime.bad_encoding",
		"The part {what} is not valid {encoding}: the program that made the message encodes it wrongly.",
		"what", strconv.Quote(shorten(what)), "encoding", c.p.Encoding)).because(err)
}

// TextBodies returns the readable text of the message as UTF-8: the first
// text/plain and the first text/html leaf that are no attachments, each cut at
// limit bytes. Meant for previews, searches and tests. The error is that of the
// first of them which cannot be decoded; what could be is returned with it.
func (m *Message) TextBodies(limit int64) (plain, html string, err error) {
	root, err := m.Structure()
	if err != nil {
		return "", "", err
	}
	var seenPlain, seenHTML bool
	root.Walk(false, func(p *Part) bool {
		if p.Multipart() || p.Disposition == "attachment" {
			return true
		}
		var out *string
		switch {
		case p.MediaType == "text/plain" && !seenPlain:
			out, seenPlain = &plain, true
		case p.MediaType == "text/html" && !seenHTML:
			out, seenHTML = &html, true
		default:
			return true
		}
		var e error
		if *out, e = m.text(p, limit); e != nil && err == nil {
			err = e
		}
		return !seenPlain || !seenHTML
	})
	return plain, html, err
}

// text decodes a text leaf to UTF-8.
func (m *Message) text(p *Part, limit int64) (string, error) {
	raw, err := io.ReadAll(io.LimitReader(m.Open(p), limit))
	cs := strings.ToLower(strings.TrimSpace(p.Params["charset"]))
	switch cs {
	case "", "utf-8", "utf8", "us-ascii":
		return toUTF8(raw), err
	}
	r, cerr := charset.Reader(cs, bytes.NewReader(raw))
	if cerr != nil {
		if err == nil {
			err = newError("bad_charset", "Content-Type", NewText("mime.bad_charset", "The character set {cs} is not known.", "cs",
				strconv.Quote(shorten(cs)))).because(cerr)
		}
		return toUTF8(raw), err
	}
	out, cerr := io.ReadAll(r)
	if cerr != nil && err == nil {
		err = newError("bad_charset", "Content-Type", NewText("mime.invalid_text",
			"The text is not valid in the character set {cs}.", "cs", strconv.Quote(shorten(cs)))).because(cerr)
	}
	return strings.ToValidUTF8(string(out), "\uFFFD"), err
}
