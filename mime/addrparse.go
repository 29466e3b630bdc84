package mime

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// ParseAddressList reads an address list as a person or a program writes it:
// "anna@example.com, Bruno <b@example.com>", with comments, groups (flattened),
// quoted names, encoded words of any charset (RFC 2047), and Outlook's
// semicolons. It is the one reader of addresses: header fields, JSON, forms,
// command lines and the sandbox all read with it, so that what one refuses all
// refuse. Addresses come in their normal form (Mailbox), names decoded.
//
// An empty list is no error. A line end that an encoded word hides is one (what
// reads a received header shows a space there). An entry that is no address is an
// *Error with code "bad_address" that quotes it, as is one that names two
// addresses ("a@example.com Bruno <b@example.com>": readers disagree who is mailed); the words of an address are never
// run together (RFC 5322 section 4.4 joins them by dots only).
func ParseAddressList(list string) ([]Address, error) { return ReadAddresses(list, nil) }

// ReadAddresses is ParseAddressList on a machine with names of its own:
// localDomain, when not nil, returns the domain of names that stand alone (root,
// "Cron" <root>); without it they are errors.
func ReadAddresses(list string, localDomain func() string) ([]Address, error) {
	if breaksLine(list) {
		return nil, badAddress(list)
	}
	l := &addrList{}
	p := addrParser{}
	if localDomain != nil {
		p.local = &localNames{domain: localDomain}
	}
	p.parse(l, []byte(list), maxRecipients)
	for i := range l.boxes {
		b := &l.boxes[i]
		if b.bad || bytes.Contains(b.raw, []byte("=?")) && breaksLine(undoWords(string(b.raw))) {
			return nil, badEntry("", b)
		}
	}
	if b := l.unclear(); b != nil {
		return nil, errUnclear("", b)
	}
	if len(l.boxes) > maxRecipients {
		return nil, newError("too_many_recipients", "", NewText("mime.too_many_recipients",
			"The list holds more than {max_recipients} addresses: send the message in several parts.",
			"max_recipients", maxRecipients))
	}
	return l.addresses(), nil
}

// ParseAddress reads one address, with or without a name, as ParseAddressList
// does; none or several are an error.
func ParseAddress(s string) (Address, error) {
	list, err := ParseAddressList(s)
	if err != nil {
		return Address{}, err
	}
	if len(list) != 1 {
		return Address{}, badAddress(s)
	}
	return list[0], nil
}

// SplitAddresses returns the entries of an address list as they are written, what
// cannot be read among them; groups are flattened and empty entries left out.
func SplitAddresses(list string) []string {
	if breaksLine(list) {
		return []string{list}
	}
	l := readList(list)
	out := make([]string, 0, len(l.boxes))
	for i := range l.boxes {
		out = append(out, unfold(l.boxes[i].raw))
	}
	return out
}

// breaksLine reports control characters but for the tab, and line ends that do
// not fold (RFC 5322 section 2.2.3): they would add lines to a header.
func breaksLine(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\t' || c >= ' ' && c != 0x7f:
		case c == '\r' && strings.HasPrefix(s[i:], crlf):
		case c == '\n' && i+1 < len(s) && (s[i+1] == ' ' || s[i+1] == '\t'):
		default:
			return true
		}
	}
	return false
}

func readList(s string) *addrList {
	l := &addrList{}
	parseAddresses(l, []byte(s), len(s))
	return l
}

// badEntry says of an entry of an address field why no one can be mailed by it.
// field is empty for a list that came otherwise.
func badEntry(field string, b *box) *Error {
	if b.hidden != 0 {
		return errInvisible(string(b.raw), b.hidden).inField(field)
	}
	what := shorten(toUTF8(b.raw))
	if field == "" {
		return newError("bad_address", "", NewText("mime.not_an_address_list",
			"{what} is not a mail address: write name@example.com or Name <name@example.com>, and separate addresses "+
				"with commas.",
			"what", strconv.Quote(what)))
	}
	return newError("bad_address", field, NewText("mime.list_without_address",
		"{field} contains {what}, which is no mail address: write Name <name@example.com> and separate addresses "+
			"with commas.",
		"field", field, "what", strconv.Quote(what)))
}

// errUnclear says of an entry that two addresses stand in it.
func errUnclear(field string, b *box) *Error {
	return newError("bad_address", "", NewText("mime.two_addresses",
		"{text} names two addresses, {first} and {second}: separate them with a comma, or put the name in quotation marks.",
		"text", strconv.Quote(shorten(toUTF8(b.raw))), "first", b.second, "second", b.addr.Address)).inField(field)
}

func errInvisible(addr string, r rune) *Error {
	return newError("bad_address", "", NewText("mime.invisible_character",
		"The address {address} contains the invisible character {character}: remove it, or type the address again instead of pasting it.",
		"address", strconv.Quote(shorten(strings.ToValidUTF8(addr, "\uFFFD"))), "character", fmt.Sprintf("U+%04X", r)))
}
