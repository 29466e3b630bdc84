package adapters

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"golang.org/x/net/http/httpproxy"

	"github.com/postino-mail/postino/mime"
)

// A Proxies is the proxy settings of the environment (HTTP_PROXY, HTTPS_PROXY,
// NO_PROXY and their lower-case forms) as they were when it was made. NO_PROXY
// is read as curl reads it: names separated by commas or spaces, each for
// itself and all below it, with or without a leading dot.
// Safe for concurrent use.
type Proxies struct {
	choose   func(*url.URL) (*url.URL, error)
	variable map[string]string // scheme to the variable that names its proxy
}

// NewProxies reads the environment.
func NewProxies() *Proxies {
	conf := httpproxy.FromEnvironment()
	var names []string
	for _, n := range strings.FieldsFunc(conf.NoProxy, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
		if n != "*" {
			n = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(n, "*"), "."), ".")
		}
		if n != "" {
			names = append(names, n)
		}
	}
	conf.NoProxy = strings.Join(names, ",")
	return &Proxies{choose: conf.ProxyFunc(), variable: map[string]string{
		"https": setVariable("HTTPS_PROXY"), "http": setVariable("HTTP_PROXY")}}
}

func setVariable(name string) string {
	for _, n := range []string{name, strings.ToLower(name)} {
		if os.Getenv(n) != "" {
			return n
		}
	}
	return name
}

// For chooses the proxy of a request, nil for none: http.Transport's Proxy.
// Metadata and identity services of clouds are never asked through one: they
// answer for the machine that asks.
func (p *Proxies) For(req *http.Request) (*url.URL, error) {
	if isMetadata(req.URL.Hostname()) {
		return nil, nil
	}
	return p.choose(req.URL)
}

func isMetadata(host string) bool {
	if strings.EqualFold(strings.TrimSuffix(host, "."), "metadata.google.internal") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && (ip.IsLinkLocalUnicast() || ip == netip.MustParseAddr("168.63.129.16") || ip == netip.MustParseAddr("fd00:ec2::254"))
}

// Refused makes the error of a proxy that did not open the tunnel:
// http.Transport's OnProxyConnectResponse. Nothing was sent to the provider.
func (p *Proxies) Refused(_ context.Context, proxy *url.URL, req *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyError{Proxy: proxy.Host, Status: resp.StatusCode, Variable: p.variable["https"]}
}

// A proxyError is a proxy's refusal of CONNECT (RFC 9110 section 9.3.6).
type proxyError struct {
	Proxy    string // host and port, without credentials
	Status   int
	Variable string // of the environment, that names the proxy
}

// Error implements error.
func (e *proxyError) Error() string {
	return fmt.Sprintf("the proxy %s answered CONNECT with %d", e.Proxy, e.Status)
}

// describe says what to do about a proxy that refused.
func (e *proxyError) describe(out *Error, host string) {
	out.Code, out.Status = CodeProxy, e.Status
	out.Message = mime.NewText("network.proxy_refused_connection",
		"the proxy {proxy} refused the connection to {host} ({status})",
		"proxy", e.Proxy, "host", host, "status", e.Status)
	switch e.Status {
	case http.StatusProxyAuthRequired:
		out.Code = CodeProxyAuth
		out.Hint = mime.NewText("network.proxy_auth_hint",
			"put the proxy's user and password into {variable} (http://user:password@{proxy}), or have the proxy let "+
				"this machine pass without",
			"variable", e.Variable, "proxy", e.Proxy)
	case http.StatusForbidden, http.StatusMethodNotAllowed:
		out.Hint = mime.NewText("network.proxy_must_allow",
			"have the proxy's administrator allow {host} on port 443, or add it to NO_PROXY; the proxy is named by "+
				"{variable}",
			"host", host, "variable", e.Variable)
	default:
		out.Hint = mime.NewText("network.proxy_cannot_reach",
			"the proxy itself cannot reach {host}: ask its administrator, or correct {variable} and NO_PROXY",
			"host", host, "variable", e.Variable)
	}
}

// proxyDialed is the address of a proxy that could not be reached, empty when unknown.
func proxyDialed(op *net.OpError) string {
	if inner, ok := op.Err.(*net.OpError); ok && inner.Addr != nil { //nolint:errorlint // the transport wraps exactly once
		return inner.Addr.String()
	}
	return ""
}
