package config

import (
	"math"
	"net/netip"
	"slices"
	"strconv"

	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// ParsePrefixes reads networks such as 192.168.1.0/24, and single addresses. IPv4
// written as IPv6 (::ffff:192.168.1.0/120) is the IPv4 that it means.
func ParsePrefixes(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, n := range list {
		p, err := netip.ParsePrefix(n)
		if a, aerr := netip.ParseAddr(n); err != nil && aerr == nil && a.Zone() == "" {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return nil, texterr.New(mime.NewText("config.not_a_network", "{value} is not a network: write 192.168.1.0/24 or one address", "value",
				strconv.Quote(n)))
		}
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// Everyone reports networks that are too large to be somebody's own: one below
// /8 (IPv6: /16), or many that hold half of the Internet together. Whoever is let
// in by such an address is let in by none. It is the one check for clients,
// listeners, receivers and the command line.
func Everyone(list []netip.Prefix) bool {
	tooWide := func(p netip.Prefix) bool {
		a := p.Addr()
		return a.Is4() && p.Bits() < 8 || a.Is6() && p.Bits() < 16 && !a.IsPrivate() && !a.IsLinkLocalUnicast()
	}
	return slices.ContainsFunc(list, tooWide) || slices.ContainsFunc(internets(), func(all netip.Prefix) bool {
		return share(list, all) >= 0.5
	})
}

// EveryoneText is why a client cannot have networks that are Everyone.
func EveryoneText() mime.Text {
	return mime.NewText("config.networks_everyone",
		"these networks are everyone: that would be an open relay; name the addresses of the devices")
}

// internets are the ranges each of which reaches everyone: IPv4, global IPv6
// (RFC 4291 section 2.4, IANA 2000::/3), and IPv4 inside IPv6 (mapped; NAT64,
// RFC 6052; 6to4, RFC 3056).
func internets() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("2000::/3"), netip.MustParsePrefix("::ffff:0:0/96"),
		netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("2002::/16")}
}

// share is the part of a range that the networks hold together, 0 to 1.
func share(list []netip.Prefix, all netip.Prefix) float64 {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b netip.Prefix) int { return a.Bits() - b.Bits() })
	held := 0.0
	var counted []netip.Prefix // networks are nested or apart, never across
	for _, p := range list {
		if p.Bits() <= all.Bits() && p.Overlaps(all) {
			return 1
		}
		if p.Overlaps(all) && !slices.ContainsFunc(counted, p.Overlaps) {
			counted = append(counted, p)
			held += math.Exp2(float64(all.Bits() - p.Bits()))
		}
	}
	return held
}
