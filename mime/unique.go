package mime

import "bytes"

// repeat says what becomes of a field that may occur once and occurs several
// times with different values. Programs disagree which one counts.
type repeat uint8

const (
	repeatRefuse repeat = iota // it decides who or what the message is
	repeatFirst                // lenient: the first counts
	repeatJoin                 // an address list
	repeatIDs                  // a list of message identifiers
)

// onceOnly are the fields that RFC 5322 section 3.6 and RFC 2045 allow once.
// Bcc is not among them: the views never copy it.
var onceOnly = [...]struct {
	name string
	how  repeat
}{
	{"From", repeatJoin}, {"To", repeatJoin}, {"Cc", repeatJoin}, {"Reply-To", repeatJoin},
	{"In-Reply-To", repeatIDs}, {"References", repeatIDs},
	{"Sender", repeatRefuse}, {"Content-Type", repeatRefuse}, {"Content-Transfer-Encoding", repeatRefuse},
	{"Subject", repeatFirst}, {"Date", repeatFirst}, {"Message-ID", repeatFirst}, {"MIME-Version", repeatFirst},
	{"Content-Disposition", repeatFirst}, {"Content-ID", repeatFirst}, {"Content-Description", repeatFirst},
}

// once is the index in onceOnly, -1 for a field that may occur several times.
func once(name []byte) int {
	for i := range onceOnly {
		if sameName(name, onceOnly[i].name) {
			return i
		}
	}
	return -1
}

// repeated is a field with all its different values.
type repeated struct {
	at    int // in the header being made
	how   repeat
	all   []headField
	known map[string]bool
}

// unique makes fields that may occur once occur once.
func (c *completer) unique() *Error {
	var seen [len(onceOnly)]bool
	for _, f := range c.fields {
		k := once(f.name())
		if k >= 0 && seen[k] {
			return c.uniteRepeated()
		}
		if k >= 0 {
			seen[k] = true
		}
	}
	return nil
}

func (c *completer) uniteRepeated() *Error {
	var found [len(onceOnly)]*repeated
	var order []*repeated
	kept := c.fields[:0]
	for _, f := range c.fields {
		k := once(f.name())
		if k < 0 {
			kept = append(kept, f)
			continue
		}
		r := found[k]
		if r == nil {
			r = &repeated{at: len(kept), how: onceOnly[k].how, known: map[string]bool{}}
			found[k] = r
			order = append(order, r)
			kept = append(kept, f)
		}
		if v := unfold(f.value()); v != "" && !r.known[v] {
			r.known[v] = true
			r.all = append(r.all, f)
		}
	}
	c.fields = kept
	for _, r := range order {
		if len(r.all) == 0 {
			continue
		}
		f, err := r.one(c.opt)
		if err != nil {
			return err
		}
		c.fields[r.at] = f
	}
	return nil
}

// one makes one field of all.
func (r *repeated) one(opt *AcceptOptions) (headField, *Error) {
	first := r.all[0]
	switch {
	case len(r.all) == 1:
		return first, nil
	case r.how == repeatJoin:
		return joinLists(r.all, opt.Limits.Recipients)
	case r.how == repeatIDs:
		return joinRaw(r.all, ""), nil
	case r.how == repeatFirst && opt.Lenient:
		return first, nil
	}
	name := string(first.name())
	return first, newError("duplicate_field", name, NewText("mime.duplicate_field",
		"The header has two different {name} fields: the sending program must write it once.",
		"name", shorten(name)))
}

// joinLists makes one address field. The bytes are kept where nothing in them
// could swallow what follows.
func joinLists(all []headField, limit int) (headField, *Error) {
	list := &addrList{}
	for _, f := range all {
		parseAddresses(list, f.value(), limit)
	}
	if list.plain() {
		return joinRaw(all, ","), nil
	}
	name := string(all[0].name())
	for i := range list.boxes {
		if list.boxes[i].bad {
			return all[0], badEntry(name, &list.boxes[i])
		}
	}
	if b := list.unclear(); b != nil && mails(all[0].name()) {
		return all[0], errUnclear(name, b)
	}
	raw := writeList(name, list, func(*box) bool { return true })
	if raw == nil { // empty groups only: one says the same
		return all[0], nil
	}
	return headField{raw, len(name)}, nil
}

// joinRaw puts each value on lines of its own.
func joinRaw(all []headField, sep string) headField {
	out := bytes.Clone(bytes.TrimRight(all[0].raw, " \t\r\n"))
	for _, f := range all[1:] {
		out = append(append(append(out, sep...), crlf...), ' ')
		out = append(out, bytes.TrimSpace(f.value())...)
	}
	return headField{append(out, crlf...), all[0].n}
}
