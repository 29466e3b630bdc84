package mime

import (
	"iter"
	"strings"
	"sync"
	"time"
)

// An Address is one mailbox of an address header.
type Address struct {
	Name    string // display name, decoded
	Address Mailbox
}

// String is the address as a header field has it, on one line: the name quoted
// or encoded (RFC 2047) where it needs that.
func (a Address) String() string {
	f := newField("")
	f.mailbox(a, "")
	return unfold(f.raw()[1:])
}

// An Envelope is sender and recipients as they were handed over (RFC 5321
// section 2.3.1). Headers never overrule it.
type Envelope struct {
	From       Mailbox // reverse-path; none for the null sender
	Recipients []Recipient
	EnvID      string // DSN ENVID (RFC 3461 section 4.4), decoded; empty when not given
	Ret        Ret    // DSN RET; empty when not given
}

// A Recipient is one forward-path with its DSN wishes (RFC 3461 sections 4.1, 4.2).
type Recipient struct {
	Address Mailbox  `json:"address"`
	Notify  []Notify `json:"notify,omitempty"` // NotifyNever alone, or any of the others
	ORcpt   string   `json:"orcpt,omitempty"`  // "rfc822;addr" or "utf-8;addr", decoded; empty when not given
}

// A Message is stored bytes with a header that has been read. It is immutable and
// safe for concurrent use. The bytes of a message that was read are kept:
// nothing is serialised again that need not change.
type Message struct {
	src   Source
	lim   Limits
	head  block
	lists *addressLists

	smtpOnce sync.Once
	smtp     Source

	treeOnce sync.Once
	tree     *Part
	treeErr  error
}

// Limits bound what Read accepts; zero fields take the defaults.
type Limits struct {
	HeaderBytes int // default 1 MiB
	Parts       int // default 1,000
	Depth       int // default 100
	Recipients  int // default 10,000: addresses in all address headers together
}

func (l Limits) withDefaults() Limits {
	set := func(v *int, def int) {
		if *v <= 0 {
			*v = def
		}
	}
	set(&l.HeaderBytes, 1<<20)
	set(&l.Parts, 1000)
	set(&l.Depth, 100)
	set(&l.Recipients, maxRecipients)
	return l
}

// Read reads the header of src (the body only when Structure is called). Line
// ends may be CRLF or LF; what goes to a provider should have passed Accept or
// come from Compose. A byte order mark or an mbox "From " line at the start is
// no part of the message and of its Source. Entries of address headers that cannot be read are no
// error here (see BadAddresses): an envelope may do without them. Errors are
// *Error and say what is wrong with the message and what to do.
func Read(src Source, lim Limits) (*Message, error) {
	lim = lim.withDefaults()
	raw, err := readBlock(src, 0, lim.HeaderBytes)
	if err != nil || maybePreface(raw) {
		start, perr := skipPreface(src)
		if perr != nil {
			return nil, perr
		}
		if start > 0 {
			src = section(src, start, src.Size()-start)
			raw, err = readBlock(src, 0, lim.HeaderBytes)
		}
	}
	if err != nil {
		return nil, err
	}
	m := &Message{src: src, lim: lim}
	if m.head, err = parseBlock(raw); err != nil {
		return nil, err
	}
	if m.lists, err = m.head.addressLists(lim.Recipients); err != nil {
		return nil, err
	}
	return m, nil
}

// addressLists are the address fields by kind, joined over several fields of a
// name; nil where there is none.
type addressLists [kindBcc + 1]*addrList

// addressLists parses all address fields; Resent-* fields are not among them
// (contracts F9).
func (b *block) addressLists(limit int) (*addressLists, *Error) {
	return readLists(limit, len(b.fields), func(i int) (kind, []byte) { return b.fields[i].kind, b.value(b.fields[i]) })
}

// readLists is addressLists for n fields.
func readLists(limit, n int, field func(i int) (kind, []byte)) (*addressLists, *Error) {
	all := &struct {
		lists  addressLists
		stored [kindBcc + 1]addrList
	}{}
	var p addrParser
	left := limit
	for i := range n {
		k, value := field(i)
		if !k.listed() {
			continue
		}
		l := &all.stored[k]
		all.lists[k] = l
		before := len(l.boxes)
		p.parse(l, value, before+left)
		if left -= len(l.boxes) - before; left < 0 {
			return nil, newError("too_many_recipients", addressNames[k], NewText("mime.header_too_many_addresses",
				"The header names more than {limit} addresses: send the message in several parts.", "limit", limit))
		}
	}
	return &all.lists, nil
}

// Source is the stored bytes as they are.
func (m *Message) Source() Source { return m.src }

// Size is the number of stored bytes.
func (m *Message) Size() int64 { return m.src.Size() }

// Head is the stored header block including the empty line that ends it. It
// must not be changed.
func (m *Message) Head() []byte { return m.head.raw }

// Body is what follows the header block.
func (m *Message) Body() Source {
	n := int64(len(m.head.raw))
	return section(m.src, n, m.src.Size()-n)
}

// Get is the first value of the named header field, unfolded and decoded
// (RFC 2047); empty when absent. It is always a single line.
func (m *Message) Get(name string) string { return decodeWords(m.head.get(name)) }

// Values are all raw (unfolded, not decoded) values of the named field.
func (m *Message) Values(name string) []string {
	var out []string
	for _, f := range m.head.fields {
		if m.head.is(f, name) {
			out = append(out, unfold(m.head.value(f)))
		}
	}
	return out
}

// Fields yields the fields of the header in their order: the name as it is
// written, and the value unfolded and decoded (RFC 2047), on one line.
func (m *Message) Fields() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for _, f := range m.head.fields {
			if !yield(string(m.head.name(f)), decodeWords(unfold(m.head.value(f)))) {
				return
			}
		}
	}
}

// From returns the addresses of From, in the order of the header. Groups are
// flattened, entries that cannot be read are left out; the same holds for the
// other address headers.
func (m *Message) From() []Address { return m.lists[kindFrom].addresses() }

// Sender returns the addresses of Sender (see From).
func (m *Message) Sender() []Address { return m.lists[kindSender].addresses() }

// ReplyTo returns the addresses of Reply-To (see From).
func (m *Message) ReplyTo() []Address { return m.lists[kindReplyTo].addresses() }

// To returns the addresses of To (see From).
func (m *Message) To() []Address { return m.lists[kindTo].addresses() }

// Cc returns the addresses of Cc (see From).
func (m *Message) Cc() []Address { return m.lists[kindCc].addresses() }

// Bcc returns the addresses of Bcc (see From).
func (m *Message) Bcc() []Address { return m.lists[kindBcc].addresses() }

// Recipients are the addresses of To, Cc and Bcc in that order, each
// once: the envelope of a message that comes without one. A caller that takes
// them for an envelope must look at BadAddresses first.
func (m *Message) Recipients() []Mailbox {
	var out []Mailbox
	seen := map[Mailbox]bool{}
	for k := kindTo; k <= kindBcc; k++ {
		if m.lists[k] == nil {
			continue
		}
		for i := range m.lists[k].boxes {
			b := &m.lists[k].boxes[i]
			if !b.bad && !seen[b.addr.Address] {
				seen[b.addr.Address] = true
				out = append(out, b.addr.Address)
			}
		}
	}
	return out
}

// BadAddresses are the entries of To, Cc and Bcc that are no address, one
// *Error each (Field names the header). No one is mailed for them; an API view
// leaves them out, because a provider may refuse the whole message for one.
func (m *Message) BadAddresses() []*Error {
	// contracts B5.4
	var out []*Error
	for k := kindTo; k <= kindBcc; k++ {
		if m.lists[k] == nil {
			continue
		}
		for i := range m.lists[k].boxes {
			if b := &m.lists[k].boxes[i]; b.bad {
				out = append(out, badEntry(addressNames[k], b))
			}
		}
	}
	return out
}

// CheckFrom says what is wrong with From: that it is missing or empty
// ("no_from"), or an entry of it that cannot be read ("bad_address", with that
// part). nil when all of it can.
func (m *Message) CheckFrom() *Error {
	list := m.lists[kindFrom]
	if list == nil {
		return newError("no_from", "From", NewText("mime.from_missing",
			"The message has no From field: set the sender's address in the sending program."))
	}
	return list.checkFrom()
}

func (l *addrList) checkFrom() *Error {
	for i := range l.boxes {
		if l.boxes[i].bad {
			return badEntry("From", &l.boxes[i])
		}
	}
	if len(l.boxes) == 0 {
		return newError("no_from", "From", NewText("mime.empty_from",
			"The From field holds no address: set the sender's address in the sending program."))
	}
	return nil
}

// Subject is the decoded subject.
func (m *Message) Subject() string { return m.Get("Subject") }

// MessageID is the Message-ID with its angle brackets, empty when absent. One
// that is malformed is given as it stands.
func (m *Message) MessageID() string {
	v := m.head.get("Message-ID")
	if i := strings.IndexByte(v, '<'); i >= 0 {
		if j := strings.IndexByte(v[i:], '>'); j > 0 {
			return sanitize(v[i : i+j+1])
		}
	}
	return sanitize(v)
}

// Date is the Date field; the zero time when absent or unreadable.
func (m *Message) Date() time.Time {
	t, _ := ParseDate(m.head.get("Date")) // the zero time with false
	return t
}

// IsBulk reports Precedence: bulk|list|junk, List-Unsubscribe or List-Id.
func (m *Message) IsBulk() bool {
	for _, f := range m.head.fields {
		switch {
		case m.head.is(f, "List-Unsubscribe"), m.head.is(f, "List-Id"):
			return true
		case m.head.is(f, "Precedence"):
			switch strings.ToLower(unfold(m.head.value(f))) {
			case "bulk", "list", "junk":
				return true
			}
		}
	}
	return false
}

// NeedsUTF8 reports that the SMTP view has octets over 127 in its header,
// which a strict server takes only with SMTPUTF8 (RFC 6532). ASCIIHeader returns
// a form for other servers, unless the local part of an address needs it.
func (m *Message) NeedsUTF8() bool {
	if sevenBit(m.head.raw) {
		return false
	}
	for _, f := range m.head.fields {
		if f.kind != kindBcc && f.kind != kindResentBcc && !isASCII(m.head.line(f)) {
			return true
		}
	}
	return false
}
