package fallback

import (
	"cmp"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
	"github.com/postino-mail/postino/tokens/credential"
)

// Settings of a server that takes mail by SMTP submission.
type Settings struct {
	Host       string          `json:"host,omitempty" trust:"destination"`
	Port       int             `json:"port,omitempty" trust:"destination"`
	Encryption Encryption      `json:"encryption,omitempty" trust:"destination"`
	Login      string          `json:"login,omitempty" trust:"destination"`
	Password   adapters.Secret `json:"password,omitempty" trust:"credential"`
	// auto (or empty), none, plain, login, cram-md5, scram-sha-1, scram-sha-256, xoauth2, oauthbearer
	Auth          string `json:"auth,omitempty" trust:"destination"`
	OAuth         *OAuth `json:"oauth,omitempty"`
	SourceAddress string `json:"source_address,omitempty" trust:"destination"`
	CAFile        string `json:"ca_file,omitempty" trust:"destination,admin"` // PEM, in addition to the system's trust store
	// password without TLS to a host that is not loopback: the admin's word
	AllowInsecure bool     `json:"allow_insecure,omitempty" trust:"destination,admin"`
	PEC           bool     `json:"pec,omitempty" trust:"free"`         // Italian certified mail: see Certified
	Hostname      string   `json:"hostname,omitempty" trust:"free"`    // EHLO name; empty: the system's
	PublicOnly    bool     `json:"public_only,omitempty" trust:"free"` // no administrator named the host: see adapters.PublicAddress
	Without       []string `json:"without,omitempty" trust:"free"`     // SMTP extensions that are not used although the server offers them
}

// An Encryption is how an SMTP connection is protected.
type Encryption string

// The encryptions; empty means starttls, or tls on port 465.
const (
	EncryptionSTARTTLS Encryption = "starttls"
	EncryptionTLS      Encryption = "tls"
	EncryptionNone     Encryption = "none"
)

// OAuth provides tokens instead of a password. The fields of the issuer's
// credential stand beside its name.
type OAuth struct {
	Provider string `json:"provider" trust:"destination"` // entra or google
	credential.Entra
	credential.Google
}

// The issuers of OAuth.Provider.
const (
	OAuthEntra  = "entra"
	OAuthGoogle = "google"
)

var (
	_ adapters.ServerSettings = (*Settings)(nil)
	_ credential.Holder       = (*Settings)(nil)
)

// NewSettings returns empty ones, for adapters.Providers.
func NewSettings() adapters.Settings { return new(Settings) }

// SettingsOf returns the settings of an SMTP connection; nil: it is of another provider.
func SettingsOf(c *adapters.Connection) *Settings {
	s, _ := c.Settings.(*Settings) // nil is the answer
	return s
}

// Clone returns a deep copy.
func (s *Settings) Clone() adapters.Settings {
	d := *s
	d.Without = slices.Clone(s.Without)
	if s.OAuth != nil {
		oauth := *s.OAuth
		d.OAuth = &oauth
	}
	return &d
}

// Effective fills in port, encryption, method and login.
func (s *Settings) Effective(c *adapters.Connection) adapters.Settings {
	d := new(Settings)
	*d = *s
	d.Host, d.Port, d.Encryption = strings.ToLower(s.Host), s.EffectivePort(), s.EffectiveEncryption()
	d.Auth = cmp.Or(s.Auth, "auto")
	if s.OAuth != nil {
		d.Login = cmp.Or(s.Login, c.Mailbox(mime.Mailbox{}))
		oauth := *s.OAuth
		oauth.Cloud = cmp.Or(oauth.Cloud, "public")
		d.OAuth = &oauth
	}
	return d
}

// SenderMailbox is the login.
func (s *Settings) SenderMailbox() string { return s.Login }

// Lane is of the login at the server.
func (s *Settings) Lane(c *adapters.Connection, mailbox string) string {
	return "smtp:" + strings.ToLower(s.Address()) + ":" + cmp.Or(mailbox, c.ID)
}

// Limits are those of the mailbox services that are known by name; others have none.
func (s *Settings) Limits() adapters.LaneLimits {
	host := strings.ToLower(s.Host)
	issuer := ""
	if s.OAuth != nil {
		issuer = s.OAuth.Provider
	}
	switch {
	case s.Certified():
		return adapters.LaneLimits{Concurrency: 1} // contracts K12: one refused login, not one a session
	case issuer == OAuthEntra || strings.HasSuffix(host, ".office365.com"):
		return adapters.LaneLimits{Concurrency: 3, PerMinute: 30, RecipientsPerDay: 10000} // contracts D4, B7.2, B7.9, B7.10
	case issuer == OAuthGoogle || host == "smtp.gmail.com":
		return adapters.LaneLimits{Concurrency: 4, PerMinute: 60, RecipientsPerDay: 3000} // contracts C3.4, C3.8
	}
	return adapters.LaneLimits{Concurrency: 4}
}

// OnUnknown is retry: no one can be asked, and every mail server sends again (RFC
// 5321 section 4.5.4.1).
func (s *Settings) OnUnknown() adapters.UnknownPolicy { return adapters.UnknownRetry }

// AnyFrom is true: the server decides.
func (s *Settings) AnyFrom() bool { return true }

// Audiences are those of the issuer.
func (s *Settings) Audiences() []adapters.Audience {
	if s.OAuth == nil {
		return nil
	}
	return []adapters.Audience{s.OAuth.audience()}
}

// audience is what the tokens are for.
func (o *OAuth) audience() adapters.Audience {
	if o.Provider == OAuthGoogle {
		return adapters.AudienceGmailSMTP // contracts D3.2
	}
	return adapters.AudienceOutlookSMTP // contracts A1.5, D2.4
}

// Credential is that of oauth; a service account acts for the login where it names
// no subject.
func (s *Settings) Credential(a adapters.Audience) credential.Credential {
	switch {
	case s.OAuth == nil || a != s.OAuth.audience():
		return nil
	case s.OAuth.Provider == OAuthEntra:
		return &s.OAuth.Entra
	case s.OAuth.Provider == OAuthGoogle:
		google := s.OAuth.Google
		google.Subject = cmp.Or(google.Subject, s.Login)
		return &google
	}
	return nil
}

// Server is host and port, the default port filled in.
func (s *Settings) Server() (host string, port int) { return s.Host, s.EffectivePort() }

// Restricted is PublicOnly.
func (s *Settings) Restricted() bool { return s.PublicOnly }

// Restrict sets PublicOnly.
func (s *Settings) Restrict(on bool) { s.PublicOnly = on }

// Address is host and port to dial, the default port filled in.
func (s *Settings) Address() string {
	return net.JoinHostPort(s.Host, strconv.Itoa(s.EffectivePort()))
}

// EffectivePort is Port, or 465 for tls, 25 for none and 587 otherwise.
func (s *Settings) EffectivePort() int {
	switch {
	case s.Port != 0:
		return s.Port
	case s.Encryption == EncryptionTLS:
		return 465
	case s.Encryption == EncryptionNone:
		return 25
	}
	return 587
}

// EffectiveEncryption is Encryption, or tls on port 465 and starttls elsewhere.
func (s *Settings) EffectiveEncryption() Encryption {
	switch {
	case s.Encryption != "":
		return s.Encryption
	case s.Port == 465:
		return EncryptionTLS
	}
	return EncryptionSTARTTLS
}

// extensions are the SMTP extensions that Without may name.
func extensions() []string {
	return []string{"PIPELINING", "CHUNKING", "8BITMIME", "SMTPUTF8", "SIZE", "DSN"}
}

// Validate reports each field that is wrong.
func (s *Settings) Validate(v *adapters.Validator) {
	if s.Host == "" || strings.ContainsAny(s.Host, " /:@\r\n") && net.ParseIP(s.Host) == nil {
		v.Add("host", mime.NewText("smtp.no_host", "give the server's name, without port or scheme"))
	}
	if s.Port < 0 || s.Port > 65535 {
		v.Add("port", mime.NewText("smtp.no_port", "{port} is no port", "port", s.Port))
	}
	v.OneOf("encryption", string(s.Encryption), "", "starttls", "tls", "none")
	v.OneOf("auth", s.Auth, "", "auto", "none", "plain", "login", "cram-md5", "scram-sha-1", "scram-sha-256", "xoauth2", "oauthbearer")
	if s.Encryption == EncryptionNone && (s.Password != "" || s.OAuth != nil) && !adapters.Loopback(s.Host) && !s.AllowInsecure {
		v.Add("encryption", mime.NewText("smtp.password_in_clear",
			"a password without encryption is refused; use starttls or tls, or let the admin set allow_insecure"))
	}
	if s.Password != "" && s.Login == "" {
		v.Add("login", mime.NewText("smtp.no_login", "a password needs a login"))
	}
	if s.SourceAddress != "" && net.ParseIP(s.SourceAddress) == nil {
		v.Add("source_address", mime.NewText("smtp.source_not_ip", "not an IP address"))
	}
	for _, ext := range s.Without {
		v.OneOf("without", strings.ToUpper(ext), extensions()...)
	}
	s.validateOAuth(v)
}

func (s *Settings) validateOAuth(v *adapters.Validator) {
	if s.OAuth == nil {
		if s.Auth == "xoauth2" || s.Auth == "oauthbearer" {
			v.Add("oauth", mime.NewText("smtp.no_oauth", "{auth} needs the oauth object", "auth", s.Auth))
		}
		return
	}
	if s.Password != "" {
		v.Add("password", mime.NewText("smtp.password_and_oauth", "give a password or oauth, not both"))
	}
	at := v.Under("oauth")
	at.OneOf("provider", s.OAuth.Provider, OAuthEntra, OAuthGoogle)
	switch s.OAuth.Provider {
	case OAuthEntra:
		s.OAuth.Entra.Validate(at)
	case OAuthGoogle:
		s.OAuth.Google.Validate(at)
	}
}
