package sandbox

import (
	"errors"
	"fmt"
	"net/mail"
	"strings"

	"golang.org/x/net/idna"
)

// errNoAddress marks what is no address.
var errNoAddress = errors.New("no address")

// normalize makes addresses comparable: lower case altogether, as mailboxes at
// the providers are, and one alphabet for a domain (RFC 5890).
func normalize(addr string) string {
	addr = strings.ToLower(strings.TrimSpace(addr))
	at := strings.LastIndexByte(addr, '@')
	if domain, err := idna.Lookup.ToASCII(addr[at+1:]); err == nil {
		return addr[:at+1] + domain
	}
	return addr
}

// spec is the addr-spec as it is written: net/mail gives a local part without
// the quotes that it needs.
func spec(a *mail.Address) string {
	return strings.Trim((&mail.Address{Address: a.Address}).String(), "<>")
}

// headerAddresses reads an address list header; groups give their members,
// an empty group gives none.
func headerAddresses(value string) ([]*mail.Address, error) {
	if strings.TrimSpace(value) == "" {
		return nil, nil
	}
	p := mail.AddressParser{}
	list, err := p.ParseList(value)
	for _, a := range list {
		a.Address = spec(a)
	}
	if err != nil {
		// net/mail refuses an empty group in some lists, though RFC 5322
		// section 3.4 allows it; B5.3 and F20 need it.
		if rest, ok := withoutEmptyGroups(value); ok {
			return headerAddresses(rest)
		}
		return nil, fmt.Errorf("%w: %q", errNoAddress, value)
	}
	return list, nil
}

// withoutEmptyGroups cuts "name:;" out of a list. ok is false when there is none.
func withoutEmptyGroups(value string) (string, bool) {
	var out []string
	found := false
	for part := range strings.SplitSeq(value, ",") {
		if name, rest, ok := strings.Cut(part, ":"); ok && strings.TrimSpace(rest) == ";" && !strings.ContainsAny(name, `"<>@`) {
			found = true
			continue
		}
		out = append(out, part)
	}
	return strings.Join(out, ","), found
}

// recipients are the addresses of To, Cc and Bcc: whom an API without an
// envelope mails (contracts B5.1, C1.4). bad is the first value that is no address.
func (m *message) recipients() (addrs []string, bad string) {
	for _, name := range []string{"To", "Cc", "Bcc"} {
		for _, v := range m.fieldsNamed(name) {
			list, err := headerAddresses(v)
			if err != nil {
				return nil, v
			}
			for _, a := range list {
				addrs = append(addrs, a.Address)
			}
		}
	}
	return addrs, ""
}
