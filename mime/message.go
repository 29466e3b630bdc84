package mime

import (
	"errors"
	"io"
	"time"
)

var errStub = errors.New("mime: being written")

// An Address is one mailbox of an address header.
type Address struct {
	Name    string // display name, decoded
	Address string // addr-spec: local part as it is, domain lower-cased and as A-labels
}

// An Envelope is sender and recipients as they were handed over (RFC 5321
// section 2.3.1). Headers never overrule it.
type Envelope struct {
	From       string // reverse-path, empty for the null sender
	Recipients []Recipient
	EnvID      string // DSN ENVID (RFC 3461 section 4.4), decoded; empty when not given
	Ret        string // DSN RET: "FULL", "HDRS" or empty
}

// A Recipient is one forward-path with its DSN wishes (RFC 3461 sections 4.1, 4.2).
type Recipient struct {
	Address string   `json:"address"`
	Notify  []string `json:"notify,omitempty"` // "NEVER", or any of "SUCCESS", "FAILURE", "DELAY"
	ORcpt   string   `json:"orcpt,omitempty"`  // "rfc822;addr" or "utf-8;addr", decoded; empty when not given
}

// A Message is stored bytes whose header has been read. It is immutable and
// safe for concurrent use. The bytes of a message that was read are kept:
// nothing is serialised again that need not change.
type Message struct {
	src Source
}

// Limits bound what Read accepts; zero fields take the defaults.
type Limits struct {
	HeaderBytes int // default 1 MiB
	Parts       int // default 1,000
	Depth       int // default 100
	Recipients  int // default 10,000: addresses in all address headers together
}

// Read reads the header of src (the body only when Structure is called).
// Errors are *Error and say what is wrong with the message and what to do.
func Read(src Source, lim Limits) (*Message, error) { return nil, errStub }

// Source is the stored bytes as they are.
func (m *Message) Source() Source { return m.src }

// Size is the number of stored bytes.
func (m *Message) Size() int64 { return m.src.Size() }

// Head is the stored header block including the empty line that ends it.
func (m *Message) Head() []byte { return nil }

// Body is what follows the header block.
func (m *Message) Body() Source { return nil }

// Get is the first value of the named header field, unfolded and decoded
// (RFC 2047); empty when absent.
func (m *Message) Get(name string) string { return "" }

// Values are all raw (unfolded, not decoded) values of the named field.
func (m *Message) Values(name string) []string { return nil }

// From, Sender, ReplyTo, To, Cc and Bcc are the parsed address headers;
// groups are flattened.
func (m *Message) From() []Address    { return nil }
func (m *Message) Sender() []Address  { return nil }
func (m *Message) ReplyTo() []Address { return nil }
func (m *Message) To() []Address      { return nil }
func (m *Message) Cc() []Address      { return nil }
func (m *Message) Bcc() []Address     { return nil }

// Recipients are the addresses of To, Cc and Bcc in that order, each once
// (SameAddress): the envelope of a message that comes without one.
func (m *Message) Recipients() []string { return nil }

// Subject is the decoded subject.
func (m *Message) Subject() string { return "" }

// MessageID is the Message-ID with its angle brackets, empty when absent.
func (m *Message) MessageID() string { return "" }

// Date is the Date field; the zero time when absent or unreadable.
func (m *Message) Date() time.Time { return time.Time{} }

// IsBulk reports Precedence: bulk|list|junk, List-Unsubscribe or List-Id.
func (m *Message) IsBulk() bool { return false }

// NeedsUTF8 reports an address in a header that only SMTPUTF8 can carry, or a
// raw non-ASCII header.
func (m *Message) NeedsUTF8() bool { return false }

// ForSMTP is the view of the message for SMTP: the stored bytes without Bcc
// (and Resent-Bcc) fields. Identical on every call.
func (m *Message) ForSMTP() Source { return nil }

// ForAPI is the view for an API that takes its recipients from the header
// (contracts F1-F5, C5.4): address lines first, a Bcc with every recipient of
// the envelope that To and Cc do not show, and without header recipients who
// are not in the envelope; who was removed is named in the field
// "X-Postino-Not-Sent". All other fields and the body are identical to the
// byte to ForSMTP. Identical on every call with the same recipients.
func (m *Message) ForAPI(recipients []string) (Source, error) { return nil, errStub }

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
func (m *Message) Protected() (bool, error) { return false, errStub }

// SameAddress compares two addr-specs as RFC 5321 section 2.4 says: domain
// case-folded and IDN-normalised, local part as it is.
func SameAddress(a, b string) bool { return a == b }

// NormalizeAddress gives the form under which equal addresses are equal
// strings: local part kept, domain lower-case A-labels. Syntax errors are
// *Error.
func NormalizeAddress(addr string) (string, error) { return addr, nil }
