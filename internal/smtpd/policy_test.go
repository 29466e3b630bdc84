package smtpd

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/config"
)

// TestNoOpenRelay: no configuration that starts lets strangers send.
func TestNoOpenRelay(t *testing.T) {
	t.Parallel()
	any4, own := netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("127.0.0.1")
	stranger := netip.MustParseAddr("203.0.113.9")
	for _, c := range []struct {
		name    string
		l       config.Listener
		bound   netip.Addr
		wantErr string
		admits  bool // the stranger
		free    bool // and lets who may connect send without being a client
	}{
		{name: "default on loopback", bound: own, free: true},
		{name: "default elsewhere", bound: any4, admits: true},
		{name: "auth required", bound: any4, l: config.Listener{Auth: "required"}, admits: true},
		{name: "auth optional without networks", bound: any4, l: config.Listener{Auth: "optional"}, free: true},
		{name: "auth off without networks", bound: any4, l: config.Listener{Auth: "off"}, wantErr: "anyone could send"},
		{name: "auth off on loopback", bound: own, l: config.Listener{Auth: "off"}, free: true},
		{name: "auth off with networks", bound: any4, l: config.Listener{Auth: "off", Networks: []string{"10.0.0.0/8"}}, free: true},
		{name: "everybody as network", bound: any4, l: config.Listener{Auth: "off", Networks: []string{"0.0.0.0/0"}}, wantErr: "open relay"},
		{name: "everybody in halves", bound: any4, l: config.Listener{Auth: "optional", Networks: []string{"0.0.0.0/1", "128.0.0.0/1"}},
			wantErr: "open relay"},
		{name: "everybody in IPv6", bound: any4, l: config.Listener{Auth: "off", Networks: []string{"2000::/3"}}, wantErr: "open relay"},
		{name: "everybody in IPv6, mapped", bound: any4, l: config.Listener{Auth: "off", Networks: []string{"::ffff:0.0.0.0/96"}},
			wantErr: "open relay"},
		{name: "everybody on a loopback port that is forwarded", bound: own, l: config.Listener{Networks: []string{"::/0"}},
			wantErr: "open relay"},
		{name: "unique local addresses", bound: any4, l: config.Listener{Auth: "off", Networks: []string{"fd00::/8"}}, free: true},
		{name: "networks with auth", bound: any4, l: config.Listener{Networks: []string{"10.0.0.0/8"}}},
		{name: "legacy without networks", bound: own, l: config.Listener{BareLF: true}, wantErr: "needs networks"},
		{name: "old TLS without networks", bound: any4, l: config.Listener{MinTLS: "1.1"}, wantErr: "needs networks"},
		{name: "plaintext without networks", bound: any4, l: config.Listener{PlaintextAuth: true}, wantErr: "needs networks"},
		{name: "auth that can never be", bound: any4, l: config.Listener{TLS: "none", Auth: "required"}, wantErr: "never be offered"},
		{name: "bad words", bound: any4, l: config.Listener{TLS: "ssl"}, wantErr: "none of"},
		{name: "bad auth", bound: any4, l: config.Listener{Auth: "no"}, wantErr: "none of"},
		{name: "bad version", bound: any4, l: config.Listener{MinTLS: "3"}, wantErr: "none of"},
		{name: "bad network", bound: any4, l: config.Listener{Networks: []string{"x"}}, wantErr: "not a network"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, err := newPolicy(c.l, c.bound)
			if c.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), c.wantErr) {
					t.Fatalf("error %v, want one with %q", err, c.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if p.allows(stranger) != c.admits || p.anonymous() != c.free {
				t.Errorf("admits a stranger: %v, want %v; sends without being a client: %v, want %v", p.allows(stranger), c.admits, p.anonymous(),
					c.free)
			}
			if p.allows(stranger) && p.anonymous() {
				t.Error("open relay")
			}
		})
	}
}

func TestParty(t *testing.T) {
	t.Parallel()
	a, b := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::ffff:2")
	if limitKey(a) != limitKey(b) || limitKey(a) == limitKey(netip.MustParseAddr("2001:db8:0:1::1")) {
		t.Error("an IPv6 subscriber is a /64")
	}
	if v := netip.MustParseAddr("192.0.2.1"); limitKey(v) != v {
		t.Error("an IPv4 address is itself")
	}
	if v := netip.IPv6Loopback(); !limitKey(v).IsLoopback() {
		t.Error("loopback stays loopback")
	}
}
