package api

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/postino-mail/postino/internal/localsocket"
)

// An origin is where a request comes from: a user of this machine, or an address.
type origin struct {
	peer *localsocket.Peer // nil: came by TCP
	addr netip.Addr        // of the caller; invalid where peer is known
	near bool              // addr is loopback, and no proxy was named there
}

// payer is whom wrong credentials are counted against.
func (o origin) payer() string {
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

// origin tells where a request comes from. X-Forwarded-For is believed from the
// addresses that the administrator named, and of its list only what such a
// proxy wrote: the last address that is none of them. Anyone may claim the rest.
func (a *authenticator) origin(r *http.Request) (origin, error) {
	if p, ok := r.Context().Value(peerKey{}).(localsocket.Peer); ok {
		return origin{peer: &p}, nil
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return origin{}, unauthorized("the address of the caller is not known", "l'indirizzo del chiamante non è noto")
	}
	addr := plainAddr(from.Addr())
	if !a.proxy(addr) {
		return origin{addr: addr, near: addr.IsLoopback()}, nil
	}
	list := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(list) - 1; i >= 0; i-- {
		next, ok := forwardedAddr(list[i])
		if !ok {
			break
		}
		if addr = next; !a.proxy(addr) {
			break
		}
	}
	return origin{addr: addr}, nil
}

func (a *authenticator) proxy(addr netip.Addr) bool {
	for _, p := range a.opt.TrustedProxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
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
