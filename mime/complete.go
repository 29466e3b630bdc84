package mime

import (
	"bytes"
	"strings"
	"time"
)

// completer makes the stored header of a foreign one (RFC 5322 section 3.6).
type completer struct {
	opt    *AcceptOptions
	fields []headField
}

// headField is one field of the header being made; raw ends with CRLF.
type headField struct {
	name string
	raw  []byte
}

func (f headField) value() []byte { return f.raw[len(f.name)+1:] }
func (f headField) is(name string) bool {
	return len(f.name) == len(name) && strings.EqualFold(f.name, name)
}

// header gives the stored header block for raw, which has CRLF line ends.
func (c *completer) header(raw []byte) ([]byte, error) {
	b, err := parseBlock(raw)
	if err != nil {
		return nil, err
	}
	for _, step := range []func() *Error{
		func() *Error { return c.load(&b) }, c.replaceSender, c.unique, c.sender, c.messageID, c.date,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	c.mimeVersion()
	out := make([]byte, 0, len(raw)+256)
	for _, f := range c.fields {
		out = append(out, f.raw...)
	}
	return append(out, crlf...), nil
}

// load takes the fields over: without those to remove, without white space
// before the colon and lines of white space alone (which some parsers take for
// the end of the header), in UTF-8, no line over maxLine.
func (c *completer) load(b *block) *Error {
	for _, f := range b.fields {
		name := b.name(f)
		if c.removed(name) {
			continue
		}
		hf := headField{name: name, raw: b.line(f)}
		if int(f.colon-f.start) != len(name) || hasBlankLine(hf.raw) {
			hf.raw = tidy(name, b.value(f))
		}
		if fixed := repairCharset(name, hf.raw, hf.value()); fixed != nil {
			hf.raw = fixed
		}
		if longestLine(hf.raw) > maxLine {
			fixed, err := refold(name, hf.value())
			if err != nil {
				return err
			}
			hf.raw = fixed
		}
		c.fields = append(c.fields, hf)
	}
	return nil
}

func (c *completer) removed(name string) bool {
	if strings.EqualFold(name, "Return-Path") { // contracts F6
		return true
	}
	for _, r := range c.opt.Remove {
		if strings.EqualFold(name, r) {
			return true
		}
	}
	return false
}

func hasBlankLine(raw []byte) bool {
	first := true
	for line := range bytes.Lines(raw) {
		if !first && len(bytes.TrimSpace(line)) == 0 {
			return true
		}
		first = false
	}
	return false
}

// tidy writes name and value without the white space that parsers disagree about.
func tidy(name string, value []byte) []byte {
	out := append([]byte(name), ':')
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
		addr, err := NormalizeAddress(r.addr.Address)
		if err != nil {
			e := *asOwn(err)
			e.Field = r.name
			return &e
		}
		f := newField(r.name)
		f.mailbox(Address{Name: strings.TrimSpace(strings.ToValidUTF8(sanitize(r.addr.Name), "\uFFFD")), Address: addr}, "")
		at := max(c.find(r.name), 0)
		c.drop(r.name)
		c.fields = append(c.fields[:at], append([]headField{{r.name, f.raw()}}, c.fields[at:]...)...)
	}
	if c.opt.From != nil {
		c.drop("Sender")
	}
	return nil
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
	i := c.find("From")
	if i < 0 {
		return newError("no_from", "From", "The message has no From field: set the sender's address in the sending program.",
			"Il messaggio non ha il campo From: impostare l'indirizzo del mittente nel programma che invia.")
	}
	from := &addrList{}
	parseAddresses(from, c.fields[i].value(), c.opt.Limits.Recipients)
	for k := range from.boxes {
		if from.boxes[k].bad {
			return badEntry("From", &from.boxes[k])
		}
	}
	if len(from.boxes) == 0 {
		return newError("no_from", "From", "The From field holds no address: set the sender's address in the sending program.",
			"Il campo From non contiene un indirizzo: impostare l'indirizzo del mittente nel programma che invia.")
	}
	if k := c.find("Sender"); k >= 0 {
		sender := &addrList{}
		parseAddresses(sender, c.fields[k].value(), 2)
		if len(sender.boxes) == 1 && sender.usable() {
			return nil
		}
		c.drop("Sender") // says nothing; with one From nothing is lost
	}
	if len(from.boxes) > 1 {
		return newError("several_from", "From", "The message has several senders in From and no valid Sender field (RFC 5322 section 3.6.2): use one sender, or add Sender.",
			"Il messaggio ha più mittenti in From e nessun campo Sender valido (RFC 5322, 3.6.2): usare un solo mittente o aggiungere Sender.")
	}
	return nil
}

// messageID gives the message one well-formed Message-ID (contracts C5.5, F11).
func (c *completer) messageID() *Error {
	i := c.find("Message-ID")
	if i < 0 {
		c.add("Message-ID", c.newID())
		return nil
	}
	old := unfold(c.fields[i].value())
	if wellFormedID(old) {
		return nil
	}
	id := c.newID()
	if a, z := strings.IndexByte(old, '<'), strings.IndexByte(old, '>'); a >= 0 && z > a && wellFormedID(old[a:z+1]) {
		id = old[a : z+1] // only a comment or a stray character beside it
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
	c.fields = append(c.fields, headField{name, f.raw()})
}

func (c *completer) add(name, value string) { c.fields = append(c.fields, makeField(name, value)) }

func makeField(name, value string) headField {
	return headField{name, []byte(name + ": " + value + crlf)}
}

// wellFormedID reports an identifier that Gmail keeps (contracts C5.5) and that
// is a msg-id of RFC 5322 section 3.6.4.
func wellFormedID(id string) bool {
	if len(id) < 5 || len(id) > 900 || id[0] != '<' || id[len(id)-1] != '>' {
		return false
	}
	left, right, ok := strings.Cut(id[1:len(id)-1], "@")
	if !ok || !isASCII(id) || !isDotAtom(left) {
		return false
	}
	if strings.HasPrefix(right, "[") {
		_, ok := normalizeLiteral(right)
		return ok
	}
	return strings.Contains(right, ".") && isDotAtom(right)
}

// newID makes a Message-ID under the host's name, or the sender's domain.
func (c *completer) newID() string {
	domain := "postino.invalid"
	from := &addrList{}
	parseAddresses(from, c.fields[c.find("From")].value(), 1)
	for _, d := range []string{from.domain(), c.opt.Hostname} {
		if n, ok := normalizeDomain(d); ok && strings.Contains(n, ".") && !strings.HasPrefix(n, "[") {
			domain = n
		}
	}
	return "<" + randomHex() + "@" + domain + ">"
}

// domain is the domain of the first usable address.
func (l *addrList) domain() string {
	for _, a := range l.addresses() {
		return a.Address[strings.LastIndexByte(a.Address, '@')+1:]
	}
	return ""
}

// dateLayout is the date-time of RFC 5322 section 3.3.
const dateLayout = "Mon, 02 Jan 2006 15:04:05 -0700"

// date gives the message a readable Date (contracts F18).
func (c *completer) date() *Error {
	now := c.opt.Now().Format(dateLayout)
	i := c.find("Date")
	if i < 0 {
		c.add("Date", now)
		return nil
	}
	old := unfold(c.fields[i].value())
	if t := parseDate(old); !t.Equal(time.Time{}) {
		return nil
	}
	c.fields[i] = makeField("Date", now)
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
