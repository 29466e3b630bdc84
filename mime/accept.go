package mime

import (
	"bytes"
	"io"
	"time"
)

// AcceptOptions says how Accept completes foreign bytes.
type AcceptOptions struct {
	Limits   Limits
	Now      func() time.Time
	Hostname string   // domain of a Message-ID that must be made; one without a dot is not used
	Remove   []string // header fields to drop, such as X-Postino-Connection; Return-Path is always dropped
	// From, when not nil, replaces From (and Reply-To when ReplyTo is set) and removes Sender: a default
	// connection in mode "always".
	From    *Address
	ReplyTo *Address
	// DefaultFrom, when not nil, is the From of a message that has none.
	DefaultFrom func() (Address, error)
	// AutoSubmitted marks the message as one that no program answers (RFC 3834 section 5), where it does not say so itself.
	AutoSubmitted bool
	// LocalDomain, when not nil, gives the domain of names that stand alone in an address field (root, "Cron" <root>),
	// as the sendmail command of a machine qualifies them. It is called when it is needed. nil: such names are no addresses.
	LocalDomain func() string
	// Received, when not empty, is the value of a Received field that is put above all others (RFC 5321 section 4.4).
	Received string
	// GmailMessageID says that the message leaves through Gmail, which replaces a
	// Message-ID with a domain without a dot: it is replaced here, so
	// that the record knows the one that is sent. Elsewhere it is kept.
	GmailMessageID bool
	// Lenient repairs what old devices do: bare LF and bare CR become CRLF, a missing
	// empty line after the header is added, of two different Subject, Date or
	// Message-ID fields the first counts. Without it these are refused. NUL is
	// refused always.
	Lenient bool
	// Spool receives the body where it must be written again (line ends, lines over 998
	// octets). nil: memory. It may be called twice for one message.
	Spool func() (Spool, error)
}

// A Spool is a place that a rewritten body is written to and read from.
type Spool interface {
	io.Writer
	// Source is what was written; called once, after the last Write.
	Source() (Source, error)
}

// memorySpool is the Spool where the caller names none.
type memorySpool struct{ bytes.Buffer }

func (s *memorySpool) Source() (Source, error) { return Bytes(s.Bytes()), nil }

// Accept checks a message that a client handed over and makes the bytes that
// are stored: one From (or several with a Sender), a sane header,
// no NUL, CRLF line ends, lines under 998 octets re-encoded (refused where that
// would break a signature), Message-ID and Date added when absent, Bcc kept in
// the stored header (both views deal with it). All other header lines and the
// body keep their bytes.
//
// What is repaired always: a byte order mark or an mbox "From " line at the
// start, white space before a colon, lines of white space in the header, header
// fields that occur several times (lists are joined, equal ones dropped), raw
// header octets that are not UTF-8, address fields that are empty (they go) or
// hold what RFC 5322 forbids and is read in different ways (an @ in a display
// name without quotes; invisible characters around an address),
// a Message-ID that is none (the old one moves to
// X-Postino-Original-Message-ID), an unreadable Date (to
// X-Postino-Original-Date), a missing MIME-Version, a transfer encoding that a
// multipart or an attached message cannot have (RFC 2045 section 6.4), a last
// line without end.
//
// Head() and Body() of the result are what a store keeps; a Read of their Join
// returns the same message. Body shares the bytes of src unless they had to be
// written to the Spool. Accepting the result again changes nothing. Errors are
// *Error.
func Accept(src Source, opt AcceptOptions) (*Message, error) {
	// contracts B4.5, C5.5, F7, F11
	opt.fill()
	raw, start, same, err := foreignHead(src, &opt)
	if err != nil {
		return nil, err
	}
	head, berr := parseBlock(raw)
	if berr != nil {
		return nil, berr
	}
	return complete(&Message{src: src, head: head}, start, same, &opt)
}

// Accept returns what the function of that name makes of m's bytes, without
// reading its header a second time: for who had to look at a message before
// (to route it). The limits are those that m was read with.
func (m *Message) Accept(opt AcceptOptions) (*Message, error) {
	opt.Limits = m.lim
	if !m.head.canonical() {
		return Accept(m.src, opt)
	}
	opt.fill()
	return complete(m, int64(len(m.head.raw)), true, &opt)
}

func (opt *AcceptOptions) fill() {
	opt.Limits = opt.Limits.withDefaults()
	if opt.Now == nil {
		opt.Now = time.Now
	}
}

// complete makes the stored message of m: its header is canonical and its
// body begins at start; same says that its source begins with that header.
// Its lists may be missing.
func complete(m *Message, start int64, same bool, opt *AcceptOptions) (*Message, error) {
	c := &completer{opt: opt}
	head, lists, err := c.header(&m.head, m.lists)
	if err != nil {
		return nil, err
	}
	b := &bodyCheck{opt: opt, head: head, lists: lists, body: section(m.src, start, m.src.Size()-start)}
	if same && bytes.Equal(head.raw, m.head.raw) {
		b.whole = m.src
	}
	return b.run()
}

// bodyCheck makes the stored body.
type bodyCheck struct {
	opt   *AcceptOptions
	head  block
	lists *addressLists
	body  Source
	whole Source // head and body; nil when they lie apart
}

func (b *bodyCheck) run() (*Message, error) {
	m, s, err := b.scan()
	if err != nil {
		return nil, err
	}
	if s.nul {
		return nil, errNUL()
	}
	if s.bareCR || s.bareLF {
		if !b.opt.Lenient {
			return nil, errLineEnds(s.bareCR)
		}
		if err := b.rewrite(func(w io.Writer) error {
			n := &lineEnds{w: w}
			if err := copyRange(n, b.body, 0, b.body.Size()); err != nil {
				return err
			}
			return n.close()
		}); err != nil {
			return nil, err
		}
		// A repaired line end can make a delimiter: look again.
		if m, s, err = b.scan(); err != nil {
			return nil, err
		}
	}
	if longLines(s.root) || s.root.relabels() && !m.signedByDKIM() {
		if err := b.shorten(m); err != nil {
			return nil, err
		}
		if m, _, err = b.scan(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// scan returns the message as it would be stored now, and what is in its body.
func (b *bodyCheck) scan() (*Message, *scanner, error) {
	if err := b.endLine(); err != nil {
		return nil, nil, err
	}
	if b.whole == nil {
		b.whole = Join(Bytes(b.head.raw), b.body)
	}
	m := &Message{src: b.whole, lim: b.opt.Limits, head: b.head, lists: b.lists}
	s, err := scanBody(&m.head, b.body, int64(len(b.head.raw)), b.opt.Limits)
	if err != nil {
		return nil, nil, err
	}
	m.tree = s.root
	return m, s, nil
}

// endLine ends the last line of the body.
func (b *bodyCheck) endLine() error {
	n := b.body.Size()
	if n == 0 {
		return nil
	}
	var last byte
	if r := resident(b.body, n-1); len(r) > 0 {
		last = r[0]
	} else {
		var buf [1]byte
		if k, err := b.body.ReadAt(buf[:], n-1); k < 1 {
			return unreadable(err)
		}
		last = buf[0]
	}
	if last != '\n' {
		b.body, b.whole = Join(b.body, Bytes([]byte(crlf))), nil
	}
	return nil
}

// rewrite replaces the body by what write writes.
func (b *bodyCheck) rewrite(write func(w io.Writer) error) error {
	var spool Spool = &memorySpool{}
	if b.opt.Spool != nil {
		s, err := b.opt.Spool()
		if err != nil {
			return errSpool(err)
		}
		spool = s
	}
	if err := write(spool); err != nil {
		return errSpool(err)
	}
	src, err := spool.Source()
	if err != nil {
		return errSpool(err)
	}
	b.body, b.whole = src, nil
	return nil
}

// shorten encodes the parts with long lines again, and puts labels right that a
// multipart or message cannot have.
func (b *bodyCheck) shorten(m *Message) error {
	r := &recoder{m: m, relabel: true}
	encoding, err := r.plan()
	if err != nil {
		return err
	}
	if m.signedByDKIM() {
		return r.sealedError(m.tree)
	}
	old := int64(len(b.head.raw))
	if encoding != "" {
		head, err := m.head.recode(headEdit{encoding: encoding, message: true})
		if err != nil {
			return err
		}
		if len(head) > b.opt.Limits.HeaderBytes {
			return errHeaderTooLarge(b.opt.Limits.HeaderBytes)
		}
		if b.head, err = parseBlock(head); err != nil {
			return err
		}
		if b.lists, err = b.head.addressLists(b.opt.Limits.Recipients); err != nil {
			return err
		}
	}
	for i := range r.edits {
		r.edits[i].start -= old
		r.edits[i].end -= old
	}
	if len(r.edits) == 0 {
		b.whole = nil
		return nil
	}
	// The edits read from m; its source stays as it was.
	body := b.body
	return b.rewrite(func(w io.Writer) error { return applyEdits(w, body, r.edits) })
}

// longLines reports a line over maxLine anywhere in the tree.
func longLines(root *Part) bool {
	return !root.Walk(true, func(p *Part) bool {
		return p.LongLine <= maxLine && (p == root || p.headLine <= maxLine)
	})
}

func errSpool(err error) *Error {
	if e := asOwn(err); e != nil { // it says more than this one
		return e
	}
	return newError("spool", "", NewText("mime.spool",
		"The message could not be written to disk: check space and permissions, then send it again.")).because(err)
}

func errLineEnds(cr bool) *Error {
	what, code := "LF", "bare_lf"
	if cr {
		what, code = "CR", "bare_cr"
	}
	return newError(code, "", NewText("mime.bare_line_ends",
		"The message has lines that do not end with CR LF (a bare {what}): the sending program must end every "+
			"line with CR LF (RFC 5321 section 2.3.8).",
		"what", what))
}

// lineEnds makes every line end CRLF: LF, CR, CRLF, and the CR CR LF of
// programs that convert twice.
type lineEnds struct {
	w   io.Writer
	crs int // CRs seen last, not yet written
}

func (l *lineEnds) Write(b []byte) (int, error) {
	out := make([]byte, 0, len(b)+len(b)/16)
	for _, c := range b {
		switch c {
		case '\r':
			l.crs++
			continue
		case '\n':
			l.crs = 0
			out = append(out, crlf...)
			continue
		}
		if l.crs > 0 {
			if out = l.flush(out); len(out) > 1<<20 {
				if _, err := l.w.Write(out); err != nil {
					return 0, err
				}
				out = out[:0]
			}
		}
		out = append(out, c)
	}
	if l.crs > 32<<10 { // a run of CRs alone must not be held in a counter for ever
		out = l.flush(out)
	}
	_, err := l.w.Write(out)
	return len(b), err
}

func (l *lineEnds) flush(out []byte) []byte {
	for ; l.crs > 0; l.crs-- {
		out = append(out, crlf...)
	}
	return out
}

func (l *lineEnds) close() error {
	_, err := l.w.Write(l.flush(nil))
	return err
}
