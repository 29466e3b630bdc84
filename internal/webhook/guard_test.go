package webhook

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func loopback() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

func TestCheckURL(t *testing.T) {
	t.Parallel()
	inside := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.2.0.0/16"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		url           string
		strict, named bool // allowed without networks, with those above
	}{
		{"https://example.com/x", true, true},
		{"https://example.com:8443/x?token=1", true, true},
		{"https://8.8.8.8/", true, true},
		{"http://8.8.8.8/", false, false},
		{"http://erp.local:8080/x", false, true}, // what the name means is looked at when it is called
		{"https://127.0.0.1/", false, true},
		{"http://127.0.0.1:80/", false, true},
		{"http://127.0.0.2:80/", false, false},
		{"https://[::ffff:127.0.0.1]/", false, true},
		{"https://localhost/", false, true},
		{"http://localhost:9/", false, true},
		{"https://10.2.3.4/", false, true},
		{"https://10.3.3.4/", false, false},
		{"https://[fd00::1]/", false, true},
		{"https://[::1]/", false, false},
		{"https://169.254.169.254/latest", false, false},
		{"https://user:pw@example.com/", false, false},
		{"https://", false, false},
		{"ftp://example.com", false, false},
		{"https://example.com/#x", false, false},
		{"://", false, false},
		{"https:example.com", false, false},
	} {
		for networks, want := range map[*[]netip.Prefix]bool{new([]netip.Prefix): c.strict, &inside: c.named} {
			if wrong, ok := CheckURL(c.url, *networks); ok != want || !ok && (wrong.String() == "" || wrong.In("it") == wrong.String()) {
				t.Errorf("%s with %v: %t %v", c.url, *networks, ok, wrong)
			}
		}
	}
}

// What counts is the address that is dialled, not the name.
func TestGuardAtTheSocket(t *testing.T) {
	t.Parallel()
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	plain, secure := httptest.NewServer(ok), httptest.NewTLSServer(ok)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	named := strings.Replace(plain.URL, "127.0.0.1", "localhost", 1)
	elsewhere := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct {
		name, url string
		networks  []netip.Prefix
		want      error
	}{
		{"plain, nothing named", plain.URL, nil, errPlain},
		{"TLS, nothing named", secure.URL, nil, ErrPrivate},
		{"plain, another network", plain.URL, elsewhere, errPlain},
		{"TLS, another network", secure.URL, elsewhere, ErrPrivate},
		{"plain by name, another network", named, elsewhere, errPlain},
		{"plain, named", plain.URL, loopback(), nil},
		{"TLS, named", secure.URL, loopback(), nil},
		{"plain by name, named", named, append(loopback(), netip.MustParsePrefix("::1/128")), nil},
	} {
		client := newClient(c.networks)
		tr, isOurs := client.Transport.(*transports)
		if !isOurs {
			t.Fatalf("%T", client.Transport)
		}
		tr.secure.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
		res, err := client.Get(c.url)
		if err == nil {
			res.Body.Close()
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		client.CloseIdleConnections()
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	inside := httptest.NewServer(http.RedirectHandler("http://127.0.0.1:1/", http.StatusTemporaryRedirect))
	defer inside.Close()
	c := newClient(loopback())
	defer c.CloseIdleConnections()
	res, err := c.Get(inside.URL)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusTemporaryRedirect {
		t.Error(res.Status)
	}
}
