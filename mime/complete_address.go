package mime

import "bytes"

// addresses drops the address fields that are empty, and writes those again that
// hold what RFC 5322 forbids and what providers and mail programs read in
// different ways: a display name with an @ or a comma outside of quotes (contracts
// B4.5), an encoded word with such a character, invisible characters around an
// address. Fields with an entry that cannot be read keep their bytes, and all
// do under a DKIM signature, which would break.
func (c *completer) addresses() *Error {
	if c.lists == nil {
		if err := c.readLists(); err != nil {
			return err
		}
	}
	if c.find("DKIM-Signature") >= 0 {
		return nil
	}
	bccs := 0
	for _, f := range c.fields {
		if f.is("Bcc") {
			bccs++
		}
	}
	changed := false
	kept := c.fields[:0]
	for _, f := range c.fields {
		raw, listed := c.tidyAddresses(f, bccs > 1)
		changed = changed || listed && !bytes.Equal(raw, f.raw)
		if raw != nil {
			kept = append(kept, headField{raw, f.n})
		}
	}
	c.fields = kept
	if !changed {
		return nil
	}
	return c.readLists()
}

func (c *completer) readLists() (err *Error) {
	c.lists, err = readLists(c.opt.Limits.Recipients, len(c.fields), func(i int) (kind, []byte) {
		return kindOf(c.fields[i].name()), c.fields[i].value()
	})
	return err
}

// tidyAddresses returns the bytes of f as it is stored, nil when it goes; listed
// says that it is among the lists of a Message, severalBcc that the list of
// Bcc is of more fields than f.
func (c *completer) tidyAddresses(f headField, severalBcc bool) (raw []byte, listed bool) {
	k := kindOf(f.name())
	listed = k.listed()
	var list *addrList
	switch {
	case k == kindFrom:
		list = c.lists[k]
		if len(list.boxes) == 0 {
			return f.raw, true // an error that sender returns
		}
	case listed && (k != kindBcc || !severalBcc): // one field of each (unique)
		list = c.lists[k]
	case k == kindBcc, k == kindResentBcc, isOtherAddressField(f.name()):
		list = &addrList{}
		parseAddresses(list, f.value(), c.opt.Limits.Recipients)
	case f.is("In-Reply-To"), f.is("References"):
		if len(bytes.TrimSpace(f.value())) == 0 {
			return nil, false
		}
		return f.raw, false
	default:
		return f.raw, false
	}
	if len(list.boxes) == 0 && len(list.groups) == 0 {
		return nil, listed
	}
	if mails(f.name()) && list.unclear() != nil {
		return f.raw, listed
	}
	wrong := false
	for i := range list.boxes {
		if list.boxes[i].bad {
			return f.raw, listed
		}
		wrong = wrong || list.boxes[i].wrong
	}
	if !wrong || len(list.boxes) > c.opt.Limits.Recipients {
		return f.raw, listed
	}
	return writeList(string(f.name()), list, func(*box) bool { return true }), listed
}

// isOtherAddressField reports the fields with addresses that are in none of the
// lists of a Message.
func isOtherAddressField(name []byte) bool {
	if isResent(name) {
		return true
	}
	for _, other := range otherAddressFields {
		if sameName(name, other) {
			return true
		}
	}
	return false
}
