package api

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/postino-mail/postino/internal/localsocket"
)

// An origin is where a request comes from: a user of this machine, or an address.
type origin struct {
	peer  *localsocket.Peer // nil: came by TCP
	addr  netip.Addr        // of the caller; invalid where peer is known
	local bool              // addr is loopback, and is no trusted proxy
}

// limitKey is whom wrong credentials are counted against.
func (o origin) limitKey() string {
	if o.peer != nil {
		return o.peer.User
	}
	return network(o.addr).String()
}

type peerKey struct{}

// withPeer notes who is at the other end of a unix socket.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	if p, ok := c.RemoteAddr().(localsocket.Peer); ok {
		return context.WithValue(ctx, peerKey{}, p)
	}
	return ctx
}

// trustedProxies are the addresses with an X-Forwarded-For that is believed.
type trustedProxies []netip.Prefix

// origin returns where a request comes from. Of the list in X-Forwarded-For only
// what a trusted proxy wrote is believed: the last address that is not itself
// one. Anyone may claim the rest.
func (t trustedProxies) origin(r *http.Request) (origin, error) {
	if p, ok := r.Context().Value(peerKey{}).(localsocket.Peer); ok {
		return origin{peer: &p}, nil
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return origin{}, unauthorized(text("api.unknown_address", "the address of the caller is not known"))
	}
	addr := plainAddr(from.Addr())
	if !t.contain(addr) {
		return origin{addr: addr, local: addr.IsLoopback()}, nil
	}
	list := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(list) - 1; i >= 0; i-- {
		next, ok := forwardedAddr(list[i])
		if !ok {
			break
		}
		if addr = next; !t.contain(addr) {
			break
		}
	}
	return origin{addr: addr}, nil
}

func (t trustedProxies) contain(addr netip.Addr) bool {
	return slices.ContainsFunc(t, func(p netip.Prefix) bool { return p.Contains(addr) })
}

func plainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// forwardedAddr reads one entry of X-Forwarded-For: an address, which some
// proxies write with its port.
func forwardedAddr(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return plainAddr(ap.Addr()), true
	}
	addr, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return plainAddr(addr), err == nil
}

// relayed reports that a proxy passed the request on. That the proxy has got the
// answer, and sends the next request (from any client), does not mean that the
// client has: such acceptances stay unheard. Any caller may claim to be a proxy.
func (t trustedProxies) relayed(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "Via", "X-Forwarded-For", "X-Real-Ip"} {
		if len(r.Header[name]) > 0 {
			return true
		}
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && t.contain(plainAddr(from.Addr()))
}

// relayedByTLS reports that a trusted proxy says that it was reached by TLS.
func (t trustedProxies) relayedByTLS(r *http.Request) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && t.contain(plainAddr(from.Addr())) && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}
