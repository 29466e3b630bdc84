// Package mailboxtest writes addresses down in tests.
package mailboxtest

import "github.com/postino-mail/postino/mime"

// Of is the mailbox of an address; none where it is no address, which no test
// takes for one.
func Of(addr string) mime.Mailbox {
	m, err := mime.ParseMailbox(addr)
	if err != nil {
		return mime.Mailbox{}
	}
	return m
}

// List is Of for several.
func List(addrs ...string) []mime.Mailbox {
	out := make([]mime.Mailbox, len(addrs))
	for i, a := range addrs {
		out[i] = Of(a)
	}
	return out
}

// Strings are the addresses as texts.
func Strings(list []mime.Mailbox) []string {
	out := make([]string, len(list))
	for i, m := range list {
		out[i] = m.String()
	}
	return out
}
