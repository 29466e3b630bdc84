package fallback

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/stages"
)

// open connects, encrypts and greets, so that the session is ready for AUTH.
// Errors are *adapters.Error. The socket is closed when it fails.
func (a *Adapter) open(ctx context.Context) (*session, error) {
	conn, err := a.dial(ctx)
	if err != nil {
		return nil, a.dialError(ctx, err)
	}
	return a.begin(ctx, conn, func(stage, *session, reply) {})
}

// begin does what open does on a connection that was made. It calls passed after
// the greeting, TLS and each EHLO, with the reply that it read there.
func (a *Adapter) begin(ctx context.Context, conn net.Conn, passed func(stage, *session, reply)) (_ *session, err error) {
	s := &session{raw: conn, t: a.opt.Timeouts, now: a.opt.Now, born: a.opt.Now(), talk: adapters.ConversationIn(ctx)}
	s.attach(conn)
	release := s.bind(ctx)
	defer func() {
		if !release() && err == nil {
			err = a.cancelled(ctx)
		}
		if err != nil {
			s.kill()
		}
	}()
	implicit := a.set.EffectiveEncryption() == EncryptionTLS
	if implicit {
		if err := a.handshake(ctx, s); err != nil {
			return nil, err
		}
		passed(atTLS, s, reply{})
	}
	greeting, err := a.greeting(ctx, s, implicit)
	if err != nil {
		return nil, err
	}
	if greeting.Code != 220 {
		return nil, a.refused(s, atGreeting, greeting)
	}
	passed(atGreeting, s, greeting)
	if err := a.hello(ctx, s); err != nil {
		return nil, err
	}
	passed(atHello, s, reply{})
	if !implicit && a.set.EffectiveEncryption() == EncryptionSTARTTLS {
		if err := a.startTLS(ctx, s); err != nil {
			return nil, err
		}
		passed(atTLS, s, reply{})
		// What was learned before is forgotten: RFC 3207 section 4.2.
		if err := a.hello(ctx, s); err != nil {
			return nil, err
		}
		passed(atHello, s, reply{})
	}
	a.learned(s.caps)
	return s, nil
}

// greeting reads the server's first reply. A server that waits for a TLS
// handshake says nothing, and would for the five minutes of RFC 5321 section
// 4.5.3.2.1: once a plain connection has been silent for a while, a second one
// asks whether the port speaks TLS.
func (a *Adapter) greeting(ctx context.Context, s *session, implicit bool) (reply, error) {
	if !implicit {
		speaksTLS := make(chan bool, 1)
		asked := make(chan struct{})
		timer := time.AfterFunc(a.opt.Timeouts.silence(), func() {
			defer close(asked)
			if yes := a.speaksTLS(ctx); yes {
				speaksTLS <- true
				s.kill() // ends the wait below
			}
		})
		r, err := s.read(a.opt.Timeouts.Greeting)
		if !timer.Stop() {
			<-asked
		}
		select {
		case <-speaksTLS:
			if ctx.Err() == nil {
				return reply{}, a.errTLSPort(err)
			}
		default:
		}
		if err != nil {
			return reply{}, a.ioError(ctx, s, atGreeting, err)
		}
		return r, nil
	}
	r, err := s.read(a.opt.Timeouts.Greeting)
	if err != nil {
		return reply{}, a.ioError(ctx, s, atGreeting, err)
	}
	return r, nil
}

// speaksTLS reports whether the port answers a TLS handshake, whatever its
// certificate: nothing is sent over it.
func (a *Adapter) speaksTLS(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	conn, err := a.dial(ctx)
	if err != nil {
		return false
	}
	defer conn.Close()
	cfg := a.tls.config().Clone()
	cfg.ClientSessionCache = nil
	err = tls.Client(conn, cfg).HandshakeContext(ctx)
	var (
		cert  *tls.CertificateVerificationError
		alert tls.AlertError
	)
	return err == nil || errors.As(err, &cert) || errors.As(err, &alert)
}

func (a *Adapter) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, a.opt.Timeouts.Dial)
	defer cancel()
	if a.opt.Dialer != nil {
		conn, err := a.opt.Dialer(ctx, "tcp", a.addr)
		if err == nil {
			if err = a.reachable(conn.RemoteAddr().String()); err != nil {
				return nil, errors.Join(err, conn.Close())
			}
			stages.Dialed(ctx, conn)
		}
		return conn, err
	}
	// The address is looked at when the connection is made, so that no name can
	// mean another one between.
	d, network := net.Dialer{KeepAlive: 30 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		return a.reachable(address)
	}}, "tcp"
	if a.set.SourceAddress != "" {
		ip := net.ParseIP(a.set.SourceAddress)
		d.LocalAddr = &net.TCPAddr{IP: ip}
		network = "tcp6" // the other family could not be reached from this address
		if ip.To4() != nil {
			network = "tcp4"
		}
	}
	return d.DialContext(ctx, network, a.addr)
}

// errNotPublic is an address that a connection with public_only may not reach.
var errNotPublic = errors.New("the server's address is not public")

// errOwnListener is an address at which the program itself takes mail.
var errOwnListener = errors.New("the server is this one")

// reachable refuses an address (with port) that is the program's own, and one
// that is not public to a connection with a host that no administrator named.
func (a *Adapter) reachable(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err == nil && a.opt.OwnListener != nil && a.opt.OwnListener(at) {
		return errOwnListener
	}
	if !a.set.PublicOnly {
		return nil
	}
	if err != nil {
		return errNotPublic
	}
	ip := at.Addr().Unmap().WithZone("")
	if adapters.PublicAddress(ip) || slices.ContainsFunc(a.opt.Networks, func(p netip.Prefix) bool { return p.Contains(ip) }) {
		return nil
	}
	return errNotPublic
}

func (a *Adapter) handshake(ctx context.Context, s *session) error {
	hctx, cancel := context.WithTimeout(ctx, a.opt.Timeouts.TLS)
	defer cancel()
	if err := s.raw.SetDeadline(time.Time{}); err != nil {
		return a.ioError(ctx, s, atTLS, err)
	}
	c := tls.Client(s.raw, a.tls.config())
	if err := c.HandshakeContext(hctx); err != nil {
		if ctx.Err() != nil {
			return a.cancelled(ctx)
		}
		return tlsError(a.host, a.set.EffectivePort(), err, a.opt.Now())
	}
	s.attach(c)
	s.tls = true
	if chain := c.ConnectionState().PeerCertificates; a.opt.PeerCertificate != nil && len(chain) > 0 {
		a.opt.PeerCertificate(a.conn.ID, a.set.Host, chain[0])
	}
	return nil
}

// startTLS upgrades the session (RFC 3207). It is required: a server, or
// someone in between, that does not offer it gets nothing.
func (a *Adapter) startTLS(ctx context.Context, s *session) error {
	if !s.caps.has("STARTTLS") {
		return a.errNoSTARTTLS()
	}
	r, err := s.cmd("STARTTLS", a.opt.Timeouts.Command)
	if err != nil {
		return a.ioError(ctx, s, atTLS, err)
	}
	if r.Code != 220 {
		return a.refused(s, atTLS, r)
	}
	// Plaintext behind the answer was put there by someone who wants it read
	// as if it had come encrypted (response injection, RFC 3207 section 6).
	if s.r.Buffered() > 0 {
		return a.errInjected()
	}
	return a.handshake(ctx, s)
}

// hello sends EHLO, and HELO where the server knows no extensions (RFC 5321 section 3.2).
func (a *Adapter) hello(ctx context.Context, s *session) error {
	name := ehloName(a.hostname, s.raw.LocalAddr())
	r, err := s.cmd("EHLO "+name, a.opt.Timeouts.Command)
	if err != nil {
		return a.ioError(ctx, s, atHello, err)
	}
	if r.ok() {
		s.caps = parseEHLO(r)
		return nil
	}
	if r.Code != 421 && !refusesName(r) { // many an old server refuses EHLO with another code than RFC 5321 names
		h, err := s.cmd("HELO "+name, a.opt.Timeouts.Command)
		if err != nil {
			return a.ioError(ctx, s, atHello, err)
		}
		if h.ok() {
			s.caps = capabilities{}
			return nil
		}
		if h.Code != 500 && h.Code != 502 && h.Code != 503 { // its words say more than EHLO's
			r = h
		}
	}
	return a.refused(s, atHello, r)
}
