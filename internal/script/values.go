package script

import (
	"encoding/json"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/clientcert"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/mime"
	"github.com/postino-mail/postino/tokens/credential"
)

// Of takes from a connection what its scripts show; no secret is among them.
func Of(c *gateway.Connection) (Connection, error) {
	out := Connection{Name: c.Name, Mailbox: c.Mailbox(mime.Mailbox{}), Senders: c.Aliases, SMTP: c.Provider == adapters.SMTP}
	if domain, pattern := c.FromPattern(); !pattern {
		out.Senders = append([]string{c.From}, out.Senders...)
	} else if out.Mailbox == "" { // each sender's own
		out.Domain = domain
	}
	if e := clientcert.EntraOf(&c.Connection); e != nil {
		out.Tenant, out.ClientID = e.Tenant, e.ClientID
		if c.RedactedSecret() != "" { // of a file that was shown: no certificate can be read
			return out, nil
		}
		all, err := clientcert.Certificates(&c.Connection)
		if err == nil && len(all) > 0 {
			out.Certificate = all[len(all)-1].DER() // the one that waits, where there is one
		}
		return out, err
	}
	g := accountOf(&c.Connection)
	if g == nil {
		return out, nil
	}
	out.Google, out.Keyless, out.Account = true, g.WithoutKey(), g.ServiceAccount
	if out.Keyless {
		return out, nil
	}
	var account struct {
		Email    string `json:"client_email"`
		ClientID string `json:"client_id"`
		Project  string `json:"project_id"`
	}
	if json.Unmarshal([]byte(g.ServiceAccountJSON.Reveal()), &account) == nil { // without a key the script makes the account
		out.Account, out.AccountID, out.Project = account.Email, account.ClientID, account.Project
	}
	return out, nil
}

// Targets are where scripts for a connection run; nil: it needs none.
func Targets(c *gateway.Connection) []Target {
	switch {
	case clientcert.EntraOf(&c.Connection) != nil:
		return []Target{Entra, Exchange}
	case accountOf(&c.Connection) != nil:
		return []Target{Google}
	}
	return nil
}

// accountOf returns the service account of a connection; nil: it has none.
func accountOf(c *adapters.Connection) *credential.Google {
	if holder, ok := c.Settings.(credential.Holder); ok {
		for _, a := range holder.Audiences() {
			if g, ok := holder.Credential(a).(*credential.Google); ok {
				return g
			}
		}
	}
	return nil
}
