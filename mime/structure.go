package mime

import (
	"errors"
	"io"
)

var errStub = errors.New("mime: being written")

// A Part is one node of the MIME tree.
type Part struct {
	MediaType   string            // lower case, "text/plain" when absent
	Params      map[string]string // decoded (RFC 2231)
	Disposition string            // "attachment", "inline" or ""
	Filename    string            // decoded: RFC 2231, RFC 2047 in quotes tolerated
	ContentID   string            // without angle brackets
	Encoding    string            // lower case transfer encoding, "7bit" when absent
	Parts       []*Part           // of a multipart
	// HeaderStart, BodyStart, End are byte offsets in the Source of the
	// message; the body excludes the line end that belongs to the boundary.
	HeaderStart, BodyStart, End int64
	EightBit                    bool // raw octets over 127 in the body
	LongLine                    int  // longest line of the body in octets without CRLF
}

// Structure reads the whole message once and gives its tree. The result is
// cached and must not be changed.
func (m *Message) Structure() (*Part, error) { return nil, errStub }

// Open gives the decoded content of a leaf (transfer encoding undone, charset
// as it is), as a stream.
func (m *Message) Open(p *Part) io.Reader { return nil }

// Protected reports a signed or encrypted message (S/MIME, PGP/MIME), or one
// with a DKIM-Signature header when dkim is true: whose bytes must stay.
func (m *Message) Protected(dkim bool) (bool, error) { return false, errStub }
