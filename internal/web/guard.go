package web

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// policy is what a screen may load and do: its own files, nothing inline, no
// script from text, no frame around it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types postino"

// A guard refuses what is no request of this page's own reader.
type guard struct {
	cross *http.CrossOriginProtection
	hosts []string // names of this server; without public_url any name is taken
	tls   bool     // browsers come by TLS, through a proxy
}

func newGuard(publicURL, hostname string, log *slog.Logger) *guard {
	g := &guard{cross: http.NewCrossOriginProtection(), hosts: []string{"localhost", hostname}}
	if u, err := url.Parse(publicURL); err == nil && u.Host != "" {
		g.hosts, g.tls = append(g.hosts, u.Hostname()), u.Scheme == "https"
		if err := g.cross.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
			log.Warn("the public URL is no origin that a browser may send from", "err", err)
		}
	}
	return g
}

// headers are those of every answer.
func (g *guard) headers(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin") // addresses of first starts are secret
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cache-Control", "no-store")
}

// check refuses a name that is not this server's (DNS rebinding) and changes that a
// page of another site has a browser ask for.
func (g *guard) check(r *http.Request) error {
	if !g.own(r.Host) {
		return &problem{Status: http.StatusMisdirectedRequest,
			Detail: text("web.wrong_host", "this server does not answer under the name {host}", "host", r.Host),
			Hint: text("web.wrong_host_hint", "open it by its address or under the name that [http] public_url or hostname has in its "+
				"configuration")}
	}
	if g.cross.Check(r) != nil {
		return &problem{Status: http.StatusForbidden, Detail: text("web.cross_site", "another web site sent this"),
			Hint: text("web.cross_site_hint", "open the page here and do it again")}
	}
	return nil
}

// own reports a host that no one else can have a browser take for this server: an
// address or one of its names.
func (g *guard) own(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(host, ".")
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	for _, own := range g.hosts {
		if own != "" && strings.EqualFold(host, own) {
			return true
		}
	}
	return !strings.Contains(host, ".") && host != "" // a name of the local network: no public site has it
}

// byTLS reports whether cookies are for TLS alone.
func (g *guard) byTLS(r *http.Request) bool { return g.tls || r.TLS != nil }
