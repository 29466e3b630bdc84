package fallback

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters"
)

// A server that someone who is no administrator named is called at public
// addresses and in the networks that the administrator names, and its words are
// not passed on.
func TestPublicOnly(t *testing.T) {
	t.Parallel()
	k := newSink(t, func(c *sinkConn, line string) bool {
		if strings.HasPrefix(line, "MAIL") {
			_, _ = c.w.WriteString("550 the secrets of an inner service\r\n")
			_ = c.w.Flush()
			return true
		}
		return false
	})
	restricted := func(c *adapters.Connection) { SettingsOf(c).PublicOnly = true }
	loopback := Options{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	for name, a := range map[string]adapters.Adapter{
		"address":     k.adapter(t, Options{}, restricted),
		"name":        k.adapter(t, Options{}, func(c *adapters.Connection) { restricted(c); SettingsOf(c).Host = "localhost" }),
		"own dialer":  k.adapter(t, Options{Dialer: (&net.Dialer{}).DialContext}, restricted),
		"other range": k.adapter(t, Options{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, restricted),
	} {
		if err := a.Probe(t.Context()); describe(err) != "auth address_not_public scope=connection" {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := k.adapter(t, loopback, restricted).Send(t.Context(), outgoing(bigMessage(t, 100), "b@example.com"))
	if e := adapters.AsError(err); e.Status != 550 || strings.Contains(e.Message.String()+e.Message.In("it")+e.Hint.String(), "secrets") {
		t.Errorf("%v", err)
	}
	_, err = k.adapter(t, Options{}, nil).Send(t.Context(), outgoing(bigMessage(t, 100), "b@example.com"))
	if e := adapters.AsError(err); e == nil || !strings.Contains(e.Message.String(), "secrets") {
		t.Errorf("an administrator's server: %v", err)
	}
}

// No connection leads to a listener of the program itself, whatever name its
// server has.
func TestOwnListener(t *testing.T) {
	t.Parallel()
	k := newSink(t, nil)
	opt := Options{OwnListener: func(to netip.AddrPort) bool { return to.Addr().Unmap().IsLoopback() }}
	named := func(c *adapters.Connection) { SettingsOf(c).Host = "localhost" }
	for name, a := range map[string]adapters.Adapter{"name": k.adapter(t, opt, named),
		"own dialer": k.adapter(t, Options{OwnListener: opt.OwnListener, Dialer: (&net.Dialer{}).DialContext}, named)} {
		if _, err := a.Send(t.Context(), outgoing(bigMessage(t, 100), "b@example.com")); describe(err) != "auth own_listener scope=connection" {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := &adapters.Connection{Name: "loop", Provider: adapters.SMTP, From: "a@example.com",
		Settings: &Settings{Host: "127.0.0.1", Port: 25, Encryption: EncryptionNone}}
	if _, err := New(c, opt); describe(err) != "auth own_listener scope=connection" {
		t.Errorf("an address: %v", err)
	}
}
