package terms

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
)

// A Record is what a delivery is found by.
type Record struct {
	Senders    []string // addresses: of the header and of the envelope
	Recipients []string // addresses
	Names      []string // of people in the header
	Subject    string
	MessageID  string // with angle brackets
	Tag        string
}

// Bounds keep a record with thousands of recipients within reason: all of them are
// found by their address and their domain, the first ones also by parts of it.
const (
	maxPieces = 100  // recipients with parts
	maxWords  = 200  // of the subject, and of the names
	maxTerms  = 8000 // of one record
)

// The kinds of terms; each term begins with one.
const (
	kindSender    = 'f'
	kindRecipient = 't'
	kindSubject   = 's'
	kindName      = 'n'
	kindTag       = 'g'
	kindMessageID = 'm'
)

// A collector gathers terms, each once.
type collector struct {
	list []string
	seen map[string]bool
}

func (c *collector) add(t string) {
	if len(c.list) < maxTerms && !c.seen[t] {
		c.seen[t] = true
		c.list = append(c.list, t)
	}
}

func (c *collector) words(kind byte, words []string) {
	for _, w := range words[:min(len(words), maxWords)] {
		c.add(word(kind, w))
	}
}

// address adds an address, its domain with those above it, and, with pieces, the
// words of both.
func (c *collector) address(kind byte, a string, pieces bool) {
	if a == "" {
		return
	}
	a = fold(a)
	c.add(whole(kind, a))
	local, domain := a, ""
	if at := strings.LastIndexByte(a, '@'); at >= 0 {
		local, domain = a[:at], a[at+1:]
	}
	for _, d := range domains(domain) {
		c.add(whole(kind, "@"+d))
	}
	if pieces {
		if dot := strings.LastIndexByte(domain, '.'); dot > 0 {
			domain = domain[:dot]
		}
		c.words(kind, Words(local+" "+domain))
	}
}

// domains returns a domain and those that it is in, without the topmost.
func domains(d string) (out []string) {
	d = strings.Trim(d, ".")
	for n := 0; d != "" && n < 8; n++ {
		_, above, more := strings.Cut(d, ".")
		if more || n == 0 {
			out = append(out, d)
		}
		d = above
	}
	return out
}

// Of returns the terms of a record, each once.
func Of(r *Record) []string {
	c := &collector{list: make([]string, 0, 32), seen: make(map[string]bool, 32)}
	for _, a := range r.Senders {
		c.address(kindSender, a, true)
	}
	if r.MessageID != "" {
		c.add(messageID(r.MessageID))
	}
	if r.Tag != "" {
		c.add(whole(kindTag, fold(r.Tag)))
	}
	c.words(kindSubject, Words(r.Subject))
	c.words(kindName, Words(strings.Join(r.Names, " ")))
	for i, a := range r.Recipients {
		c.address(kindRecipient, a, i < maxPieces)
	}
	return c.list
}

// whole is the term of a value that is found as a whole, word that of a word.
func whole(kind byte, value string) string { return string(kind) + "=" + clean(value) }

func word(kind byte, w string) string { return string(kind) + "." + clean(w) }

// messageID is the term of a Message-ID. It is a hash: an id is found as a whole.
func messageID(id string) string {
	sum := sha256.Sum256([]byte(id))
	return string(kindMessageID) + "=" + hex.EncodeToString(sum[:8])
}

// isWord reports that s is one word.
func isWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}
