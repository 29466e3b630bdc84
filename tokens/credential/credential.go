// Package credential has the settings that tokens are requested with, which the settings of several providers share.
package credential

import (
	"slices"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// A Credential is an *Entra or a *Google.
type Credential interface{ credential() }

// A Holder is the adapters.Settings of a provider that takes tokens.
type Holder interface {
	// Audiences are those that the settings can have tokens for.
	Audiences() []adapters.Audience
	// Credential is what a token for an audience is requested with; nil: there is none.
	Credential(adapters.Audience) Credential
}

// Entra is an application that is registered in Microsoft Entra. One credential is
// given: client_secret, certificate, certificate_file, federated_token_file or managed_identity.
type Entra struct {
	Tenant              string          `json:"tenant,omitempty" trust:"destination"`
	ClientID            string          `json:"client_id,omitempty" trust:"destination"`
	ClientSecret        adapters.Secret `json:"client_secret,omitempty" trust:"credential"`
	Certificate         adapters.Secret `json:"certificate,omitempty" trust:"credential"`            // PEM, certificate and key
	CertificateNext     adapters.Secret `json:"certificate_next,omitempty" trust:"credential"`       // takes over once it is proven
	CertificateFile     string          `json:"certificate_file,omitempty" trust:"credential,admin"` // PEM (certificate and key) or PFX
	CertificatePassword adapters.Secret `json:"certificate_password,omitempty" trust:"credential"`   // of a PFX
	FederatedTokenFile  string          `json:"federated_token_file,omitempty" trust:"credential,admin"`
	ManagedIdentity     bool            `json:"managed_identity,omitempty" trust:"credential,admin"`
	Cloud               string          `json:"cloud,omitempty" trust:"destination"` // public (or empty), gcchigh, dod, china
	AuthorityURL        string          `json:"authority_url,omitempty" trust:"destination,admin"`
}

// Google is a service account of Google Cloud with domain-wide delegation.
type Google struct {
	ServiceAccountFile string          `json:"service_account_file,omitempty" trust:"credential,admin"`
	ServiceAccountJSON adapters.Secret `json:"service_account_json,omitempty" trust:"credential"` // the file's content
	Subject            string          `json:"subject,omitempty" trust:"destination,mailbox"`     // mailbox user; empty: the From address
	TokenURL           string          `json:"token_url,omitempty" trust:"destination,admin"`
}

func (*Entra) credential()  {}
func (*Google) credential() {}

// Validate reports each field that is wrong.
func (e *Entra) Validate(v *adapters.Validator) {
	n := 0
	for _, given := range []bool{e.ClientSecret != "", e.Certificate != "", e.CertificateFile != "", e.FederatedTokenFile != "",
		e.ManagedIdentity} {
		if given {
			n++
		}
	}
	if n != 1 {
		v.Add("client_secret", mime.NewText("entra.one_credential",
			"give exactly one credential: client_secret, certificate, certificate_file, federated_token_file or managed_identity"))
	}
	if !e.ManagedIdentity {
		if e.Tenant == "" {
			v.Add("tenant", mime.NewText("entra.no_tenant",
				"give the directory (tenant) id or a verified domain"))
		} else if strings.Trim(e.Tenant, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") != "" { // contracts A6.2
			v.Add("tenant", mime.NewText("entra.tenant_characters",
				"only letters, digits, dots and hyphens occur in a tenant id or domain"))
		} else if slices.Contains([]string{"common", "organizations", "consumers"}, strings.ToLower(e.Tenant)) { // contracts A1.1
			v.Add("tenant", mime.NewText("entra.shared_tenant",
				"{tenant} makes no sense for an app-only token: give the tenant's own id",
				"tenant", strconv.Quote(e.Tenant)))
		}
		if e.ClientID == "" {
			v.Add("client_id", mime.NewText("entra.no_client_id", "give the application (client) id"))
		}
	}
	v.OneOf("cloud", e.Cloud, "", "public", "gcchigh", "dod", "china")
	if e.AuthorityURL != "" && strings.HasPrefix(e.AuthorityURL, "http://") { // contracts A6.1
		v.Add("authority_url", mime.NewText("entra.authority_https", "only https is possible here"))
	} else {
		v.URL("authority_url", e.AuthorityURL)
	}
}

// Validate reports each field that is wrong.
func (g *Google) Validate(v *adapters.Validator) {
	if (g.ServiceAccountFile == "") == (g.ServiceAccountJSON == "") {
		v.Add("service_account_file", mime.NewText("google.one_credential",
			"give exactly one of service_account_file and service_account_json"))
	}
	v.URL("token_url", g.TokenURL)
	v.Mailbox("subject", &g.Subject)
}
