package sandbox

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

// An smtpMode is how a port is protected.
type smtpMode int

const (
	smtpSTARTTLS smtpMode = iota
	smtpTLS
	smtpPlain
)

// Limits of a session, in octets with CRLF (RFC 5321 section 4.5.3.1.4; its
// extensions lengthen MAIL and RCPT; RFC 4954 section 4 for AUTH, contracts D1.2).
const (
	smtpBuffer      = 64 << 10
	smtpCommandLine = 512
	smtpMailLine    = 1200
	smtpAuthLine    = 12288
	smtpIdle        = 5 * time.Minute
	smtpMaxErrors   = 20
)

// earlyTalk is how long the server listens before its greeting for clients
// that speak first.
const earlyTalk = time.Millisecond

// An smtpSession is one connection.
type smtpSession struct {
	v      *smtpServer
	mode   smtpMode
	conn   net.Conn
	br     *bufio.Reader
	bw     *bufio.Writer
	over   bool // close after the replies
	errors int

	secure bool
	helo   string
	esmtp  bool
	login  string
	leave  func() // of Sandbox.enter
	tx     *smtpTransaction
}

func newSMTPSession(v *smtpServer, conn net.Conn, mode smtpMode) *smtpSession {
	c := &smtpSession{v: v, mode: mode, leave: func() {}}
	c.use(conn)
	return c
}

func (c *smtpSession) use(conn net.Conn) {
	c.conn, c.br, c.bw = conn, bufio.NewReaderSize(conn, smtpBuffer), bufio.NewWriter(conn)
}

// run serves the connection to its end.
func (c *smtpSession) run() {
	c.v.s.count("smtp.connect")
	defer func() {
		c.endTransaction()
		c.leave()
		_ = c.bw.Flush()   // the last reply; the client may be gone
		_ = c.conn.Close() // likewise
	}()
	if c.mode == smtpTLS && !c.startTLS() {
		return
	}
	c.greet()
	for !c.over && c.next() {
	}
}

func (c *smtpSession) startTLS() bool {
	conn, err := c.v.handshake(c.conn)
	if err != nil {
		c.v.s.log.Debug("SMTP TLS handshake failed", "error", err)
		return false
	}
	c.use(conn)
	c.secure = true
	return true
}

func (c *smtpSession) greet() {
	if !c.wait(earlyTalk) {
		c.over = true
		return
	}
	c.command("connect", func() string {
		if c.br.Buffered() > 0 {
			c.v.violation("the client spoke before the greeting")
			c.over = true
			return "554 5.5.1 Error: you spoke before the greeting"
		}
		return "220 localhost ESMTP postino sandbox"
	})
	if c.refused() {
		c.over = true
	}
}

// refused reports whether the last thing said was no greeting.
func (c *smtpSession) refused() bool { return c.errors > 0 }

// next reads one command and answers it; false ends the session.
func (c *smtpSession) next() bool {
	if !c.flush() {
		return false
	}
	line, err := c.readLine(smtpAuthLine + 2)
	var syntax smtpSyntaxError
	switch {
	case errors.As(err, &syntax):
		c.v.violation("%s", syntax.what)
		c.reply("500 5.5.2 Error: " + syntax.what)
		return true
	case err != nil:
		return false
	}
	cmd := parseSMTPCommand(line)
	if limit := c.lineLimit(cmd.verb); len(line)+2 > limit {
		c.v.violation("%s line of %d octets", cmd.verb, len(line)+2)
		c.reply("500 5.5.6 Error: command line too long")
		return true
	}
	if what := c.tooEarly(cmd.verb); what != "" {
		c.v.violation("%s", what)
		c.reply("503 5.5.0 Error: " + what)
		c.over = true
		return true
	}
	c.dispatch(cmd)
	return true
}

func (c *smtpSession) lineLimit(verb string) int {
	switch {
	case verb == "MAIL" || verb == "RCPT":
		return smtpMailLine
	case verb == "AUTH" && c.v.s.switches().SMTPLongAuth:
		return smtpAuthLine
	}
	return smtpCommandLine
}

// tooEarly says what is wrong with bytes that follow the command already (RFC
// 2920 section 3.1; behind STARTTLS they would be an injection, RFC 3207
// section 4.2).
func (c *smtpSession) tooEarly(verb string) string {
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

func (c *smtpSession) dispatch(cmd smtpCommand) {
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
		c.command("quit", func() string { c.over = true; return "221 2.0.0 Bye" })
	default:
		c.reply("500 5.5.1 Error: command not recognized")
	}
}

// command runs a command between the two places where a fault can act.
func (c *smtpSession) command(op string, run func() string) {
	c.v.s.count("smtp." + op)
	f, ok := c.v.s.fault("smtp", op, c.login)
	if ok && !f.After && c.act(f) {
		return
	}
	text := run()
	if ok && f.After && c.act(f) {
		return
	}
	c.reply(text)
}

// An smtpSyntaxError is a line that is no command line at all.
type smtpSyntaxError struct{ what string }

func (e smtpSyntaxError) Error() string { return e.what }

// readLine reads a line ended by CRLF and cuts that off. The line is valid
// until the next read.
func (c *smtpSession) readLine(limit int) ([]byte, error) {
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
		return nil, smtpSyntaxError{"line too long"}
	}
	if err != nil {
		return nil, err
	}
	text, ok := bytes.CutSuffix(line, []byte("\r\n"))
	switch {
	case !ok:
		return nil, smtpSyntaxError{"command ended by a bare line feed"}
	case bytes.IndexByte(text, '\r') >= 0:
		return nil, smtpSyntaxError{"bare carriage return in a command"}
	case bytes.IndexByte(text, 0) >= 0:
		return nil, smtpSyntaxError{"NUL in a command"}
	}
	return text, nil
}

// offers reports whether the extension is offered here and now.
func (c *smtpSession) offers(extension string) bool {
	sw := c.v.s.switches()
	if extension == "DSN" && sw.SMTPStyle == "gmail" {
		return false
	}
	if extension == "STARTTLS" && (c.mode != smtpSTARTTLS || c.secure) {
		return false
	}
	return !slices.ContainsFunc(sw.SMTPHide, func(h string) bool { return strings.EqualFold(h, extension) })
}

func (c *smtpSession) hello(cmd smtpCommand) string {
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
		lines = append(lines, fmt.Sprintf("250 SIZE %d", c.v.s.switches().SMTPSize)) // 0: no limit, RFC 1870 section 4
	}
	if mechs := c.mechanisms(); len(mechs) > 0 && c.mayAuthenticate() {
		lines = append(lines, "250 AUTH "+strings.Join(mechs, " "))
	}
	return strings.Join(lines, "\n")
}

// mayAuthenticate: not before TLS, where TLS can be had. A STARTTLS port whose
// STARTTLS is hidden offers AUTH, as a machine in the middle would.
func (c *smtpSession) mayAuthenticate() bool { return c.secure || !c.offers("STARTTLS") }

func (c *smtpSession) starttls(cmd smtpCommand) {
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
	if !upgrade || c.over || !c.flush() {
		return
	}
	c.endTransaction()
	c.helo, c.esmtp = "", false // RFC 3207 section 4.2
	if !c.startTLS() {
		c.over = true
	}
}
