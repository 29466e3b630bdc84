package core

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// vendors are the vendors' own host names that the sandbox stands for behind its
// proxy, as "host:port".
type vendors struct {
	mu    sync.RWMutex
	take  map[string]func(net.Conn) // gets a fresh TCP connection of a client
	hosts map[string]bool
}

// StandFor makes the proxy hand connections to the hosts at the port over to take.
func (c *Core) StandFor(port string, take func(net.Conn), hosts ...string) {
	c.vendors.mu.Lock()
	defer c.vendors.mu.Unlock()
	if c.vendors.take == nil {
		c.vendors.take, c.vendors.hosts = make(map[string]func(net.Conn)), make(map[string]bool)
	}
	for _, h := range hosts {
		c.vendors.take[net.JoinHostPort(h, port)], c.vendors.hosts[h] = take, true
	}
}

// Base is the root of the addresses in an answer: the vendor's host where the request
// came for one of these, otherwise own.
func (c *Core) Base(r *http.Request, own string) string {
	host := strings.ToLower(strings.TrimSuffix(r.Host, ":443"))
	c.vendors.mu.RLock()
	defer c.vendors.mu.RUnlock()
	if c.vendors.hosts[host] {
		return "https://" + host
	}
	return own
}

// ServeProxy answers CONNECT (RFC 9110 section 9.3.6) for the hosts of StandFor and
// refuses every other one: nothing leaves the sandbox. Requests without TLS for a host
// in plain are answered by its handler.
func (c *Core) ServeProxy(addr string, plain map[string]http.Handler) (string, error) {
	return c.ServeHTTP(addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect {
			c.connect(w, r)
			return
		}
		if h := plain[strings.ToLower(r.URL.Hostname())]; h != nil && r.URL.IsAbs() {
			h.ServeHTTP(w, r)
			return
		}
		c.refuseHost(w, r)
	}))
}

func (c *Core) refuseHost(w http.ResponseWriter, r *http.Request) {
	c.Count("proxy.refused")
	c.Log.Warn("the proxy refused a host that the sandbox does not stand for", "host", r.Host)
	http.Error(w, "postino sandbox: "+r.Host+" is none of the vendors' hosts that this proxy stands for; nothing leaves the sandbox. "+
		"Except the host from the proxy (NO_PROXY) if the program is to reach it.", http.StatusForbidden)
}

func (c *Core) connect(w http.ResponseWriter, r *http.Request) {
	c.vendors.mu.RLock()
	take := c.vendors.take[strings.ToLower(r.Host)]
	c.vendors.mu.RUnlock()
	hijacker, ok := w.(http.Hijacker)
	if take == nil || !ok {
		c.refuseHost(w, r)
		return
	}
	c.Count("proxy.connect")
	conn, rw, err := hijacker.Hijack()
	if err != nil {
		c.Log.Debug("the proxy lost a client", "err", err)
		return
	}
	_, err = conn.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n"))
	if err = errors.Join(err, conn.SetDeadline(time.Time{})); err != nil {
		_ = conn.Close() // the client is gone
		return
	}
	if rw.Reader.Buffered() > 0 { // it did not wait for the answer
		conn = &bufferedConn{conn, rw.Reader}
	}
	take(conn)
}

// A bufferedConn is a connection of which something was read already.
type bufferedConn struct {
	net.Conn
	r *bufio.Reader
}

func (b *bufferedConn) Read(p []byte) (int, error) { return b.r.Read(p) }

// NetConn is the connection below, for ResetConn.
func (b *bufferedConn) NetConn() net.Conn { return b.Conn }

// A handoff is a listener with connections that come from the proxy.
type handoff struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
	addr  net.Addr
}

func newHandoff(addr net.Addr) *handoff {
	return &handoff{conns: make(chan net.Conn), done: make(chan struct{}), addr: addr}
}

func (h *handoff) take(ctx context.Context, conn net.Conn) {
	select {
	case h.conns <- conn:
	case <-h.done:
		_ = conn.Close() // the sandbox ends
	case <-ctx.Done():
		_ = conn.Close() // likewise
	}
}

// Accept waits for the next connection; after Close the error is net.ErrClosed.
func (h *handoff) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (h *handoff) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

// Addr is that of the server's own listener.
func (h *handoff) Addr() net.Addr { return h.addr }
