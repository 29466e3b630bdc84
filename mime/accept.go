package mime

import (
	"io"
	"time"
)

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
func Accept(src Source, opt AcceptOptions) (*Message, error) { return Read(src, opt.Limits) }
