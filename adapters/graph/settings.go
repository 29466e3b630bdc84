package graph

import (
	"cmp"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/tokens/credential"
)

// Settings of a Microsoft 365 mailbox that is reached with an app-only token.
type Settings struct {
	credential.Entra
	Mailbox  string `json:"mailbox,omitempty" trust:"destination,mailbox"` // which mailbox sends; empty: that of the From address
	GraphURL string `json:"graph_url,omitempty" trust:"destination,admin"` // up to but without /v1.0
}

var (
	_ adapters.Settings = (*Settings)(nil)
	_ credential.Holder = (*Settings)(nil)
)

// NewSettings returns empty ones, for adapters.Providers.
func NewSettings() adapters.Settings { return new(Settings) }

// SettingsOf returns the settings of a graph connection; nil: it is of another provider.
func SettingsOf(c *adapters.Connection) *Settings {
	s, _ := c.Settings.(*Settings) // nil is the answer
	return s
}

// Validate reports each field that is wrong.
func (s *Settings) Validate(v *adapters.Validator) {
	s.Entra.Validate(v)
	v.URL("graph_url", s.GraphURL)
	v.Mailbox("mailbox", &s.Mailbox)
}

// Clone returns a copy.
func (s *Settings) Clone() adapters.Settings {
	d := *s
	return &d
}

// Effective fills in cloud and mailbox.
func (s *Settings) Effective(c *adapters.Connection) adapters.Settings {
	d := *s
	d.Cloud, d.Mailbox = cmp.Or(s.Cloud, "public"), c.Mailboxes()
	return &d
}

// SenderMailbox is the mailbox that the settings name.
func (s *Settings) SenderMailbox() string { return s.Mailbox }

// Lane is of the mailbox in its tenant.
func (s *Settings) Lane(_ *adapters.Connection, mailbox string) string {
	return "graph:" + strings.ToLower(s.Tenant) + ":" + mailbox
}

// Limits are those of Exchange Online.
func (s *Settings) Limits() adapters.LaneLimits {
	return adapters.LaneLimits{Concurrency: 4, PerMinute: 30, RecipientsPerDay: 10000} // contracts B7.2, B7.9, B7.10
}

// OnUnknown is verify: Graph can be asked.
func (s *Settings) OnUnknown() adapters.UnknownPolicy { return adapters.UnknownVerify }

// AnyFrom is false: the mailbox sends as itself.
func (s *Settings) AnyFrom() bool { return false }

// Audiences are Graph alone.
func (s *Settings) Audiences() []adapters.Audience {
	return []adapters.Audience{adapters.AudienceGraph}
}

// Credential is that of the application.
func (s *Settings) Credential(a adapters.Audience) credential.Credential {
	if a != adapters.AudienceGraph {
		return nil
	}
	return &s.Entra
}
