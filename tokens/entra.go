package tokens

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
	"github.com/postino-mail/postino/tokens/credential"
)

const scopeOutlookSMTP = "https://outlook.office365.com/.default" // contracts A1.5, D2.4; national clouds unconfirmed

// anyClaim goes past a credential library's cache, such as the process-wide one of managed identities.
const anyClaim = `{"access_token":{}}`

// A nation is one Microsoft cloud (contracts A4). DoD and GCC High share the
// authority, hence the Graph host is a setting of its own.
type nation struct{ authority, graph string }

func nationOf(name string) (nation, bool) {
	switch name {
	case "", "public":
		return nation{"https://login.microsoftonline.com/", "https://graph.microsoft.com"}, true
	case "gcchigh":
		return nation{"https://login.microsoftonline.us/", "https://graph.microsoft.us"}, true
	case "dod":
		return nation{"https://login.microsoftonline.us/", "https://dod-graph.microsoft.us"}, true
	case "china":
		return nation{"https://login.chinacloudapi.cn/", "https://microsoftgraph.chinacloudapi.cn"}, true
	}
	return nation{}, false
}

func entraWant(g credential.Entra, a adapters.Audience) (want, error) {
	n, ok := nationOf(g.Cloud)
	if !ok {
		return want{}, misconfigured("unknown_cloud",
			mime.NewText("entra.unknown_cloud", "the Microsoft cloud {cloud} is not known", "cloud", strconv.Quote(g.Cloud)),
			mime.NewText("entra.unknown_cloud_hint", "choose public, gcchigh, dod or china"))
	}
	authority := n.authority
	if g.AuthorityURL != "" {
		authority = strings.TrimSuffix(g.AuthorityURL, "/") + "/"
	}
	// The scope names the cloud's own Graph host also when graph_url leads
	// elsewhere: a proxy or the sandbox is no resource that Entra knows.
	scope := n.graph + "/.default"
	if own, ok := ownScope(a); ok {
		scope = own
	} else if a == adapters.AudienceOutlookSMTP {
		scope = scopeOutlookSMTP
	}
	w := want{host: hostOf(authority), key: key{issuer: "entra", authority: strings.ToLower(authority),
		tenant: strings.ToLower(g.Tenant), client: strings.ToLower(g.ClientID), scope: scope}}
	e := entra{settings: g, authority: authority, scope: scope}
	switch {
	case g.ClientSecret != "":
		w.key.credential = "secret:" + fingerprint(g.ClientSecret.Reveal())
		e.credential = e.secretCredential
	case g.Certificate != "":
		w.key.credential = "certificate:" + fingerprint(g.Certificate.Reveal())
		e.credential = e.certificateCredential
	case g.CertificateFile != "":
		w.key.credential = "certificate:" + g.CertificateFile + ":" + fingerprint(g.CertificatePassword.Reveal())
		w.file = g.CertificateFile
		e.credential = e.certificateCredential
	case g.FederatedTokenFile != "":
		// Its content changes by design (every hour or so), the identity does not: no stamp.
		w.key.credential = "federated:" + g.FederatedTokenFile
		e.credential = e.federatedCredential
	case g.ManagedIdentity:
		w.key.credential, w.host = "managed", "169.254.169.254"
		e.credential = e.managedCredential
	default:
		return want{}, misconfigured(adapters.CodeNoCredential,
			mime.NewText("entra.no_credential", "the connection has no credential for Microsoft 365"),
			mime.NewText("entra.no_credential_hint",
				"give client_secret, certificate, certificate_file, federated_token_file or managed_identity"))
	}
	w.fetch = e.fetch
	return w, nil
}

// An entra gets tokens of one credential and scope from Microsoft Entra.
type entra struct {
	settings   credential.Entra
	authority  string
	scope      string
	credential func(azcore.ClientOptions) (azcore.TokenCredential, error)
}

// fetch makes a credential for this one request: a kept one would answer from
// a cache of its own, which cannot be told to renew (contracts A6.7, A6.8),
// and files are read again this way.
func (e entra) fetch(ctx context.Context, x *exchange, fresh bool) (string, time.Duration, error) {
	cred, err := e.credential(azcore.ClientOptions{
		Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: e.authority},
		Transport: x,
		Retry:     policy.RetryOptions{MaxRetries: -1}, // the cache owns retries (contracts A6.11)
		Telemetry: policy.TelemetryOptions{ApplicationID: "postino"},
	})
	if err != nil {
		return "", 0, err
	}
	want := policy.TokenRequestOptions{Scopes: []string{e.scope}}
	if fresh && e.settings.ManagedIdentity {
		want.Claims = anyClaim
	}
	t, err := cred.GetToken(ctx, want)
	if err != nil {
		return "", 0, err
	}
	return t.Token, time.Until(t.ExpiresOn), nil
}

// Instance discovery stays off: the authority is one of ours or the admin's,
// and discovery would ask login.microsoftonline.com about it (contracts A6.4).

func (e entra) secretCredential(o azcore.ClientOptions) (azcore.TokenCredential, error) {
	return azidentity.NewClientSecretCredential(e.settings.Tenant, e.settings.ClientID, e.settings.ClientSecret.Reveal(),
		&azidentity.ClientSecretCredentialOptions{ClientOptions: o, DisableInstanceDiscovery: true})
}

func (e entra) certificateCredential(o azcore.ClientOptions) (azcore.TokenCredential, error) {
	data := []byte(e.settings.Certificate.Reveal())
	if len(data) == 0 {
		var err error
		if data, err = readCredentialFile(e.settings.CertificateFile); err != nil {
			return nil, err
		}
	}
	certs, key, err := parseCertificate(data, e.settings.CertificatePassword.Reveal())
	if err != nil {
		return nil, err
	}
	if x, ok := o.Transport.(*exchange); ok {
		x.certificate = certs[0] // its thumbprint and end explain a refusal
	}
	return azidentity.NewClientCertificateCredential(e.settings.Tenant, e.settings.ClientID, certs, key,
		&azidentity.ClientCertificateCredentialOptions{ClientOptions: o, DisableInstanceDiscovery: true})
}

func (e entra) federatedCredential(o azcore.ClientOptions) (azcore.TokenCredential, error) {
	data, err := readCredentialFile(e.settings.FederatedTokenFile)
	if err != nil {
		return nil, err
	}
	assertion := strings.TrimSpace(string(data))
	if !usableToken(assertion) {
		return nil, misconfigured("federated_token_invalid",
			mime.NewText("entra.federated_token_invalid", "the federated token file holds no token"),
			mime.NewText("entra.federated_token_invalid_hint",
				"check that the platform writes its token there, and that the path is right"))
	}
	return azidentity.NewClientAssertionCredential(e.settings.Tenant, e.settings.ClientID,
		func(context.Context) (string, error) { return assertion, nil },
		&azidentity.ClientAssertionCredentialOptions{ClientOptions: o, DisableInstanceDiscovery: true})
}

func (e entra) managedCredential(o azcore.ClientOptions) (azcore.TokenCredential, error) {
	opt := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: o}
	if e.settings.ClientID != "" {
		opt.ID = azidentity.ClientID(e.settings.ClientID)
	}
	return azidentity.NewManagedIdentityCredential(opt)
}
