package mime

import "strings"

// A Mailbox is the address of one mailbox, local-part@domain (RFC 5321 section
// 4.1.2), in normal form: the local part without quotes that it does not need, the
// domain as lower-case A-labels. Equal addresses are equal values (RFC 5321 section
// 2.4), so that == and maps compare them. Only ParseMailbox and what reads headers
// and lists make one: whoever has a Mailbox need not check it again, and may write
// it into an SMTP command.
//
// The zero Mailbox is none, such as the null reverse-path. JSON and other text
// encodings have the address as a string, empty for none.
type Mailbox struct {
	spec string
}

// ParseMailbox reads an address without a display name. Invisible characters
// (Unicode Zs, Cf and their kin) are dropped at both ends and refused inside.
// Syntax errors are *Error. The result holds no control character, space or angle
// bracket outside a quoted local part.
func ParseMailbox(addr string) (Mailbox, error) {
	bare := addr
	if !edgeVisible(addr) {
		bare = trimInvisible(addr)
	}
	if r := firstInvisible(bare); r != 0 {
		return Mailbox{}, errInvisible(addr, r)
	}
	local, domain, quoted, ok := splitAddress(bare)
	if !ok {
		return Mailbox{}, badAddress(addr)
	}
	m, ok := joinAddress(bare, local, domain, quoted)
	if !ok {
		return Mailbox{}, badAddress(addr)
	}
	return m, nil
}

// String is the addr-spec (RFC 5322 section 3.4.1); empty for no mailbox.
func (m Mailbox) String() string { return m.spec }

// IsZero reports that this is no mailbox.
func (m Mailbox) IsZero() bool { return m.spec == "" }

// Local is the local part as it is written: in quotes where it needs them.
func (m Mailbox) Local() string { return m.spec[:max(strings.LastIndexByte(m.spec, '@'), 0)] }

// Domain is the domain in lower-case A-labels, or an address literal in brackets.
func (m Mailbox) Domain() string { return m.spec[strings.LastIndexByte(m.spec, '@')+1:] }

// Folded is the address without regard to case in the local part either, as
// providers and people compare senders.
func (m Mailbox) Folded() string { return strings.ToLower(m.spec) }

// IsASCII reports whether a server needs no SMTPUTF8 for it (RFC 6531).
func (m Mailbox) IsASCII() bool { return isASCII(m.spec) }

// MarshalText is String.
func (m Mailbox) MarshalText() ([]byte, error) { return []byte(m.spec), nil }

// UnmarshalText is ParseMailbox; an empty text is no mailbox.
func (m *Mailbox) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*m = Mailbox{}
		return nil
	}
	*m, err = ParseMailbox(string(b))
	return err
}
