package smtpd

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"

	"github.com/postino-mail/postino/internal/config"
)

// How a listener is protected by TLS.
const (
	tlsImplicit = "implicit"
	tlsRequired = "starttls"
	tlsOptional = "optional"
	tlsNone     = "none"
)

// An authMode says who may send through a listener.
type authMode int

const (
	authKnown    authMode = iota // default off loopback: AUTH, or a client known by its address
	authRequired                 // only AUTH
	authOptional                 // everyone who may connect; default on loopback
	authOff                      // the same, and AUTH is not offered
)

// A policy is what one listener allows.
type policy struct {
	config.Listener
	networks []netip.Prefix
	auth     authMode
	minTLS   uint16
}

// newPolicy checks a listener's settings. bound is the address it listens on.
// An open relay is an error.
func newPolicy(l config.Listener, bound netip.Addr) (*policy, error) {
	p := &policy{Listener: l}
	var err error
	if p.networks, err = l.Prefixes(); err != nil {
		return nil, err
	}
	if p.TLS == "" {
		p.TLS = tlsOptional
	}
	versions := map[string]uint16{"": tls.VersionTLS12, "1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12,
		"1.3": tls.VersionTLS13}
	ok := false
	if p.minTLS, ok = versions[l.MinTLS]; !ok {
		return nil, fmt.Errorf("min_tls %q is none of 1.2, 1.3 (or 1.0, 1.1 for old devices)", l.MinTLS)
	}
	switch p.TLS {
	case tlsImplicit, tlsRequired, tlsOptional, tlsNone:
	default:
		return nil, fmt.Errorf("tls %q is none of implicit, starttls, optional, none", p.TLS)
	}
	loopback := bound.IsLoopback()
	switch l.Auth {
	case "":
		p.auth = authKnown
		if loopback {
			p.auth = authOptional
		}
	case "required":
		p.auth = authRequired
	case "optional":
		p.auth = authOptional
	case "off":
		p.auth = authOff
	default:
		return nil, fmt.Errorf("auth %q is none of required, optional, off", l.Auth)
	}
	if p.MaxConnections <= 0 {
		p.MaxConnections = 1000
	}
	if p.MaxPerAddress <= 0 {
		p.MaxPerAddress = 100
	}
	if p.MaxRecipients <= 0 {
		p.MaxRecipients = 1000 // RFC 5321 section 4.5.3.1.8 asks for 100
	}
	return p, p.CheckAccess(loopback, p.networks)
}

// allows reports whether the address may connect.
func (p *policy) allows(a netip.Addr) bool {
	for _, n := range p.networks {
		if n.Contains(a) {
			return true
		}
	}
	if len(p.networks) > 0 {
		return false
	}
	return p.auth == authKnown || p.auth == authRequired || a.IsLoopback()
}

// anonymous reports whether everyone who may connect may send without being a client.
func (p *policy) anonymous() bool { return p.auth == authOptional || p.auth == authOff }

func (p *policy) lenient() bool { return p.BareLF || p.MissingHeaders }

// addressOf is the address of a peer or listener, IPv4 not mapped to IPv6.
func addressOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// limitKey is what limits count by: an IPv4 address, or the /64 of an IPv6
// subscriber.
func limitKey(a netip.Addr) netip.Addr {
	if a.Is6() && !a.IsLoopback() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}
