package smtpd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/postino-mail/postino/internal/config"
	"github.com/postino-mail/postino/internal/pause"
)

// A Server is all listeners. Safe for concurrent use.
type Server struct {
	opt         Options
	listeners   []*listener
	authLimiter *authLimiter
	buffers     sync.Pool // of *bufio.ReadWriter
	sizes       sizes

	work context.Context // of submissions: outlives Serve's by the grace
	kill context.CancelFunc

	mu       sync.Mutex
	stopping bool
	running  sync.WaitGroup
}

// A listener is one address.
type listener struct {
	net.Listener
	policy      *policy
	certs       *certificates
	tls         *tls.Config
	connections *connLimiter
	rates       *rateLimiter
}

// New checks all policies and opens all listeners. Connections are accepted by Serve.
func New(o Options) (*Server, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	s := &Server{opt: o, authLimiter: newAuthLimiter(o.Limits)}
	s.work, s.kill = context.WithCancel(context.Background())
	for _, c := range o.Listeners {
		l, err := s.listen(c)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("smtp listener %s: %w", c.Address, err), s.closeListeners())
		}
		s.listeners = append(s.listeners, l)
	}
	return s, nil
}

func (s *Server) listen(c config.Listener) (_ *listener, err error) {
	// No keep-alive probes: every wait of a session has its own deadline.
	ln, err := (&net.ListenConfig{KeepAlive: -1}).Listen(s.work, "tcp", c.Address)
	if err != nil {
		if errors.Is(err, os.ErrPermission) {
			return nil, fmt.Errorf("%w: ports below 1024 need the capability CAP_NET_BIND_SERVICE (AmbientCapabilities= in the service file)", err)
		}
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ln.Close())
		}
	}()
	l := &listener{Listener: ln}
	if l.policy, err = newPolicy(c, addressOf(ln.Addr())); err != nil {
		return nil, err
	}
	l.connections, l.rates = newConnLimiter(l.policy.MaxConnections, l.policy.MaxPerAddress), newRateLimiter(l.policy.MessagesPerMin)
	if l.policy.TLS == tlsNone {
		return l, nil
	}
	if l.certs, err = newCertificates(c.CertFile, c.KeyFile, s.opt.DataDir, s.opt.Hostname, s.opt.Log); err != nil {
		return nil, err
	}
	l.tls = l.certs.config(l.policy.minTLS)
	s.opt.Log.Info("SMTP certificate", "address", ln.Addr().String(), "sha256", l.certs.fingerprint(), "self_made", c.CertFile == "")
	return l, nil
}

// Addresses are where the server listens, in the order of the listeners.
func (s *Server) Addresses() []string {
	out := make([]string, len(s.listeners))
	for i, l := range s.listeners {
		out[i] = l.Addr().String()
	}
	return out
}

// Certificates are the certificates in use, by the address of their listener;
// listeners without TLS are left out.
func (s *Server) Certificates() map[string]*x509.Certificate {
	out := map[string]*x509.Certificate{}
	for _, l := range s.listeners {
		if l.certs != nil {
			out[l.Addr().String()] = l.certs.leaf()
		}
	}
	return out
}

// Reload reads the certificates again; one that cannot be read stays as it was.
func (s *Server) Reload() error {
	var errs []error
	for _, l := range s.listeners {
		if l.certs != nil {
			if err := l.certs.reload(); err != nil {
				errs = append(errs, fmt.Errorf("smtp listener %s: %w", l.Addr(), err))
			}
		}
	}
	return errors.Join(errs...)
}

// Close ends a Server that Serve was never called on.
func (s *Server) Close() error {
	s.kill()
	return s.closeListeners()
}

func (s *Server) closeListeners() error {
	var errs []error
	for _, l := range s.listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Serve takes messages until ctx ends. Then idle sessions are closed with 421,
// messages in progress have Limits.Grace to finish, and it returns nil when the
// last session has ended.
func (s *Server) Serve(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	for _, l := range s.listeners {
		s.running.Go(func() {
			if err := s.accept(ctx, l); err != nil {
				stop(fmt.Errorf("smtp listener %s: %w", l.Addr(), err))
			}
		})
	}
	<-ctx.Done()
	s.mu.Lock()
	s.stopping = true
	s.mu.Unlock()
	err := s.closeListeners()
	for _, l := range s.listeners {
		l.connections.closeAll(closeShutdown)
	}
	late := time.AfterFunc(s.opt.Limits.Grace, func() {
		s.kill()
		for _, l := range s.listeners {
			l.connections.abortAll()
		}
	})
	s.running.Wait()
	late.Stop()
	s.kill()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		err = errors.Join(cause, err)
	}
	return err
}

// accept takes connections until ctx ends.
func (s *Server) accept(ctx context.Context, l *listener) error {
	wait := time.Duration(0)
	for {
		c, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				return c.Close()
			}
			return nil
		}
		if err != nil {
			var temporary interface{ Temporary() bool }
			if !errors.As(err, &temporary) || !temporary.Temporary() {
				return err
			}
			// Out of file descriptors: close an idle session.
			wait = min(max(2*wait, 5*time.Millisecond), time.Second)
			s.opt.Log.Error("a connection could not be taken", "address", l.Addr().String(), "err", err)
			l.connections.makeRoom()
			if pause.For(ctx, wait) != nil {
				return nil //nolint:nilerr // the end of ctx is how a listener ends
			}
			continue
		}
		wait = 0
		s.startSession(ctx, l, c)
	}
}

// startSession serves a connection, or refuses it.
func (s *Server) startSession(ctx context.Context, l *listener, c net.Conn) {
	remote := addressOf(c.RemoteAddr())
	if !l.policy.allows(remote) {
		s.opt.Counts.SessionsRefused.Add(1)
		s.opt.Log.Info("SMTP connection refused: the address is in no network of the listener", "remote", remote.String(),
			"address", l.Addr().String())
		refuseConn(c, "554 5.7.1 "+s.opt.Hostname+" takes no connections from your address: the administrator can add it to the listener's "+
			"networks")
		return
	}
	n := newSession(s, l, c, remote)
	if !l.connections.admit(n) {
		s.opt.Counts.SessionsRefused.Add(1)
		refuseConn(c, "421 4.7.0 "+s.opt.Hostname+" has too many connections (max_connections and max_per_address of the listener): try again "+
			"later")
		return
	}
	s.opt.Counts.Sessions.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping || ctx.Err() != nil {
		l.connections.remove(n)
		refuseConn(c, "421 4.3.2 "+s.opt.Hostname+" is shutting down: try again later")
		return
	}
	s.running.Go(func() {
		defer l.connections.remove(n)
		n.run()
	})
}

// refuseConn sends one line and closes, without waiting for the peer: what does
// not fit into the socket's buffer is not sent.
func refuseConn(c net.Conn, line string) {
	if err := c.SetDeadline(time.Now().Add(100 * time.Millisecond)); err == nil {
		_, _ = c.Write([]byte(line + "\r\n")) // the peer may be gone already
	}
	_ = c.Close() // nothing was accepted on it
}
