package fallback

import (
	"slices"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// Certified reports Italian certified mail (PEC): the setting pec, or a server
// of a provider that offers nothing else. Such a connection takes no blind
// copies, and stops at the first refused login until a person resumes it.
//
// contracts K6, K8, K9, K12.
func (s *Settings) Certified() bool { return s.PEC || certifiedHost(s.Host) }

func certifiedHost(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return slices.Contains([]string{"smtps.pec.aruba.it", "sendm.cert.legalmail.it", "smtps.sicurezzapostale.it", "mail.postecert.it",
		"smtp.pec-email.com", "mail.postacert.it.net"}, host)
}

// blindCopies refuses a message for someone who is neither in To nor in Cc: the
// provider of certified mail would refuse it as a whole (contracts K6).
func (a *Adapter) blindCopies(out adapters.Outgoing) error {
	if !a.set.Certified() {
		return nil
	}
	named := map[string]bool{}
	for _, x := range slices.Concat(out.Message.To(), out.Message.Cc()) {
		named[x.Address.Folded()] = true
	}
	for _, r := range out.Envelope.Recipients {
		if !named[r.Address.Folded()] {
			return &adapters.Error{Class: adapters.Permanent, Scope: adapters.ScopeMessage, Provider: adapters.SMTP, Code: "pec_bcc",
				Enhanced: "5.7.1",
				Message: mime.NewText("smtp.pec_bcc",
					"certified mail (PEC) has no blind copies: every recipient must be in To or Cc"),
				Hint: mime.NewText("smtp.pec_bcc_hint", "put the recipients of Bcc into To or Cc, or send them a message of their own")}
		}
	}
	return nil
}

// lockable makes a refused login wait for a person: repeated ones lock a
// certified mailbox (contracts K12).
func lockable(e *adapters.Error) *adapters.Error {
	if e.Class == adapters.Auth {
		e.NoRetry = true
		e.Hint = mime.NewText("smtp.pec_login_hint",
			"{hint}; repeated refusals lock the certified mailbox, so postino does not log in again before the connection is edited or resumed",
			"hint", e.Hint)
	}
	return e
}
