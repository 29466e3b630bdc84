package adapters

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/postino-mail/postino/mime"
)

// Validate checks everything that can be known without a network, and takes
// invisible characters off both ends of addresses, which come with what was
// pasted. The error is an *InvalidError with each field that is wrong.
func (c *Connection) Validate() error {
	v := new(invalid)
	if strings.TrimSpace(c.Name) == "" {
		v.bad("name", "give the connection a name", "dare un nome alla connessione")
	}
	if strings.ContainsFunc(c.Name+c.DisplayName, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		v.bad("name", "control characters are not allowed in name or display_name", "in name e display_name non sono ammessi caratteri di controllo")
	}
	v.sender("from", &c.From)
	for i := range c.Aliases {
		if c.Aliases[i] == "" {
			v.bad("aliases", "an empty alias names nobody", "un alias vuoto non indica nessuno")
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
			v.bad(string(p), fmt.Sprintf("the provider is %q: leave this object out", c.Provider), fmt.Sprintf("il provider è %q: togliere questo oggetto", c.Provider))
		}
	}
	if _, known := given[c.Provider]; !known {
		v.notOneOf("provider", string(c.Provider), "graph, gmail, smtp")
		return
	}
	if !given[c.Provider] {
		v.bad(string(c.Provider), "the provider's object is missing", "manca l'oggetto del provider")
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
	v.bad("from", "give the sender's address", "indicare l'indirizzo del mittente")
}

func (v *invalid) sender(field string, addr *string) {
	if *addr == "" {
		return
	}
	clean, err := mime.CheckSender(*addr)
	if e := new(mime.Error); errors.As(err, &e) {
		v.bad(field, e.Text, e.TextIT)
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
		v.bad(field, "0 means no limit; a negative one has no meaning", "0 significa nessun limite; un numero negativo non ha senso")
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
		v.bad(field, "not a URL with scheme and host", "non è un URL con schema e host")
		return
	}
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		v.bad(field, "only https is allowed: tokens would cross the network in the clear", "è ammesso solo https: i token viaggerebbero in chiaro sulla rete")
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
		v.bad(prefix+"client_secret", "give exactly one credential: client_secret, certificate_file, federated_token_file or managed_identity",
			"indicare una sola credenziale: client_secret, certificate_file, federated_token_file o managed_identity")
	}
	if !g.ManagedIdentity {
		if g.Tenant == "" {
			v.bad(prefix+"tenant", "give the directory (tenant) id or a verified domain", "indicare l'ID della directory (tenant) o un dominio verificato")
		} else if strings.Trim(g.Tenant, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") != "" { // contracts A6.2
			v.bad(prefix+"tenant", "only letters, digits, dots and hyphens occur in a tenant id or domain", "l'ID o il dominio di un tenant ha solo lettere, cifre, punti e trattini")
		} else if slices.Contains([]string{"common", "organizations", "consumers"}, strings.ToLower(g.Tenant)) { // contracts A1.1
			v.bad(prefix+"tenant", fmt.Sprintf("%q makes no sense for an app-only token: give the tenant's own id", g.Tenant),
				fmt.Sprintf("%q non ha senso per un token di applicazione: indicare l'ID del tenant", g.Tenant))
		}
		if g.ClientID == "" {
			v.bad(prefix+"client_id", "give the application (client) id", "indicare l'ID dell'applicazione (client)")
		}
	}
	v.oneOf(prefix+"cloud", g.Cloud, "", "public", "gcchigh", "dod", "china")
	if g.AuthorityURL != "" && strings.HasPrefix(g.AuthorityURL, "http://") { // contracts A6.1
		v.bad(prefix+"authority_url", "only https is possible here", "qui è possibile solo https")
	} else {
		v.url(prefix+"authority_url", g.AuthorityURL)
	}
	v.url(prefix+"graph_url", g.GraphURL)
}

func (g *GmailSettings) validate(prefix string, v *invalid) {
	if (g.ServiceAccountFile == "") == (g.ServiceAccountJSON == "") {
		v.bad(prefix+"service_account_file", "give exactly one of service_account_file and service_account_json", "indicare uno solo tra service_account_file e service_account_json")
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
		v.bad("smtp.host", "give the server's name, without port or scheme", "indicare il nome del server, senza porta né schema")
	}
	if s.Port < 0 || s.Port > 65535 {
		v.bad("smtp.port", fmt.Sprintf("%d is no port", s.Port), fmt.Sprintf("%d non è una porta", s.Port))
	}
	v.oneOf("smtp.encryption", string(s.Encryption), "", "starttls", "tls", "none")
	v.oneOf("smtp.auth", s.Auth, "", "auto", "none", "plain", "login", "cram-md5", "scram-sha-1", "scram-sha-256", "xoauth2", "oauthbearer")
	if s.Encryption == EncryptionNone && (s.Password != "" || s.OAuth != nil) && !isLoopback(s.Host) && !s.AllowInsecure {
		v.bad("smtp.encryption", "a password without encryption is refused; use starttls or tls, or let the admin set allow_insecure",
			"una password senza cifratura è rifiutata; usare starttls o tls, oppure far impostare allow_insecure all'amministratore")
	}
	if s.Password != "" && s.Login == "" {
		v.bad("smtp.login", "a password needs a login", "a una password serve un login")
	}
	if s.SourceAddress != "" && net.ParseIP(s.SourceAddress) == nil {
		v.bad("smtp.source_address", "not an IP address", "non è un indirizzo IP")
	}
	for _, ext := range s.Without {
		if !slices.Contains(SMTPExtensions(), strings.ToUpper(ext)) {
			v.notOneOf("smtp.without", ext, strings.Join(SMTPExtensions(), ", "))
		}
	}
	if s.OAuth == nil {
		if s.Auth == "xoauth2" || s.Auth == "oauthbearer" {
			v.bad("smtp.oauth", s.Auth+" needs the oauth object", "con "+s.Auth+" serve l'oggetto oauth")
		}
		return
	}
	if s.Password != "" {
		v.bad("smtp.password", "give a password or oauth, not both", "indicare una password oppure oauth, non entrambi")
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
