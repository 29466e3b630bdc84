package mime

import "strings"

// maxRecipients is the default of Limits.Recipients: what Compose writes, Read accepts.
const maxRecipients = 10_000

// addresses adds an address list to the field, in the wire form of RFC 5322
// section 3.4: domains as A-labels, a local part that is not ASCII as raw UTF-8
// (RFC 6532), a display name as atoms, quoted string or encoded words.
func (f *fieldWriter) addresses(name string, list []Address) error {
	for i, a := range list {
		if a.Address.IsZero() {
			return badAddress("").inField(name)
		}
		if err := checkValue(name, a.Name); err != nil {
			return err
		}
		comma := ""
		if i < len(list)-1 {
			comma = ","
		}
		f.mailbox(Address{Name: strings.TrimSpace(a.Name), Address: a.Address}, comma)
	}
	return nil
}

// phrase adds a display name.
func (f *fieldWriter) phrase(s string) {
	const longest = 60 // a longer one is encoded: only encoded words can be folded safely
	switch {
	case needsEncoding(s) || strings.Contains(s, "\t") || len(s) > longest:
		f.encoded(" ", s)
	case isAtoms(s):
		for _, w := range splitWords(s) {
			f.word(" ", w.text)
		}
	default:
		f.word(" ", quote(s))
	}
}

// isAtoms reports words of atext with one space between them (RFC 5322 section 3.2.3).
func isAtoms(s string) bool {
	for w := range strings.SplitSeq(s, " ") {
		if w == "" {
			return false
		}
		for i := range len(w) {
			if !isAtext(w[i]) {
				return false
			}
		}
	}
	return true
}

// otherAddressFields hold addresses besides those of RFC 5322: their display
// names would break if they were encoded as text.
var otherAddressFields = [...]string{"Disposition-Notification-To", "Return-Receipt-To", "X-Confirm-Reading-To", "Errors-To"}

// parseList reads the value of such a field.
func parseList(name, value string) ([]Address, error) {
	list := readList(value)
	for i := range list.boxes {
		if list.boxes[i].bad {
			return nil, badEntry(name, &list.boxes[i])
		}
	}
	if len(list.boxes) == 0 {
		return nil, newError("bad_address", name,
			NewText("mime.value_without_address",
				"The value of {name} holds no address: write name@example.com, separated by commas.", "name", name))
	}
	return list.addresses(), nil
}
