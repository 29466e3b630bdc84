package mime

import (
	"io"
	"time"
)

// A Draft is what Compose builds a message from. Every field is checked: CR,
// LF or NUL in a header value is an error, never a second header.
type Draft struct {
	From            Address
	Sender          *Address
	To, Cc, Bcc     []Address
	ReplyTo         []Address
	Subject         string
	Text            string
	HTML            string // when Text is empty, a text alternative is made from it
	Attachments     []Attachment
	Headers         []Field  // further fields; names that Draft sets itself are refused
	ListUnsubscribe []string // URIs without angle brackets (RFC 2369)
	OneClick        bool     // adds List-Unsubscribe-Post (RFC 8058)
	InReplyTo       string
	References      []string
	Date            time.Time // now when zero
	MessageID       string    // made from a random value and the From domain when empty
}

// A Field is one header field, its value decoded and unfolded.
type Field struct{ Name, Value string }

// An Attachment is a file or an inline image. Open is called once for each
// Compose, its reader is streamed and closed.
type Attachment struct {
	Filename    string
	ContentType string // guessed from the name when empty
	ContentID   string // without brackets; with Inline set: referred to as cid: by HTML
	Inline      bool
	Open        func() (io.ReadCloser, error)
}

// Compose streams the message to w with CRLF line ends: multipart/mixed >
// related > alternative only as deep as needed. The Bcc field is written: the
// SMTP view removes it again. Errors of the draft are *Error.
func Compose(w io.Writer, d *Draft) error { return errStub }

// Build composes into memory and reads the result: for drafts without large
// attachments.
func Build(d *Draft) (*Message, error) { return nil, errStub }
