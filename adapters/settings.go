package adapters

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"

	"github.com/postino-mail/postino/mime"
)

// ParseConnection reads the JSON of one connection and validates it. Unknown
// fields are errors: a misspelt limit must not be silently without effect; those
// that the gateway alone knows (owner, class, default ...) are skipped. The
// error is an *InvalidError.
func ParseConnection(data []byte) (*Connection, error) {
	var doc struct {
		Connection
		gatewayFields
	}
	if err := DecodeObject(data, &doc); err != nil {
		return nil, err
	}
	return &doc.Connection, doc.Validate()
}

// gatewayFields are those that the gateway adds. One file serves the gateway and
// a program of one's own, which needs none of them.
type gatewayFields struct {
	Revision        json.RawMessage `json:"revision"`
	Active          json.RawMessage `json:"active"`
	Default         json.RawMessage `json:"default"`
	Class           json.RawMessage `json:"class"`
	Fallback        json.RawMessage `json:"fallback"`
	Owner           json.RawMessage `json:"owner"`
	Retry           json.RawMessage `json:"retry"`
	OnQuotaExceeded json.RawMessage `json:"on_quota_exceeded"`
	WhenSpent       json.RawMessage `json:"when_spent"`
	SecretExpires   json.RawMessage `json:"secret_expires"`
	State           json.RawMessage `json:"state"` // this and the next: only shown
	Lane            json.RawMessage `json:"lane"`
}

// DecodeObject reads one JSON object into v, strictly: a field that v does not
// have, and anything behind the object, is an *InvalidError.
func DecodeObject(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(PlainText(data)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return unreadable(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		v := new(invalid)
		v.bad("", mime.NewText("connection.connection_json_followed_something_else",
			"the connection's JSON is followed by something else: give one object"))
		return v.err()
	}
	return nil
}

// Address is host and port to dial, the provider's default port filled in.
func (s *SMTPSettings) Address() string {
	return net.JoinHostPort(s.Host, strconv.Itoa(s.EffectivePort()))
}

// EffectivePort is Port, or 465 for tls, 25 for none and 587 otherwise.
func (s *SMTPSettings) EffectivePort() int {
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
func (s *SMTPSettings) EffectiveEncryption() Encryption {
	switch {
	case s.Encryption != "":
		return s.Encryption
	case s.Port == 465:
		return EncryptionTLS
	}
	return EncryptionSTARTTLS
}

// A SecretField points at one secret of a connection, named by its JSON path.
type SecretField struct {
	Path  string
	Value *Secret
}

// Secrets lists the secret fields that the connection's objects have, empty
// ones included, so that a store can seal and restore them.
func (c *Connection) Secrets() []SecretField {
	var out []SecretField
	graph := func(prefix string, g *GraphSettings) {
		out = append(out, SecretField{prefix + "client_secret", &g.ClientSecret}, SecretField{prefix + "certificate_password",
			&g.CertificatePassword})
	}
	if c.Graph != nil {
		graph("graph.", c.Graph)
	}
	if c.Gmail != nil {
		out = append(out, SecretField{"gmail.service_account_json", &c.Gmail.ServiceAccountJSON})
	}
	if c.SMTP != nil {
		out = append(out, SecretField{"smtp.password", &c.SMTP.Password})
		if c.SMTP.OAuth != nil {
			graph("smtp.oauth.", &c.SMTP.OAuth.GraphSettings)
			out = append(out, SecretField{"smtp.oauth.service_account_json", &c.SMTP.OAuth.ServiceAccountJSON})
		}
	}
	return out
}

// RedactedSecret is the path of the first secret that is Redacted: it was shown or
// exported, or its store could not open it. Empty: there is none.
func (c *Connection) RedactedSecret() string {
	for _, f := range c.Secrets() {
		if *f.Value == Redacted {
			return f.Path
		}
	}
	return ""
}

// Clone is a deep copy.
func (c *Connection) Clone() *Connection {
	d := *c
	d.Aliases = slices.Clone(c.Aliases)
	d.Limits = Limits{clonePtr(c.Limits.Concurrency), clonePtr(c.Limits.PerMinute), clonePtr(c.Limits.RecipientsPerDay)}
	d.Graph, d.Gmail, d.SMTP = clonePtr(c.Graph), clonePtr(c.Gmail), clonePtr(c.SMTP)
	if d.SMTP != nil {
		d.SMTP.OAuth = clonePtr(c.SMTP.OAuth)
	}
	return &d
}

func clonePtr[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
