package api

import (
	"slices"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/mime"
)

// apartFrom refuses an operator the mailbox of a connection of another owner: the
// limits of a lane, and its pauses, would be theirs to set. A lane that they share
// already stays.
func apartFrom(all []*gateway.Connection, owner string, old, c *gateway.Connection) error {
	own := ownAddresses(c)
	for _, o := range all {
		if o.Owner == owner {
			continue
		}
		others := ownAddresses(o)
		theirs := lanesOf(o, others, own)
		var had []string
		if old != nil {
			had = lanesOf(old, ownAddresses(old), others)
		}
		for _, lane := range lanesOf(c, own, others) {
			if slices.Contains(theirs, lane) && !slices.Contains(had, lane) {
				return adminSetting(mailboxField(c), text("api.mailbox_taken", "a connection of others sends through this mailbox: an administrator "+
					"decides who else does"))
			}
		}
	}
	return nil
}

// lanesOf are the lanes of a connection by its own addresses, and by those of
// another that it sends as.
func lanesOf(c *gateway.Connection, own, others []mime.Mailbox) (lanes []string) {
	if c.Mailbox(mime.Mailbox{}) != "" { // it may have a name that is no address
		lanes = append(lanes, c.Lane(mime.Mailbox{}))
	}
	for _, a := range own {
		lanes = append(lanes, c.Lane(a))
	}
	for _, a := range others {
		if c.MatchesFrom(a) {
			lanes = append(lanes, c.Lane(a))
		}
	}
	return lanes
}

// ownAddresses are the addresses that a connection names, without patterns.
func ownAddresses(c *gateway.Connection) (own []mime.Mailbox) {
	for _, a := range append([]string{c.Mailbox(mime.Mailbox{}), c.From}, c.Aliases...) {
		if m, err := mime.ParseMailbox(a); err == nil && !strings.HasPrefix(a, "*@") {
			own = append(own, m)
		}
	}
	return own
}

// mailboxField is the setting that names the mailbox.
func mailboxField(c *gateway.Connection) string {
	names := map[adapters.Provider]string{adapters.SMTP: "login", adapters.Graph: "mailbox", adapters.Gmail: "subject"}
	return string(c.Provider) + "." + names[c.Provider]
}
