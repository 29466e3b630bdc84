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

// An Error says what is wrong with a message, in words for the person who made it.
type Error struct {
	Code   string // stable, such as "no_from", "nul", "too_many_parts"
	Field  string // header field or draft field, when one is to blame
	Text   string // a sentence in English, safe to show: what is wrong and what to do
	TextIT string // the same in Italian
	Err    error
}

func (e *Error) Error() string { return e.Text }
func (e *Error) Unwrap() error { return e.Err }

// AcceptOptions says how Accept completes foreign bytes.
type AcceptOptions struct {
	Limits   Limits
	Now      func() time.Time
	Hostname string   // domain of a Message-ID that must be made
	Remove   []string // header fields to drop, such as X-Postino-Connection; Return-Path is always dropped
	// From, when not nil, replaces From (and Reply-To when ReplyTo is set) and removes Sender: a default
	// connection in mode "always".
	From    *Address
	ReplyTo *Address
	// Lenient repairs what old devices do: bare LF and bare CR become CRLF. Without it bare
	// CR and bare LF are refused. NUL is refused always.
	Lenient bool
	// Spool receives the body where it must be written anew (line ends, lines over 998
	// octets). nil: memory.
	Spool func() (Spool, error)
}

// A Spool is a place that a rewritten body is written to and read from.
type Spool interface {
	io.Writer
	// Source is what was written; called once, after the last Write.
	Source() (Source, error)
}

// Accept checks a message that a client handed over and makes the bytes that
// are stored: one From (or several with a Sender, contracts F7), a sane header,
// no NUL, CRLF line ends, lines under 998 octets re-encoded (refused where that
// would break a signature), Message-ID and Date added when absent, Bcc kept in
// the stored header (both views deal with it). All other header lines and the
// body keep their bytes. Errors are *Error.
func Accept(src Source, opt AcceptOptions) (*Message, error) { return nil, errStub }
