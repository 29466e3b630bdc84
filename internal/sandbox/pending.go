package sandbox

import "github.com/postino-mail/postino/adapters"

// The connections of the Google and SMTP servers move into their own files.

// GmailConnection gives a complete, validated connection to the fake Gmail API
// that sends as from. The mailbox exists.
func (s *Sandbox) GmailConnection(from string) *adapters.Connection { return nil }

// SMTPConnection gives one to the fake SMTP server: STARTTLS, PLAIN.
func (s *Sandbox) SMTPConnection(from string) *adapters.Connection { return nil }

// SMTPOAuthConnection authenticates by XOAUTH2 with a token of the fake "entra" or "google".
func (s *Sandbox) SMTPOAuthConnection(from, provider string) *adapters.Connection { return nil }
