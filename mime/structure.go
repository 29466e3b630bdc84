package mime

import (
	"bytes"
	"strings"
)

// A Part is one node of the MIME tree.
type Part struct {
	MediaType   string            // lower case, "text/plain" when absent or unreadable
	Params      map[string]string // decoded (RFC 2231)
	Disposition string            // "attachment", "inline" or ""
	Filename    string            // decoded: RFC 2231, RFC 2047 in quotes tolerated
	ContentID   string            // without angle brackets
	Encoding    string            // lower case transfer encoding: what the content has, whatever its label says; "7bit" when absent
	Parts       []*Part           // of a multipart; empty when its boundary is missing
	Message     *Part             // the root of the message inside a message/rfc822 without an encoding
	// HeaderStart, BodyStart, End are byte offsets in the Source of the
	// message; the body excludes the line end that belongs to the boundary.
	HeaderStart, BodyStart, End int64
	EightBit                    bool // raw octets over 127 in the body; of a multipart: in its preamble and epilogue
	LongLine                    int  // longest line of the body in octets without CRLF; of a multipart as above

	delim    int64 // start of the delimiter line before the part
	close    int64 // of a multipart: start of its close-delimiter line, or where that would be
	headLine int   // longest line of the part's header
	head8    bool  // raw octets over 127 in the part's header
	// mislabelled: the Content-Transfer-Encoding names none that the part has.
	mislabelled bool
}

// Multipart reports a part that was divided into Parts.
func (p *Part) Multipart() bool { return len(p.Parts) > 0 }

// Attachment reports a leaf that a mail reader lists as a file: disposition
// attachment, or a file name on what is neither text nor referred to by a
// Content-ID.
func (p *Part) Attachment() bool {
	switch {
	case p.Multipart(), strings.HasPrefix(p.MediaType, "multipart/"):
		return false
	case p.Disposition == "attachment":
		return true
	}
	return p.ContentID == "" && (p.Filename != "" || !strings.HasPrefix(p.MediaType, "text/"))
}

// Walk calls f for p and everything under it in the order of the bytes, and
// for the insides of attached messages when inside is true. It stops when f
// returns false and reports whether it did not.
func (p *Part) Walk(inside bool, f func(*Part) bool) bool {
	if !f(p) {
		return false
	}
	if inside && p.Message != nil && !p.Message.Walk(inside, f) {
		return false
	}
	for _, c := range p.Parts {
		if !c.Walk(inside, f) {
			return false
		}
	}
	return true
}

// Sealed reports a multipart that is signed or encrypted as a whole (RFC 1847,
// RFC 3156, RFC 8551): everything inside must keep its bytes. A file that is
// signed or encrypted by itself (fattura.xml.p7m) is a leaf like any other.
func (p *Part) Sealed() bool {
	return p.MediaType == "multipart/signed" || p.MediaType == "multipart/encrypted"
}

// opaque reports a leaf that is a signed or encrypted message where it stands
// alone (RFC 8551 sections 3.5.2 and 3.9): what is inside is made by its reader.
func (p *Part) opaque() bool {
	switch p.MediaType {
	case "application/pkcs7-mime", "application/x-pkcs7-mime", "application/pgp-encrypted", "application/pgp":
		return true
	case octetStream:
		return strings.EqualFold(p.Filename, "smime.p7m")
	}
	return false
}

// Structure reads the whole message once and returns its tree. The result is
// cached and must not be changed. Only limits and a Source that fails make an
// error; what is broken inside becomes leaves.
func (m *Message) Structure() (*Part, error) {
	m.treeOnce.Do(func() {
		if m.tree != nil {
			return // Accept has seen the whole body already
		}
		s, err := scanBody(&m.head, m.Body(), int64(len(m.head.raw)), m.lim)
		if err != nil {
			m.treeErr = err
			return
		}
		m.tree = s.root
	})
	return m.tree, m.treeErr
}

// Protected reports a signed or encrypted message (S/MIME, PGP/MIME), or one
// with a DKIM-Signature header when dkim is true: their bytes must stay. The
// root decides: files and attached messages that are signed do not count, nor
// does a signed part below another (see Part.Sealed).
func (m *Message) Protected(dkim bool) (bool, error) {
	if dkim && m.signedByDKIM() {
		return true, nil
	}
	root, err := m.Structure()
	if err != nil {
		return false, err
	}
	return root.Sealed() || root.opaque(), nil
}

func (m *Message) signedByDKIM() bool {
	_, ok := m.head.first("DKIM-Signature")
	return ok
}

// describe fills p from its header; parent is nil for a root.
func (p *Part) describe(h *block, parent *Part) {
	def := "text/plain"
	if parent != nil && parent.MediaType == "multipart/digest" {
		def = "message/rfc822" // RFC 2046 section 5.1.5
	}
	p.MediaType, p.Params = parseParams(h.get("Content-Type"))
	if p.MediaType == "" {
		p.MediaType = def
	}
	if typ, sub, ok := strings.Cut(p.MediaType, "/"); !ok || !isToken(typ) || !isToken(sub) {
		p.MediaType = "text/plain" // RFC 2045 section 5.2
	}
	var disp map[string]string
	p.Disposition, disp = parseParams(h.get("Content-Disposition"))
	if p.Disposition != "" && p.Disposition != "inline" {
		p.Disposition = "attachment" // RFC 2183 section 2.8: unknown types too
	}
	p.Filename = disp["filename"]
	if p.Filename == "" {
		p.Filename = p.Params["name"]
	}
	p.Filename = decodeWords(p.Filename)
	p.ContentID = strings.Trim(h.get("Content-ID"), "<> \t")
	var known bool
	p.Encoding, known = transferEncoding(h.get("Content-Transfer-Encoding"))
	p.mislabelled = !known
	p.headLine, p.head8 = longestLine(h.raw), !sevenBit(h.raw)
}

// longestLine is the length of the longest line of b without line ends.
func longestLine(b []byte) int {
	longest := 0
	for len(b) > longest {
		n, next := len(b), len(b)
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			n, next = i, i+1
		}
		for n > longest && b[n-1] == '\r' {
			n--
		}
		longest = max(longest, n)
		b = b[next:]
	}
	return longest
}

// identity reports a transfer encoding that is none.
func (p *Part) identity() bool {
	return p.Encoding == "7bit" || p.Encoding == "8bit" || p.Encoding == "binary"
}
