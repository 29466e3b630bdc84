package fallback

import "github.com/postino-mail/postino/adapters"

// This file holds what refusals of this side mean (refusal_words.go finds them).

func ofConnection(class adapters.Class, en, it, remedyEN, remedyIT string) meaning {
	return meaning{class: class, scope: adapters.ScopeConnection, sentence: text2(en, it), remedy: text2(remedyEN, remedyIT)}
}

func encryptionWanted() meaning { // RFC 3207 section 4
	return ofConnection(adapters.Auth, "the server takes mail only over an encrypted connection", "il server accetta posta solo su una connessione cifrata",
		"choose the encryption starttls (port 587), or tls (port 465)", "scegliere la cifratura starttls (porta 587) o tls (porta 465)")
}

func loginWanted() meaning {
	return ofConnection(adapters.Auth, "the server wants a login before it takes mail", "il server vuole l'autenticazione prima di accettare posta",
		"give login and password, or oauth, and choose starttls or tls", "indicare login e password, od oauth, e scegliere starttls o tls")
}

// loginIgnored is a server that has taken the login and asks for one.
func loginIgnored() meaning {
	return ofConnection(adapters.Auth, "the server took the login and still asks for authentication", "il server ha accettato le credenziali e chiede ancora l'autenticazione",
		"check that this login may send from this sender address, and that host and port are those of the submission service (587 or 465)",
		"controllare che queste credenziali possano inviare da questo indirizzo mittente, e che server e porta siano quelli del servizio di invio (587 o 465)")
}

// helloRefused keeps the mail: the name is a setting of this side.
func helloRefused(code int) meaning {
	class := adapters.Auth
	if code/100 == 4 {
		class = adapters.Transient
	}
	return ofConnection(class, "the server does not accept the name by which this machine introduces itself (EHLO)", "il server non accetta il nome con cui questa macchina si presenta (EHLO)",
		"set smtp.hostname to this machine's full domain name, one that DNS knows", "impostare smtp.hostname con il nome di dominio completo di questa macchina, noto al DNS")
}

func clientRefused(code int) meaning {
	class := adapters.Auth
	if code/100 == 4 {
		class = adapters.Transient
	}
	return ofConnection(class, "the server does not take mail from this machine's address", "il server non accetta posta dall'indirizzo di questa macchina",
		"ask the provider whether this machine's public address is blocked, listed or must be registered, and check its reverse DNS name; smtp.source_address chooses another address",
		"chiedere al provider se l'indirizzo pubblico di questa macchina è bloccato, in una lista o da registrare, e controllarne il nome DNS inverso; smtp.source_address sceglie un altro indirizzo")
}

func accountBlocked(code int) meaning {
	class := adapters.Auth
	if code/100 == 4 {
		class = adapters.Transient
	}
	return ofConnection(class, "the provider has blocked or suspended sending for this account", "il provider ha bloccato o sospeso l'invio per questo account",
		"sign in at the provider or call its support: the account must be released there; change its password if mail left that no one here sent",
		"accedere al sito del provider o chiamare l'assistenza: l'account va sbloccato lì; cambiare la password se è partita posta che nessuno qui ha inviato")
}

// senderRefused concerns the connection when the sender is its own, otherwise the message (refused).
func senderRefused() meaning {
	m := ofConnection(adapters.Auth, "the server does not accept this sender", "il server non accetta questo mittente",
		"use a sender address that exists and that this login may use, or have the provider allow the login to send from it",
		"usare un indirizzo mittente che esiste e che queste credenziali possono usare, o far autorizzare dal provider le credenziali a inviare da esso")
	m.foreign = true
	return m
}

func relayRefused(in input) meaning {
	m := notAllowedToRelay()
	if in.authed {
		m.sentence = text2("the server does not relay mail of this login to other domains", "il server non inoltra ad altri domini la posta di queste credenziali")
		m.remedy = text2("check that host and port are those of the submission service (587 or 465), and ask the provider whether this login may send to other domains",
			"controllare che server e porta siano quelli del servizio di invio (587 o 465), e chiedere al provider se queste credenziali possono inviare ad altri domini")
	}
	if in.relayed { // others are taken: it is this recipient's domain
		m.class, m.scope = adapters.Permanent, adapters.ScopeMessage
	}
	if in.Code/100 == 4 { // Postfix's defer_unauth_destination
		m.class = adapters.Transient
	}
	return m
}

func tooManyConnections() meaning {
	return meaning{class: adapters.Throttled, scope: adapters.ScopeLane,
		sentence: text2("the server has too many connections of this machine or mailbox open at once", "il server ha troppe connessioni aperte insieme da questa macchina o casella"),
		remedy: text2("No action needed; if it happens often, lower the connection's concurrency and look for other programs that use the mailbox",
			"Nessuna azione necessaria; se accade spesso, abbassare la concorrenza della connessione e cercare altri programmi che usano la casella")}
}

func senderLater() meaning {
	return meaning{class: adapters.Transient, sentence: text2("the server cannot verify the sender at the moment", "il server al momento non può verificare il mittente"),
		remedy: text2("postino retries automatically; if it goes on, check the sender address and its domain in DNS",
			"postino ritenta automaticamente; se continua controllare l'indirizzo mittente e il suo dominio nel DNS")}
}

// domainRefused concerns the DNS of the sender's domain (SPF, DKIM, DMARC), so the message and not the connection.
func domainRefused(code int) meaning {
	m := meaning{class: adapters.Permanent,
		sentence: text2("the receiving side wants the sender's domain to prove itself", "il destinatario vuole che il dominio del mittente si autentichi"),
		remedy:   text2("set SPF, DKIM and DMARC of the sender's domain for this server", "impostare SPF, DKIM e DMARC del dominio mittente per questo server")}
	if code/100 == 4 {
		m.class = adapters.Transient
		m.remedy = text2("postino retries automatically; if it goes on, set SPF, DKIM and DMARC of the sender's domain for this server",
			"postino ritenta automaticamente; se continua impostare SPF, DKIM e DMARC del dominio mittente per questo server")
	}
	return m
}
