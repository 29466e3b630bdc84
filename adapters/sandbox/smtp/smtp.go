// Package smtp is a strict SMTP submission server that behaves as a plain server, as
// Exchange Online or as Gmail.
package smtp

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

	"github.com/postino-mail/postino/adapters/sandbox/entra"
	"github.com/postino-mail/postino/adapters/sandbox/gmail"
	"github.com/postino-mail/postino/adapters/sandbox/google"
	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// Server is a submission server on three ports: STARTTLS, implicit TLS,
// and plain text. It is a server of its own because a library would repair or
// overlook what a client must not do.
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
// end of the message, "dailylimit..." with 550 5.4.5. In style
// "exchange" a sender other than the login, or than an address of the same
// domain that begins with "alias", is denied too; five denials throttle the
// mailbox with 550 5.2.252 until Reset.
//
// Logins: every address, with the password that SMTPConnection returns, except
// those that begin with "unknown"; "noaccess..." is refused tokens.
type Server struct {
	core                 *core.Core
	entra                *entra.Server
	google               *google.Server
	gmail                *gmail.Server
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

// New makes the server; the tokens of XOAUTH2 are those of e and g, and in style
// "gmail" headers are rewritten as m does. Start begins to serve.
func New(c *core.Core, e *entra.Server, g *google.Server, m *gmail.Server) *Server {
	v := &Server{core: c, entra: e, google: g, gmail: m, conns: make(map[net.Conn]struct{})}
	v.Reset()
	return v
}

// Start listens on three free ports.
func (v *Server) Start() error {
	var err error
	if v.key, err = core.RandomBytes(32); err != nil {
		return err
	}
	if v.tlsConfig, err = v.core.ServerTLS(append(exchangeHosts(), gmailHosts()...)...); err != nil {
		return err
	}
	for _, p := range []struct {
		name string
		port *int
		mode portMode
	}{{"smtp", &v.port, modeSTARTTLS}, {"smtps", &v.tlsPort, modeTLS}, {"smtp-plain", &v.plain, modePlain}} {
		ln, err := v.core.Listen(p.name)
		if err != nil {
			return errors.Join(err, v.Close())
		}
		v.listeners = append(v.listeners, ln)
		if a, ok := ln.Addr().(*net.TCPAddr); ok {
			*p.port = a.Port
		}
		v.wg.Go(func() { v.serve(ln, p.mode) })
	}
	v.standFor()
	return nil
}

func (v *Server) serve(ln net.Listener, mode portMode) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				v.core.Log.Error("the SMTP server ended", "address", ln.Addr().String(), "err", err)
			}
			return
		}
		v.begin(conn, mode, "")
	}
}

// begin runs a session on conn beside the others.
func (v *Server) begin(conn net.Conn, mode portMode, vendor string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		_ = conn.Close() // the client sees the end either way
		return
	}
	v.conns[conn] = struct{}{}
	v.wg.Go(func() {
		newSession(v, conn, mode, vendor).run()
		v.mu.Lock()
		delete(v.conns, conn)
		v.mu.Unlock()
	})
}

// The vendors' submission hosts (contracts D1, L12).
func exchangeHosts() []string {
	return []string{"smtp.office365.com", "smtp-mail.outlook.com", "smtp.hve.mx.microsoft"}
}

func gmailHosts() []string { return []string{"smtp.gmail.com", "smtp-relay.gmail.com"} }

// standFor takes what the proxy has for the vendors' hosts.
func (v *Server) standFor() {
	for _, h := range []struct {
		port, vendor string
		mode         portMode
		hosts        []string
	}{
		{"587", "exchange", modeSTARTTLS, exchangeHosts()}, {"25", "exchange", modeSTARTTLS, exchangeHosts()},
		{"587", "gmail", modeSTARTTLS, gmailHosts()}, {"465", "gmail", modeTLS, gmailHosts()},
	} {
		v.core.StandFor(h.port, func(conn net.Conn) { v.begin(conn, h.mode, h.vendor) }, h.hosts...)
	}
}

// Close ends the listeners and all sessions, and waits for them.
func (v *Server) Close() error {
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

// Reset forgets denials, recipients that were refused once, and violations.
func (v *Server) Reset() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.denials, v.seen, v.violations = make(map[string]int), make(map[string]bool), nil
}

// Ports are the three ports on 127.0.0.1: STARTTLS, implicit TLS, and plain text.
func (v *Server) Ports() (starttls, implicit, plain int) {
	return v.port, v.tlsPort, v.plain
}

// violation notes what a client must not do.
func (v *Server) violation(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	v.core.Count("smtp.violation")
	v.core.Log.Warn("SMTP violation", "what", text)
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.violations) < maxViolations {
		v.violations = append(v.violations, text)
	}
}

// Violations lists what clients did against the protocol since the last Reset, the
// first thousand.
func (v *Server) Violations() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.violations)
}

// Password is the login's one password: that of the directory, or one of the sandbox's own.
func (v *Server) Password(login string) string {
	if m, standing := v.core.Lookup(login); standing == core.Listed && m.Password != "" {
		return m.Password
	}
	mac := hmac.New(sha256.New, v.key)
	mac.Write([]byte("password:" + core.Normalize(login)))
	return "sbx-" + hex.EncodeToString(mac.Sum(nil)[:12])
}

// sentBefore reports whether this pair was seen, and notes it.
func (v *Server) sentBefore(sender, recipient string) bool {
	k := core.Normalize(sender) + "\x00" + core.Normalize(recipient)
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

// denied counts a send-as denial and returns how many the login has had.
func (v *Server) denied(login string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.denials[login]++
	return v.denials[login]
}

func (v *Server) denialsOf(login string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.denials[login]
}

// handshake turns conn into a TLS connection.
func (v *Server) handshake(conn net.Conn) (net.Conn, error) {
	t := tls.Server(conn, v.tlsConfig)
	ctx, cancel := context.WithTimeout(v.core.Context(), idleTimeout)
	defer cancel()
	return t, t.HandshakeContext(ctx)
}
