package webhook

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

func privateAddress() adapters.Text {
	return mime.NewText("webhook.private_address", "the receiver's address is not public: use one that is, "+
		"or have its network named under [webhooks] networks in the server's configuration")
}

func withoutTLS() adapters.Text {
	return mime.NewText("webhook.without_tls",
		"without TLS only receivers in the networks named under [webhooks] networks are called: use https://")
}

// ErrPrivate is why a receiver at an address that is not public is not called.
var ErrPrivate = texterr.New(privateAddress())

// errPlain is why a receiver is not called without TLS.
var errPlain = texterr.New(withoutTLS())

// CheckTypes returns what is wrong with the types of events that a webhook asks for: one
// that does not exist would never come.
func CheckTypes(types []string) (wrong adapters.Text, ok bool) {
	known := store.EventTypes()
	for _, t := range types {
		if !slices.Contains(known, t) {
			return mime.NewText("webhook.unknown_type", "there is no type of events {type}: there are {known}", "type", strconv.Quote(t),
				"known", strings.Join(known, ", ")), false
		}
	}
	return adapters.Text{}, true
}

// CheckURL returns what is wrong with an address that could never be called; ok
// is true when nothing is. networks are those of Options.
func CheckURL(raw string, networks []netip.Prefix) (wrong adapters.Text, ok bool) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "":
		return mime.NewText("webhook.url_unreadable", "the URL cannot be read: write https://host/path"), false
	case u.User != nil:
		return mime.NewText("webhook.url_with_user", "the URL has a user name or a password: the signature proves who calls"), false
	case u.Scheme != "https" && (len(networks) == 0 || u.Scheme != "http"):
		return mime.NewText("webhook.url_https", "the URL must begin with https://"), false
	case u.Fragment != "":
		return mime.NewText("webhook.url_fragment", "the URL has a fragment, which is never sent"), false
	}
	host := u.Hostname()
	if host == "localhost" {
		host = "127.0.0.1"
		if Within(networks, netip.IPv6Loopback()) {
			host = "::1"
		}
	}
	a, err := netip.ParseAddr(host)
	switch {
	case err != nil: // a name: its address counts when it is called
	case Within(networks, a):
	case !adapters.PublicAddress(a):
		return privateAddress(), false
	case u.Scheme != "https":
		return withoutTLS(), false
	}
	return adapters.Text{}, true
}

// Within reports an address in one of the networks.
func Within(networks []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
}

// transports calls receivers with and without TLS; each has connections of its
// own, because the addresses that it may reach differ.
type transports struct{ secure, plain *http.Transport }

func (t *transports) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "https" {
		return t.secure.RoundTrip(r)
	}
	return t.plain.RoundTrip(r)
}

func (t *transports) CloseIdleConnections() {
	t.secure.CloseIdleConnections()
	t.plain.CloseIdleConnections()
}

// newClient makes the client for webhooks: no proxy, no redirects, and no
// connection to an address that is neither public nor in the networks. The
// address is looked at when the connection is made, so that no name can change
// between.
func newClient(networks []netip.Prefix) *http.Client {
	transport := func(allow func(netip.Addr) error) *http.Transport {
		d := &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
			a, err := netip.ParseAddrPort(address)
			if err != nil {
				return ErrPrivate
			}
			return allow(a.Addr())
		}}
		return &http.Transport{DialContext: d.DialContext, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: timeout,
			MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 64 << 10}
	}
	return &http.Client{
		Transport: &transports{
			secure: transport(func(a netip.Addr) error {
				if !adapters.PublicAddress(a) && !Within(networks, a) {
					return ErrPrivate
				}
				return nil
			}),
			plain: transport(func(a netip.Addr) error {
				if !Within(networks, a) {
					return errPlain
				}
				return nil
			})},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
