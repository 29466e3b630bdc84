package fallback

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// cancelled is the caller giving up before the message can have been accepted.
func (a *Adapter) cancelled(ctx context.Context) *adapters.Error {
	return adapters.NetworkError(adapters.SMTP, a.host, context.Cause(ctx), a.opt.Now())
}

// ioError is a connection that failed before the message can have been accepted.
func (a *Adapter) ioError(ctx context.Context, s *session, at stage, err error) *adapters.Error {
	if ctx.Err() != nil {
		return a.cancelled(ctx)
	}
	var g *errGarbage
	if errors.As(err, &g) {
		return a.errGarbage(s, g)
	}
	e := adapters.NetworkError(adapters.SMTP, a.host, err, a.opt.Now())
	if at == atGreeting && !s.tls && (e.Code == adapters.CodeTimeout || e.Code == adapters.CodeConnectionLost) {
		e.Code = "no_greeting"
		e.Message = mime.NewText("smtp.no_greeting", "{host} accepted the connection on port {port} and said nothing",
			"host", a.host, "port", a.set.EffectivePort())
		e.Hint = mime.NewText("smtp.no_greeting_hint",
			"if the port speaks TLS from the first byte (465), choose the encryption tls; otherwise look for a "+
				"firewall in between")
	}
	return e
}

// dialError is a connection that never came to be.
func (a *Adapter) dialError(ctx context.Context, err error) *adapters.Error {
	if ctx.Err() != nil {
		return a.cancelled(ctx)
	}
	if errors.Is(err, errOwnListener) {
		return a.connectionError("own_listener", "5.4.6",
			mime.NewText("smtp.own_listener",
				"{host}, port {port}, is a listener of this gateway: a message sent there would come back for ever",
				"host", a.host, "port", a.set.EffectivePort()),
			mime.NewText("smtp.set_host_and_port",
				"set smtp.host and smtp.port to the server of the provider"))
	}
	if errors.Is(err, errNotPublic) {
		return a.connectionError("address_not_public", "5.7.1",
			mime.NewText("smtp.address_not_public",
				"{host} has an address that is not public, so nothing was sent to it", "host", a.host),
			mime.NewText("smtp.use_public_server",
				"use a server with a public address; an administrator can set smtp.public_only to false, or name its "+
					"network under [connections] networks in the server's configuration"))
	}
	e := adapters.NetworkError(adapters.SMTP, a.host, err, a.opt.Now())
	if a.set.SourceAddress != "" && strings.Contains(err.Error(), "bind") {
		e.Code = "source_address"
		e.Message = mime.NewText("smtp.source_address", "this machine cannot send from the address {source_address}",
			"source_address", shown(a.set.SourceAddress))
		e.Hint = mime.NewText("smtp.source_address_hint",
			"correct smtp.source_address: it must be an address of this machine")
	}
	return e
}

// unknown is a message after its final dot had left and before its answer came,
// or could not be understood.
func (a *Adapter) unknown(ctx context.Context, s *session, err error) *adapters.Error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	e := &adapters.Error{Class: adapters.Unknown, Scope: adapters.ScopeMessage, Provider: adapters.SMTP, Code: adapters.CodeNoReply, Err: err,
		Message: mime.NewText("smtp.no_reply",
			"{host} received the whole message and the connection ended before its answer: it may have been sent",
			"host", a.host),
		Hint: mime.NewText("smtp.no_reply_hint",
			"look in the sent mail or ask the recipient before it is sent again")}
	var (
		g *errGarbage
		n net.Error
	)
	switch {
	case errors.As(err, &g):
		got := a.quoted(s, g.got)
		e.Message = mime.NewText("smtp.answer_not_understood",
			"{host} received the whole message and its answer was not understood: {got}; it may have been sent",
			"host", a.host, "got", got)
	case errors.As(err, &n) && n.Timeout() && ctx.Err() == nil:
		e.Message = mime.NewText("smtp.answer_missing",
			"{host} received the whole message and did not answer in time: it may have been sent", "host", a.host)
	}
	return e
}

// quoted is what a server sent, as far as it may be shown, between quotes.
func (a *Adapter) quoted(s *session, got string) string {
	if got = s.censor.show(got); got == "" || a.set.PublicOnly { // whoever names hosts must not read through us what they say
		return "(-)"
	}
	return `"` + got + `"`
}

func (a *Adapter) errGarbage(s *session, g *errGarbage) *adapters.Error {
	got := a.quoted(s, g.got)
	e := &adapters.Error{Class: adapters.Transient, Scope: adapters.ScopeConnection, Provider: adapters.SMTP,
		Code: adapters.CodeGarbage, Err: g,
		Message: mime.NewText("smtp.garbage", "answer not understood: {host} sent {got}, which is not SMTP", "host", a.host, "got", got),
		Hint: mime.NewText("smtp.garbage_hint",
			"check host and port, and look for a proxy or firewall that alters mail")}
	if g.tls {
		return a.errTLSPort(g)
	}
	return e
}

// errTLSPort is a port that speaks TLS from the first byte while the connection wants plain text first.
func (a *Adapter) errTLSPort(cause error) *adapters.Error {
	return &adapters.Error{Class: adapters.Transient, Scope: adapters.ScopeConnection, Provider: adapters.SMTP, Code: "tls_port", Err: cause,
		Message: mime.NewText("smtp.tls_port", "port {port} of {host} speaks TLS from the first byte", "port", a.set.EffectivePort(), "host",
			a.host),
		Hint: mime.NewText("smtp.tls_port_hint", "choose the encryption tls for this port")}
}

func (a *Adapter) connectionError(code adapters.Code, enhanced string, message, hint adapters.Text) *adapters.Error {
	return &adapters.Error{Class: adapters.Auth, Scope: adapters.ScopeConnection, Provider: adapters.SMTP, Code: code, Enhanced: enhanced,
		Message: message, Hint: hint}
}

func (a *Adapter) errNoSTARTTLS() *adapters.Error {
	return a.connectionError("no_starttls", "5.7.10",
		mime.NewText("smtp.no_starttls",
			"{host} does not offer STARTTLS, so nothing was sent to it", "host", a.host),
		mime.NewText("smtp.check_port_587",
			"check host and port (587); for port 465 choose the encryption tls; if it worked before, something in between may "+
				"remove it"))
}

func (a *Adapter) errInjected() *adapters.Error {
	return a.connectionError("starttls_injection", "5.7.0",
		mime.NewText("smtp.starttls_injection",
			"{host} sent data between its answer to STARTTLS and the encryption: the connection may be tampered with",
			"host", a.host),
		mime.NewText("smtp.use_465",
			"use port 465 with the encryption tls, and look for a proxy that alters mail"))
}

func (a *Adapter) errPlaintextAuth() *adapters.Error {
	return a.connectionError("plaintext_auth", "5.7.11",
		mime.NewText("smtp.password_unencrypted",
			"{host} wants the password in the clear over an unencrypted connection", "host", a.host),
		mime.NewText("smtp.choose_encryption",
			"choose the encryption starttls or tls; only an administrator can allow it by allow_insecure"))
}

// errNoMechanism is a server that offers no way to log in that this connection has.
func (a *Adapter) errNoMechanism(s *session, wanted []string) *adapters.Error {
	offered := s.censor.show(strings.Join(s.caps.auth, " "))
	if offered != "" && a.set.PublicOnly { // the peer's words are not for whoever names peers
		offered = "AUTH"
	}
	startTLS := s.caps.has("STARTTLS") && !s.tls
	if offered == "" {
		e := a.connectionError("no_auth", "5.7.4",
			mime.NewText("smtp.offers_no_authentication_port", "{host} offers no authentication on port {port}", "host", a.host, "port",
				a.set.EffectivePort()),
			mime.NewText("smtp.use_submission_port",
				"use the submission port (587 with starttls, 465 with tls), or remove login and password"))
		if startTLS {
			e.Hint = mime.NewText("smtp.choose_starttls_for_login",
				"choose the encryption starttls: servers often offer authentication only after it")
		}
		return e
	}
	e := a.connectionError("no_auth_mechanism", "5.7.4",
		mime.NewText("smtp.offers_connection_needs",
			"{host} offers {offered} and this connection needs {wanted}",
			"host", a.host, "offered", offered, "wanted", strings.Join(wanted, " / ")),
		mime.NewText("smtp.use_credential_server_takes", "use a credential that the server takes: {offered}", "offered", offered))
	named := a.set.Auth != "" && a.set.Auth != "auto"
	tokens, passwords := offersAny(s, tokenMechanisms[:]), offersAny(s, passwordMechanisms[:])
	switch {
	case startTLS:
		e.Hint = mime.NewText("smtp.choose_starttls_offers_more",
			"choose the encryption starttls: the server offers other ways to log in after it (Exchange offers LOGIN "+
				"only then)")
	case a.tokens != nil && !tokens && passwords:
		e.Hint = mime.NewText("smtp.takes_passwords",
			"the server takes passwords, no tokens: give login and password instead of oauth")
	case a.tokens == nil && tokens && !passwords:
		e.Hint = mime.NewText("smtp.takes_tokens",
			"the server takes tokens, no passwords: set up oauth instead of the password")
	case named && (passwords && a.tokens == nil || tokens && a.tokens != nil):
		e.Hint = mime.NewText("smtp.set_auth", "set smtp.auth to auto, or to one of {offered}", "offered", offered)
	case !tokens && !passwords: // NTLM and GSSAPI alone
		e.Hint = mime.NewText("smtp.enable_login_or_plain",
			"have the server's administrator enable LOGIN or PLAIN over TLS (in Exchange: Basic authentication on the "+
				"receive connector), or use another port or server")
	}
	return e
}

func offersAny(s *session, mechs []string) bool {
	return slices.ContainsFunc(mechs, func(m string) bool { return slices.Contains(s.caps.auth, m) })
}

// errMechanism is a server that breaks the rules of the mechanism.
func (a *Adapter) errMechanism(err error) *adapters.Error {
	e := a.connectionError("sasl", "5.7.0",
		mime.NewText("smtp.authentication_broke_down",
			"the authentication with {host} broke down ({reason})", "host", a.host, "reason", shown(err.Error())),
		mime.NewText("smtp.check_host_and_login", "check host and login; try another smtp.auth"))
	e.Err = err
	return e
}

func (a *Adapter) errNoRecipients() *adapters.Error {
	return &adapters.Error{Class: adapters.Permanent, Scope: adapters.ScopeMessage, Provider: adapters.SMTP,
		Code:     adapters.CodeNoRecipients,
		Enhanced: "5.5.1",
		Message:  mime.NewText("smtp.no_recipients", "the envelope names no recipient"),
		Hint:     mime.NewText("smtp.no_recipients_hint", "give at least one recipient")}
}

func (a *Adapter) errNeedsUTF8(cause error) *adapters.Error {
	return &adapters.Error{Class: adapters.Permanent, Scope: adapters.ScopeMessage, Provider: adapters.SMTP, Code: "no_smtputf8",
		Enhanced: "5.6.7", Err: cause,
		Message: mime.NewText("smtp.no_smtputf8",
			"an address with non-ASCII letters needs SMTPUTF8, which {host} does not offer", "host", a.host),
		Hint: mime.NewText("smtp.no_smtputf8_hint", "use an ASCII address for this person, or another connection")}
}

func (a *Adapter) errLineEnds(err *errLineEnd) *adapters.Error {
	return &adapters.Error{Class: adapters.Permanent, Scope: adapters.ScopeMessage, Provider: adapters.SMTP, Code: "bare_line_end",
		Enhanced: "5.6.0", Err: err,
		Message: mime.NewText("smtp.bare_line_end",
			"the message has a bare CR or LF at byte {offset}, which SMTP must not carry", "offset", err.offset),
		Hint: mime.NewText("smtp.bare_line_end_hint",
			"end every line with CRLF, or hand the message over with lenient line ends")}
}

func (a *Adapter) errUnreadable(err error) *adapters.Error {
	if e := (*adapters.Error)(nil); errors.As(err, &e) { // of adapters.Outgoing.Permit
		return e
	}
	return &adapters.Error{Class: adapters.Transient, Scope: adapters.ScopeMessage, Provider: adapters.SMTP,
		Code: adapters.CodeUnreadable, Err: err,
		Message: mime.NewText("smtp.unreadable", "the stored message could not be read, so sending it was broken off"),
		Hint:    mime.NewText("smtp.unreadable_hint", "look at the disk or the database, then try again")}
}
