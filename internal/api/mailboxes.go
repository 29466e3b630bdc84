package api

import (
	"slices"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
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
func lanesOf(c *gateway.Connection, own, others []string) (lanes []string) {
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
func ownAddresses(c *gateway.Connection) []string {
	all := append([]string{c.OwnAddress(), c.Mailbox(""), c.From}, c.Aliases...)
	return slices.DeleteFunc(all, func(a string) bool { return a == "" || strings.HasPrefix(a, "*@") })
}

// mailboxField is the setting that names the mailbox.
func mailboxField(c *gateway.Connection) string {
	names := map[adapters.Provider]string{adapters.SMTP: "login", adapters.Graph: "mailbox", adapters.Gmail: "subject"}
	return string(c.Provider) + "." + names[c.Provider]
}
