package mime

import (
	"fmt"
)

// ForSMTP is the view of the message for SMTP: the stored bytes without Bcc
// (and Resent-Bcc) fields. Identical on every call.
func (m *Message) ForSMTP() Source {
	m.smtpOnce.Do(func() {
		hidden := false
		for _, f := range m.head.fields {
			hidden = hidden || f.kind == kindBcc || f.kind == kindResentBcc
		}
		if !hidden {
			m.smtp = m.src
			return
		}
		head := make([]byte, 0, len(m.head.raw))
		for _, f := range m.head.fields {
			if f.kind != kindBcc && f.kind != kindResentBcc {
				head = append(head, m.head.line(f)...)
			}
		}
		m.smtp = Join(Bytes(append(head, m.head.rest()...)), m.Body())
	})
	return m.smtp
}

// rest is what follows the last field: the empty line.
func (b *block) rest() []byte {
	if len(b.fields) == 0 {
		return b.raw
	}
	return b.raw[b.fields[len(b.fields)-1].end:]
}

// ForAPI is the view for an API that takes its recipients from the header:
// address lines first, a Bcc with every recipient of the envelope that To and Cc do not show, and without header recipients who
// are not in the envelope; who was removed is named in the field
// "X-Postino-Not-Sent". All other fields and the body are identical to the
// byte to ForSMTP. Identical on every call with the same recipients.
//
// An address line keeps its bytes where every parser reads the same people
// from them and all of them are in the envelope.
func (m *Message) ForAPI(recipients []Mailbox) (Source, error) {
	// contracts F1-F5, C5.4
	head, err := m.apiHead(recipients)
	if err != nil {
		return nil, err
	}
	return Join(Bytes(head), m.Body()), nil
}

// apiHead is the header block of the API view.
func (m *Message) apiHead(recipients []Mailbox) ([]byte, error) {
	env, err := newEnvelopeSet(recipients)
	if err != nil {
		return nil, err
	}
	v := &apiView{m: m, env: env, eol: m.head.eol(), out: make([]byte, 0, len(m.head.raw)+256)}
	for k := kindFrom; k <= kindReplyTo; k++ {
		v.author(k)
	}
	v.visible()
	v.bcc()
	v.notSent()
	for _, f := range m.head.fields {
		if f.kind == kindOther {
			v.line(m.head.line(f))
		}
	}
	rest := m.head.rest()
	if len(rest) == 0 {
		rest = []byte(v.eol) // a message without body and without empty line
	}
	return append(v.out, rest...), nil
}

// envelopeSet is the envelope.
type envelopeSet struct {
	order  []Mailbox
	shown  map[Mailbox]bool   // every recipient; true when To or Cc shows it
	folded map[string]Mailbox // lower-cased form to recipient; none when several share it
}

func newEnvelopeSet(recipients []Mailbox) (*envelopeSet, error) {
	e := &envelopeSet{shown: make(map[Mailbox]bool, len(recipients)), folded: make(map[string]Mailbox, len(recipients))}
	for _, r := range recipients {
		if r.IsZero() {
			return nil, badAddress("")
		}
		if _, dup := e.shown[r]; dup {
			continue
		}
		e.shown[r] = false
		e.order = append(e.order, r)
		low := r.Folded()
		if _, dup := e.folded[low]; dup {
			r = Mailbox{}
		}
		e.folded[low] = r
	}
	if len(e.order) == 0 {
		return nil, errNoRecipients()
	}
	return e, nil
}

func errNoRecipients() *Error {
	return newError("no_recipients", "", NewText("mime.no_recipients", "The message has no recipients: give at least one."))
}

// apiView builds one header.
type apiView struct {
	m       *Message
	env     *envelopeSet
	eol     string
	out     []byte
	removed []Mailbox        // addresses taken out of To and Cc, in order, each once
	seen    map[Mailbox]bool // of removed
	broken  int              // entries that were no address
}

// author writes From, Sender or Reply-To: as it is, or again where parsers may
// read other people from it than this one. What cannot be read of a Reply-To is
// left out, and an empty one too: a provider refuses the message for it
// (contracts B5.4).
func (v *apiView) author(k kind) {
	list := v.m.lists[k]
	if list == nil {
		return
	}
	bad := 0
	for i := range list.boxes {
		if list.boxes[i].bad {
			bad++
		}
	}
	if k == kindReplyTo && bad == len(list.boxes) && (bad > 0 || len(list.groups) == 0) {
		v.broken += bad
		return
	}
	if !list.plain() && (bad == 0 || k == kindReplyTo) {
		if raw := writeList(addressNames[k], list, func(*box) bool { return true }); raw != nil {
			v.broken += bad
			v.out = append(v.out, withEOL(raw, v.eol)...)
			return
		}
	}
	for _, f := range v.m.head.fields {
		if f.kind == k {
			v.line(v.m.head.line(f))
		}
	}
}

// line appends a field; the last one of a header without empty line may lack its line end.
func (v *apiView) line(b []byte) {
	v.out = append(v.out, b...)
	if len(b) > 0 && b[len(b)-1] != '\n' {
		v.out = append(v.out, v.eol...)
	}
}

// visible writes To and Cc with the people of the envelope only (contracts F2).
func (v *apiView) visible() {
	to := v.filter(kindTo)
	cc := v.filter(kindCc)
	if to == nil && cc == nil {
		// Contracts F20, B5.3: only-group To together with a Bcc.
		to = []byte("To: undisclosed-recipients:;" + v.eol)
	}
	v.out = append(append(v.out, to...), cc...)
}

// filter returns the field of a kind, nil when no one is left in it.
func (v *apiView) filter(k kind) []byte {
	list := v.m.lists[k]
	if list == nil {
		return nil
	}
	changed := !list.plain()
	for i := range list.boxes {
		b := &list.boxes[i]
		if b.bad {
			v.broken++
			continue
		}
		if !v.in(b.addr.Address) {
			changed = true
			continue
		}
		v.env.shown[b.addr.Address] = true
	}
	if !changed {
		if lines := v.fieldsOf(k); lines != nil {
			return lines
		}
	}
	cp := addrList{groups: list.groups, boxes: append([]box(nil), list.boxes...)}
	for i := range cp.boxes {
		v.settle(&cp.boxes[i])
	}
	raw := writeList(addressNames[k], &cp, func(*box) bool { return true })
	if raw == nil {
		return nil
	}
	return withEOL(raw, v.eol)
}

func (v *apiView) in(addr Mailbox) bool { _, ok := v.env.shown[addr]; return ok }

// settle decides about one entry of a field that is written again. An address
// that differs from a recipient in the case of its local part only is shown as
// the envelope has it: exactly that recipient is mailed, and keeps its name.
func (v *apiView) settle(b *box) {
	if b.bad || v.in(b.addr.Address) {
		return
	}
	if r := v.env.folded[b.addr.Address.Folded()]; !r.IsZero() {
		v.env.shown[r] = true
		b.addr.Address, b.plain = r, false
		return
	}
	b.bad = true
	if v.seen == nil {
		v.seen = map[Mailbox]bool{}
	}
	if !v.seen[b.addr.Address] {
		v.seen[b.addr.Address] = true
		v.removed = append(v.removed, b.addr.Address)
	}
}

// fieldsOf is the one field of a kind as it stands; nil when there are several
// (some providers read the first only), it is empty, or written in a way that
// some take for no field or for the end of the header.
func (v *apiView) fieldsOf(k kind) []byte {
	var found []byte
	for _, f := range v.m.head.fields {
		if f.kind != k {
			continue
		}
		obsolete := int(f.colon-f.start) != len(v.m.head.name(f)) || hasBlankLine(v.m.head.line(f))
		if found != nil || obsolete || len(unfold(v.m.head.value(f))) == 0 {
			return nil
		}
		found = v.m.head.line(f)
	}
	if n := len(found); n > 0 && found[n-1] != '\n' {
		found = append(found[:n:n], v.eol...)
	}
	return found
}

// bcc names every recipient that To and Cc do not show (contracts F1). Fields
// of the stored message play no part (F3).
func (v *apiView) bcc() {
	f := newField("Bcc")
	for _, r := range v.env.order {
		if v.env.shown[r] {
			continue
		}
		if f.started {
			f.b = append(f.b, ',')
			f.col++
		}
		f.word(" ", r.spec)
	}
	if f.started {
		v.out = append(v.out, withEOL(f.raw(), v.eol)...)
	}
}

// maxNotSent bounds the names in X-Postino-Not-Sent.
const maxNotSent = 50

// notSent tells the readers who was shown in To or Cc and is not mailed here
// (they may get the message on another way). No API takes recipients from it.
func (v *apiView) notSent() {
	if len(v.removed) == 0 && v.broken == 0 {
		return
	}
	f := newField("X-Postino-Not-Sent")
	for i, r := range v.removed[:min(len(v.removed), maxNotSent)] {
		if i > 0 {
			f.b = append(f.b, ',')
			f.col++
		}
		f.word(" ", r.spec)
	}
	if more := len(v.removed) - maxNotSent; more > 0 {
		f.text(fmt.Sprintf("and %d more", more))
	}
	if v.broken > 0 {
		f.text(fmt.Sprintf("(%d not readable)", v.broken))
	}
	v.out = append(v.out, withEOL(f.raw(), v.eol)...)
}
