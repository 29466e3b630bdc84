package smtpd

import (
	"fmt"

	"github.com/postino-mail/postino/mime"
)

// command replies to one command line.
func (s *session) command(line []byte) {
	verb, arg := splitCommand(line)
	s.talk.command(verb, arg)
	p := s.listener.policy
	if p.TLS == tlsRequired && !s.secure {
		switch verb {
		case "EHLO", "HELO", "STARTTLS", "NOOP", "RSET", "QUIT":
		default: // RFC 3207 section 4
			s.badCommand(530, "5.7.0", said(mime.NewText("smtpd.starttls_first",
				"must issue a STARTTLS command first: switch encryption to STARTTLS in the program that sends"))...)
			return
		}
	}
	switch verb {
	case "MAIL":
		s.mail(arg)
	case "RCPT":
		s.rcpt(arg)
	case "DATA":
		s.data(arg)
	case "BDAT":
		s.bdat(arg)
	default:
		if s.idleCommands++; s.idleCommands > s.srv.opt.Limits.IdleCommands {
			s.reply(421, "4.7.0", "too many commands without a message, closing")
			s.closing = true
			return
		}
		s.otherCommand(verb, arg)
	}
}

func (s *session) otherCommand(verb, arg string) {
	switch verb {
	case "EHLO", "HELO":
		s.hello(verb, arg)
	case "STARTTLS":
		s.startTLS(arg)
	case "AUTH":
		s.auth(arg)
	case "RSET":
		s.endTransaction()
		s.reply(250, "2.0.0", "reset")
	case "NOOP":
		s.reply(250, "2.0.0", "ok")
	case "VRFY": // RFC 5321 section 3.5.3
		s.reply(252, "2.1.5", "send mail to it, it will be tried")
	case "HELP":
		s.reply(214, "2.0.0", "EHLO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP QUIT (RFC 5321, RFC 6409)")
	case "QUIT":
		s.closing = true
		s.reply(221, "2.0.0", "bye")
	case "EXPN", "TURN", "ETRN", "SEND", "SOML", "SAML":
		s.badCommand(502, "5.5.1", verb+" is not available")
	case "GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "HOST:", "USER-AGENT:":
		// A browser that is tricked into connecting has SMTP commands in the body of
		// its request (ALPACA; cross-protocol request forgery).
		s.closing = true
		s.badCommand(554, "5.5.1", "this is SMTP, not HTTP")
	default:
		s.badCommand(500, "5.5.1", "command not recognized")
	}
}

// hello answers EHLO and HELO, which also reset (RFC 5321 section 4.1.4).
func (s *session) hello(verb, arg string) {
	if s.inputPending() {
		s.improperPipelining(verb)
		return
	}
	// Any name is taken, as Postfix does: with underscores, of several words, an
	// address without brackets.
	if arg == "" && !s.listener.policy.LaxHelo {
		s.badCommand(501, "5.5.4", said(mime.NewText("smtpd.hello_syntax",
			"syntax: {verb} name-of-your-computer. For a device that sends none: lax_helo and networks of the listener", "verb", verb))...)
		return
	}
	s.endTransaction()
	s.helo, s.esmtp = arg, verb == "EHLO"
	if s.helo == "" {
		s.helo = "unknown" // with lax_helo
	}
	host := s.srv.opt.Hostname
	if !s.esmtp {
		s.reply(250, "", host)
		return
	}
	p := s.listener.policy
	lines := append(make([]string, 0, 12), host, "PIPELINING", fmt.Sprintf("SIZE %d", s.srv.maxSize(s.context())),
		"8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES", fmt.Sprintf("LIMITS RCPTMAX=%d", p.MaxRecipients))
	if !p.BareLF {
		lines = append(lines, "CHUNKING")
	}
	if s.startTLSOffered() {
		lines = append(lines, "STARTTLS")
	}
	if s.authOffered() {
		lines = append(lines, "AUTH PLAIN LOGIN")
		if p.LaxHelo {
			lines = append(lines, "AUTH=PLAIN LOGIN") // what clients from before RFC 2554 read
		}
	}
	s.reply(250, "", lines...)
}

func (s *session) startTLSOffered() bool {
	p := s.listener.policy
	return !s.secure && (p.TLS == tlsRequired || p.TLS == tlsOptional)
}

// improperPipelining ends a session with a client that did not wait for a reply that it
// must wait for: what follows may not be meant as commands.
func (s *session) improperPipelining(verb string) {
	s.closing = true
	s.badCommand(554, "5.5.0", "input behind "+verb+" before its reply (RFC 2920), closing")
}

func (s *session) startTLS(arg string) {
	switch {
	case !s.startTLSOffered() && s.secure:
		s.badCommand(503, "5.5.1", "TLS is in use already")
		return
	case !s.startTLSOffered():
		s.badCommand(502, "5.5.1", "STARTTLS is not available")
		return
	case arg != "":
		s.badCommand(501, "5.5.4", "syntax: STARTTLS")
		return
	case s.inputPending():
		// It was injected by an attacker in the middle, to be executed as if it had
		// come under TLS (CVE-2011-0411).
		s.improperPipelining("STARTTLS")
		return
	}
	s.reply(220, "2.0.0", "ready to start TLS")
	if s.flush() != nil {
		s.closing = true
		return
	}
	// Nothing learned before TLS counts (RFC 3207 section 4.2).
	s.endTransaction()
	s.helo, s.esmtp, s.client, s.mechanism = "", false, nil, ""
	s.handshake()
}

func (s *session) endTransaction() {
	s.talk.forget()
	if s.tx == nil {
		return
	}
	if s.tx.body != nil {
		if err := s.tx.body.Close(); err != nil {
			s.log.Error("a temporary file stays behind", "err", err)
		}
	}
	s.tx = nil
}

// requireHello refuses AUTH, an extension (RFC 4954), before EHLO, except with
// lax_helo. MAIL needs no EHLO, as for Postfix.
func (s *session) requireHello() bool {
	if s.helo != "" || s.listener.policy.LaxHelo {
		return true
	}
	s.badCommand(503, "5.5.1", said(mime.NewText("smtpd.ehlo_first",
		"send EHLO first. For a device that does not: lax_helo and networks of the listener"))...)
	return false
}
