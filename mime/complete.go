package mime

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

// completer makes the stored header of a foreign one (RFC 5322 section 3.6).
type completer struct {
	opt    *AcceptOptions
	fields []headField
	lists  *addressLists // of the address fields, when those are as they came
	from   *addrList     // who is in From, once sender has checked it
}

// headField is one field of the header being made; raw begins with the n octets
// of its name and ends with CRLF.
type headField struct {
	raw []byte
	n   int
}

func (f headField) name() []byte        { return f.raw[:f.n] }
func (f headField) value() []byte       { return f.raw[f.n+1:] }
func (f headField) is(name string) bool { return sameName(f.name(), name) }

// header returns the stored header for b, which has CRLF line ends: b itself
// where nothing had to change. lists is what the address fields of b hold, or
// nil; the result is that of the stored header.
func (c *completer) header(b *block, lists *addressLists) (block, *addressLists, *Error) {
	c.fields = make([]headField, 0, len(b.fields)+4)
	if err := c.load(b); err != nil {
		return block{}, nil, err
	}
	for _, step := range [...]func(*completer) *Error{(*completer).replaceSender, (*completer).unique, (*completer).qualify,
		(*completer).defaultFrom} {
		if err := step(c); err != nil {
			return block{}, nil, err
		}
	}
	if lists != nil && c.sameAddresses(b) {
		c.lists = lists
	}
	for _, step := range [...]func(*completer) *Error{(*completer).addresses, (*completer).sender, (*completer).messageID, (*completer).date} {
		if err := step(c); err != nil {
			return block{}, nil, err
		}
	}
	c.mimeVersion()
	c.autoSubmitted()
	if c.opt.Received != "" {
		c.fields = append([]headField{makeField("Received", c.opt.Received)}, c.fields...)
	}
	made, err := c.block(b)
	if err == nil && c.lists == nil {
		c.lists, err = made.addressLists(c.opt.Limits.Recipients)
	}
	return made, c.lists, err
}

// block is the header of the fields as they are now.
func (c *completer) block(from *block) (block, *Error) {
	if c.unchanged(from) {
		return *from, nil
	}
	size := len(crlf)
	for _, f := range c.fields {
		size += len(f.raw)
	}
	if size > c.opt.Limits.HeaderBytes {
		return block{}, errHeaderTooLarge(c.opt.Limits.HeaderBytes)
	}
	out := make([]byte, 0, size)
	for _, f := range c.fields {
		out = append(out, f.raw...)
	}
	return parseBlock(append(out, crlf...))
}

func (c *completer) unchanged(b *block) bool {
	if len(c.fields) != len(b.fields) || string(b.rest()) != crlf {
		return false
	}
	for i, f := range b.fields {
		if !bytes.Equal(c.fields[i].raw, b.line(f)) {
			return false
		}
	}
	return true
}

// sameAddresses reports that the address fields are still those of b.
func (c *completer) sameAddresses(b *block) bool {
	i := 0
	for _, f := range b.fields {
		if !f.kind.listed() {
			continue
		}
		for i < len(c.fields) && !c.fields[i].listed() {
			i++
		}
		if i == len(c.fields) || !bytes.Equal(c.fields[i].raw, b.line(f)) {
			return false
		}
		i++
	}
	for ; i < len(c.fields); i++ {
		if c.fields[i].listed() {
			return false
		}
	}
	return true
}

func (f headField) listed() bool { return kindOf(f.name()).listed() }

// load takes the fields over: without those to remove, without white space
// before the colon and lines of white space alone (which some parsers take for
// the end of the header), in UTF-8, no line over maxLine.
func (c *completer) load(b *block) *Error {
	for _, f := range b.fields {
		name := b.name(f)
		if c.removed(name) {
			continue
		}
		hf := headField{b.line(f), len(name)}
		if int(f.colon-f.start) != len(name) || hasBlankLine(hf.raw) {
			hf.raw = tidy(name, b.value(f))
		}
		if !utf8.Valid(hf.raw) {
			// Beside an address that needs SMTPUTF8 the octets stay.
			if fixed, ok := downgrade(string(name), hf.value()); ok {
				hf.raw = fixed
			}
		}
		if longestLine(hf.raw) > maxLine {
			fixed, err := refold(string(name), hf.value())
			if err != nil {
				return err
			}
			hf.raw = fixed
		}
		c.fields = append(c.fields, hf)
	}
	return nil
}

func (c *completer) removed(name []byte) bool {
	if sameName(name, "Return-Path") { // contracts F6
		return true
	}
	for _, r := range c.opt.Remove {
		if sameName(name, r) {
			return true
		}
	}
	return false
}

// hasBlankLine reports a continuation line without anything in it.
func hasBlankLine(raw []byte) bool {
	for {
		i := bytes.IndexByte(raw, '\n')
		if i < 0 || i+1 == len(raw) {
			return false
		}
		raw = raw[i+1:]
		end := bytes.IndexByte(raw, '\n')
		if end < 0 {
			end = len(raw)
		}
		if len(bytes.TrimSpace(raw[:end])) == 0 {
			return true
		}
	}
}

// tidy writes name and value without the white space that parsers disagree about.
func tidy(name, value []byte) []byte {
	out := append(bytes.Clone(name), ':')
	first := true
	for line := range bytes.Lines(value) {
		if first || len(bytes.TrimSpace(line)) > 0 {
			out = append(out, line...)
		}
		first = false
	}
	if !bytes.HasSuffix(out, []byte(crlf)) {
		out = append(out, crlf...)
	}
	return out
}

// replaceSender puts the connection's From and Reply-To in place of the message's.
func (c *completer) replaceSender() *Error {
	for _, r := range []struct {
		name string
		addr *Address
	}{{"From", c.opt.From}, {"Reply-To", c.opt.ReplyTo}} {
		if r.addr == nil {
			continue
		}
		f, err := addressField(r.name, *r.addr)
		if err != nil {
			return err
		}
		at := max(c.find(r.name), 0)
		c.drop(r.name)
		c.fields = slices.Insert(c.fields, at, f)
	}
	if c.opt.From != nil {
		c.drop("Sender")
	}
	return nil
}

// addressField is a field with one address that does not come from the message.
func addressField(name string, a Address) (headField, *Error) {
	if a.Address.IsZero() {
		return headField{}, badAddress("").inField(name)
	}
	f := newField(name)
	f.mailbox(Address{Name: strings.TrimSpace(strings.ToValidUTF8(sanitize(a.Name), "\uFFFD")), Address: a.Address}, "")
	return headField{f.raw(), len(name)}, nil
}

// find is the index of the first field of that name, -1 when there is none.
func (c *completer) find(name string) int {
	for i, f := range c.fields {
		if f.is(name) {
			return i
		}
	}
	return -1
}

func (c *completer) drop(name string) {
	kept := c.fields[:0]
	for _, f := range c.fields {
		if !f.is(name) {
			kept = append(kept, f)
		}
	}
	c.fields = kept
}

// sender checks From and Sender (RFC 5322 section 3.6.2, contracts F7).
func (c *completer) sender() *Error {
	from := c.lists[kindFrom]
	if err := (&Message{lists: c.lists}).CheckFrom(); err != nil {
		return err
	}
	c.from = from
	sender := c.lists[kindSender]
	if sender != nil && len(sender.boxes) == 1 && sender.usable() {
		return nil
	}
	if len(from.boxes) > 1 {
		if sender != nil && len(sender.boxes) > 0 && sender.boxes[0].bad {
			return badEntry("Sender", &sender.boxes[0])
		}
		return newError("several_from", "From", NewText("mime.several_from",
			"The message has several senders in From and no valid Sender field (RFC 5322 section 3.6.2): use one "+
				"sender, or add Sender."))
	}
	if sender != nil {
		c.drop("Sender") // says nothing; with one From nothing is lost
		c.lists = nil
	}
	return nil
}

// messageID sets one well-formed Message-ID (contracts C5.5, F11).
func (c *completer) messageID() *Error {
	i := c.find("Message-ID")
	if i < 0 {
		c.add("Message-ID", c.newID())
		return nil
	}
	fits := func(id string) bool { return validID(id) && (!c.opt.GmailMessageID || gmailKeepsID(id)) }
	old := unfold(c.fields[i].value())
	if fits(old) {
		return nil
	}
	id := old
	if strings.Contains(id, "=?") { // some programs encode every field (RFC 2047 section 5 forbids it here)
		id = strings.TrimSpace(decodeWords(id))
	}
	if a, z := strings.IndexByte(id, '<'), strings.IndexByte(id, '>'); a >= 0 && z > a {
		id = id[a : z+1] // only a comment or a stray character beside it
	}
	if !fits(id) {
		id = c.newID()
	}
	c.fields[i] = makeField("Message-ID", id)
	c.keepOld("X-Postino-Original-Message-ID", old)
	return nil
}

// keepOld records a value that was replaced.
func (c *completer) keepOld(name, old string) {
	if old == "" {
		return
	}
	f := newField(name)
	f.text(sanitize(toUTF8([]byte(old))))
	c.fields = append(c.fields, headField{f.raw(), len(name)})
}

func (c *completer) add(name, value string) { c.fields = append(c.fields, makeField(name, value)) }

func makeField(name, value string) headField {
	return headField{[]byte(name + ": " + value + crlf), len(name)}
}

// domain is the domain of the first usable address.
func (l *addrList) domain() string {
	for _, a := range l.addresses() {
		return a.Address.Domain()
	}
	return ""
}

// dateLayout is the date-time of RFC 5322 section 3.3.
const dateLayout = "Mon, 02 Jan 2006 15:04:05 -0700"

// date sets a readable Date (contracts F18).
func (c *completer) date() *Error {
	i := c.find("Date")
	if i < 0 {
		c.add("Date", c.opt.Now().Format(dateLayout))
		return nil
	}
	old := unfold(c.fields[i].value())
	if _, ok := ParseDate(old); ok {
		return nil
	}
	c.fields[i] = makeField("Date", c.opt.Now().Format(dateLayout))
	c.keepOld("X-Postino-Original-Date", old)
	return nil
}

// mimeVersion adds the field without which the Content fields mean nothing
// (RFC 2045 section 4).
func (c *completer) mimeVersion() {
	if c.find("MIME-Version") < 0 && (c.find("Content-Type") >= 0 || c.find("Content-Transfer-Encoding") >= 0) {
		c.add("MIME-Version", "1.0")
	}
}

// autoSubmitted adds the mark of RFC 3834 section 5; "no" says the opposite.
func (c *completer) autoSubmitted() {
	if !c.opt.AutoSubmitted {
		return
	}
	i := c.find("Auto-Submitted")
	switch {
	case i < 0:
		c.add("Auto-Submitted", "auto-generated")
	case strings.EqualFold(unfold(c.fields[i].value()), "no"):
		c.fields[i] = makeField("Auto-Submitted", "auto-generated")
	}
}
