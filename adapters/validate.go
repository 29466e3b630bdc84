package adapters

import (
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/mime"
)

// Validate checks everything that can be known without a network, and takes
// invisible characters off both ends of addresses, which come with what was
// pasted. The error is an *InvalidError with each field that is wrong.
func (c *Connection) Validate() error {
	v := new(invalid)
	if strings.TrimSpace(c.Name) == "" {
		v.bad("name", mime.NewText("connection.give_connection_name", "give the connection a name"))
	}
	if strings.ContainsFunc(c.Name+c.DisplayName, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		v.bad("name", mime.NewText("connection.control_characters_not_allowed_name",
			"control characters are not allowed in name or display_name"))
	}
	v.sender("from", &c.From)
	for i := range c.Aliases {
		if c.Aliases[i] == "" {
			v.bad("aliases", mime.NewText("connection.empty_alias", "an empty alias names no one"))
		}
		v.sender("aliases", &c.Aliases[i])
	}
	v.sender("reply_to", &c.ReplyTo)
	v.oneOf("on_unknown", string(c.OnUnknown), "", "verify", "retry", "hold")
	v.limit("limits.concurrency", c.Limits.Concurrency)
	v.limit("limits.per_minute", c.Limits.PerMinute)
	v.limit("limits.recipients_per_day", c.Limits.RecipientsPerDay)
	c.validateProvider(v)
	return v.err()
}

func (c *Connection) validateProvider(v *invalid) {
	given := map[Provider]bool{Graph: c.Graph != nil, Gmail: c.Gmail != nil, SMTP: c.SMTP != nil}
	for _, p := range []Provider{Graph, Gmail, SMTP} {
		if given[p] && p != c.Provider {
			v.bad(string(p), mime.NewText("connection.provider_leave_object_out",
				"the provider is {provider}: leave this object out", "provider", strconv.Quote(string(c.Provider))))
		}
	}
	if _, known := given[c.Provider]; !known {
		v.notOneOf("provider", string(c.Provider), "graph, gmail, smtp")
		return
	}
	if !given[c.Provider] {
		v.bad(string(c.Provider), mime.NewText("connection.provider_object_missing", "the provider's object is missing"))
		return
	}
	switch c.Provider {
	case Graph:
		c.Graph.validate("graph.", v)
		v.mailbox("graph.mailbox", &c.Graph.Mailbox)
		if c.From == "" && c.Graph.Mailbox == "" {
			v.noFrom()
		}
	case Gmail:
		c.Gmail.validate("gmail.", v)
		v.mailbox("gmail.subject", &c.Gmail.Subject)
		if c.From == "" && c.Gmail.Subject == "" {
			v.noFrom()
		}
	case SMTP:
		c.SMTP.validate(v)
	}
}

func (v *invalid) noFrom() {
	v.bad("from", mime.NewText("connection.give_sender_address", "give the sender's address"))
}

func (v *invalid) sender(field string, addr *string) {
	if *addr == "" {
		return
	}
	clean, err := mime.CheckSender(*addr)
	if e := new(mime.Error); errors.As(err, &e) {
		v.bad(field, e.Message)
	} else if clean != *addr {
		*addr = clean
	}
}

// mailbox is an address or another name of a mailbox at the provider.
func (v *invalid) mailbox(field string, name *string) {
	if strings.Contains(*name, "@") {
		v.sender(field, name)
	}
}

func (v *invalid) limit(field string, n *int) {
	if n != nil && *n < 0 {
		v.bad(field, mime.NewText("connection.0_means_no_limit_negative",
			"0 means no limit; a negative one has no meaning"))
	}
}

// oneOf wants one of the values; the first, which is empty, is not named.
func (v *invalid) oneOf(field, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		v.notOneOf(field, value, strings.Join(allowed[1:], ", "))
	}
}

func (v *invalid) url(field, raw string) {
	if raw == "" {
		return
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		v.bad(field, mime.NewText("connection.not_url_scheme_host", "not a URL with scheme and host"))
		return
	}
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		v.bad(field, mime.NewText("connection.only_https_allowed_tokens_would",
			"only https is allowed: tokens would cross the network in the clear"))
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func (g *GraphSettings) validate(prefix string, v *invalid) {
	n := 0
	for _, given := range []bool{g.ClientSecret != "", g.CertificateFile != "", g.FederatedTokenFile != "", g.ManagedIdentity} {
		if given {
			n++
		}
	}
	if n != 1 {
		v.bad(prefix+"client_secret", mime.NewText("connection.give_exactly_one_credential_client",
			"give exactly one credential: client_secret, certificate_file, federated_token_file or managed_identity"))
	}
	if !g.ManagedIdentity {
		if g.Tenant == "" {
			v.bad(prefix+"tenant", mime.NewText("connection.give_directory_tenant_id_verified",
				"give the directory (tenant) id or a verified domain"))
		} else if strings.Trim(g.Tenant, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") != "" { // contracts A6.2
			v.bad(prefix+"tenant", mime.NewText("connection.only_letters_digits_dots_hyphens",
				"only letters, digits, dots and hyphens occur in a tenant id or domain"))
		} else if slices.Contains([]string{"common", "organizations", "consumers"}, strings.ToLower(g.Tenant)) { // contracts A1.1
			v.bad(prefix+"tenant", mime.NewText("connection.makes_no_sense_app_only",
				"{tenant} makes no sense for an app-only token: give the tenant's own id",
				"tenant", strconv.Quote(g.Tenant)))
		}
		if g.ClientID == "" {
			v.bad(prefix+"client_id", mime.NewText("connection.give_application_client_id", "give the application (client) id"))
		}
	}
	v.oneOf(prefix+"cloud", g.Cloud, "", "public", "gcchigh", "dod", "china")
	if g.AuthorityURL != "" && strings.HasPrefix(g.AuthorityURL, "http://") { // contracts A6.1
		v.bad(prefix+"authority_url", mime.NewText("connection.only_https_possible", "only https is possible here"))
	} else {
		v.url(prefix+"authority_url", g.AuthorityURL)
	}
	v.url(prefix+"graph_url", g.GraphURL)
}

func (g *GmailSettings) validate(prefix string, v *invalid) {
	if (g.ServiceAccountFile == "") == (g.ServiceAccountJSON == "") {
		v.bad(prefix+"service_account_file", mime.NewText("connection.give_exactly_one_service_account",
			"give exactly one of service_account_file and service_account_json"))
	}
	v.url(prefix+"token_url", g.TokenURL)
	v.url(prefix+"gmail_url", g.GmailURL)
}

// SMTPExtensions are the extensions that smtp.without may name.
func SMTPExtensions() []string {
	return []string{"PIPELINING", "CHUNKING", "8BITMIME", "SMTPUTF8", "SIZE", "DSN"}
}

func (s *SMTPSettings) validate(v *invalid) {
	if s.Host == "" || strings.ContainsAny(s.Host, " /:@\r\n") && net.ParseIP(s.Host) == nil {
		v.bad("smtp.host", mime.NewText("connection.give_server_name_without_port",
			"give the server's name, without port or scheme"))
	}
	if s.Port < 0 || s.Port > 65535 {
		v.bad("smtp.port", mime.NewText("connection.no_port", "{port} is no port", "port", s.Port))
	}
	v.oneOf("smtp.encryption", string(s.Encryption), "", "starttls", "tls", "none")
	v.oneOf("smtp.auth", s.Auth, "", "auto", "none", "plain", "login", "cram-md5", "scram-sha-1", "scram-sha-256", "xoauth2", "oauthbearer")
	if s.Encryption == EncryptionNone && (s.Password != "" || s.OAuth != nil) && !isLoopback(s.Host) && !s.AllowInsecure {
		v.bad("smtp.encryption", mime.NewText("connection.password_without_encryption_refused_use",
			"a password without encryption is refused; use starttls or tls, or let the admin set allow_insecure"))
	}
	if s.Password != "" && s.Login == "" {
		v.bad("smtp.login", mime.NewText("connection.password_needs_login", "a password needs a login"))
	}
	if s.SourceAddress != "" && net.ParseIP(s.SourceAddress) == nil {
		v.bad("smtp.source_address", mime.NewText("connection.not_ip_address", "not an IP address"))
	}
	for _, ext := range s.Without {
		if !slices.Contains(SMTPExtensions(), strings.ToUpper(ext)) {
			v.notOneOf("smtp.without", ext, strings.Join(SMTPExtensions(), ", "))
		}
	}
	if s.OAuth == nil {
		if s.Auth == "xoauth2" || s.Auth == "oauthbearer" {
			v.bad("smtp.oauth", mime.NewText("connection.needs_oauth_object", "{auth} needs the oauth object", "auth", s.Auth))
		}
		return
	}
	if s.Password != "" {
		v.bad("smtp.password", mime.NewText("connection.give_password_oauth_not_both", "give a password or oauth, not both"))
	}
	switch s.OAuth.Provider {
	case "entra":
		s.OAuth.GraphSettings.validate("smtp.oauth.", v)
	case "google":
		s.OAuth.GmailSettings.validate("smtp.oauth.", v)
	default:
		v.notOneOf("smtp.oauth.provider", s.OAuth.Provider, "entra, google")
	}
}
