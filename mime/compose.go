package mime

import (
	"bytes"
	"io"
	"time"
)

// A Draft is what Compose builds a message from. Every field is checked: CR,
// LF or NUL in a header value is an error, never a second header; text that is
// not UTF-8 is an error too. Compose does not change the Draft.
type Draft struct {
	From            Address
	Sender          *Address
	To, Cc, Bcc     []Address // without To and Cc, "To: undisclosed-recipients:;" is written
	ReplyTo         []Address
	Subject         string
	Text            string
	HTML            string // when Text is empty, a text alternative is made from it
	Attachments     []Attachment
	Headers         []Field   // further fields; names that Draft sets itself are refused
	ListUnsubscribe []string  // URIs without angle brackets (RFC 2369)
	OneClick        bool      // adds List-Unsubscribe-Post (RFC 8058); needs an https: URI above
	InReplyTo       string    // with or without angle brackets
	References      []string  // oldest first, with or without angle brackets
	Date            time.Time // now when zero
	MessageID       string    // made from a random value and the From domain when empty

	// Seed makes the boundaries a function of it and of the Message-ID: with
	// Date and MessageID set, equal drafts give equal bytes. Random when empty;
	// a seed must be unknown to whoever writes the attachments.
	Seed string
}

// A Field is one header field, its value decoded and unfolded.
type Field struct{ Name, Value string }

// An Attachment is a file or an inline image. Open is called once for each
// Compose, twice for an attached message (its encoding must be known before it
// is written) and up to three times for a calendar; its reader is streamed and
// closed. The first text/calendar with a method (in ContentType, or in its content
// where that asks for an answer: REQUEST, REPLY, CANCEL...) is an invitation: it
// is written as an alternative of the text too (RFC 6047), so that readers offer to accept it.
type Attachment struct {
	Filename    string // directories before the name are dropped; the name of ContentType when empty
	ContentType string // guessed from the name when empty
	// ContentID is without brackets. With Inline set HTML refers to it as cid:. When it is
	// empty, HTML may refer to the file's name (cid:my%20logo.png): Compose makes an identifier and
	// writes it in both places.
	ContentID string
	Inline    bool
	Open      func() (io.ReadCloser, error)
}

// Compose streams the message to w with CRLF line ends: multipart/mixed >
// related > alternative only as deep as needed. The Bcc field is written: the
// SMTP view removes it again. Errors of the draft are *Error and come before
// the first octet is written, save those of reading an attachment; errors of w
// are returned as they are. After an error what was written is of no use.
func Compose(w io.Writer, d *Draft) error {
	c := &composer{draft: d}
	if err := c.header(); err != nil {
		return err
	}
	root, err := c.tree()
	if err != nil {
		return err
	}
	return c.write(w, root)
}

// Build composes into memory and reads the result: for drafts without large
// attachments.
func Build(d *Draft) (*Message, error) {
	var b bytes.Buffer
	if err := Compose(&b, d); err != nil {
		return nil, err
	}
	return Read(Bytes(b.Bytes()), Limits{})
}

// A composer is one run of Compose.
type composer struct {
	draft      *Draft
	fields     [][]byte       // of the header, folded, in order
	id         string         // Message-ID without brackets
	html       string         // of the draft, with references to inlineIDs
	inlineIDs  map[int]string // Content-IDs made for attachments, by index
	boundaries int            // made so far
	lines      *base64Lines
}
