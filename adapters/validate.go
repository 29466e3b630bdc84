package adapters

import (
	"strings"

	"github.com/postino-mail/postino/mime"
)

// Validate checks everything that can be known without a network, and takes
// invisible characters off both ends of addresses, which come with what was
// pasted. The error is an *InvalidError with each field that is wrong.
func (c *Connection) Validate() error {
	v := NewValidator()
	c.Check(v)
	return v.Err()
}

// Check is Validate for a program that checks settings of its own as well.
func (c *Connection) Check(v *Validator) {
	if strings.TrimSpace(c.Name) == "" {
		v.Add("name", mime.NewText("connection.no_name", "give the connection a name"))
	}
	if strings.ContainsFunc(c.Name+c.DisplayName, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		v.Add("name", mime.NewText("connection.control_characters",
			"control characters are not allowed in name or display_name"))
	}
	v.Sender("from", &c.From)
	for i := range c.Aliases {
		if c.Aliases[i] == "" {
			v.Add("aliases", mime.NewText("connection.empty_alias", "an empty alias names no one"))
		}
		v.Sender("aliases", &c.Aliases[i])
	}
	v.Sender("reply_to", &c.ReplyTo)
	v.OneOf("on_unknown", string(c.OnUnknown), "", "verify", "retry", "hold")
	v.limit("limits.concurrency", c.Limits.Concurrency)
	v.limit("limits.per_minute", c.Limits.PerMinute)
	v.limit("limits.recipients_per_day", c.Limits.RecipientsPerDay)
	if c.Settings == nil {
		v.Add(string(c.Provider), mime.NewText("connection.no_provider_object", "the provider's object is missing"))
		return
	}
	c.Settings.Validate(v.Under(string(c.Provider)))
	if c.From == "" && c.Settings.SenderMailbox() == "" && !c.Settings.AnyFrom() {
		v.Add("from", mime.NewText("connection.no_from", "give the sender's address"))
	}
}
