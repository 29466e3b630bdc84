package api

import (
	"errors"
	stdmime "mime"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/localsocket"
	"github.com/postino-mail/postino/internal/store"
)

// ambient is who a caller without credentials is. By the unix socket the user of
// the program decides. By TCP it is no one, this machine included: a reverse
// proxy makes the whole internet look like it. Only where the administrator
// insists (Options.Keyless) may programs of the machine, and clients known by
// their address, hand over messages.
func (a *authenticator) ambient(r *http.Request, from origin) (*principal, error) {
	if from.peer == nil && !a.keyless {
		return nil, unauthorized(text("api.no_credentials", "the request has no credentials"))
	}
	if err := direct(r); err != nil {
		return nil, err
	}
	if from.peer != nil {
		return bySocket(*from.peer)
	}
	p, err := a.byAddress(r, from)
	if err != nil {
		return nil, err
	}
	if err := a.sameSite(r); err != nil {
		return nil, err
	}
	return p, notSimple(r)
}

func bySocket(peer localsocket.Peer) (*principal, error) {
	switch peer.Role {
	case localsocket.Owner:
		return &principal{scopes: []string{ScopeAdmin}, name: peer.User, space: peer.User, user: peer.User}, nil
	case localsocket.Member:
		return &principal{scopes: []string{scopeSubmit}, name: peer.User, space: peer.User, user: peer.User}, nil
	}
	return nil, unauthorized(text("api.socket_not_allowed",
		"this user of the machine may not use the socket without a key: only root, the server's user "+
			"and the members of socket_group may"))
}

func (a *authenticator) byAddress(r *http.Request, from origin) (*principal, error) {
	c, err := a.clients.ByAddress(r.Context(), from.addr)
	switch {
	case err == nil:
		return &principal{client: c, scopes: []string{scopeSubmit}, name: "client " + c.Name, keyless: true}, nil
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	case !from.local:
		return nil, unauthorized(text("api.no_credentials", "the request has no credentials"))
	}
	return &principal{scopes: []string{scopeSubmit}, name: "this machine", space: "this machine", keyless: true}, nil
}

// direct refuses what a proxy passed on or a web page made a browser send: then
// address and user do not identify the caller. A plain proxy may add no field at
// all; nginx by default is then still known by HTTP/1.0. That is no proof, and
// why HTTP by TCP wants a key.
func direct(r *http.Request) error {
	if !r.ProtoAtLeast(1, 1) {
		return unauthorized(text("api.http_1_0", "the request is HTTP/1.0, as proxies pass it on: the caller is not known"))
	}
	for name := range r.Header {
		name = strings.ToLower(name)
		if proxyField(name) {
			return unauthorized(text("api.through_proxy", "a proxy passed this on (field {name}): the caller is not known", "name", name))
		}
		if browserField(name) {
			return crossSite(text("api.from_browser",
				"a browser sent this (field {name}), and any web page can make it do so", "name", name))
		}
	}
	return nil
}

// proxyField reports a field that proxies and delivery networks add; name is in
// lower case.
func proxyField(name string) bool {
	for _, prefix := range []string{"x-forwarded", "x-original-", "x-real-", "x-envoy-", "x-proxy", "x-arr-", "x-azure-", "x-amzn-", "cf-",
		"fly-", "fastly-", "cdn-", "x-appengine-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	switch name {
	case "forwarded", "via", "x-client-ip", "x-cluster-client-ip", "true-client-ip", "x-remote-ip", "x-remote-addr",
		"x-host", "x-scheme", "x-url-scheme", "proxy-connection", "max-forwards":
		return true
	}
	return false
}

// browserField reports a field that browsers send and programs do not.
func browserField(name string) bool {
	return strings.HasPrefix(name, "sec-") || name == "origin" || name == "referer" || name == "cookie" || name == "upgrade-insecure-requests"
}

// notSimple refuses the media types that a form on any web page can send without
// the browser asking first (Fetch, CORS-safelisted request-header).
func notSimple(r *http.Request) error {
	if r.Method != http.MethodPost { // others are asked for in any case, or change nothing
		return nil
	}
	media, _, err := stdmime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && media != "text/plain" && media != "multipart/form-data" && media != "application/x-www-form-urlencoded" {
		return nil
	}
	return crossSite(text("api.content_type_without_key",
		"without a key this Content-Type is not taken, because any web page can make a browser send "+
			"it"))
}

func crossSite(message adapters.Text) *failure {
	return fail(http.StatusForbidden, "cross_site", "", message, text("api.use_key", "use an API key"))
}

// sameSite refuses what a browser sends on behalf of another site (Fetch
// Metadata, RFC 6454 origins) and under a name that is not this server's (DNS
// rebinding). Programs that are no browsers send none of these headers.
func (a *authenticator) sameSite(r *http.Request) error {
	refused := crossSite(text("api.cross_site",
		"a web page of another site sent this request, or it came under a host name that is not this "+
			"server's"))
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return refused
	}
	if o := r.Header.Get("Origin"); o != "" && !strings.EqualFold(o, "http://"+r.Host) && !strings.EqualFold(o, "https://"+r.Host) {
		return refused
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(host, ".")
	// No name that an attacker registered is a plain address.
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return nil
	}
	for _, own := range append([]string{"localhost"}, a.hosts...) {
		if own != "" && strings.EqualFold(host, own) {
			return nil
		}
	}
	return refused
}

// onMachine reports a request without credentials from a program of this
// machine itself, as far as anything in it can tell.
func (a *authenticator) onMachine(r *http.Request) bool {
	if r.Header.Get("Authorization") != "" {
		return false
	}
	from, err := a.proxies.origin(r)
	return err == nil && from.local && direct(r) == nil && a.sameSite(r) == nil
}
