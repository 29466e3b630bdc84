package graph

import (
	"time"

	"github.com/postino-mail/postino/adapters"
)

// ruleFor is the table of contracts B9, with B7.5-B7.8 and B8.2. Codes decide
// before statuses, because the statuses of many are not certain online.
//
// Decided here where the rows leave a choice:
//   - ErrorServerBusy, ErrorExceededConnectionCount and ErrorTooManyObjectsOpened
//     are refusals by policy before any work, so they are no unknown outcome.
//     Every other 503 is one, with or without Retry-After: B9 and F12.
//   - ErrorMimeContentConversionFailed is permanent at once. The conversion
//     depends on the message alone, and the adapter cannot count tries.
//   - ErrorItemNotFound is ambiguous on /send alone: the draft may have left.
//   - Limits over 24 hours wait as long when the provider names no time.
func ruleFor(code string) (rule, bool) {
	switch code {
	case "InvalidAuthenticationToken", "Unauthorized", "UnauthenticatedRequest":
		return tokenRule(), true
	case "Authorization_RequestDenied":
		r := accessRule()
		r.scope = adapters.ScopeConnection
		return r, true
	case "ErrorAccessDenied":
		return accessRule(), true
	case "ErrorSendAsDenied": // contracts B4.3, D5, F30
		return rule{class: adapters.Permanent, scope: adapters.ScopeMessage, enhanced: "5.7.1", noRetry: true,
			say: text("Microsoft 365 does not let {mailbox} send as {from}", "Microsoft 365 non permette a {mailbox} di inviare come {from}"),
			do: text("in the Exchange admin center grant {mailbox} the permission Send As on {from}, or send as {mailbox}; do not repeat before: refusals in a row get the mailbox throttled",
				"nell'interfaccia di amministrazione di Exchange concedere a {mailbox} il permesso Invia come su {from}, oppure inviare come {mailbox}; non ripetere prima: i rifiuti ripetuti limitano la casella")}, true
	case "ErrorInvalidRecipients": // contracts B5.3, B5.4: one bad address refuses all
		return rule{class: adapters.Permanent, scope: adapters.ScopeMessage, enhanced: "5.1.3",
			say: text("Microsoft 365 cannot use at least one recipient's address and sent to nobody", "Microsoft 365 non può usare almeno uno degli indirizzi e non ha inviato a nessuno"),
			do:  text("correct the recipients and send again", "correggere i destinatari e inviare di nuovo")}, true
	case "ErrorMimeContentInvalid", "ErrorMimeContentConversionFailed":
		return rule{class: adapters.Permanent, scope: adapters.ScopeMessage, enhanced: "5.6.0",
			say: text("Microsoft 365 cannot read the message", "Microsoft 365 non riesce a leggere il messaggio"),
			do:  text("check the program that makes the message; another connection may carry it as it is", "controllare il programma che produce il messaggio; un'altra connessione può inviarlo così com'è")}, true
	case "ErrorMimeContentInvalidBase64String", "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize",
		"InvalidInternetMessageHeader", "InvalidInternetMessageHeaderCollection": // contracts B1.4, B2.3, B6
		return rule{class: adapters.Permanent, scope: adapters.ScopeMessage, enhanced: "5.6.0",
			say: text("Microsoft Graph refuses the form in which postino handed over the message", "Microsoft Graph rifiuta la forma in cui postino ha consegnato il messaggio"),
			do:  text("report this to postino's makers with the request id", "segnalarlo agli autori di postino con il request id")}, true
	case "ErrorInvalidParameter", "RequestBodyRead", "BadRequest":
		return badRequestRule(), true
	case "ResourceNotFound", "Request_ResourceNotFound", "ErrorInvalidUser":
		return noMailboxRule(), true
	case "MailboxNotEnabledForRESTAPI", "ErrorMailboxNotEnabledForRESTAPI":
		return rule{class: adapters.Permanent, scope: adapters.ScopeLane, enhanced: "5.2.1",
			say: text("the mailbox {mailbox} is inactive, deleted, without licence or hosted on premises", "la casella {mailbox} è inattiva, eliminata, senza licenza o ospitata in locale"),
			do: text("assign an Exchange Online licence and wait until the mailbox is made, or choose another mailbox; then send again",
				"assegnare una licenza Exchange Online e attendere la creazione della casella, oppure scegliere un'altra casella; poi inviare di nuovo")}, true
	case "ErrorAccountDisabled", "ErrorMailboxLogonFailed":
		return rule{class: adapters.Permanent, scope: adapters.ScopeLane, enhanced: "5.2.1",
			say: text("the account of {mailbox} is disabled", "l'account di {mailbox} è disattivato"),
			do:  text("enable the account in Entra, or choose another mailbox", "riattivare l'account in Entra, oppure scegliere un'altra casella")}, true
	case "ErrorItemNotFound":
		return rule{ambiguous: true, scope: adapters.ScopeMessage, enhanced: "4.3.0",
			say: text("the draft is no longer where it was", "la bozza non è più dov'era"),
			do:  text("nothing, postino looks for the message before it does anything else", "nulla, postino cerca il messaggio prima di fare altro")}, true
	case "ErrorMessageSizeExceeded": // contracts B2.4
		return rule{class: adapters.Permanent, scope: adapters.ScopeMessage, enhanced: "5.2.3", tooLarge: true,
			say: text("the message is larger than the mailbox {mailbox} may send", "il messaggio supera la dimensione che la casella {mailbox} può inviare"),
			do: text("raise the mailbox's limit in the Exchange admin center (up to 150 MB, 35 MB by default), or send a link to the file",
				"alzare il limite della casella nell'interfaccia di amministrazione di Exchange (fino a 150 MB, 35 MB in origine), oppure inviare un collegamento al file")}, true
	case "RequestEntityTooLarge", "ErrorAttachmentSizeLimitExceeded", "ErrorRequestStreamTooBig":
		return tooLargeRule(), true
	case "ErrorQuotaExceeded": // contracts F24: Sent Items fill the mailbox
		return rule{class: adapters.Transient, scope: adapters.ScopeLane, enhanced: "4.2.2", wait: time.Hour,
			say: text("the mailbox {mailbox} is full", "la casella {mailbox} è piena"),
			do: text("empty Sent Items and the deleted items of {mailbox}, and set a retention policy there; then it goes on by itself",
				"svuotare Posta inviata e gli elementi eliminati di {mailbox} e impostare un criterio di conservazione; poi l'invio riprende da solo")}, true
	case "ErrorExceededMessageLimit", "ErrorMessageSubmissionBlocked", "ErrorExceededMaxRecipientLimitBlock",
		"ErrorSubmissionQuotaExceeded": // contracts B7.9
		r := throttledRule()
		r.wait = 24 * time.Hour
		r.say = text("the mailbox {mailbox} has reached its daily sending limit", "la casella {mailbox} ha raggiunto il limite giornaliero di invio")
		r.do = text("wait until tomorrow, or give the connection a fallback; bulk mail belongs on a service made for it",
			"attendere fino a domani, oppure dare alla connessione un'alternativa; gli invii massivi vanno su un servizio adatto")
		return r, true
	case "ApplicationThrottled", "TooManyRequests", "ErrorServerBusy": // contracts B7.5
		return throttledRule(), true
	case "Locked", "ErrorMailboxMoveInProgress":
		return movingRule(), true
	case "ErrorExceededConnectionCount", "ErrorTooManyObjectsOpened":
		r := throttledRule()
		r.class = adapters.Transient
		return r, true
	case "ErrorTimeoutExpired", "ErrorInternalServerError", "ErrorMailboxStoreUnavailable", "ServiceUnavailable",
		"GatewayTimeout":
		return ambiguousRule(), true
	}
	return rule{}, false
}

func tokenRule() rule {
	return rule{class: adapters.Auth, scope: adapters.ScopeConnection, enhanced: "4.7.0",
		say: text("Microsoft Graph refuses the access token, also a new one", "Microsoft Graph rifiuta il token di accesso, anche uno nuovo"),
		do: text("check tenant, client id and cloud of the connection: a token is good in one cloud only; then test the connection",
			"controllare tenant, client id e cloud della connessione: un token vale in un solo cloud; poi verificare la connessione")}
}

// accessRule: right after an administrator's change it can be 2 hours old
// (contracts B8.7, F28), so the mail stays.
func accessRule() rule {
	return rule{class: adapters.Auth, scope: adapters.ScopeLane, enhanced: "4.7.1",
		say: text("the application may not send through the mailbox {mailbox}", "l'applicazione non può inviare attraverso la casella {mailbox}"),
		do: text("in Entra give the app registration the application permission Mail.Send (Microsoft Graph) with admin consent, or bring {mailbox} into the scope of its role Application Mail.Send in Exchange; a change takes up to 2 hours, the mail stays queued",
			"in Entra dare alla registrazione dell'app l'autorizzazione applicativa Mail.Send (Microsoft Graph) con il consenso dell'amministratore, oppure includere {mailbox} nell'ambito del ruolo Application Mail.Send in Exchange; la modifica richiede fino a 2 ore, la posta resta in coda")}
}

// accessPolicyRule is contracts B8.2 and B8.3.
func accessPolicyRule() rule {
	r := accessRule()
	r.say = text("an application access policy of the tenant blocks the mailbox {mailbox}", "un criterio di accesso alle applicazioni del tenant blocca la casella {mailbox}")
	r.do = text("an Exchange administrator: add {mailbox} to the group of the application access policy (check with Test-ApplicationAccessPolicy); a change can take more than an hour, the mail stays queued",
		"un amministratore di Exchange: aggiungere {mailbox} al gruppo del criterio di accesso (controllare con Test-ApplicationAccessPolicy); la modifica può richiedere più di un'ora, la posta resta in coda")
	return r
}

func noMailboxRule() rule {
	return rule{class: adapters.Permanent, scope: adapters.ScopeLane, enhanced: "5.1.8",
		say: text("there is no mailbox {mailbox} in this tenant", "nel tenant non esiste la casella {mailbox}"),
		do:  text("check the connection's mailbox and tenant; a shared mailbox is named by its own address", "controllare casella e tenant della connessione; una casella condivisa si indica con il proprio indirizzo")}
}

func tooLargeRule() rule {
	return rule{class: adapters.Permanent, scope: adapters.ScopeMessage, enhanced: "5.3.4", tooLarge: true,
		say: text("the message is too large for this route", "il messaggio è troppo grande per questa via"),
		do:  text("name a fallback connection by SMTP for large mail, or send a link to the file", "indicare una connessione SMTP alternativa per la posta grande, oppure inviare un collegamento al file")}
}

func badRequestRule() rule {
	return rule{class: adapters.Permanent, scope: adapters.ScopeMessage, enhanced: "5.6.0",
		say: text("Microsoft Graph refuses the message", "Microsoft Graph rifiuta il messaggio"),
		do:  text("look at the code and the request id; another connection may carry the message", "vedere il codice e il request id; un'altra connessione può inviare il messaggio")}
}

// throttledRule is contracts B7: the mailbox waits, not only this message.
func throttledRule() rule {
	return rule{class: adapters.Throttled, scope: adapters.ScopeLane, enhanced: "4.7.0",
		say: text("Microsoft 365 asks to slow down for the mailbox {mailbox}", "Microsoft 365 chiede di rallentare per la casella {mailbox}"),
		do: text("nothing, it goes on by itself; if it stays so, lower the connection's concurrency or messages a minute",
			"nulla, riprende da solo; se continua, ridurre la concorrenza o i messaggi al minuto della connessione")}
}

func movingRule() rule {
	return rule{class: adapters.Transient, scope: adapters.ScopeLane, enhanced: "4.2.1",
		say: text("the mailbox {mailbox} is locked or being moved", "la casella {mailbox} è bloccata o in fase di spostamento"),
		do:  text("nothing, it is tried again", "nulla, si riprova")}
}

func ambiguousRule() rule {
	return rule{ambiguous: true, scope: adapters.ScopeMessage, enhanced: "4.3.0",
		say: text("Microsoft Graph failed without saying whether it took the message", "Microsoft Graph ha dato errore senza dire se ha accettato il messaggio"),
		do:  text("nothing, postino looks for the message where it may, before it sends again", "nulla, postino cerca il messaggio dove può, prima di inviare di nuovo")}
}

func lostAnswerRule() rule {
	r := ambiguousRule()
	r.say = text("the message was handed over and Microsoft Graph's answer never came", "il messaggio è stato consegnato e la risposta di Microsoft Graph non è arrivata")
	return r
}

func cancelledRule() rule {
	return rule{code: "cancelled", class: adapters.Transient, scope: adapters.ScopeMessage, enhanced: "4.3.0",
		say: text("sending was interrupted before the message was handed over", "l'invio è stato interrotto prima della consegna del messaggio"),
		do:  text("nothing, it is tried again", "nulla, si riprova")}
}

// strangerRule is an answer that Graph did not give. The mail stays queued.
func strangerRule() rule {
	return rule{class: adapters.Auth, scope: adapters.ScopeConnection, enhanced: "4.4.1",
		say: text("the answer does not come from Microsoft Graph", "la risposta non proviene da Microsoft Graph"),
		do: text("check the proxy or firewall between this server and Microsoft 365, and graph_url if it is set",
			"controllare proxy o firewall tra questo server e Microsoft 365, e graph_url se impostato")}
}
