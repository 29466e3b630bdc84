package fallback

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"

	"github.com/postino-mail/postino/adapters"
)

// cancelled is the caller giving up before the message can have been accepted.
func (a *adapter) cancelled(ctx context.Context) *adapters.Error {
	return adapters.NetworkError(adapters.SMTP, a.host, context.Cause(ctx), a.opt.Now())
}

// ioError is a connection that failed before the message can have been accepted.
func (a *adapter) ioError(ctx context.Context, s *session, at stage, err error) *adapters.Error {
	if ctx.Err() != nil {
		return a.cancelled(ctx)
	}
	var g *errGarbage
	if errors.As(err, &g) {
		return a.errGarbage(s, g)
	}
	e := adapters.NetworkError(adapters.SMTP, a.host, err, a.opt.Now())
	if at == atGreeting && !s.tls && (e.Code == "timeout" || e.Code == "connection_lost") {
		e.Code = "no_greeting"
		e.Message = text("%s accepted the connection on port %d and said nothing", "%s ha accettato la connessione sulla porta %d e non ha detto nulla", a.host, a.set.EffectivePort())
		e.Hint = text("if the port speaks TLS from the first byte (465), choose the encryption tls; otherwise look for a firewall in between",
			"se la porta parla TLS dal primo byte (465) scegliere la cifratura tls; altrimenti cercare un firewall nel mezzo")
	}
	return e
}

// dialError is a connection that never came to be.
func (a *adapter) dialError(ctx context.Context, err error) *adapters.Error {
	if ctx.Err() != nil {
		return a.cancelled(ctx)
	}
	if errors.Is(err, errOwnListener) {
		return a.connectionError("own_listener", "5.4.6",
			text("%s, port %d, is a listener of this gateway: a message sent there would come back for ever", "%s, porta %d, è un listener di questo gateway: un messaggio inviato lì tornerebbe sempre indietro", a.host, a.set.EffectivePort()),
			text("set smtp.host and smtp.port to the server of the provider", "impostare smtp.host e smtp.port sul server del provider"))
	}
	if errors.Is(err, errNotPublic) {
		return a.connectionError("address_not_public", "5.7.1",
			text("%s has an address that is not public, so nothing was sent to it", "%s ha un indirizzo che non è pubblico, quindi non gli è stato inviato nulla", a.host),
			text("use a server with a public address; an administrator can set smtp.public_only to false, or name its network under [connections] networks in the server's configuration",
				"usare un server con indirizzo pubblico; un amministratore può impostare smtp.public_only su false, o indicarne la rete in [connections] networks nella configurazione del server"))
	}
	e := adapters.NetworkError(adapters.SMTP, a.host, err, a.opt.Now())
	if a.set.SourceAddress != "" && strings.Contains(err.Error(), "bind") {
		e.Code = "source_address"
		e.Message = text("this machine cannot send from the address %s", "questa macchina non può inviare dall'indirizzo %s", shown(a.set.SourceAddress))
		e.Hint = text("correct smtp.source_address: it must be an address of this machine", "correggere smtp.source_address: deve essere un indirizzo di questa macchina")
	}
	return e
}

// unknown is a message whose final dot had left and whose answer did not come,
// or could not be understood.
func (a *adapter) unknown(ctx context.Context, s *session, err error) *adapters.Error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	e := &adapters.Error{Class: adapters.Unknown, Scope: adapters.ScopeMessage, Provider: adapters.SMTP, Code: "no_reply", Err: err,
		Message: text("%s received the whole message and the connection ended before its answer: it may have been sent", "%s ha ricevuto tutto il messaggio e la connessione è caduta prima della risposta: può essere stato inviato", a.host),
		Hint: text("look in the sent mail or ask the recipient before it is sent again",
			"controllare la posta inviata o chiedere al destinatario prima di rispedirlo")}
	var (
		g *errGarbage
		n net.Error
	)
	switch {
	case errors.As(err, &g):
		got := a.quoted(s, g.got)
		e.Message = text("%s received the whole message and its answer was not understood: %s; it may have been sent", "%s ha ricevuto tutto il messaggio e la sua risposta non è comprensibile: %s; può essere stato inviato", a.host, got)
	case errors.As(err, &n) && n.Timeout() && ctx.Err() == nil:
		e.Message = text("%s received the whole message and did not answer in time: it may have been sent", "%s ha ricevuto tutto il messaggio e non ha risposto in tempo: può essere stato inviato", a.host)
	}
	return e
}

// quoted is what a server sent, as far as it may be shown, between quotes.
func (a *adapter) quoted(s *session, got string) string {
	if got = s.censor.show(got); got == "" || a.set.PublicOnly { // whoever names hosts must not read through us what they say
		return "(-)"
	}
	return `"` + got + `"`
}

func (a *adapter) errGarbage(s *session, g *errGarbage) *adapters.Error {
	got := a.quoted(s, g.got)
	e := &adapters.Error{Class: adapters.Transient, Scope: adapters.ScopeConnection, Provider: adapters.SMTP, Code: "garbage", Err: g,
		Message: text("answer not understood: %s sent %s, which is not SMTP", "risposta non compresa: %s ha inviato %s, che non è SMTP", a.host, got),
		Hint:    text("check host and port, and look for a proxy or firewall that alters mail", "controllare host e porta, e cercare un proxy o firewall che altera la posta")}
	if g.tls {
		return a.errTLSPort(g)
	}
	return e
}

// errTLSPort is a port that speaks TLS from the first byte while the connection wants plain text first.
func (a *adapter) errTLSPort(cause error) *adapters.Error {
	return &adapters.Error{Class: adapters.Transient, Scope: adapters.ScopeConnection, Provider: adapters.SMTP, Code: "tls_port", Err: cause,
		Message: text("port %d of %s speaks TLS from the first byte", "la porta %d di %s parla TLS dal primo byte", a.set.EffectivePort(), a.host),
		Hint:    text("choose the encryption tls for this port", "scegliere la cifratura tls per questa porta")}
}

func (a *adapter) connectionError(code, enhanced string, sentence, remedy adapters.Text) *adapters.Error {
	return &adapters.Error{Class: adapters.Auth, Scope: adapters.ScopeConnection, Provider: adapters.SMTP, Code: code, Enhanced: enhanced, Message: sentence, Hint: remedy}
}

func (a *adapter) errNoSTARTTLS() *adapters.Error {
	return a.connectionError("no_starttls", "5.7.10",
		text("%s does not offer STARTTLS, so nothing was sent to it", "%s non offre STARTTLS, quindi non gli è stato inviato nulla", a.host),
		text("check host and port (587); for port 465 choose the encryption tls; if it worked before, somebody may be in between",
			"controllare host e porta (587); per la porta 465 scegliere la cifratura tls; se prima funzionava, qualcuno potrebbe essersi messo in mezzo"))
}

func (a *adapter) errInjected() *adapters.Error {
	return a.connectionError("starttls_injection", "5.7.0",
		text("%s sent data between its answer to STARTTLS and the encryption: the connection may be tampered with", "%s ha inviato dati tra la risposta a STARTTLS e la cifratura: la connessione può essere manomessa", a.host),
		text("use port 465 with the encryption tls, and look for a proxy that alters mail", "usare la porta 465 con la cifratura tls, e cercare un proxy che altera la posta"))
}

func (a *adapter) errPlaintextAuth() *adapters.Error {
	return a.connectionError("plaintext_auth", "5.7.11",
		text("%s wants the password in the clear over an unencrypted connection", "%s vuole la password in chiaro su una connessione non cifrata", a.host),
		text("choose the encryption starttls or tls; only an administrator can allow it by allow_insecure", "scegliere la cifratura starttls o tls; solo un amministratore può permetterlo con allow_insecure"))
}

// errNoMechanism is a server that offers no way to log in that this connection has.
func (a *adapter) errNoMechanism(s *session, wanted []string) *adapters.Error {
	offered := s.censor.show(strings.Join(s.caps.auth, " "))
	if offered != "" && a.set.PublicOnly { // the peer's words are not for whoever names peers
		offered = "AUTH"
	}
	startTLS := s.caps.has("STARTTLS") && !s.tls
	if offered == "" {
		e := a.connectionError("no_auth", "5.7.4",
			text("%s offers no authentication on port %d", "%s non offre autenticazione sulla porta %d", a.host, a.set.EffectivePort()),
			text("use the submission port (587 with starttls, 465 with tls), or remove login and password", "usare la porta di invio (587 con starttls, 465 con tls), o togliere login e password"))
		if startTLS {
			e.Hint = text("choose the encryption starttls: servers often offer authentication only after it", "scegliere la cifratura starttls: spesso i server offrono l'autenticazione solo dopo")
		}
		return e
	}
	e := a.connectionError("no_auth_mechanism", "5.7.4",
		text("%s offers %s and this connection needs %s", "%s offre %s e questa connessione richiede %s", a.host, offered, strings.Join(wanted, " / ")),
		text("use a credential that the server takes: %s", "usare una credenziale che il server accetta: %s", offered))
	named := a.set.Auth != "" && a.set.Auth != "auto"
	tokens, passwords := offersAny(s, tokenMechanisms[:]), offersAny(s, passwordMechanisms[:])
	switch {
	case startTLS:
		e.Hint = text("choose the encryption starttls: the server offers other ways to log in after it (Exchange offers LOGIN only then)",
			"scegliere la cifratura starttls: dopo di essa il server offre altri metodi di autenticazione (Exchange offre LOGIN solo allora)")
	case a.tokens != nil && !tokens && passwords:
		e.Hint = text("the server takes passwords, no tokens: give login and password instead of oauth", "il server accetta password e non token: indicare login e password al posto di oauth")
	case a.tokens == nil && tokens && !passwords:
		e.Hint = text("the server takes tokens, no passwords: set up oauth instead of the password", "il server accetta token e non password: configurare oauth al posto della password")
	case named && (passwords && a.tokens == nil || tokens && a.tokens != nil):
		e.Hint = text("set smtp.auth to auto, or to one of %s", "impostare smtp.auth su auto, o su uno tra %s", offered)
	case !tokens && !passwords: // NTLM and GSSAPI alone
		e.Hint = text("have the server's administrator enable LOGIN or PLAIN over TLS (in Exchange: Basic authentication on the receive connector), or use another port or server",
			"far abilitare all'amministratore del server LOGIN o PLAIN su TLS (in Exchange: autenticazione di base sul connettore di ricezione), o usare un'altra porta o un altro server")
	}
	return e
}

func offersAny(s *session, mechs []string) bool {
	return slices.ContainsFunc(mechs, func(m string) bool { return slices.Contains(s.caps.auth, m) })
}

// errMechanism is a server that breaks the rules of the mechanism.
func (a *adapter) errMechanism(err error) *adapters.Error {
	e := a.connectionError("sasl", "5.7.0",
		text("the authentication with %s broke down (%s)", "l'autenticazione con %s non è riuscita (%s)", a.host, shown(err.Error())),
		text("check host and login; try another smtp.auth", "controllare host e login; provare un altro smtp.auth"))
	e.Err = err
	return e
}

func (a *adapter) errNoRecipients() *adapters.Error {
	return &adapters.Error{Class: adapters.Permanent, Scope: adapters.ScopeMessage, Provider: adapters.SMTP, Code: "no_recipients", Enhanced: "5.5.1",
		Message: text("the envelope names no recipient", "la busta non indica alcun destinatario"),
		Hint:    text("give at least one recipient", "indicare almeno un destinatario")}
}

func (a *adapter) errNeedsUTF8(cause error) *adapters.Error {
	return &adapters.Error{Class: adapters.Permanent, Scope: adapters.ScopeMessage, Provider: adapters.SMTP, Code: "no_smtputf8", Enhanced: "5.6.7", Err: cause,
		Message: text("an address with non-ASCII letters needs SMTPUTF8, which %s does not offer", "un indirizzo con lettere non ASCII richiede SMTPUTF8, che %s non offre", a.host),
		Hint:    text("use an ASCII address for this person, or another connection", "usare un indirizzo ASCII per questa persona, o un'altra connessione")}
}

func (a *adapter) errLineEnds(err *errLineEnd) *adapters.Error {
	return &adapters.Error{Class: adapters.Permanent, Scope: adapters.ScopeMessage, Provider: adapters.SMTP, Code: "bare_line_end", Enhanced: "5.6.0", Err: err,
		Message: text("the message has a bare CR or LF at byte %d, which SMTP must not carry", "il messaggio ha un CR o LF isolato al byte %d, che SMTP non deve trasportare", err.offset),
		Hint:    text("end every line with CRLF, or hand the message over with lenient line ends", "terminare ogni riga con CRLF, o consegnare il messaggio con fine riga tollerante")}
}

func (a *adapter) errUnreadable(err error) *adapters.Error {
	if e := (*adapters.Error)(nil); errors.As(err, &e) { // of adapters.Outgoing.Permit
		return e
	}
	return &adapters.Error{Class: adapters.Transient, Scope: adapters.ScopeMessage, Provider: adapters.SMTP, Code: "unreadable", Err: err,
		Message: text("the stored message could not be read, so sending it was broken off", "il messaggio salvato non è leggibile, quindi l'invio è stato interrotto"),
		Hint:    text("look at the disk or the database, then try again", "controllare il disco o il database e riprovare")}
}
