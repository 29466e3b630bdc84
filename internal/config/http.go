package config

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"

	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// HTTP is the listener for programs.
type HTTP struct {
	Address        string   `toml:"address"` // empty: no HTTP over TCP
	CertFile       string   `toml:"cert_file"`
	KeyFile        string   `toml:"key_file"`
	Plaintext      bool     `toml:"plaintext"`       // HTTP without TLS that other machines reach
	Keyless        string   `toml:"keyless"`         // "send": programs of this machine may send by TCP without a key; empty: they may not
	Socket         string   `toml:"socket"`          // path of the unix socket; empty: http.sock in the data folder; "off": none
	SocketGroup    string   `toml:"socket_group"`    // its members may send through the socket; empty: none
	PublicURL      string   `toml:"public_url"`      // under which a reverse proxy shows the API
	TrustedProxies []string `toml:"trusted_proxies"` // their X-Forwarded-For is believed
	OIDC           OIDC     `toml:"oidc"`
}

// Values of HTTP settings that are words.
const (
	KeylessSend = "send"
	SocketOff   = "off"
)

// SocketPath is where the unix socket is, empty where there is none. data is
// the data folder. Where neither address nor socket is named there is no HTTP.
func (h *HTTP) SocketPath(data string) string {
	switch {
	case h.Socket == SocketOff, h.Socket == "" && h.Address == "":
		return ""
	case h.Socket == "":
		return filepath.Join(data, "http.sock")
	}
	return h.Socket
}

// Proxies are the TrustedProxies; a single address is a prefix of its own.
func (h *HTTP) Proxies() ([]netip.Prefix, error) { return ParsePrefixes(h.TrustedProxies) }

// PublicHost is the host of PublicURL, without its port; empty without one.
func (h *HTTP) PublicHost() string {
	u, err := url.Parse(h.PublicURL)
	if err != nil {
		return "" // validate refuses it
	}
	return u.Hostname()
}

func (h *HTTP) validate() error {
	var errs []error
	bad := func(t mime.Text) { errs = append(errs, texterr.New(t)) }
	if (h.CertFile == "") != (h.KeyFile == "") {
		bad(mime.NewText("config.cert_and_key", "cert_file and key_file go together"))
	}
	if h.Address != "" && h.CertFile == "" && !h.Plaintext {
		host, _, err := net.SplitHostPort(h.Address)
		if err != nil {
			bad(mime.NewText("config.not_an_address", "{value} is not host:port", "value", strconv.Quote(h.Address)))
		} else if !loopbackHost(host) {
			bad(mime.NewText("config.http_without_tls", "other machines reach {address} without TLS, and keys and mail would cross the network "+
				"in the clear: set cert_file and key_file, or listen on 127.0.0.1 behind a reverse proxy (docs/reverse-proxy.md), or allow it with "+
				"plaintext = true", "address", h.Address))
		}
	}
	switch h.Keyless {
	case "":
	case KeylessSend:
		if h.PublicURL != "" || len(h.TrustedProxies) > 0 {
			bad(mime.NewText("config.keyless_and_proxy", "keyless and a reverse proxy (public_url, trusted_proxies) exclude each other: through "+
				"the proxy everyone would send without a key"))
		}
	default:
		bad(mime.NewText("config.keyless", "keyless {value} is not {allowed}: leave it out, and every program needs a key", "value",
			strconv.Quote(h.Keyless), "allowed", KeylessSend))
	}
	if err := publicURL(h.PublicURL); err != nil {
		errs = append(errs, err)
	}
	proxies, err := h.Proxies()
	if err != nil {
		errs = append(errs, texterr.Wrap(mime.NewText("config.of_section", "{section}", "section", "trusted_proxies"), err))
	}
	if Everyone(proxies) {
		bad(mime.NewText("config.proxies_everyone", "trusted_proxies are everyone, and everyone could claim any address: name the addresses "+
			"of the proxies"))
	}
	h.OIDC.validate(h.PublicURL, bad)
	return errors.Join(errs...)
}

// publicURL refuses what cannot be the root of the API: its links have absolute
// paths, so a path before them would lead elsewhere.
func publicURL(s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.Path != "" && u.Path != "/" ||
		u.RawQuery != "" || u.Fragment != "" {
		return texterr.New(mime.NewText("config.public_url", "public_url {value} is not like https://mail.example.com: scheme and host, "+
			"without a path", "value", strconv.Quote(s)))
	}
	return nil
}

// loopbackHost reports a host that only this machine can reach.
func loopbackHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
