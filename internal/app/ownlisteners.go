package app

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/postino-mail/postino/internal/config"
)

// ownListeners are the addresses at which this process takes SMTP: no
// connection may lead there. What leads to another node is known by the trace
// in the message. nil has none. Safe for concurrent use.
type ownListeners struct {
	mu   sync.RWMutex
	list []netip.AddrPort
}

// newOwnListeners knows those of the configuration; set tells of all once they
// are open, those with a port that the system chose too.
func newOwnListeners(conf []config.Listener) *ownListeners {
	addresses := make([]string, len(conf))
	for i, l := range conf {
		addresses[i] = l.Address
	}
	o := new(ownListeners)
	o.set(addresses)
	return o
}

func (o *ownListeners) set(addresses []string) {
	var list []netip.AddrPort
	for _, a := range addresses {
		for _, ap := range boundBy(a) {
			if ap.Port() != 0 {
				list = append(list, netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port()))
			}
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = list
}

// boundBy is where a listener listens that is called so: a name stands for its
// addresses, and none for all of the machine.
func boundBy(address string) (out []netip.AddrPort) {
	if ap, err := netip.ParseAddrPort(address); err == nil {
		return []netip.AddrPort{ap}
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupTime)
	defer cancel()
	port, err := net.DefaultResolver.LookupPort(ctx, "tcp", service)
	if err != nil {
		return nil
	}
	ips := []netip.Addr{netip.IPv6Unspecified()}
	if host != "" {
		if ips, err = net.DefaultResolver.LookupNetIP(ctx, "ip", host); err != nil {
			return nil // the server does not start with it either
		}
	}
	for _, ip := range ips {
		out = append(out, netip.AddrPortFrom(ip, uint16(port))) //nolint:gosec // LookupPort returns none above 65535
	}
	return out
}

// at reports that a call to an address reaches one of the listeners.
func (o *ownListeners) at(to netip.AddrPort) bool {
	if o == nil {
		return false
	}
	o.mu.RLock()
	defer o.mu.RUnlock()
	ip := to.Addr().Unmap().WithZone("")
	for _, l := range o.list {
		if l.Port() != to.Port() {
			continue
		}
		switch has := l.Addr(); {
		case has == ip, ip.IsUnspecified() && has.IsLoopback(): // 0.0.0.0 is called on loopback
			return true
		case has.IsUnspecified() && (has.Is6() || ip.Is4()) && thisMachine(ip):
			return true
		}
	}
	return false
}

// lookupTime bounds the wait for the addresses of a name.
const lookupTime = 2 * time.Second

// thisMachine reports an address that a listener on all addresses has.
func thisMachine(ip netip.Addr) bool {
	if ip.IsLoopback() || ip.IsUnspecified() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false // the trace ends a loop that is not seen here
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			if has, ok := netip.AddrFromSlice(n.IP); ok && has.Unmap() == ip {
				return true
			}
		}
	}
	return false
}

// leadsTo reports that a host, a name or an address, is one of the listeners. A
// name that cannot be resolved now is looked at again when mail goes there.
func (o *ownListeners) leadsTo(ctx context.Context, host string, port int) bool {
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return false
	}
	for _, ip := range ips {
		if o.at(netip.AddrPortFrom(ip, uint16(port))) { //nolint:gosec // Validate has checked the port
			return true
		}
	}
	return false
}
