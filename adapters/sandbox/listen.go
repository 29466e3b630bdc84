package sandbox

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
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

// serveTLS serves h with HTTPS on a free port and gives the base URL. HTTP/1.1
// only: a fault must be able to reset the one connection of a request.
func (l *listeners) serveTLS(s *Sandbox, h http.Handler) (string, error) {
	ln, err := s.listenTLS()
	if err != nil {
		return "", err
	}
	l.serve(s, ln, h)
	return fmt.Sprintf("https://%s", ln.Addr()), nil
}

// serveHTTP serves h without TLS on addr.
func (l *listeners) serveHTTP(s *Sandbox, addr string, h http.Handler) (string, error) {
	ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return "", fmt.Errorf("sandbox: control: %w", err)
	}
	l.serve(s, ln, h)
	return "http://" + ln.Addr().String(), nil
}

func (l *listeners) serve(s *Sandbox, ln net.Listener, h http.Handler) {
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !l.begin() {
				resetConnection(w)
				return
			}
			defer l.wg.Done()
			h.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return s.ctx },
	}
	l.mu.Lock()
	l.servers = append(l.servers, srv)
	l.mu.Unlock()
	l.wg.Go(func() {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("a server of the sandbox ended", "address", ln.Addr().String(), "error", err)
		}
	})
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

// listenTLS listens on a free port of 127.0.0.1 with a certificate for
// localhost, 127.0.0.1 and the further names. The caller closes it.
func (s *Sandbox) listenTLS(names ...string) (net.Listener, error) {
	cfg, err := s.ca.serverTLS(names...)
	if err != nil {
		return nil, err
	}
	ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return tls.NewListener(ln, cfg), nil
}

func port(ln net.Listener) int {
	if a, ok := ln.Addr().(*net.TCPAddr); ok {
		return a.Port
	}
	return 0
}
