package sandbox

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/gmail"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/adapters/sandbox/entra"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/tokens/credential"
)

// DefaultFrom is the sender of the connections that the control lists.
const DefaultFrom = "erp@contoso.example"

// Connections returns one connection of each kind, each with its own name: Graph with
// secret, certificate and federated token, Gmail, SMTP with password and with tokens
// of Entra and of Google.
func (s *Sandbox) Connections(from string) []*adapters.Connection {
	var out []*adapters.Connection
	for _, c := range []*adapters.Connection{
		s.GraphConnection(from), s.GraphCertificateConnection(from), s.GraphFederatedConnection(from),
		s.GmailConnection(from),
		s.SMTPConnection(from), s.SMTPOAuthConnection(from, "entra"), s.SMTPOAuthConnection(from, "google"),
	} {
		if c != nil {
			out = append(out, c)
		}
	}
	return out
}

// GraphConnection returns a complete connection to the fake Graph that sends as
// from, with a client secret. The mailbox exists. To be refused, change a field of
// the result: see the constants.
func (s *Sandbox) GraphConnection(from string) *adapters.Connection {
	c := s.graphConnection("Sandbox Graph", from)
	graph.SettingsOf(c).ClientSecret = ClientSecret
	return c
}

// GraphCertificateConnection is GraphConnection with a certificate.
func (s *Sandbox) GraphCertificateConnection(from string) *adapters.Connection {
	c := s.graphConnection("Sandbox Graph certificate", from)
	file, err := s.entra.CertificateFile()
	if err != nil { // sending fails, and its error names the file
		s.core.Log.Error("no client certificate", "err", err)
	}
	graph.SettingsOf(c).CertificateFile = file
	return c
}

// UploadCertificate registers a certificate (DER, a .cer file) on the application, as
// the administrator of a tenant does. The assertion's thumbprint must be that of a
// registered one.
func (s *Sandbox) UploadCertificate(der []byte) error { return s.entra.UploadCertificate(der) }

// RegisterCertificate is UploadCertificate for the content of a file: PEM, in which the
// first certificate counts, or DER.
func (s *Sandbox) RegisterCertificate(file []byte) error {
	for rest := file; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return s.UploadCertificate(file)
		}
		if block.Type == "CERTIFICATE" {
			return s.UploadCertificate(block.Bytes)
		}
	}
}

// GraphFederatedConnection is GraphConnection with a federated token file. The
// token lives for an hour; WriteFederatedToken makes a new one.
func (s *Sandbox) GraphFederatedConnection(from string) *adapters.Connection {
	c := s.graphConnection("Sandbox Graph federated", from)
	file := filepath.Join(s.Dir(), "federated-token.jwt")
	graph.SettingsOf(c).FederatedTokenFile = file
	if err := s.WriteFederatedToken(file, FederatedSubject, time.Hour); err != nil {
		s.core.Log.Error("no federated token", "err", err) // as above
	}
	return c
}

// GraphManagedIdentityConnection is GraphConnection with the managed identity of
// ManagedIdentityEnv, which the process must have in its environment.
func (s *Sandbox) GraphManagedIdentityConnection(from string) *adapters.Connection {
	c := s.graphConnection("Sandbox Graph managed identity", from)
	graph.SettingsOf(c).Entra = credential.Entra{ManagedIdentity: true, AuthorityURL: s.entra.URL()}
	return c
}

// ManagedIdentityEnv returns the environment variables of a host with a managed
// identity, in the form of Azure App Service, the one with an address that can be
// chosen. The identity has the rights of ClientID.
func (s *Sandbox) ManagedIdentityEnv() map[string]string {
	return map[string]string{"IDENTITY_ENDPOINT": s.ControlURL() + "/msi/token", "IDENTITY_HEADER": entra.ManagedIdentityHeader}
}

// WriteFederatedToken writes a token of FederatedIssuer for subject (FederatedSubject
// is the trusted one) to file, valid for lifetime from now, as a platform does that
// renews it. A negative lifetime makes an expired token.
func (s *Sandbox) WriteFederatedToken(file, subject string, lifetime time.Duration) error {
	if err := s.entra.WriteFederatedToken(file, subject, lifetime); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	return nil
}

func (s *Sandbox) graphConnection(name, from string) *adapters.Connection {
	s.core.AddMailbox(from)
	return &adapters.Connection{
		Name: name, Provider: adapters.Graph, From: from,
		Settings: &graph.Settings{
			Entra:    credential.Entra{Tenant: TenantID, ClientID: ClientID, AuthorityURL: s.entra.URL()},
			GraphURL: s.graph.URL(),
		},
	}
}

// GmailConnection returns a complete connection to the fake Gmail API
// that sends as from, with a service account and domain-wide delegation. The
// mailbox exists, unless its local part begins with "unknown" (the token is
// refused) or "nolicense" (Gmail refuses). nil when the key could not be made.
func (s *Sandbox) GmailConnection(from string) *adapters.Connection {
	s.core.AddMailbox(from)
	account, ok := s.serviceAccount(from)
	if !ok {
		return nil
	}
	return &adapters.Connection{Name: "Sandbox Gmail", Provider: adapters.Gmail, From: from,
		Settings: &gmail.Settings{Google: account, GmailURL: s.gmail.URL()}}
}

// GmailKeylessConnection is GmailConnection without a key: the service account is that of
// the machine; MetadataEnv names its metadata server. The process must have that in
// its environment.
func (s *Sandbox) GmailKeylessConnection(from string) *adapters.Connection {
	s.core.AddMailbox(from)
	return &adapters.Connection{Name: "Sandbox Gmail keyless", Provider: adapters.Gmail, From: from, Settings: &gmail.Settings{
		Google:   credential.Google{Keyless: true, Subject: from, TokenURL: s.google.URL(), IAMURL: s.google.IAMURL()},
		GmailURL: s.gmail.URL()}}
}

// GmailFederatedConnection is GmailKeylessConnection by workload identity federation:
// the platform's token is in a file, good for an hour from now.
func (s *Sandbox) GmailFederatedConnection(from string) *adapters.Connection {
	c := s.GmailKeylessConnection(from)
	c.Name = "Sandbox Gmail federated"
	file, err := s.google.WorkloadIdentityFile(time.Hour)
	if err != nil { // sending fails, and its error names the file
		s.core.Log.Error("no workload identity", "err", err)
	}
	g := &gmail.SettingsOf(c).Google
	g.Keyless, g.WorkloadIdentityFile = false, file
	return c
}

// MetadataEnv returns the environment variables by which a process takes the control's
// metadata server for the one of Google Cloud.
func (s *Sandbox) MetadataEnv() map[string]string {
	return map[string]string{"GCE_METADATA_HOST": strings.TrimPrefix(s.ControlURL(), "http://")}
}

func (s *Sandbox) serviceAccount(subject string) (credential.Google, bool) {
	account, err := s.google.ServiceAccountJSON()
	if err != nil {
		s.core.Log.Error("no service account", "err", err)
		return credential.Google{}, false
	}
	return credential.Google{ServiceAccountJSON: adapters.Secret(account), Subject: subject, TokenURL: s.google.URL()}, true
}

// SMTPConnection returns a complete connection to the fake SMTP
// server: STARTTLS, login from with its password.
func (s *Sandbox) SMTPConnection(from string) *adapters.Connection {
	s.core.AddMailbox(from)
	port, _, _ := s.smtp.Ports()
	return &adapters.Connection{
		Name: "Sandbox SMTP", Provider: adapters.SMTP, From: from,
		Settings: &fallback.Settings{
			Host: "127.0.0.1", Port: port, Encryption: fallback.EncryptionSTARTTLS,
			Login: from, Password: adapters.Secret(s.smtp.Password(from)), CAFile: s.CAFile(),
		},
	}
}

// SMTPOAuthConnection authenticates by XOAUTH2 with a token of the fake
// "entra" or "google"; nil for another provider.
func (s *Sandbox) SMTPOAuthConnection(from, provider string) *adapters.Connection {
	oauth := &fallback.OAuth{Provider: provider}
	switch provider {
	case fallback.OAuthEntra:
		oauth.Entra = graph.SettingsOf(s.GraphConnection(from)).Entra
	case fallback.OAuthGoogle:
		account, ok := s.serviceAccount(from)
		if !ok {
			return nil
		}
		oauth.Google = account
	default:
		return nil
	}
	c := s.SMTPConnection(from)
	c.Name += " " + provider
	set := fallback.SettingsOf(c)
	set.Password, set.Auth, set.OAuth = "", "xoauth2", oauth
	return c
}

// SMTPPorts are the three ports on 127.0.0.1: STARTTLS, implicit TLS, and
// plain text (where AUTH is offered without TLS).
func (s *Sandbox) SMTPPorts() (starttls, implicit, plain int) {
	return s.smtp.Ports()
}

// ConnectionJSON is the JSON of a connection with its secrets, as a file or another
// program needs it. The secrets of the sandbox's connections open nothing else.
func ConnectionJSON(c *adapters.Connection) ([]byte, error) {
	data, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var doc map[string]any
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	for _, secret := range c.Secrets() {
		if *secret.Value == "" {
			continue
		}
		at, path := doc, strings.Split(secret.Path, ".")
		for _, key := range path[:len(path)-1] {
			next, ok := at[key].(map[string]any)
			if !ok {
				return nil, fmt.Errorf("sandbox: the connection's JSON has no %s", secret.Path)
			}
			at = next
		}
		at[path[len(path)-1]] = secret.Value.Reveal()
	}
	return json.MarshalIndent(doc, "", "  ")
}
