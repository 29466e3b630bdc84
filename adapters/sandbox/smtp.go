package sandbox

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"

	"github.com/postino-mail/postino/adapters"
)

// smtpServer is a submission server on three ports: STARTTLS, implicit TLS,
// and plain text. It is a server of its own because a library would repair or
// overlook what a client must not do (design, "traps").
//
// Fault ops: "connect", "ehlo", "starttls", "auth", "mail", "rcpt", "data"
// (DATA or the first BDAT), "dot" (the end of a message), "rset", "noop",
// "quit"; Match is the login. A fault with After acts once the command has had
// its effect, in place of the reply; with nothing but After the connection is
// closed. Status, Code and Message make a reply where Reply is empty; Body is
// sent as it is.
//
// Recipients are refused at RCPT by their local part: "anything+550" gets that
// code (any of 400-599), "once+451" gets it once for each sender and is
// accepted afterwards. Senders: "deny..." is refused with 554 5.2.252 at the
// end of the message (contracts D5), "dailylimit..." with 550 5.4.5. In style
// "exchange" a sender other than the login, or than an address of the same
// domain that begins with "alias", is denied too; five denials throttle the
// mailbox with 550 5.2.252 until Reset.
//
// Logins: every address, with the password that SMTPConnection tells, but
// those that begin with "unknown"; "noaccess..." is refused tokens.
type smtpServer struct {
	s                    *Sandbox
	listeners            []net.Listener
	port, tlsPort, plain int
	tlsConfig            *tls.Config
	key                  []byte // of passwords and salts

	wg sync.WaitGroup

	mu         sync.Mutex
	closed     bool
	conns      map[net.Conn]struct{}
	denials    map[string]int  // by login
	seen       map[string]bool // sender and "once" recipient
	violations []string
}

// Bounds of what is remembered.
const (
	maxViolations = 1000
	maxSeen       = 100000
)

func (v *smtpServer) start(s *Sandbox) error {
	v.s, v.conns = s, make(map[net.Conn]struct{})
	v.forget()
	var err error
	if v.key, err = randomBytes(32); err != nil {
		return err
	}
	if v.tlsConfig, err = s.ca.serverTLS(); err != nil {
		return err
	}
	for _, p := range []struct {
		port *int
		mode smtpMode
	}{{&v.port, smtpSTARTTLS}, {&v.tlsPort, smtpTLS}, {&v.plain, smtpPlain}} {
		ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			return errors.Join(err, v.close())
		}
		v.listeners = append(v.listeners, ln)
		*p.port = port(ln)
		v.wg.Go(func() { v.serve(ln, p.mode) })
	}
	return nil
}

func (v *smtpServer) serve(ln net.Listener, mode smtpMode) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				v.s.log.Error("the SMTP server ended", "address", ln.Addr().String(), "error", err)
			}
			return
		}
		v.mu.Lock()
		if v.closed {
			v.mu.Unlock()
			_ = conn.Close() // the client sees the end either way
			return
		}
		v.conns[conn] = struct{}{}
		v.wg.Go(func() {
			newSMTPSession(v, conn, mode).run()
			v.mu.Lock()
			delete(v.conns, conn)
			v.mu.Unlock()
		})
		v.mu.Unlock()
	}
}

func (v *smtpServer) close() error {
	v.mu.Lock()
	v.closed = true
	for c := range v.conns {
		_ = c.Close() // sessions end with it; one that ended already is no failure
	}
	v.mu.Unlock()
	var errs []error
	for _, ln := range v.listeners {
		errs = append(errs, ln.Close())
	}
	v.wg.Wait()
	return errors.Join(errs...)
}

func (v *smtpServer) reset() { v.forget() }

func (v *smtpServer) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.denials, v.seen, v.violations = make(map[string]int), make(map[string]bool), nil
}

// violation notes what a client must not do.
func (v *smtpServer) violation(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	v.s.count("smtp.violation")
	v.s.log.Warn("SMTP violation", "what", text)
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.violations) < maxViolations {
		v.violations = append(v.violations, text)
	}
}

// SMTPViolations lists what SMTP clients did against the protocol since the
// last Reset, the first thousand: bare CR or LF, lines over 998 octets, 8-bit
// data that was not announced, commands sent too early. Each was refused, too.
func (s *Sandbox) SMTPViolations() []string {
	s.smtp.mu.Lock()
	defer s.smtp.mu.Unlock()
	return slices.Clone(s.smtp.violations)
}

// password is the login's one password.
func (v *smtpServer) password(login string) string {
	mac := hmac.New(sha256.New, v.key)
	mac.Write([]byte("password:" + normalize(login)))
	return "sbx-" + hex.EncodeToString(mac.Sum(nil)[:12])
}

// sentBefore reports whether this pair was seen, and notes it.
func (v *smtpServer) sentBefore(sender, recipient string) bool {
	k := normalize(sender) + "\x00" + normalize(recipient)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.seen[k] {
		return true
	}
	if len(v.seen) < maxSeen {
		v.seen[k] = true
	}
	return false
}

// denied counts a send-as denial and gives how many the login has had.
func (v *smtpServer) denied(login string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.denials[login]++
	return v.denials[login]
}

func (v *smtpServer) denialsOf(login string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.denials[login]
}

// handshake turns conn into a TLS connection.
func (v *smtpServer) handshake(conn net.Conn) (net.Conn, error) {
	t := tls.Server(conn, v.tlsConfig)
	ctx, cancel := context.WithTimeout(v.s.ctx, smtpIdle)
	defer cancel()
	return t, t.HandshakeContext(ctx)
}

// SMTPConnection gives a complete, validated connection to the fake SMTP
// server: STARTTLS, login from with its password.
func (s *Sandbox) SMTPConnection(from string) *adapters.Connection {
	return &adapters.Connection{
		Name: "Sandbox SMTP", Provider: adapters.SMTP, From: from,
		SMTP: &adapters.SMTPSettings{
			Host: "127.0.0.1", Port: s.smtp.port, Encryption: adapters.EncryptionSTARTTLS,
			Login: from, Password: adapters.Secret(s.smtp.password(from)), CAFile: s.CAFile(),
		},
	}
}

// SMTPOAuthConnection authenticates by XOAUTH2 with a token of the fake
// "entra" or "google"; nil for another provider.
func (s *Sandbox) SMTPOAuthConnection(from, provider string) *adapters.Connection {
	oauth := &adapters.OAuthSettings{Provider: provider}
	switch provider {
	case "entra":
		oauth.GraphSettings = *s.GraphConnection(from).Graph
	case "google":
		settings, ok := s.gmailSettings(from)
		if !ok {
			return nil
		}
		oauth.GmailSettings = *settings
	default:
		return nil
	}
	c := s.SMTPConnection(from)
	c.Name += " " + provider
	c.SMTP.Password, c.SMTP.Auth, c.SMTP.OAuth = "", "xoauth2", oauth
	return c
}

// SMTPPorts are the three ports on 127.0.0.1: STARTTLS, implicit TLS, and
// plain text (where AUTH is offered without TLS).
func (s *Sandbox) SMTPPorts() (starttls, implicit, plain int) {
	return s.smtp.port, s.smtp.tlsPort, s.smtp.plain
}
