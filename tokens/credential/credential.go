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

// Google is a service account of Google Cloud with domain-wide delegation. One
// credential is given: service_account_file, service_account_json, keyless or
// workload_identity_file.
type Google struct {
	ServiceAccountFile string          `json:"service_account_file,omitempty" trust:"credential,admin"`
	ServiceAccountJSON adapters.Secret `json:"service_account_json,omitempty" trust:"credential"` // the file's content
	Subject            string          `json:"subject,omitempty" trust:"destination,mailbox"`     // mailbox user; empty: the From address
	TokenURL           string          `json:"token_url,omitempty" trust:"destination,admin"`

	// Without a key: Google signs for the account where the machine's identity may have it do so.
	Keyless              bool   `json:"keyless,omitempty" trust:"credential,admin"`                // this machine is on Google Cloud
	WorkloadIdentityFile string `json:"workload_identity_file,omitempty" trust:"credential,admin"` // external_account, elsewhere
	ServiceAccount       string `json:"service_account,omitempty" trust:"destination,admin"`       // address; empty: the identity's own
	IAMURL               string `json:"iam_url,omitempty" trust:"destination,admin"`               // empty: iamcredentials.googleapis.com
}

// WithoutKey reports whether Google signs for the account.
func (g *Google) WithoutKey() bool { return g.Keyless || g.WorkloadIdentityFile != "" }

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
	n := 0
	for _, given := range []bool{g.ServiceAccountFile != "", g.ServiceAccountJSON != "", g.Keyless, g.WorkloadIdentityFile != ""} {
		if given {
			n++
		}
	}
	if n != 1 {
		v.Add("service_account_file", mime.NewText("google.one_credential",
			"give exactly one of service_account_file, service_account_json, keyless and workload_identity_file"))
	}
	switch {
	case g.ServiceAccount != "" && !g.WithoutKey():
		v.Add("service_account", mime.NewText("google.account_of_key", "the key names its account: leave this out, or use keyless or "+
			"workload_identity_file in place of the key"))
	case g.ServiceAccount != "" && !accountAddress(g.ServiceAccount):
		v.Add("service_account", mime.NewText("google.account_address",
			"write the address of the service account, such as postino@project.iam.gserviceaccount.com"))
	}
	if g.IAMURL != "" && !g.WithoutKey() {
		v.Add("iam_url", mime.NewText("google.iam_url_of_keyless", "this is for keyless and workload_identity_file alone"))
	}
	v.URL("token_url", g.TokenURL)
	v.URL("iam_url", g.IAMURL)
	v.Mailbox("subject", &g.Subject)
}

// accountAddress reports whether s can be a service account's address; it becomes part of a path.
func accountAddress(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	return ok && local != "" && strings.Contains(domain, ".") &&
		strings.Trim(strings.ToLower(local+domain), "abcdefghijklmnopqrstuvwxyz0123456789.-") == ""
}
