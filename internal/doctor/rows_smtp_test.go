package doctor_test

import (
	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/adapters/stages"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/doctor"
)

// smtpRows are contracts D5 with its additions in L. A reply comes where servers
// give it: at the greeting, at AUTH, at MAIL or RCPT, or at the end of the message.
func smtpRows() []row {
	reply := func(way, op string, stage stages.Name, class adapters.Class, code, text, en, it string) row {
		return row{ref: op + " " + code + " " + text, way: way, message: stage == doctor.Message, stage: stage, class: class, code: code,
			en: en, it: it, faults: []sandbox.Fault{{Service: "smtp", Op: op, Reply: code + " " + text}}}
	}
	login := func(class adapters.Class, code, text, en, it string) row {
		return reply("smtp", "auth", stages.Authentication, class, code, text, en, it)
	}
	sender := func(class adapters.Class, code, text, en, it string) row {
		return reply("smtp", "mail", stages.Sender, class, code, text, en, it)
	}
	dot := func(class adapters.Class, code, text, en, it string) row {
		return reply("smtp", "dot", doctor.Message, class, code, text, en, it)
	}
	const throttleText = "Sender throttled due to continuous errors"
	rows := []row{
		login(auth, "535 5.7.139", "Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
			"Microsoft 365 has SMTP AUTH switched|switch it on for the mailbox",
			"Microsoft 365 ha SMTP AUTH disattivato|attivarlo per la casella: Set-CASMailbox <casella>"),
		login(auth, "535 5.7.139", "Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.",
			"Microsoft 365 has SMTP AUTH switched|switch it on for the mailbox",
			"Microsoft 365 ha SMTP AUTH disattivato|attivarlo per la casella: Set-CASMailbox <casella>"),
		login(auth, "535 5.7.139", "Authentication unsuccessful, basic authentication is disabled.",
			"Microsoft 365 no longer takes a|use oauth", "Microsoft 365 qui non accetta più|usare oauth"),
		login(auth, "535 5.7.139", "Authentication unsuccessful, user is locked by your organization's security defaults policy.",
			"the tenant's security defaults block this|use a graph connection, or replace",
			"le impostazioni di sicurezza predefinite del|usare una connessione graph, o sostituire"),
		login(auth, "535 5.7.139", "Authentication unsuccessful, the request did not meet the criteria to be authenticated successfully.",
			"Microsoft 365 refused the sign-in: Conditional|check the password and the Conditional",
			"Microsoft 365 ha rifiutato l'accesso: accesso|controllare la password e i criteri"),
		{ref: "535 5.7.3 token", way: "smtp-entra", change: mailboxAndLogin("noaccess@contoso.example"), stage: stages.Authentication,
			class:    auth,
			switches: func(s *sandbox.Switches) { s.SMTPStyle = "exchange" }, code: "535 5.7.3",
			en: "the server does not accept this|with a password: check login and",
			it: "il server non accetta queste credenziali|con password: controllare login e password"},
		login(auth, "535 5.7.3", "Authentication unsuccessful",
			"the server does not accept this|with a password: check login and",
			"il server non accetta queste credenziali|con password: controllare login e password"),
		sender(auth, "530 5.7.57", "Client not authenticated to send mail.",
			"the server wants a login before|give login and password, or oauth",
			"il server vuole l'autenticazione prima di|indicare login e password, od oauth"),
		login(auth, "550 5.7.30", "Basic authentication is not supported for Client Submission.",
			"Microsoft retired passwords for sending by|use oauth", "Microsoft ha ritirato le password per|usare oauth"),
		dot(permanent, "550 5.7.60", "SMTP; Client does not have permissions to send as this sender",
			"the login may not send as|grant Send As on that address",
			"le credenziali non possono inviare come|concedere Invia come su quell'indirizzo"),
		{ref: "554 5.2.252 SendAsDenied", way: "smtp-entra", message: true, change: deniedSender, stage: stages.Sender, class: permanent,
			code: "554 5.2.252",

			en: "the login may not send as|grant Send As on that address",
			it: "le credenziali non possono inviare come|concedere Invia come su quell'indirizzo "},
		dot(throttled, "550 5.2.251", throttleText,
			"Microsoft 365 throttles the whole mailbox|remove the cause",
			"Microsoft 365 limita tutta la casella|eliminare la causa"),
		dot(throttled, "550 5.2.252", throttleText,
			"Microsoft 365 throttles the whole mailbox|remove the cause",
			"Microsoft 365 limita tutta la casella|eliminare la causa"),
		dot(throttled, "550 5.2.253", throttleText,
			"Microsoft 365 throttles the whole mailbox|remove the cause",
			"Microsoft 365 limita tutta la casella|eliminare la causa"),
		dot(throttled, "550 5.2.254", throttleText,
			"Microsoft 365 throttles the whole mailbox|remove the cause",
			"Microsoft 365 limita tutta la casella|eliminare la causa"),
		dot(throttled, "550 5.2.255", throttleText,
			"Microsoft 365 throttles the whole mailbox|remove the cause",
			"Microsoft 365 limita tutta la casella|eliminare la causa"),
		login(throttled, "432 4.3.2", "Concurrent connections limit exceeded.",
			"the mailbox has too many connections|set the connection's concurrency to 3",
			"la casella ha troppe connessioni aperte|impostare la concorrenza della connessione a"),
		sender(throttled, "451 4.7.500", "Server busy. Please try again later.",
			"the server is busy and asks|No action needed", "il server è occupato e chiede|Nessuna azione necessaria"),
		reply("smtp", "connect", stages.Greeting, transient, "421 4.3.2", "Service not available",
			"the server closes the connection and|No action needed",
			"il server chiude la connessione e|Nessuna azione necessaria"),
		login(transient, "454 4.7.0", "Temporary authentication failure",
			"the server cannot check logins at|No action needed", "il server al momento non può|Nessuna azione necessaria"),
		dot(permanent, "550 5.1.20", "Multiple From addresses are not allowed without Sender",
			"the message has several From addresses|use one From address, or add",
			"il messaggio ha più indirizzi From|usare un solo indirizzo From, o"),
		dot(permanent, "550 5.6.11", "SMTPSEND.BareLinefeedsAreIllegal; message contains bare linefeeds",
			"the message has bare line feeds|end every line with CRLF",
			"il messaggio contiene LF isolati|terminare ogni riga con CRLF"),
		dot(permanent, "550 5.7.705", "Access denied, tenant has exceeded threshold",
			"the tenant sent more than it|ask Microsoft's support, or send through",
			"il tenant ha inviato più del|rivolgersi all'assistenza Microsoft, o inviare da"),
		dot(permanent, "550 5.7.708", "Access denied, traffic not accepted from this IP",
			"the tenant is new or on|ask Microsoft's support, or send through",
			"il tenant è nuovo o di|rivolgersi all'assistenza Microsoft, o inviare da"),
		dot(permanent, "550 5.7.750", "Client blocked from sending from unregistered domains",
			"the sender's domain is not registered|ask Microsoft's support, or send through",
			"il dominio del mittente non è|rivolgersi all'assistenza Microsoft, o inviare da"),
		dot(throttled, "550 5.7.232", "Your message can't be sent because your trial tenant has exceeded its daily limit",
			"the trial tenant's daily limit is|No action needed",
			"il limite giornaliero del tenant di|Nessuna azione necessaria"),
		dot(throttled, "550 5.7.233", "Your message can't be sent because your tenant exceeded its daily limit for external recipients",
			"the tenant's limit of external recipients|No action needed",
			"il limite di destinatari esterni al|Nessuna azione necessaria"),
		dot(throttled, "550 5.7.236", "Your message can't be sent because your onmicrosoft.com domain exceeded its limit",
			"the limit of the onmicrosoft.com domain|No action needed",
			"il limite del dominio onmicrosoft.com è|Nessuna azione necessaria"),
		login(auth, "534 5.7.9", "Authentication mechanism is too weak",
			"Google wants an app password here|create an app password, or better",
			"Google qui vuole una password per|creare una password per le app"),
		login(auth, "535 5.7.8", "Authentication credentials invalid",
			"the server does not accept this|check login and password",
			"il server non accetta queste credenziali|controllare login e password"),
		login(auth, "538 5.7.11", "Encryption required for requested authentication mechanism",
			"the server wants encryption before the|choose the encryption starttls or tls",
			"il server vuole la cifratura prima|scegliere la cifratura starttls o tls"),
		sender(auth, "530 5.7.0", "Authentication required",
			"the server took the login and|check that this login may send",
			"il server ha accettato le credenziali|controllare che queste credenziali possano inviare"),
		login(auth, "500 5.5.6", "Authentication exchange line is too long",
			"the server cannot take a token|ask the server's administrator",
			"il server non accetta un token|chiedere all'amministratore del server"),
		reply("smtp", "connect", stages.Greeting, transient, "421 4.3.0", "Temporary System Problem. Try again later",
			"the server is busy or limits|No action needed", "il server è occupato o limita|Nessuna azione necessaria"),
		reply("smtp", "connect", stages.Greeting, transient, "421 4.4.5", "Server busy, try again later.",
			"the server is busy or limits|No action needed", "il server è occupato o limita|Nessuna azione necessaria"),
		login(transient, "421 4.7.0", "Too many login attempts, please try again later.",
			"the server is busy or limits|No action needed", "il server è occupato o limita|Nessuna azione necessaria"),
		dot(transient, "450 4.2.1", "The user you are trying to contact is receiving mail too quickly.",
			"the recipient gets mail too fast|No action needed",
			"il destinatario sta ricevendo troppa posta|Nessuna azione necessaria"),
		dot(transient, "451 4.3.0", "Mail server temporarily rejected message.",
			"the server has a problem of|No action needed", "il server al momento ha un|Nessuna azione necessaria"),
		login(auth, "534 5.7.9", "Application-specific password required.",
			"Google wants an app password here|create an app password, or better",
			"Google qui vuole una password per|creare una password per le app"),
		login(auth, "534 5.7.14", "Please log in through your web browser and then try again.",
			"Google wants this mailbox to sign|sign in with a browser once",
			"Google vuole che questa casella acceda|accedere una volta con un browser"),
		login(auth, "535 5.7.8", "Username and Password not accepted.",
			"the server does not accept this|check login and password",
			"il server non accetta queste credenziali|controllare login e password"),
		dot(throttled, "550 5.4.5", "Daily user sending limit exceeded.",
			"the mailbox has sent all that|No action needed", "la casella ha inviato tutto ciò|Nessuna azione necessaria"),
		dot(permanent, "552 5.2.3", "Your message exceeded Google's message size limits.",
			"the message is too large for|send smaller attachments, or through a",
			"il messaggio è troppo grande per|inviare allegati più piccoli, o da"),
		dot(permanent, "550 5.7.515", "Access denied, sending domain does not meet the required authentication level.",
			"the receiving side wants the sender's|set SPF, DKIM and DMARC of",
			"il destinatario vuole che il dominio|impostare SPF, DKIM e DMARC del"),
		dot(permanent, "550 5.7.26", "This mail has been blocked because the sender is unauthenticated.",
			"the receiving side wants the sender's|set SPF, DKIM and DMARC of",
			"il destinatario vuole che il dominio|impostare SPF, DKIM e DMARC del"),
		dot(permanent, "550 5.7.68", "TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized sources",
			"the receiving side does not want|read the server's words",
			"il destinatario non vuole il messaggio|leggere le parole del server"),
	}
	return rows
}

func mailboxAndLogin(address string) func(*adapters.Connection) {
	return func(c *adapters.Connection) { c.From, fallback.SettingsOf(c).Login = address, address }
}

// deniedSender sends as an address that the sandbox denies at the end of the message.
func deniedSender(c *adapters.Connection) { c.From = "deny@contoso.example" }
