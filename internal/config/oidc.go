package config

import (
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// OIDC is the identity provider by which people sign in; without an issuer there is none.
type OIDC struct {
	Issuer           string          `toml:"issuer"`
	Name             string          `toml:"name"` // on the button; empty: the issuer's host
	ClientID         string          `toml:"client_id"`
	ClientSecret     adapters.Secret `toml:"client_secret"`
	ClientSecretFile string          `toml:"client_secret_file"`
	CreateRole       string          `toml:"create_role"` // of people who are made at their first sign-in; empty: none is made
	Domains          []string        `toml:"domains"`     // of the addresses that make one, as mime.Mailbox.Domain once validated
}

// On reports whether there is an identity provider.
func (o *OIDC) On() bool { return o.Issuer != "" }

// ShownName is what the provider is called on the page.
func (o *OIDC) ShownName() string {
	u, err := url.Parse(o.Issuer)
	if o.Name != "" || err != nil {
		return o.Name
	}
	switch u.Hostname() {
	case entra:
		return "Microsoft"
	case "accounts.google.com":
		return "Google"
	}
	return u.Hostname()
}

// Secret is the client secret, of the file where one is named.
func (o *OIDC) Secret() (adapters.Secret, error) {
	if o.ClientSecretFile == "" {
		return o.ClientSecret, nil
	}
	content, err := os.ReadFile(o.ClientSecretFile)
	if err != nil {
		return "", texterr.Wrap(mime.NewText("config.oidc_secret_file", "the file client_secret_file of [http.oidc] cannot be read"), err)
	}
	secret := adapters.Secret(strings.TrimSpace(string(adapters.PlainText(content))))
	if secret == "" {
		return "", texterr.New(mime.NewText("config.oidc_secret_empty", "the file client_secret_file of [http.oidc] is empty"))
	}
	return secret, nil
}

// Microsoft Entra issues for one tenant, by its id; "common" and "organizations" are for
// those of everyone, and so is the tenant of private accounts.
const (
	entra           = "login.microsoftonline.com"
	everyonesTenant = "9188040d-6c67-4c5b-b112-36a304b66dad"
)

var tenantPath = regexp.MustCompile(`^/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/v2\.0$`)

// validate hands what is wrong to bad, and brings the domains to normal form.
func (o *OIDC) validate(publicURL string, bad func(mime.Text)) {
	if !o.On() {
		if o.ClientID != "" || o.ClientSecret != "" || o.ClientSecretFile != "" || o.CreateRole != "" || len(o.Domains) > 0 || o.Name != "" {
			bad(mime.NewText("config.oidc_no_issuer", "[http.oidc] has no issuer: without it nothing of the table has an effect"))
		}
		return
	}
	u, err := url.Parse(o.Issuer)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
		u.Scheme != "https" && (u.Scheme != "http" || !loopbackHost(u.Hostname())):
		bad(mime.NewText("config.oidc_issuer", "issuer {value} of [http.oidc] is not an address that begins with https://", "value",
			strconv.Quote(o.Issuer)))
	case u.Hostname() == entra && !tenantPath.MatchString(u.Path), strings.Contains(u.Path, everyonesTenant):
		bad(mime.NewText("config.oidc_tenant", "issuer {value} of [http.oidc] is not of one tenant: name yours by its id, as in "+
			"https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0", "value", strconv.Quote(o.Issuer)))
	}
	if publicURL == "" {
		bad(mime.NewText("config.oidc_public_url", "[http.oidc] needs public_url under [http]: the provider sends browsers back there"))
	}
	if o.ClientID == "" || (o.ClientSecret == "") == (o.ClientSecretFile == "") {
		bad(mime.NewText("config.oidc_client", "[http.oidc] needs client_id, and either client_secret or client_secret_file"))
	}
	switch {
	case o.CreateRole == "" && len(o.Domains) > 0, o.CreateRole != "" && len(o.Domains) == 0:
		bad(mime.NewText("config.oidc_domains", "create_role and domains of [http.oidc] go together: only addresses of the "+
			"domains make a person"))
	case !slices.Contains([]string{"", "admin", "operator"}, o.CreateRole):
		bad(mime.NewText("config.oidc_role", "create_role {value} of [http.oidc] is neither admin nor operator", "value",
			strconv.Quote(o.CreateRole)))
	}
	for i, d := range o.Domains {
		m, err := mime.ParseMailbox("postmaster@" + d)
		if err != nil || m.Local() != "postmaster" {
			bad(mime.NewText("config.oidc_domain", "{value} among the domains of [http.oidc] is no domain", "value", strconv.Quote(d)))
			break
		}
		o.Domains[i] = m.Domain()
	}
}
