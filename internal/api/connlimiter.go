package api

import (
	"net"
	"net/netip"
	"sync"

	"github.com/postino-mail/postino/internal/localsocket"
)

// A connLimiter closes connections of an address, or of a user of this machine,
// that has too many already, so that no one alone can take all that the server
// allows. Over TCP this machine is not counted: a reverse proxy on it speaks for
// everyone.
type connLimiter struct {
	net.Listener
	most int

	mu sync.Mutex
	n  map[string]int
}

func newConnLimiter(l net.Listener, most int) *connLimiter {
	return &connLimiter{Listener: l, most: most, n: map[string]int{}}
}

func (l *connLimiter) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		who := countedFor(c.RemoteAddr())
		if who == "" {
			return c, nil
		}
		if l.add(who) {
			return &limitedConn{Conn: c, done: func() { l.remove(who) }}, nil
		}
		_ = c.Close() // refused: there is nothing to do about an error of it
	}
}

// countedFor is the address or user that a connection is counted for; empty: none.
func countedFor(from net.Addr) string {
	if p, ok := from.(localsocket.Peer); ok {
		if p.Role == localsocket.Owner {
			return ""
		}
		return p.User
	}
	ap, err := netip.ParseAddrPort(from.String())
	if err != nil || plainAddr(ap.Addr()).IsLoopback() {
		return "" // a peer without an IP address is on this machine
	}
	return network(plainAddr(ap.Addr())).String()
}

func (l *connLimiter) add(who string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n[who] >= l.most {
		return false
	}
	l.n[who]++
	return true
}

func (l *connLimiter) remove(who string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n[who]--; l.n[who] <= 0 {
		delete(l.n, who)
	}
}

type limitedConn struct {
	net.Conn
	once sync.Once
	done func()
}

func (c *limitedConn) Close() error {
	c.once.Do(c.done)
	return c.Conn.Close()
}
