package adapters

import (
	"slices"
	"strings"

	"github.com/postino-mail/postino/mime"
)

// Author is the address that a message is sent as (RFC 5322
// section 3.6.2): its From, or its Sender where From names several people. The
// error is an *Error of class Permanent.
func Author(p Provider, m *mime.Message) (mime.Mailbox, error) {
	// contracts F7
	from := m.From()
	switch {
	case len(from) == 1:
		return from[0].Address, nil
	case len(from) > 1 && len(m.Sender()) == 1:
		return m.Sender()[0].Address, nil
	}
	return mime.Mailbox{}, &Error{Class: Permanent, Scope: ScopeMessage, Provider: p, Code: CodeNoSender, Enhanced: "5.1.7",
		Message: mime.NewText("connection.no_sender",
			"the message needs one From address, or several with one Sender"),
		Hint: mime.NewText("connection.no_sender_hint", "correct the From header in the program that sends")}
}

// LaneLimits are the limits of a lane with the defaults filled in; 0 means none.
type LaneLimits struct {
	Concurrency      int
	PerMinute        int
	RecipientsPerDay int
}

// EffectiveLimits fills the provider's own into Limits.
func (c *Connection) EffectiveLimits() LaneLimits {
	l := c.settings().Limits()
	set := func(dst *int, v *int) {
		if v != nil {
			*dst = *v
		}
	}
	set(&l.Concurrency, c.Limits.Concurrency)
	set(&l.PerMinute, c.Limits.PerMinute)
	set(&l.RecipientsPerDay, c.Limits.RecipientsPerDay)
	return l
}

// Mailbox is the mailbox that a message From this sender leaves through, for
// the APIs: the configured one, which may have a name that is no address, else the
// connection's From, else the sender itself.
func (c *Connection) Mailbox(from mime.Mailbox) string {
	if box := c.settings().SenderMailbox(); box != "" {
		return box
	}
	if _, pattern := c.FromPattern(); c.From != "" && !pattern {
		return c.From
	}
	return from.String()
}

// FromMailbox is the connection's From; none where it has none or a pattern.
func (c *Connection) FromMailbox() mime.Mailbox {
	m, err := mime.ParseMailbox(c.From)
	if _, pattern := c.FromPattern(); pattern || err != nil {
		return mime.Mailbox{}
	}
	return m
}

// Mailboxes are those that the connection sends from, as one text to compare: the
// configured one, its From, or every sender that a pattern covers.
func (c *Connection) Mailboxes() string {
	if box := c.Mailbox(mime.Mailbox{}); box != "" {
		return strings.ToLower(box)
	}
	return strings.ToLower(strings.Join(append([]string{c.From}, c.Aliases...), " "))
}

// AllowsFrom reports whether a message with this From may leave through the
// connection: the mailbox, the connection's From, an alias.
// A plain SMTP connection leaves the question to its server.
func (c *Connection) AllowsFrom(from mime.Mailbox) bool {
	// contracts B4.6, F8
	return c.settings().AnyFrom() || covers(c.Mailbox(mime.Mailbox{}), from) || c.MatchesFrom(from)
}

// MatchesFrom reports whether From or an alias of the connection covers the address.
func (c *Connection) MatchesFrom(from mime.Mailbox) bool {
	return covers(c.From, from) || slices.ContainsFunc(c.Aliases, func(alias string) bool { return covers(alias, from) })
}

// covers reports whether an address or "*@domain" of the settings, which stay as
// they are written, means this sender: as providers and people compare, without
// regard to case in the local part either.
func covers(setting string, from mime.Mailbox) bool {
	if setting == "" || from.IsZero() {
		return false
	}
	if d, ok := strings.CutPrefix(setting, "*@"); ok {
		setting = from.Local() + "@" + d
	}
	m, err := mime.ParseMailbox(setting)
	return err == nil && m.Folded() == from.Folded()
}

// Lane names everything that shares one mailbox's limits at one provider. Two
// connections to the same mailbox share a lane.
func (c *Connection) Lane(from mime.Mailbox) string {
	return c.settings().Lane(c, strings.ToLower(c.Mailbox(from)))
}
