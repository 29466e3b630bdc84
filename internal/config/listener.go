package config

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// A Listener is one SMTP address with its policy.
type Listener struct {
	Address        string   `toml:"address"`
	TLS            string   `toml:"tls"`       // implicit, starttls (required), optional (default), none
	MinTLS         string   `toml:"min_tls"`   // 1.2 (default), 1.3; 1.0 and 1.1 only as a legacy allowance
	CertFile       string   `toml:"cert_file"` // reloaded when it changes; empty: a self-made one
	KeyFile        string   `toml:"key_file"`
	Networks       []string `toml:"networks"`         // who may connect; empty: loopback alone unless Auth is required
	Auth           string   `toml:"auth"`             // required (default off loopback), optional, off
	PlaintextAuth  bool     `toml:"plaintext_auth"`   // legacy: AUTH without TLS
	BareLF         bool     `toml:"bare_lf"`          // legacy: lines that end in LF alone
	MissingHeaders bool     `toml:"missing_headers"`  // legacy: Date and Message-ID may be absent; a missing From is the envelope's
	LaxHelo        bool     `toml:"lax_helo"`         // legacy: any HELO argument, or none
	MaxConnections int      `toml:"max_connections"`  // 1,000
	MaxPerAddress  int      `toml:"max_per_address"`  // 100
	MessagesPerMin int      `toml:"messages_per_min"` // for each address; 0: none
	MaxRecipients  int      `toml:"max_recipients"`   // of one transaction; 1,000
}

// Legacy reports an allowance that is only accepted together with an address range.
func (l *Listener) Legacy() bool {
	return l.PlaintextAuth || l.BareLF || l.LaxHelo || l.MissingHeaders || l.MinTLS == "1.0" || l.MinTLS == "1.1"
}

// Prefixes are the Networks; a single address is a prefix of its own.
func (l *Listener) Prefixes() ([]netip.Prefix, error) { return ParsePrefixes(l.Networks) }

func (l *Listener) validate() error {
	errs := refuseNegative([]setting{{"max_connections", int64(l.MaxConnections)}, {"max_per_address", int64(l.MaxPerAddress)},
		{"messages_per_min", int64(l.MessagesPerMin)}, {"max_recipients", int64(l.MaxRecipients)}})
	bad := func(t mime.Text) { errs = append(errs, texterr.New(t)) }
	host, _, err := net.SplitHostPort(l.Address)
	if err != nil {
		bad(mime.NewText("config.not_an_address", "{value} is not host:port", "value", strconv.Quote(l.Address)))
	}
	networks, err := l.Prefixes()
	if err != nil {
		errs = append(errs, err)
	}
	if !oneOf(l.TLS, "", "implicit", "starttls", "optional", "none") {
		bad(mime.NewText("config.tls", "tls {value} is none of implicit, starttls, optional, none", "value", strconv.Quote(l.TLS)))
	}
	if !oneOf(l.MinTLS, "", "1.0", "1.1", "1.2", "1.3") {
		bad(mime.NewText("config.min_tls", "min_tls {value} is none of 1.2, 1.3 (or 1.0, 1.1 for old devices)", "value", strconv.Quote(l.MinTLS)))
	}
	if !oneOf(l.Auth, "", "required", "optional", "off") {
		bad(mime.NewText("config.auth", "auth {value} is none of required, optional, off", "value", strconv.Quote(l.Auth)))
	}
	if (l.CertFile == "") != (l.KeyFile == "") {
		bad(mime.NewText("config.cert_and_key", "cert_file and key_file go together"))
	}
	return errors.Join(append(errs, l.CheckAccess(loopbackHost(host), networks))...)
}

// CheckAccess refuses a listener by which strangers could send. loopback: it is
// reached from this machine alone.
func (l *Listener) CheckAccess(loopback bool, networks []netip.Prefix) error {
	auth := l.Auth
	if auth == "" && loopback {
		auth = "optional"
	}
	var errs []error
	bad := func(t mime.Text) { errs = append(errs, texterr.New(t)) }
	if l.Legacy() && (len(networks) == 0 || Everyone(networks)) {
		bad(mime.NewText("config.legacy_networks", "an allowance for old devices needs networks: name the addresses of the devices"))
	}
	if auth == "off" && len(networks) == 0 && !loopback {
		bad(mime.NewText("config.auth_off", "auth is off and no networks are named: anyone could send; name the networks or require auth"))
	}
	if auth == "required" && l.TLS == "none" && !l.PlaintextAuth {
		bad(mime.NewText("config.auth_never_offered",
			"auth is required but can never be offered: allow TLS, or plaintext_auth for old devices"))
	}
	if (auth == "off" || auth == "optional") && Everyone(networks) {
		bad(mime.NewText("config.open_relay", "networks {networks} are everyone: without required auth this is an open relay", "networks",
			strings.Join(l.Networks, ", ")))
	}
	return errors.Join(errs...)
}
