// Package search is the language in which people and programs look for mail, on
// the command line, in the API and in the page. Parse reads it, Query.Bind makes a filter of the store of it:
//
//	to:@example.com state:failed after:7d "offerta" -tag:newsletter
//
// Words and conditions stand beside each other and all must hold.
//
//	word          in subject, names and addresses; letter case and accents do not count
//	word*         words that begin so
//	"two words"   both words
//	anna@x.it     sender or recipient; <id@x.it> is a Message-ID
//	from: to:     an address, @domain with those below it, or a word of an address
//	subject:      words of the subject
//	state:        queued, unverified, sending, held, sent, failed, expired, cancelled; several with commas
//	connection:   name or id; several with commas
//	client:       name or id
//	tag:          the tag
//	id:           of a message or a delivery, or a Message-ID
//	after:        not older than: 2d, 12h, 2026-11-30, 2026-11-30T10:00, today, yesterday
//	before:       older than the same
//	-             in front of a word or a condition: without it
package search
