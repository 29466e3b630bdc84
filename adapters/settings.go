package adapters

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/mime"
)

// ParseConnection reads the JSON of one connection and validates it. Unknown
// fields are errors: a misspelt limit must not be silently without effect.
func ParseConnection(data []byte) (*Connection, error) {
	c, err := DecodeConnection(data)
	if err != nil {
		return nil, err
	}
	return c, c.Validate()
}

// DecodeConnection is ParseConnection without the validation, for edits that
// still lack the stored secrets.
func DecodeConnection(data []byte) (*Connection, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	c := new(Connection)
	if err := dec.Decode(c); err != nil {
		return nil, fmt.Errorf("the connection's JSON cannot be read: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("the connection's JSON is followed by something else: give one object")
	}
	return c, nil
}

// Validate checks everything that can be known without a network. The error
// names each field that is wrong.
func (c *Connection) Validate() error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", field, fmt.Sprintf(format, args...)))
	}
	if strings.TrimSpace(c.Name) == "" {
		bad("name", "give the connection a name")
	}
	if strings.ContainsFunc(c.Name+c.DisplayName, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		bad("name", "control characters are not allowed in name or display_name")
	}
	checkSender := func(field, addr string) {
		if d, ok := strings.CutPrefix(addr, "*@"); ok {
			addr = "x@" + d
		}
		if _, err := mime.NormalizeAddress(addr); err != nil {
			bad(field, "%q is not an address nor *@domain", addr)
		}
	}
	if c.From != "" {
		checkSender("from", c.From)
	}
	for _, a := range c.Aliases {
		checkSender("aliases", a)
	}
	if c.ReplyTo != "" {
		checkSender("reply_to", c.ReplyTo)
	}
	oneOf(bad, "default", string(c.Default), "", "no", "unrouted", "always")
	oneOf(bad, "class", c.Class, "", "any", "transactional", "bulk")
	oneOf(bad, "on_unknown", string(c.OnUnknown), "", "verify", "retry", "hold")
	for f, v := range map[string]*int{"limits.concurrency": c.Limits.Concurrency, "limits.per_minute": c.Limits.PerMinute, "limits.recipients_per_day": c.Limits.RecipientsPerDay} {
		if v != nil && *v < 0 {
			bad(f, "0 means no limit; a negative one has no meaning")
		}
	}
	oneOf(bad, "when_spent", c.WhenSpent, "", "wait", "fallback")
	if r := c.Retry; r != nil && (r.FirstSeconds < 0 || r.MaxSeconds < 0 || r.GiveUpHours < 0) {
		bad("retry", "times cannot be negative")
	}
	if slices.Contains(c.Fallback, c.Name) {
		bad("fallback", "a connection cannot be its own fallback")
	}
	c.validateProvider(bad)
	return errors.Join(errs...)
}

func (c *Connection) validateProvider(bad func(field, format string, args ...any)) {
	given := map[Provider]bool{Graph: c.Graph != nil, Gmail: c.Gmail != nil, SMTP: c.SMTP != nil}
	for _, p := range []Provider{Graph, Gmail, SMTP} {
		if given[p] && p != c.Provider {
			bad(string(p), "the provider is %q: leave this object out", c.Provider)
		}
	}
	if _, known := given[c.Provider]; !known {
		bad("provider", "%q is none of graph, gmail, smtp", c.Provider)
		return
	}
	if !given[c.Provider] {
		bad(string(c.Provider), "the provider's object is missing")
		return
	}
	switch c.Provider {
	case Graph:
		c.Graph.validate("graph.", bad)
		if c.From == "" && c.Graph.Mailbox == "" {
			bad("from", "give the sender's address")
		}
	case Gmail:
		c.Gmail.validate("gmail.", bad)
		if c.From == "" && c.Gmail.Subject == "" {
			bad("from", "give the sender's address")
		}
	case SMTP:
		c.SMTP.validate(bad)
	}
}

func oneOf(bad func(field, format string, args ...any), field, v string, allowed ...string) {
	if !slices.Contains(allowed, v) {
		bad(field, "%q is none of %s", v, strings.Join(allowed[1:], ", "))
	}
}

func checkURL(bad func(field, format string, args ...any), field, v string) {
	if v == "" {
		return
	}
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		bad(field, "not a URL with scheme and host")
		return
	}
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		bad(field, "only https is allowed: tokens would cross the network in the clear")
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func (g *GraphSettings) validate(prefix string, bad func(field, format string, args ...any)) {
	n := 0
	for _, given := range []bool{g.ClientSecret != "", g.CertificateFile != "", g.FederatedTokenFile != "", g.ManagedIdentity} {
		if given {
			n++
		}
	}
	if n != 1 {
		bad(prefix+"client_secret", "give exactly one credential: client_secret, certificate_file, federated_token_file or managed_identity")
	}
	if !g.ManagedIdentity {
		if g.Tenant == "" {
			bad(prefix+"tenant", "give the directory (tenant) id or a verified domain")
		} else if strings.Trim(g.Tenant, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") != "" { // contracts A6.2
			bad(prefix+"tenant", "only letters, digits, dots and hyphens occur in a tenant id or domain")
		} else if slices.Contains([]string{"common", "organizations", "consumers"}, strings.ToLower(g.Tenant)) { // contracts A1.1
			bad(prefix+"tenant", "%q makes no sense for an app-only token: give the tenant's own id", g.Tenant)
		}
		if g.ClientID == "" {
			bad(prefix+"client_id", "give the application (client) id")
		}
	}
	oneOf(bad, prefix+"cloud", g.Cloud, "", "public", "gcchigh", "dod", "china")
	if g.AuthorityURL != "" && strings.HasPrefix(g.AuthorityURL, "http://") { // contracts A6.1
		bad(prefix+"authority_url", "only https is possible here")
	} else {
		checkURL(bad, prefix+"authority_url", g.AuthorityURL)
	}
	checkURL(bad, prefix+"graph_url", g.GraphURL)
}

func (g *GmailSettings) validate(prefix string, bad func(field, format string, args ...any)) {
	if (g.ServiceAccountFile == "") == (g.ServiceAccountJSON == "") {
		bad(prefix+"service_account_file", "give exactly one of service_account_file and service_account_json")
	}
	checkURL(bad, prefix+"token_url", g.TokenURL)
	checkURL(bad, prefix+"gmail_url", g.GmailURL)
}

func (s *SMTPSettings) validate(bad func(field, format string, args ...any)) {
	if s.Host == "" || strings.ContainsAny(s.Host, " /:@\r\n") && net.ParseIP(s.Host) == nil {
		bad("smtp.host", "give the server's name, without port or scheme")
	}
	if s.Port < 0 || s.Port > 65535 {
		bad("smtp.port", "%d is no port", s.Port)
	}
	oneOf(bad, "smtp.encryption", string(s.Encryption), "", "starttls", "tls", "none")
	oneOf(bad, "smtp.auth", s.Auth, "", "auto", "none", "plain", "login", "cram-md5", "scram-sha-1", "scram-sha-256", "xoauth2", "oauthbearer")
	if s.Encryption == EncryptionNone && (s.Password != "" || s.OAuth != nil) && !isLoopback(s.Host) && !s.AllowInsecure {
		bad("smtp.encryption", "a password without encryption is refused; use starttls or tls, or let the admin set allow_insecure")
	}
	if s.Password != "" && s.Login == "" {
		bad("smtp.login", "a password needs a login")
	}
	if s.SourceAddress != "" && net.ParseIP(s.SourceAddress) == nil {
		bad("smtp.source_address", "not an IP address")
	}
	if s.OAuth == nil {
		if s.Auth == "xoauth2" || s.Auth == "oauthbearer" {
			bad("smtp.oauth", "%s needs the oauth object", s.Auth)
		}
		return
	}
	if s.Password != "" {
		bad("smtp.password", "give a password or oauth, not both")
	}
	switch s.OAuth.Provider {
	case "entra":
		s.OAuth.GraphSettings.validate("smtp.oauth.", bad)
	case "google":
		s.OAuth.GmailSettings.validate("smtp.oauth.", bad)
	default:
		bad("smtp.oauth.provider", "%q is none of entra, google", s.OAuth.Provider)
	}
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
		out = append(out, SecretField{prefix + "client_secret", &g.ClientSecret}, SecretField{prefix + "certificate_password", &g.CertificatePassword})
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

// Clone is a deep copy.
func (c *Connection) Clone() *Connection {
	d := *c
	d.Aliases, d.Fallback = slices.Clone(c.Aliases), slices.Clone(c.Fallback)
	d.Active = clonePtr(c.Active)
	d.Limits = Limits{clonePtr(c.Limits.Concurrency), clonePtr(c.Limits.PerMinute), clonePtr(c.Limits.RecipientsPerDay)}
	d.Retry = clonePtr(c.Retry)
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
