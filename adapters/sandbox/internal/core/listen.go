package core

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// listeners are the HTTP servers of a sandbox.
type listeners struct {
	mu      sync.Mutex
	servers []*http.Server
	closed  bool
	wg      sync.WaitGroup // servers and requests in work
}

// begin notes a request in work; false after close began.
func (l *listeners) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.wg.Add(1)
	}
	return !l.closed
}

// ServeTLS serves h with HTTPS on the port of name and returns the base URL; the proxy
// hands over what is meant for hosts, the vendor's names of the same server. HTTP/1.1
// only: a fault must be able to reset the one connection of a request.
func (c *Core) ServeTLS(name string, h http.Handler, hosts ...string) (string, error) {
	cfg, err := c.ServerTLS(hosts...)
	if err != nil {
		return "", err
	}
	ln, err := c.Listen(name)
	if err != nil {
		return "", err
	}
	proxied := newHandoff(ln.Addr())
	c.serve(h, tls.NewListener(ln, cfg), tls.NewListener(proxied, cfg))
	c.StandFor("443", func(conn net.Conn) { proxied.take(c.ctx, conn) }, hosts...)
	return fmt.Sprintf("https://%s", ln.Addr()), nil
}

// Listen listens on the fixed port of name, or on a free one of 127.0.0.1.
func (c *Core) Listen(name string) (net.Listener, error) {
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(c.ports[name]))
	ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("port of %s: %w", name, err)
	}
	return ln, nil
}

// ServeHTTP serves h without TLS on addr and returns the base URL.
func (c *Core) ServeHTTP(addr string, h http.Handler) (string, error) {
	ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return "", err
	}
	c.serve(h, ln)
	return "http://" + ln.Addr().String(), nil
}

// serve serves h on each of the listeners.
func (c *Core) serve(h http.Handler, lns ...net.Listener) {
	l := &c.listeners
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !l.begin() {
				ResetHTTP(w)
				return
			}
			defer l.wg.Done()
			h.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return c.ctx },
	}
	l.mu.Lock()
	l.servers = append(l.servers, srv)
	l.mu.Unlock()
	for _, ln := range lns {
		l.wg.Go(func() {
			if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
				c.Log.Error("a server of the sandbox ended", "address", ln.Addr().String(), "err", err)
			}
		})
	}
}

func (l *listeners) close() error {
	l.mu.Lock()
	servers := l.servers
	l.servers, l.closed = nil, true
	l.mu.Unlock()
	var errs []error
	for _, srv := range servers {
		errs = append(errs, srv.Close())
	}
	l.wg.Wait()
	return errors.Join(errs...)
}

// ServerTLS makes a certificate of the private CA for localhost, 127.0.0.1, ::1 and
// hosts, and the TLS configuration of a server with it.
func (c *Core) ServerTLS(hosts ...string) (*tls.Config, error) { return c.ca.serverTLS(hosts) }
