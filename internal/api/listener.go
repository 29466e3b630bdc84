package api

import (
	"net"
	"net/netip"
	"sync"
)

// A fairListener closes connections of an address that has too many already,
// so that nobody alone can take all that the server allows. This machine is
// not counted: a reverse proxy on it speaks for everybody.
type fairListener struct {
	net.Listener
	most int

	mu sync.Mutex
	n  map[netip.Addr]int
}

func newFairListener(l net.Listener, most int) *fairListener {
	return &fairListener{Listener: l, most: most, n: map[netip.Addr]int{}}
}

func (l *fairListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from, err := netip.ParseAddrPort(c.RemoteAddr().String())
		if err != nil || from.Addr().Unmap().IsLoopback() {
			return c, nil //nolint:nilerr // a peer without an IP address is on this machine
		}
		a := network(from.Addr().Unmap().WithZone(""))
		if l.add(a) {
			return &fairConn{Conn: c, done: func() { l.remove(a) }}, nil
		}
		_ = c.Close() // refused: there is nothing to do about an error of it
	}
}

func (l *fairListener) add(a netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n[a] >= l.most {
		return false
	}
	l.n[a]++
	return true
}

func (l *fairListener) remove(a netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n[a]--; l.n[a] <= 0 {
		delete(l.n, a)
	}
}

type fairConn struct {
	net.Conn
	once sync.Once
	done func()
}

func (c *fairConn) Close() error {
	c.once.Do(c.done)
	return c.Conn.Close()
}
