package mime

import (
	"bytes"
	"strings"
)

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
func onceOnly(name string) (repeat, bool) {
	switch strings.ToLower(name) {
	case "from", "to", "cc", "reply-to":
		return repeatJoin, true
	case "in-reply-to", "references":
		return repeatIDs, true
	case "sender", "content-type", "content-transfer-encoding":
		return repeatRefuse, true
	case "subject", "date", "message-id", "mime-version", "content-disposition", "content-id", "content-description":
		return repeatFirst, true
	}
	return 0, false
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
	found := map[string]*repeated{}
	var order []*repeated
	kept := c.fields[:0]
	for _, f := range c.fields {
		how, once := onceOnly(f.name)
		if !once {
			kept = append(kept, f)
			continue
		}
		low := strings.ToLower(f.name)
		r := found[low]
		if r == nil {
			r = &repeated{at: len(kept), how: how, known: map[string]bool{}}
			found[low] = r
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
	return first, newError("duplicate_field", first.name, "The header has two different %s fields: the sending program must write it once.",
		"L'intestazione ha due campi %s diversi: il programma che invia deve scriverlo una volta sola.", shorten(first.name))
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
	for i := range list.boxes {
		if list.boxes[i].bad {
			return all[0], badEntry(all[0].name, &list.boxes[i])
		}
	}
	raw := writeList(all[0].name, list, func(*box) bool { return true })
	if raw == nil { // empty groups only: one says the same
		return all[0], nil
	}
	return headField{all[0].name, raw}, nil
}

// joinRaw puts each value on lines of its own.
func joinRaw(all []headField, sep string) headField {
	out := bytes.Clone(bytes.TrimRight(all[0].raw, " \t\r\n"))
	for _, f := range all[1:] {
		out = append(append(append(out, sep...), crlf...), ' ')
		out = append(out, bytes.TrimSpace(f.value())...)
	}
	return headField{all[0].name, append(out, crlf...)}
}
