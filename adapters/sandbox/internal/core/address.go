package core

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/net/idna"

	"github.com/postino-mail/postino/mime"
)

// errNoAddress marks what is no address.
var errNoAddress = errors.New("no address")

// Normalize makes addresses comparable: lower case altogether, as mailboxes at
// the providers are, and one alphabet for a domain (RFC 5890).
func Normalize(addr string) string {
	addr = strings.ToLower(strings.TrimSpace(addr))
	at := strings.LastIndexByte(addr, '@')
	if domain, err := idna.Lookup.ToASCII(addr[at+1:]); err == nil {
		return addr[:at+1] + domain
	}
	return addr
}

// HeaderAddresses reads an address list header; groups count as their members,
// an empty group as none.
func HeaderAddresses(value string) ([]mime.Address, error) {
	list, err := mime.ParseAddressList(value)
	if err != nil {
		return nil, fmt.Errorf("%w: %q", errNoAddress, value)
	}
	return list, nil
}

// BarePhrase reports an @ in the display name of a From, outside of quotes: for
// this Exchange denied to send (contracts B4.5, SMTP2Graph#28).
func BarePhrase(from string) bool {
	name, _, angle := strings.Cut(quotedString.ReplaceAllString(from, ""), "<")
	return angle && strings.Contains(name, "@")
}

var quotedString = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// Recipients are the addresses of To, Cc and Bcc: whom an API without an
// envelope mails (contracts B5.1, C1.4). bad is the first value that is no address.
func (m *Message) Recipients() (addrs []string, bad string) {
	for _, name := range []string{"To", "Cc", "Bcc"} {
		for _, v := range m.FieldsNamed(name) {
			list, err := HeaderAddresses(v)
			if err != nil {
				return nil, v
			}
			for _, a := range list {
				addrs = append(addrs, a.Address.String())
			}
		}
	}
	return addrs, ""
}
