package smtp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"
)

// A portMode is how a port is protected.
type portMode int

const (
	modeSTARTTLS portMode = iota
	modeTLS
	modePlain
)

// Limits of a session, in octets with CRLF (RFC 5321 section 4.5.3.1.4; its
// extensions lengthen MAIL and RCPT; RFC 4954 section 4 for AUTH, contracts D1.2).
const (
	readerSize     = 64 << 10
	maxCommandLine = 512
	maxMailLine    = 1200
	maxAuthLine    = 12288
	idleTimeout    = 5 * time.Minute
	maxErrors      = 20
)

// earlyTalk is how long the server listens before its greeting for clients
// that speak first.
const earlyTalk = time.Millisecond

// A session is one connection.
type session struct {
	server  *Server
	mode    portMode
	vendor  string // style of the vendor's host that the client named to the proxy; empty: as switched
	conn    net.Conn
	br      *bufio.Reader
	bw      *bufio.Writer
	closing bool // close after the replies
	errors  int

	secure bool
	helo   string
	esmtp  bool
	login  string
	leave  func() // of Core.Enter
	tx     *transaction
}

func newSession(v *Server, conn net.Conn, mode portMode, vendor string) *session {
	c := &session{server: v, mode: mode, vendor: vendor, leave: func() {}}
	c.use(conn)
	return c
}

func (c *session) use(conn net.Conn) {
	c.conn, c.br, c.bw = conn, bufio.NewReaderSize(conn, readerSize), bufio.NewWriter(conn)
}

// run serves the connection to its end.
func (c *session) run() {
	c.server.core.Count("smtp.connect")
	defer func() {
		c.endTransaction()
		c.leave()
		_ = c.bw.Flush()   // the last reply; the client may be gone
		_ = c.conn.Close() // likewise
	}()
	if c.mode == modeTLS && !c.startTLS() {
		return
	}
	c.greet()
	for !c.closing && c.next() {
	}
}

func (c *session) startTLS() bool {
	conn, err := c.server.handshake(c.conn)
	if err != nil {
		c.server.core.Log.Debug("SMTP TLS handshake failed", "err", err)
		return false
	}
	c.use(conn)
	c.secure = true
	return true
}

func (c *session) greet() {
	if !c.wait(earlyTalk) {
		c.closing = true
		return
	}
	c.command("connect", func() string {
		if c.br.Buffered() > 0 {
			c.server.violation("the client spoke before the greeting")
			c.closing = true
			return "554 5.5.1 Error: you spoke before the greeting"
		}
		return "220 localhost ESMTP postino sandbox"
	})
	if c.refused() {
		c.closing = true
	}
}

// refused reports whether the last thing said was no greeting.
func (c *session) refused() bool { return c.errors > 0 }

// next reads one command and answers it; false ends the session.
func (c *session) next() bool {
	if !c.flush() {
		return false
	}
	line, err := c.readLine(maxAuthLine + 2)
	var syntax syntaxError
	switch {
	case errors.As(err, &syntax):
		c.server.violation("%s", syntax.what)
		c.reply("500 5.5.2 Error: " + syntax.what)
		return true
	case err != nil:
		return false
	}
	cmd := parseCommand(line)
	if limit := c.lineLimit(cmd.verb); len(line)+2 > limit {
		c.server.violation("%s line of %d octets", cmd.verb, len(line)+2)
		c.reply("500 5.5.6 Error: command line too long")
		return true
	}
	if what := c.tooEarly(cmd.verb); what != "" {
		c.server.violation("%s", what)
		c.reply("503 5.5.0 Error: " + what)
		c.closing = true
		return true
	}
	c.dispatch(cmd)
	return true
}

func (c *session) lineLimit(verb string) int {
	switch {
	case verb == "MAIL" || verb == "RCPT":
		return maxMailLine
	case verb == "AUTH" && c.switches().SMTPLongAuth: // as Exchange Online and Gmail take it
		return maxAuthLine
	}
	return maxCommandLine
}

// tooEarly says what is wrong with bytes that follow the command already (RFC
// 2920 section 3.1; after STARTTLS they would be an injection, RFC 3207
// section 4.2).
func (c *session) tooEarly(verb string) string {
	if c.br.Buffered() == 0 || verb == "BDAT" {
		return ""
	}
	last := slices.Contains([]string{"EHLO", "HELO", "STARTTLS", "AUTH", "DATA", "VRFY", "NOOP", "QUIT"}, verb)
	switch {
	case last:
		return "input after " + verb + " before its reply"
	case !c.esmtp || !c.offers("PIPELINING"):
		return "pipelining that was not offered"
	}
	return ""
}

func (c *session) dispatch(cmd command) {
	switch cmd.verb {
	case "EHLO", "HELO":
		c.command("ehlo", func() string { return c.hello(cmd) })
	case "STARTTLS":
		c.starttls(cmd)
	case "AUTH":
		c.authenticate(cmd)
	case "MAIL":
		c.command("mail", func() string { return c.mail(cmd.arg) })
	case "RCPT":
		c.command("rcpt", func() string { return c.rcpt(cmd.arg) })
	case "DATA":
		c.data(cmd)
	case "BDAT":
		c.bdat(cmd)
	case "RSET":
		c.command("rset", func() string { c.endTransaction(); return "250 2.0.0 Ok" })
	case "NOOP":
		c.command("noop", func() string { return "250 2.0.0 Ok" })
	case "VRFY":
		c.reply("252 2.1.5 Send some mail, I will try my best")
	case "QUIT":
		c.command("quit", func() string { c.closing = true; return "221 2.0.0 Bye" })
	default:
		c.reply("500 5.5.1 Error: command not recognized")
	}
}

// command runs a command between the two places where a fault can act.
func (c *session) command(op string, run func() string) {
	c.server.core.Count("smtp." + op)
	f, ok := c.server.core.Fault("smtp", op, c.login)
	if ok && !f.After && c.act(f) {
		return
	}
	text := run()
	if ok && f.After && c.act(f) {
		return
	}
	c.reply(text)
}

// A syntaxError is a line that is no command line at all.
type syntaxError struct{ what string }

func (e syntaxError) Error() string { return e.what }

// readLine reads a line ended by CRLF and cuts that off. The line is valid
// until the next read.
func (c *session) readLine(limit int) ([]byte, error) {
	line, err := c.br.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) || err == nil && len(line) > limit {
		for dropped := 0; errors.Is(err, bufio.ErrBufferFull); dropped++ {
			if dropped > 64 { // 4 MB without a line end
				return nil, io.ErrUnexpectedEOF
			}
			_, err = c.br.ReadSlice('\n')
		}
		if err != nil {
			return nil, err
		}
		return nil, syntaxError{"line too long"}
	}
	if err != nil {
		return nil, err
	}
	text, ok := bytes.CutSuffix(line, []byte("\r\n"))
	switch {
	case !ok:
		return nil, syntaxError{"command ended by a bare line feed"}
	case bytes.IndexByte(text, '\r') >= 0:
		return nil, syntaxError{"bare carriage return in a command"}
	case bytes.IndexByte(text, 0) >= 0:
		return nil, syntaxError{"NUL in a command"}
	}
	return text, nil
}

// offers reports whether the extension is offered here and now.
func (c *session) offers(extension string) bool {
	sw := c.switches()
	if extension == "DSN" && sw.SMTPStyle == "gmail" {
		return false
	}
	if extension == "STARTTLS" && (c.mode != modeSTARTTLS || c.secure) {
		return false
	}
	return !slices.ContainsFunc(sw.SMTPHide, func(h string) bool { return strings.EqualFold(h, extension) })
}

func (c *session) hello(cmd command) string {
	if !isHeloName(cmd.arg) {
		return "501 5.5.4 Syntax: " + cmd.verb + " hostname"
	}
	c.endTransaction()
	c.helo, c.esmtp = cmd.arg, cmd.verb == "EHLO"
	if !c.esmtp {
		return "250 localhost"
	}
	lines := []string{"250 localhost greets " + cmd.arg}
	for _, x := range []string{"PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "CHUNKING", "STARTTLS", "ENHANCEDSTATUSCODES"} {
		if c.offers(x) {
			lines = append(lines, "250 "+x)
		}
	}
	if c.offers("SIZE") {
		lines = append(lines, fmt.Sprintf("250 SIZE %d", c.switches().SMTPSize)) // 0: no limit, RFC 1870 section 4
	}
	if mechs := c.mechanisms(); len(mechs) > 0 && c.mayAuthenticate() {
		lines = append(lines, "250 AUTH "+strings.Join(mechs, " "))
	}
	return strings.Join(lines, "\n")
}

// mayAuthenticate: not before TLS, where TLS is offered. A STARTTLS port with
// STARTTLS hidden offers AUTH, as a machine in the middle would.
func (c *session) mayAuthenticate() bool { return c.secure || !c.offers("STARTTLS") }

func (c *session) starttls(cmd command) {
	upgrade := false
	c.command("starttls", func() string {
		switch {
		case cmd.arg != "":
			return "501 5.5.4 Syntax: STARTTLS"
		case !c.offers("STARTTLS"):
			return "502 5.5.1 Error: command not implemented"
		case !c.esmtp:
			return "503 5.5.1 Error: send EHLO first"
		}
		upgrade = true
		return "220 2.0.0 Ready to start TLS"
	})
	if !upgrade || c.closing || !c.flush() {
		return
	}
	c.endTransaction()
	c.helo, c.esmtp = "", false // RFC 3207 section 4.2
	if !c.startTLS() {
		c.closing = true
	}
}
