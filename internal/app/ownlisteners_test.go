package app

import (
	"net"
	"net/netip"
	"testing"

	"github.com/postino-mail/postino/internal/config"
)

func TestOwnListeners(t *testing.T) {
	t.Parallel()
	own := func(list ...string) *ownListeners {
		var conf []config.Listener
		for _, a := range list {
			conf = append(conf, config.Listener{Address: a})
		}
		return newOwnListeners(conf)
	}
	type call struct {
		own  *ownListeners
		to   string
		want bool
	}
	calls := []call{
		{own("127.0.0.1:2525"), "127.0.0.1:2525", true},
		{own("127.0.0.1:2525"), "[::ffff:127.0.0.1]:2525", true},
		{own("127.0.0.1:2525"), "0.0.0.0:2525", true},
		{own("127.0.0.1:2525"), "127.0.0.1:2526", false},
		{own("127.0.0.1:2525"), "127.0.0.2:2525", false},
		{own("127.0.0.1:2525"), "192.0.2.1:2525", false},
		{own("0.0.0.0:25"), "127.0.0.5:25", true},
		{own("0.0.0.0:25"), "192.0.2.1:25", false},
		{own("0.0.0.0:25"), "[::1]:25", false},
		{own("[::]:25"), "127.0.0.1:25", true},
		{own("[::]:25"), "[::1]:25", true},
		{own("10.0.0.1:587", "[::1]:25"), "[::1]:25", true},
		{own("127.0.0.1:0"), "127.0.0.1:0", false},
		{own(":25"), "127.0.0.1:25", true},
		{own(":25"), "[::1]:25", true},
		{own("localhost:25"), "127.0.0.1:25", true},
		{own("localhost:smtp"), "127.0.0.1:25", true},
		{own("no-such-host.invalid:25", "none"), "127.0.0.1:25", false},
		{own(), "127.0.0.1:25", false},
		{nil, "127.0.0.1:25", false},
	}
	if addrs, err := net.InterfaceAddrs(); err == nil {
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok {
				if ip, ok := netip.AddrFromSlice(n.IP); ok {
					calls = append(calls, call{own("[::]:25"), netip.AddrPortFrom(ip.Unmap(), 25).String(), true})
				}
			}
		}
	}
	for _, c := range calls {
		if got := c.own.at(netip.MustParseAddrPort(c.to)); got != c.want {
			t.Errorf("%s, listening at %v: %v", c.to, c.own, got)
		}
	}
	if o := own("127.0.0.1:2525"); !o.leadsTo(t.Context(), "localhost", 2525) || o.leadsTo(t.Context(), "localhost", 25) ||
		o.leadsTo(t.Context(), "no-such-host.invalid", 2525) {
		t.Error("localhost is a name of the listener, no-such-host is none")
	}
}
