package adapters_test

import (
	"net/netip"
	"testing"

	"github.com/postino-mail/postino/adapters"
)

func TestPublicAddress(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1111": true,
		"127.0.0.1": false, "10.0.0.1": false, "172.16.5.5": false, "192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false,
		"0.0.0.0": false, "198.18.0.1": false,
		"255.255.255.255": false, "224.0.0.1": false, "::": false, "::1": false, "fe80::1": false, "fd00::1": false, "ff02::1": false,
		"::ffff:127.0.0.1": false,
		"64:ff9b::7f00:1":  false, "2002:7f00:1::": false, "2001::1": false, "::127.0.0.1": false, "fec0::1": false, "4000::1": false,
	} {
		if adapters.PublicAddress(netip.MustParseAddr(addr)) != want {
			t.Errorf("%s: public is %t", addr, !want)
		}
	}
}
