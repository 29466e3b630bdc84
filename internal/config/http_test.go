package config

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestHTTP(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		http HTTP
		want string // in the error; empty: none
	}{
		{"loopback", HTTP{Address: "127.0.0.1:8025"}, ""},
		{"loopback of IPv6", HTTP{Address: "[::1]:8025"}, ""},
		{"by name", HTTP{Address: "localhost:8025"}, ""},
		{"everywhere", HTTP{Address: "0.0.0.0:8025"}, "plaintext = true"},
		{"every interface", HTTP{Address: ":8025"}, "plaintext = true"},
		{"a name", HTTP{Address: "mail.contoso.it:8025"}, "plaintext = true"},
		{"a name like loopback", HTTP{Address: "localhost.contoso.it:8025"}, "plaintext = true"},
		{"a network", HTTP{Address: "192.168.1.5:8025"}, "plaintext = true"},
		{"allowed by name", HTTP{Address: "192.168.1.5:8025", Plaintext: true}, ""},
		{"with TLS", HTTP{Address: "0.0.0.0:8025", CertFile: "a", KeyFile: "b"}, ""},
		{"half a certificate", HTTP{Address: "127.0.0.1:1", CertFile: "a"}, "go together"},
		{"no port", HTTP{Address: "127.0.0.1"}, "is not host:port"},
		{"keyless", HTTP{Address: "127.0.0.1:1", Keyless: "send"}, ""},
		{"keyless for more", HTTP{Address: "127.0.0.1:1", Keyless: "admin"}, `keyless "admin"`},
		{"keyless behind a proxy", HTTP{Address: "127.0.0.1:1", Keyless: "send", TrustedProxies: []string{"127.0.0.1"}}, "exclude each other"},
		{"keyless with a public address", HTTP{Address: "127.0.0.1:1", Keyless: "send", PublicURL: "https://mail.contoso.it"},
			"exclude each other"},
		{"behind a proxy", HTTP{Address: "127.0.0.1:1", PublicURL: "https://mail.contoso.it/",
			TrustedProxies: []string{"127.0.0.1", "10.0.0.0/8"}}, ""},
		{"a public path", HTTP{PublicURL: "https://mail.contoso.it/postino"}, "public_url"},
		{"a public address without a scheme", HTTP{PublicURL: "mail.contoso.it"}, "public_url"},
		{"a public address with a password", HTTP{PublicURL: "https://a:b@mail.contoso.it"}, "public_url"},
		{"everyone is a proxy", HTTP{TrustedProxies: []string{"0.0.0.0/0"}}, "are everyone"},
		{"everyone is a proxy, in pieces", HTTP{TrustedProxies: []string{"0.0.0.0/1", "128.0.0.0/1"}}, "are everyone"},
		{"a proxy by name", HTTP{TrustedProxies: []string{"proxy.contoso.it"}}, "trusted_proxies"},
	} {
		conf := Default()
		conf.HTTP = c.http
		err := conf.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestSocketPath(t *testing.T) {
	t.Parallel()
	inData := filepath.Join("data", "http.sock")
	for _, c := range []struct {
		http HTTP
		want string
	}{
		{HTTP{Address: "127.0.0.1:1"}, inData},
		{HTTP{Address: "127.0.0.1:1", Socket: "/run/postino/http.sock"}, "/run/postino/http.sock"},
		{HTTP{Address: "127.0.0.1:1", Socket: "off"}, ""},
		{HTTP{}, ""},
		{HTTP{Socket: "s"}, "s"},
	} {
		if got := c.http.SocketPath("data"); got != c.want {
			t.Errorf("%+v: %q", c.http, got)
		}
	}
}
