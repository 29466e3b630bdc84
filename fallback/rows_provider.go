package fallback

import (
	"time"

	"github.com/postino-mail/postino/adapters"
)

const day = 24 * time.Hour

// providerRows are the replies of Microsoft 365 and Google that mean more, or
// something else, than their codes say (contracts D4, D5).
func providerRows() []row {
	return append(microsoftRows(), googleRows()...)
}

func microsoftRows() []row {
	return []row{
		{535, "5.7.139", "smtpclientauthentication is disabled", atAuth, meaning{class: adapters.Auth, scope: adapters.ScopeConnection, // D2.6, D5
			sentence: text2("Microsoft 365 has SMTP AUTH switched off for this tenant or mailbox", "Microsoft 365 ha SMTP AUTH disattivato per questo tenant o questa casella"),
			remedy: text2("switch it on for the mailbox: Set-CASMailbox <mailbox> -SmtpClientAuthenticationDisabled $false (OAuth needs it too), or use a graph connection",
				"attivarlo per la casella: Set-CASMailbox <casella> -SmtpClientAuthenticationDisabled $false (serve anche per OAuth), o usare una connessione graph")}},
		{535, "5.7.139", "basic authentication is disabled", atAuth, meaning{class: adapters.Auth, scope: adapters.ScopeConnection, // D5
			sentence: text2("Microsoft 365 no longer takes a password here", "Microsoft 365 qui non accetta più la password"),
			remedy:   text2("use oauth (xoauth2) or a graph connection instead of the password", "usare oauth (xoauth2) o una connessione graph al posto della password")}},
		{535, "5.7.139", "security defaults", atAuth, meaning{class: adapters.Auth, scope: adapters.ScopeConnection, // D5
			sentence: text2("the tenant's security defaults block this sign-in", "le impostazioni di sicurezza predefinite del tenant bloccano questo accesso"),
			remedy: text2("use a graph connection, or replace the security defaults by Conditional Access that allows SMTP AUTH for this mailbox",
				"usare una connessione graph, o sostituire le impostazioni predefinite con un accesso condizionale che permetta SMTP AUTH a questa casella")}},
		{535, "5.7.139", "", atAuth, meaning{class: adapters.Auth, scope: adapters.ScopeConnection, // D5
			sentence: text2("Microsoft 365 refused the sign-in: Conditional Access, or a wrong password", "Microsoft 365 ha rifiutato l'accesso: accesso condizionale, o password errata"),
			remedy:   text2("check the password and the Conditional Access policies for this mailbox; better use oauth", "controllare la password e i criteri di accesso condizionale della casella; meglio usare oauth")}},
		{535, "5.7.3", "", atAuth, meaning{class: adapters.Auth, scope: adapters.ScopeConnection, // D2.2, D5
			sentence: text2("the server does not accept this login", "il server non accetta queste credenziali"),
			remedy: text2("with a password: check login and password; with oauth in Exchange: register the service principal (New-ServicePrincipal with the enterprise application's object id), give it FullAccess to the mailbox and the permission SMTP.SendAsApp",
				"con password: controllare login e password; con oauth in Exchange: registrare il service principal (New-ServicePrincipal con l'object id dell'applicazione enterprise), dargli FullAccess sulla casella e il permesso SMTP.SendAsApp")}},
		{530, "5.7.57", "", 0, meaning{class: adapters.Auth, scope: adapters.ScopeConnection, // D5
			sentence: text2("the server wants a login before it takes mail", "il server vuole l'autenticazione prima di accettare posta"),
			remedy:   text2("give login and password, or oauth, and choose starttls", "indicare login e password, od oauth, e scegliere starttls")}},
		{550, "5.7.30", "", 0, meaning{class: adapters.Auth, scope: adapters.ScopeConnection, // D5, E
			sentence: text2("Microsoft retired passwords for sending by SMTP", "Microsoft ha ritirato le password per l'invio SMTP"),
			remedy:   text2("use oauth (xoauth2) or a graph connection", "usare oauth (xoauth2) o una connessione graph")}},
		{550, "5.7.60", "", 0, sendAsDenied()},                                       // D5
		{554, "5.2.252", "", 0, sendAsDenied()},                                      // D5: the refusal, not the throttle of the same number
		{5, "", "sendasdenied", 0, sendAsDenied()},                                   // D5
		{550, "5.2.251", "", 0, continuous("5.2.251")},                               // D5
		{550, "5.2.252", "", 0, continuous("5.2.252")},                               // D5: the throttle
		{550, "5.2.253", "", 0, continuous("5.2.253")},                               // D5
		{550, "5.2.254", "", 0, continuous("5.2.254")},                               // D5
		{550, "5.2.255", "", 0, continuous("5.2.255")},                               // D5
		{5, "", "submissionquotaexceeded", 0, dailyLimit()},                          // D4
		{5, "", "outboundspamexception|bad outbound sender", 0, accountBlocked(550)}, // restricted for sending spam
		{550, "5.7.501", "", 0, accountBlocked(550)},
		{550, "5.7.502", "", 0, accountBlocked(550)},
		{550, "5.7.503", "", 0, accountBlocked(550)},
		{550, "5.7.515", "", 0, domainRefused(550)}, // D5 new
		{5, "", "resolver.rst.", 0, meaning{class: adapters.Permanent,
			sentence: text2("the recipient takes mail only from certain senders", "il destinatario accetta posta solo da certi mittenti"),
			remedy:   text2("have the recipient's administrator allow this sender", "chiedere all'amministratore del destinatario di consentire questo mittente")}},
		{432, "4.3.2", "", 0, meaning{class: adapters.Throttled, scope: adapters.ScopeLane, // D4, D5
			sentence: text2("the mailbox has too many connections open at once", "la casella ha troppe connessioni aperte insieme"),
			remedy:   text2("set the connection's concurrency to 3 or less, and look for other programs that use the mailbox", "impostare la concorrenza della connessione a 3 o meno, e cercare altri programmi che usano la casella")}},
		{4, "", "sender thread limit exceeded|concurrent connections limit", 0, meaning{class: adapters.Throttled, scope: adapters.ScopeLane, // D4
			sentence: text2("the mailbox has too many connections open at once", "la casella ha troppe connessioni aperte insieme"),
			remedy:   text2("set the connection's concurrency to 3 or less", "impostare la concorrenza della connessione a 3 o meno")}},
		{451, "4.7.500", "", 0, meaning{class: adapters.Throttled, scope: adapters.ScopeLane, // D5
			sentence: text2("the server is busy and asks for a pause", "il server è occupato e chiede una pausa"),
			remedy:   text2("none; it will be tried again", "nessuno; verrà ritentato")}},
		{550, "5.7.232", "", 0, tenantDay("the trial tenant's daily limit is reached", "il limite giornaliero del tenant di prova è raggiunto")},                              // D5
		{550, "5.7.233", "", 0, tenantDay("the tenant's limit of external recipients a day is reached", "il limite di destinatari esterni al giorno del tenant è raggiunto")}, // D5, B7.12
		{550, "5.7.236", "", 0, tenantDay("the limit of the onmicrosoft.com domain is reached", "il limite del dominio onmicrosoft.com è raggiunto")},                         // D5
		{550, "5.7.705", "", 0, tenant("the tenant sent more than it may", "il tenant ha inviato più del consentito")},                                                        // D5
		{550, "5.7.708", "", 0, tenant("the tenant is new or on trial and may not send from here", "il tenant è nuovo o di prova e non può inviare da qui")},                  // D5
		{550, "5.7.750", "", 0, tenant("the sender's domain is not registered in the tenant", "il dominio del mittente non è registrato nel tenant")},                         // D5
		{550, "5.1.20", "", 0, meaning{class: adapters.Permanent, // D5, F7
			sentence: text2("the message has several From addresses and no Sender", "il messaggio ha più indirizzi From e nessun Sender"),
			remedy:   text2("use one From address, or add Sender", "usare un solo indirizzo From, o aggiungere Sender")}},
		{550, "5.6.11", "", 0, meaning{class: adapters.Permanent, // D5, F17
			sentence: text2("the message has bare line feeds", "il messaggio contiene LF isolati"),
			remedy:   text2("end every line with CRLF", "terminare ogni riga con CRLF")}},
		{554, "5.2.2", "storedrv", atMessage, meaning{class: adapters.Transient, scope: adapters.ScopeLane, after: time.Hour, // D4; B9 ErrorQuotaExceeded
			sentence: text2("the sender's own mailbox is full", "la casella del mittente è piena"),
			remedy:   text2("make room in the sending mailbox (Sent Items), or give it a retention policy", "fare spazio nella casella che invia (Posta inviata), o darle un criterio di conservazione")}},
	}
}

func googleRows() []row {
	return []row{
		{550, "5.4.5", "", 0, dailyLimit()}, // D5: 5xx, and yet only a pause
		{534, "5.7.9", "", atAuth, meaning{class: adapters.Auth, scope: adapters.ScopeConnection, // D5
			sentence: text2("Google wants an app password here", "Google qui vuole una password per le app"),
			remedy:   text2("create an app password, or better use oauth or a gmail connection", "creare una password per le app, o meglio usare oauth o una connessione gmail")}},
		{534, "5.7.14", "", atAuth, meaning{class: adapters.Auth, scope: adapters.ScopeConnection, // D5
			sentence: text2("Google wants this mailbox to sign in with a browser first", "Google vuole che questa casella acceda prima con un browser"),
			remedy:   text2("sign in with a browser once, or use oauth or a gmail connection", "accedere una volta con un browser, o usare oauth o una connessione gmail")}},
		{535, "5.7.8", "", atAuth, meaning{class: adapters.Auth, scope: adapters.ScopeConnection, // D5, RFC 4954 section 6
			sentence: text2("the server does not accept this login", "il server non accetta queste credenziali"),
			remedy: text2("check login and password; for Google use an app password, or oauth with the scope https://mail.google.com/ in the domain-wide delegation",
				"controllare login e password; per Google usare una password per le app, oppure oauth con lo scope https://mail.google.com/ nella delega a livello di dominio")}},
		{421, "4.7.0", "too many login|try again later", atLogin, busy()},
		{421, "4.4.5", "", 0, busy()}, // D5
		{421, "4.3.0", "", 0, busy()}, // D5
		{450, "4.2.1", "user you are trying|recipient|mailbox", 0, meaning{class: adapters.Transient, // D5: the recipient's rate
			sentence: text2("the recipient gets mail too fast at the moment", "il destinatario sta ricevendo troppa posta in questo momento"),
			remedy:   text2("none; it will be tried again", "nessuno; verrà ritentato")}},
		{552, "5.2.3", "", 0, tooLarge()}, // D5
		{5, "5.7.26", "", 0, domainRefused(550)},
		{0, "", "mail relay denied|credentials for relay", 0, meaning{class: adapters.Auth, scope: adapters.ScopeConnection, // the relay of Workspace
			sentence: text2("Google's SMTP relay knows neither this machine's address nor a login of the organization", "il relay SMTP di Google non conosce né l'indirizzo di questa macchina né credenziali dell'organizzazione"),
			remedy: text2("in the Google Admin console (Apps, Gmail, Routing, SMTP relay service) allow this machine's public address, or require SMTP authentication there and give a login here; the sender's domain must be one of the organization",
				"nella console di amministrazione Google (App, Gmail, Routing, servizio di inoltro SMTP) consentire l'indirizzo pubblico di questa macchina, o richiedervi l'autenticazione SMTP e indicare qui le credenziali; il dominio del mittente deve essere dell'organizzazione")}},
	}
}

func sendAsDenied() meaning {
	return meaning{class: adapters.Permanent, scope: adapters.ScopeMessage, noRetry: true, // D5, F30: repeating throttles the mailbox
		sentence: text2("the login may not send as this sender", "le credenziali non possono inviare come questo mittente"),
		remedy: text2("grant Send As on that address (Add-RecipientPermission ... -AccessRights SendAs), or send from the login's own address",
			"concedere Invia come su quell'indirizzo (Add-RecipientPermission ... -AccessRights SendAs), o inviare dall'indirizzo delle credenziali")}
}

// continuous is the throttling of a mailbox that kept making the same error.
// Its length is not published: an hour is this program's choice.
func continuous(code string) meaning {
	why := map[string]adapters.Text{
		"5.2.251": text2("its mailbox is full", "la sua casella è piena"),
		"5.2.252": text2("it sends as somebody that it may not send as", "invia a nome di chi non può"),
		"5.2.253": text2("its licence is not valid", "la sua licenza non è valida"),
		"5.2.254": text2("its messages have too many recipients", "i suoi messaggi hanno troppi destinatari"),
		"5.2.255": text2("its recipients do not exist", "i suoi destinatari non esistono"),
	}[code]
	return meaning{class: adapters.Throttled, scope: adapters.ScopeLane, after: time.Hour,
		sentence: text2("Microsoft 365 throttles the whole mailbox because "+why.String()+" again and again", "Microsoft 365 limita tutta la casella perché "+why.In("it")+" di continuo"),
		remedy:   text2("remove the cause; Microsoft's support cannot lift the limit", "eliminare la causa; l'assistenza Microsoft non può togliere il limite")}
}

func dailyLimit() meaning {
	return meaning{class: adapters.Throttled, scope: adapters.ScopeLane, after: day, // C3.5, D4, D5
		sentence: text2("the mailbox has sent all that it may in a day", "la casella ha inviato tutto ciò che può in un giorno"),
		remedy:   text2("none; it goes on when the limit is lifted; send bulk mail through a service made for it", "nessuno; riprende quando il limite decade; inviare la posta massiva con un servizio dedicato")}
}

func tenantDay(en, it string) meaning {
	return meaning{class: adapters.Throttled, scope: adapters.ScopeConnection, after: day, sentence: text2(en, it),
		remedy: text2("none; it goes on when the limit is lifted; send bulk mail through a service made for it", "nessuno; riprende quando il limite decade; inviare la posta massiva con un servizio dedicato")}
}

func tenant(en, it string) meaning {
	return meaning{class: adapters.Permanent, scope: adapters.ScopeConnection, sentence: text2(en, it),
		remedy: text2("ask Microsoft's support, or send through another connection", "rivolgersi all'assistenza Microsoft, o inviare da un'altra connessione")}
}

func busy() meaning {
	return meaning{class: adapters.Transient, scope: adapters.ScopeConnection,
		sentence: text2("the server is busy or limits the rate", "il server è occupato o limita la frequenza"),
		remedy:   text2("none; it will be tried again", "nessuno; verrà ritentato")}
}

func tooLarge() meaning {
	return meaning{class: adapters.Permanent, tooLarge: true,
		sentence: text2("the message is too large for the server", "il messaggio è troppo grande per il server"),
		remedy:   text2("send smaller attachments, or through a connection that carries more", "inviare allegati più piccoli, o da una connessione con un limite più alto")}
}
