package adapters

import "strings"

// A Provider is the kind of a connection.
type Provider string

// The providers.
const (
	Graph Provider = "graph"
	Gmail Provider = "gmail"
	SMTP  Provider = "smtp"
)

// A Connection is a named way out (design "Connection, as JSON"). Exactly one
// of Graph, Gmail and SMTP is set, and fits Provider. Treated as immutable once
// it has been handed to a Router.
type Connection struct {
	ID          string         `json:"id,omitempty"`
	Name        string         `json:"name"`
	Provider    Provider       `json:"provider"`
	From        string         `json:"from"` // an address, or "*@domain": any sender of the domain
	DisplayName string         `json:"display_name,omitempty"`
	ReplyTo     string         `json:"reply_to,omitempty"`
	Aliases     []string       `json:"aliases,omitempty"` // further senders that the mailbox may use: addresses or "*@domain"
	OnUnknown   UnknownPolicy  `json:"on_unknown,omitempty"`
	Limits      Limits         `json:"limits,omitzero"`
	Graph       *GraphSettings `json:"graph,omitempty"`
	Gmail       *GmailSettings `json:"gmail,omitempty"`
	SMTP        *SMTPSettings  `json:"smtp,omitempty"`
}

// An UnknownPolicy says what happens to an unknown outcome that cannot be verified.
type UnknownPolicy string

// The policies: verify asks the provider and then behaves as hold when it
// cannot tell; retry asks too, where the provider can be asked, and else sends
// again, marked as possible duplicate; hold waits for a person.
const (
	UnknownVerify UnknownPolicy = "verify"
	UnknownRetry  UnknownPolicy = "retry"
	UnknownHold   UnknownPolicy = "hold"
)

// Limits of a lane. nil takes the provider's default, 0 means none.
type Limits struct {
	Concurrency      *int `json:"concurrency,omitempty"`
	PerMinute        *int `json:"per_minute,omitempty"`
	RecipientsPerDay *int `json:"recipients_per_day,omitempty"`
}

// GraphSettings is a Microsoft 365 mailbox reached with an app-only token. One
// credential is given: client_secret, certificate_file, federated_token_file or
// managed_identity.
type GraphSettings struct {
	Tenant              string `json:"tenant,omitempty"`
	ClientID            string `json:"client_id,omitempty"`
	ClientSecret        Secret `json:"client_secret,omitempty"`
	CertificateFile     string `json:"certificate_file,omitempty"`     // PEM (certificate and key) or PFX
	CertificatePassword Secret `json:"certificate_password,omitempty"` // of a PFX
	FederatedTokenFile  string `json:"federated_token_file,omitempty"`
	ManagedIdentity     bool   `json:"managed_identity,omitempty"`
	Cloud               string `json:"cloud,omitempty"`   // public (or empty), gcchigh, dod, china
	Mailbox             string `json:"mailbox,omitempty"` // whose mailbox sends; empty: the From address
	AuthorityURL        string `json:"authority_url,omitempty"`
	GraphURL            string `json:"graph_url,omitempty"` // up to but without /v1.0
}

// contracts A4: the clouds

// GmailSettings is a Google Workspace mailbox reached with a service account
// and domain-wide delegation.
type GmailSettings struct {
	ServiceAccountFile string `json:"service_account_file,omitempty"`
	ServiceAccountJSON Secret `json:"service_account_json,omitempty"` // the file's content
	Subject            string `json:"subject,omitempty"`              // mailbox user; empty: the From address
	TokenURL           string `json:"token_url,omitempty"`
	GmailURL           string `json:"gmail_url,omitempty"`
}

// SMTPSettings is a server that takes mail by SMTP submission.
type SMTPSettings struct {
	Host       string     `json:"host,omitempty"`
	Port       int        `json:"port,omitempty"`
	Encryption Encryption `json:"encryption,omitempty"`
	Login      string     `json:"login,omitempty"`
	Password   Secret     `json:"password,omitempty"`
	// auto (or empty), none, plain, login, cram-md5, scram-sha-1, scram-sha-256, xoauth2, oauthbearer
	Auth          string         `json:"auth,omitempty"`
	OAuth         *OAuthSettings `json:"oauth,omitempty"`
	SourceAddress string         `json:"source_address,omitempty"`
	CAFile        string         `json:"ca_file,omitempty"`        // PEM, in addition to the system's trust store
	AllowInsecure bool           `json:"allow_insecure,omitempty"` // password without TLS to a host that is not loopback: the admin's word
	Hostname      string         `json:"hostname,omitempty"`       // EHLO name; empty: the system's
	PublicOnly    bool           `json:"public_only,omitempty"`    // the host was not named by an administrator: see PublicAddress
	Without       []string       `json:"without,omitempty"`        // SMTP extensions that are not used although the server offers them
}

// An Encryption is how an SMTP connection is protected.
type Encryption string

// The encryptions; empty means starttls, or tls on port 465.
const (
	EncryptionSTARTTLS Encryption = "starttls"
	EncryptionTLS      Encryption = "tls"
	EncryptionNone     Encryption = "none"
)

// OAuthSettings gives an SMTP connection tokens instead of a password. The
// fields are those of graph or gmail, at the same level (design).
type OAuthSettings struct {
	Provider string `json:"provider"` // entra or google
	GraphSettings
	GmailSettings
}

// EffectiveOnUnknown is OnUnknown, or verify for the APIs and retry for SMTP,
// where no one can be asked and every mail server sends again (RFC 5321 4.5.4.1).
func (c *Connection) EffectiveOnUnknown() UnknownPolicy {
	switch {
	case c.OnUnknown != "":
		return c.OnUnknown
	case c.Provider == SMTP:
		return UnknownRetry
	}
	return UnknownVerify
}

// FromPattern reports whether From is "*@domain" and gives the domain.
func (c *Connection) FromPattern() (domain string, ok bool) { return strings.CutPrefix(c.From, "*@") }
