package gmail

import (
	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/tokens/credential"
)

// Settings of a Google Workspace mailbox that is reached with a service account
// and domain-wide delegation.
type Settings struct {
	credential.Google
	GmailURL string `json:"gmail_url,omitempty" trust:"destination,admin"`
}

var (
	_ adapters.Settings = (*Settings)(nil)
	_ credential.Holder = (*Settings)(nil)
)

// NewSettings returns empty ones, for adapters.Providers.
func NewSettings() adapters.Settings { return new(Settings) }

// SettingsOf returns the settings of a Gmail connection; nil: it is of another provider.
func SettingsOf(c *adapters.Connection) *Settings {
	s, _ := c.Settings.(*Settings) // nil is the answer
	return s
}

// Validate reports each field that is wrong.
func (s *Settings) Validate(v *adapters.Validator) {
	s.Google.Validate(v)
	v.URL("gmail_url", s.GmailURL)
}

// Clone returns a copy.
func (s *Settings) Clone() adapters.Settings {
	d := *s
	return &d
}

// Effective fills in the mailbox.
func (s *Settings) Effective(c *adapters.Connection) adapters.Settings {
	d := *s
	d.Subject = c.Mailboxes()
	return &d
}

// SenderMailbox is the mailbox that the settings name.
func (s *Settings) SenderMailbox() string { return s.Subject }

// Lane is of the mailbox.
func (s *Settings) Lane(_ *adapters.Connection, mailbox string) string { return "gmail:" + mailbox }

// Limits are those of Google Workspace.
func (s *Settings) Limits() adapters.LaneLimits {
	return adapters.LaneLimits{Concurrency: 4, PerMinute: 60, RecipientsPerDay: 3000} // contracts C3.4, C3.8
}

// OnUnknown is verify: Gmail can be asked.
func (s *Settings) OnUnknown() adapters.UnknownPolicy { return adapters.UnknownVerify }

// AnyFrom is false: the mailbox sends as itself or as an alias.
func (s *Settings) AnyFrom() bool { return false }

// Audiences are to send and to look for what was sent.
func (s *Settings) Audiences() []adapters.Audience {
	return []adapters.Audience{adapters.AudienceGmailSend, adapters.AudienceGmailRead}
}

// Credential is that of the service account.
func (s *Settings) Credential(a adapters.Audience) credential.Credential {
	if a != adapters.AudienceGmailSend && a != adapters.AudienceGmailRead {
		return nil
	}
	return &s.Google
}
