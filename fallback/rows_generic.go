package fallback

import "github.com/postino-mail/postino/adapters"

// genericRows are what RFC 3463, 4954 and 5321 say, the most specific first.
func genericRows() []row {
	out := loginRows()
	out = append(out, permanentRows()...)
	return append(out, transientRows()...)
}

func loginRows() []row {
	conn := ofConnection
	login := conn(adapters.Auth, "the server does not accept this login", "il server non accetta queste credenziali",
		"check login and password of the connection", "controllare login e password della connessione")
	noLoginHere := conn(adapters.Auth, "the server takes no login on this port, or only over an encrypted connection",
		"il server non accetta credenziali su questa porta, o solo su una connessione cifrata",
		"check that host and port are those of the submission service, and choose starttls (587) or tls (465)",
		"controllare che server e porta siano quelli del servizio di invio, e scegliere starttls (587) o tls (465)")
	return []row{
		{432, "", "", atAuth, conn(adapters.Auth, "the server wants a new password to be set first", "il server vuole prima l'impostazione di una nuova password", // RFC 4954 section 6
			"sign in to the provider once and set the password anew", "accedere una volta al provider e reimpostare la password")},
		{454, "", "", atAuth, conn(adapters.Transient, "the server cannot check logins at the moment", "il server al momento non può verificare le credenziali", // RFC 4954, D5
			"none; it will be tried again", "nessuno; verrà ritentato")},
		{454, "", "", atTLS, conn(adapters.Transient, "the server cannot encrypt at the moment", "il server al momento non può cifrare", // RFC 3207 section 4
			"ask the server's administrator if this goes on", "se continua chiedere all'amministratore del server")},
		{530, "", "", 0, loginWanted()}, // RFC 4954 section 6
		{534, "", "", atAuth, conn(adapters.Auth, "the server wants another way of authentication", "il server vuole un altro metodo di autenticazione", // RFC 4954 section 6
			"try another smtp.auth, or use an app password or oauth", "provare un altro smtp.auth, o usare una password per le app od oauth")},
		{538, "", "", 0, conn(adapters.Auth, "the server wants encryption before the login", "il server vuole la cifratura prima dell'autenticazione",
			"choose the encryption starttls or tls", "scegliere la cifratura starttls o tls")},
		{500, "5.5.6", "", atAuth, conn(adapters.Auth, "the server cannot take a token of this length", "il server non accetta un token così lungo", // D1.2
			"ask the server's administrator", "chiedere all'amministratore del server")},
		{502, "", "", atAuth, noLoginHere},
		{503, "", "", atAuth, noLoginHere}, // "AUTH command used when not advertised"
		{5, "", "", atAuth, login},
		{5, "", "", atTLS, conn(adapters.Auth, "the server refused to encrypt, so nothing was sent to it", "il server ha rifiutato di cifrare, quindi non gli è stato inviato nulla",
			"ask the server's administrator, or use port 465 with tls", "chiedere all'amministratore del server, o usare la porta 465 con tls")},
		{5, "", "", atGreeting | atHello, conn(adapters.Auth, "the server does not take mail from this machine", "il server non accetta posta da questa macchina", // RFC 5321 section 3.1
			"check host and port; ask the provider whether this machine's address is blocked or must be registered", "controllare host e porta; chiedere al provider se l'indirizzo di questa macchina è bloccato o va registrato")},
	}
}

func notAllowedToRelay() meaning {
	return meaning{class: adapters.Auth, scope: adapters.ScopeConnection,
		sentence: text2("the server does not relay for somebody who has not logged in", "il server non inoltra la posta di chi non si è autenticato"),
		remedy:   text2("give login and password, or let the server's administrator allow this machine's address", "indicare login e password, o far autorizzare l'indirizzo di questa macchina dall'amministratore del server")}
}

// permanentRows are RFC 3463 sections 3.2 to 3.8, and what bare codes mean in RFC 5321 section 4.2.3.
func permanentRows() []row {
	p := func(en, it, remedyEN, remedyIT string) meaning {
		return meaning{class: adapters.Permanent, sentence: text2(en, it), remedy: text2(remedyEN, remedyIT)}
	}
	correct := [2]string{"correct the recipient's address", "correggere l'indirizzo del destinatario"}
	full := p("the recipient's mailbox is full", "la casella del destinatario è piena", "tell the recipient by another way", "avvisare il destinatario in altro modo")
	nobody := p("the recipient does not exist", "il destinatario non esiste", correct[0], correct[1])
	policy := p("the receiving side does not want the message", "il destinatario non vuole il messaggio",
		"read the server's words; often the content, an attachment or the sender's reputation is to blame", "leggere le parole del server; spesso dipende dal contenuto, da un allegato o dalla reputazione del mittente")
	sender := senderRefused()
	system := p("the server cannot take the message", "il server non può accettare il messaggio", "ask the server's administrator", "chiedere all'amministratore del server")
	content := p("the server does not accept the message's content", "il server non accetta il contenuto del messaggio", "send the content in another form", "inviare il contenuto in un'altra forma")
	recipient := p("the server does not accept the recipient", "il server non accetta il destinatario", correct[0], correct[1])
	mailbox := p("the recipient's mailbox cannot take the message", "la casella del destinatario non può accettare il messaggio", "tell the recipient by another way", "avvisare il destinatario in altro modo")
	lines := p("a line of the message is too long for the server", "una riga del messaggio è troppo lunga per il server",
		"break the lines at 998 bytes, or send the content as base64 or quoted-printable", "spezzare le righe a 998 byte, o inviare il contenuto come base64 o quoted-printable")
	protocol := p("the server did not understand or allow the command", "il server non ha capito o permesso il comando", "ask the server's administrator; report it if it goes on", "chiedere all'amministratore del server; segnalarlo se continua")
	return []row{
		{5, "", "overquota|over quota|quota exceeded|quota violation|exceeded storage|storage space|storage quota|mailbox full|mailbox is full|mailbox size|messages on the server", atRcpt | atMessage, full},
		{5, "", "user unknown|unknown user|no such user|user not found|mailbox not found|no longer valid|doesn't have a|disabled or discontinued", atRcpt | atMessage, nobody},
		{5, "", "mailbox unavailable", atRcpt, recipient},
		{5, "5.7.", "recipient address rejected|address locked", atRcpt, recipient},
		{5, "", "line is too long|line too long|lines too long|line length", atMessage, lines},
		{5, "", "message too big|message too large|message size|message is too long|file too big|size limit|maximum size of", atMail | atMessage, tooLarge()},
		{5, "", "missing a valid address|multiple addresses in|having no from|not rfc compliant", atMessage, content},
		{5, "", "spam|virus|malware|infected|mail rejected", atMessage, policy},
		{5, "5.1.2", "", 0, p("the recipient's domain does not exist", "il dominio del destinatario non esiste", correct[0], correct[1])},
		{5, "5.1.3", "", 0, p("the recipient's address is not written correctly", "l'indirizzo del destinatario non è scritto correttamente", correct[0], correct[1])},
		{5, "5.1.6", "", 0, p("the recipient has moved", "il destinatario si è trasferito", "ask for the new address", "chiedere il nuovo indirizzo")},
		{5, "5.1.7", "", 0, sender},
		{5, "5.1.8", "", 0, sender},
		{5, "5.1.", "", 0, nobody},
		{5, "5.2.1", "receiving mail", 0, mailbox},
		{5, "5.2.1", "", 0, p("the recipient's mailbox is switched off", "la casella del destinatario è disattivata", correct[0], correct[1])},
		{5, "5.2.2", "", 0, full},
		{5, "5.2.3", "", 0, tooLarge()},
		{5, "5.2.", "", 0, mailbox},
		{5, "5.3.4", "", 0, tooLarge()},
		{5, "5.3.", "", 0, system},
		{5, "5.4.1", "", atRcpt, nobody},
		{5, "5.4.6", "", 0, p("the message goes round in circles", "il messaggio gira in tondo", "let the recipient's administrator correct the forwarding", "far correggere l'inoltro all'amministratore del destinatario")},
		{5, "5.4.14", "", 0, p("the message goes round in circles", "il messaggio gira in tondo", "let the recipient's administrator correct the forwarding", "far correggere l'inoltro all'amministratore del destinatario")},
		{5, "5.4.", "", 0, p("the server finds no way to the recipient", "il server non trova la strada per il destinatario", correct[0], correct[1])},
		{5, "5.5.3", "", 0, p("the message has too many recipients", "il messaggio ha troppi destinatari", "send to fewer at once", "inviare a meno destinatari per volta")},
		{5, "5.5.", "", 0, protocol},
		{5, "5.6.7", "", 0, p("the server cannot carry an address with non-ASCII letters", "il server non può trasportare un indirizzo con lettere non ASCII", "use an ASCII address", "usare un indirizzo ASCII")},
		{5, "5.6.", "", 0, content},
		{5, "5.7.23", "", 0, p("the sender's SPF record does not allow this server", "il record SPF del mittente non autorizza questo server", "add the server to the SPF record of the sender's domain", "aggiungere il server al record SPF del dominio mittente")},
		{5, "5.7.", "", atMail, sender},
		{5, "5.7.", "", 0, policy},
		{552, "", "quota", 0, full},
		{552, "", "", atMail | atMessage, tooLarge()}, // RFC 1870 section 6.1
		{552, "", "", atRcpt, full},
		{551, "", "", atRcpt, nobody},
		{5, "", "", atRcpt, recipient},
		{5, "", "", atMail, sender},
		{5, "", "", 0, policy},
	}
}

// transientRows are the same for 4yz.
func transientRows() []row {
	retry := func(scope adapters.Scope, en, it string) meaning {
		return meaning{class: adapters.Transient, scope: scope, sentence: text2(en, it), remedy: text2("none; it will be tried again", "nessuno; verrà ritentato")}
	}
	return []row{
		{421, "", "", 0, retry(adapters.ScopeConnection, "the server closes the connection and asks to come back later", "il server chiude la connessione e chiede di riprovare più tardi")},
		{4, "4.1.7", "", 0, senderLater()},
		{4, "4.1.8", "", 0, senderLater()},
		{4, "", "sender address rejected|sender verify|sender verification", atEnvelope, senderLater()},
		{4, "4.2.2", "", 0, retry("", "the recipient's mailbox is full at the moment", "la casella del destinatario al momento è piena")},
		{4, "4.2.", "", 0, retry("", "the recipient's mailbox cannot take mail at the moment", "la casella del destinatario al momento non può ricevere")},
		{452, "4.5.3", "", 0, meaning{class: adapters.Transient, // D5: split
			sentence: text2("the server takes no more recipients in one transaction", "il server non accetta altri destinatari in una sola transazione"),
			remedy:   text2("none; the others follow in another transaction", "nessuno; gli altri seguono in un'altra transazione")}},
		{4, "4.3.4", "", 0, retry("", "the message is too large for the server at the moment", "il messaggio al momento è troppo grande per il server")},
		{4, "4.3.", "", 0, retry(adapters.ScopeConnection, "the server has a problem of its own at the moment", "il server al momento ha un problema proprio")},
		{4, "4.4.", "", 0, retry("", "the server cannot reach the recipient's side at the moment", "il server al momento non raggiunge il destinatario")},
		{4, "4.7.", "", atRcpt | atMessage, retry("", "the receiving side makes unknown senders wait, or limits the rate", "il destinatario fa attendere i mittenti sconosciuti, o limita la frequenza")},
		{4, "", "", atLogin, retry(adapters.ScopeConnection, "the server is not ready at the moment", "il server al momento non è pronto")},
		{4, "", "", 0, retry("", "the server cannot take the message at the moment", "il server al momento non può accettare il messaggio")},
	}
}
