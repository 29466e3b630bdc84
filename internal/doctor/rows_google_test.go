package doctor_test

import (
	"fmt"
	"net/http"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/adapters/stages"
	"github.com/postino-mail/postino/internal/doctor"
)

// gmailRows are contracts C4: asked of the profile, or at the message.
func gmailRows() []row {
	asked := func(status int, reason, words string, stage stages.Name, class adapters.Class, en, it string) row {
		return row{ref: reason + " " + words, way: "gmail", stage: stage, class: class, code: reason, en: en, it: it,
			faults: []sandbox.Fault{{Service: "gmail", Op: "profile", Status: status, Code: reason, Message: words}}}
	}
	sent := func(f sandbox.Fault, class adapters.Class, code, en, it string) row {
		f.Service, f.Op = "gmail", "send"
		return row{ref: fmt.Sprint(f.Code, " message ", f.Status), way: "gmail", message: true, stage: doctor.Message,
			class: class, code: code, en: en, it: it,
			faults: []sandbox.Fault{f}}
	}
	const forbidden, bad, many = http.StatusForbidden, http.StatusBadRequest, http.StatusTooManyRequests
	return []row{
		sent(sandbox.Fault{Status: bad, Code: "badRequest"}, permanent, "badRequest",
			"Gmail does not accept the message|check headers and addresses of the",
			"Gmail non accetta il messaggio|controllare intestazioni e indirizzi del messaggio"),
		sent(sandbox.Fault{Status: bad, Code: "invalidArgument"}, permanent, "invalidArgument",
			"Gmail does not accept the message|check headers and addresses of the",
			"Gmail non accetta il messaggio|controllare intestazioni e indirizzi del messaggio"),
		{ref: "failedPrecondition Mail service not enabled", way: "gmail", change: mailbox("nolicense@contoso.example"),
			stage: stages.Mailbox,
			class: auth,
			code:  "failedPrecondition",
			en:    "the mailbox has no Gmail service|give the user a licence with",
			it:    "la casella non ha il servizio|assegnare all'utente una licenza con Gmail"},
		asked(bad, "failedPrecondition", "Precondition check failed.", stages.Mailbox, auth,
			"the mailbox has no Gmail service|give the user a licence with",
			"la casella non ha il servizio|assegnare all'utente una licenza con Gmail"),
		asked(http.StatusUnauthorized, "authError", "Invalid Credentials", stages.Roles, auth,
			"Gmail does not accept the access|check the service account's key and",
			"Gmail non accetta il token di|controllare la chiave del service account"),
		sent(sandbox.Fault{Status: forbidden, Code: "insufficientPermissions"}, auth, "insufficientPermissions",
			"the token lacks the scope for|in the Google Admin console",
			"al token manca lo scope necessario|nella Console di amministrazione Google"),
		asked(forbidden, "accessNotConfigured", "", stages.Roles, auth,
			"the Gmail API is not switched|enable the Gmail API in the",
			"l'API di Gmail non è attiva|attivare l'API di Gmail nel progetto"),
		asked(forbidden, "delegationDenied", "Delegation denied for erp@contoso.example", stages.Mailbox, auth,
			"the token belongs to another mailbox|set the connection's subject to the",
			"il token appartiene a una casella|impostare il subject della connessione con"),
		asked(forbidden, "domainPolicy", "", stages.Roles, auth,
			"the Workspace administrator has switched off|let the administrator allow the app",
			"l'amministratore di Workspace ha disattivato l'accesso|l'amministratore deve consentire l'app"),
		asked(forbidden, "dailyLimitExceeded", "", stages.Mailbox, throttled,
			"the Google Cloud project has used|raise the Gmail API quota of",
			"il progetto Google Cloud ha esaurito|aumentare la quota dell'API di Gmail"),
		asked(forbidden, "rateLimitExceeded", "", stages.Mailbox, throttled,
			"Gmail asks to send more slowly|No action needed, postino waits",
			"Gmail chiede di inviare più lentamente|Nessuna azione necessaria, postino attende"),
		asked(forbidden, "userRateLimitExceeded", "", stages.Mailbox, throttled,
			"Gmail asks to send more slowly|No action needed, postino waits",
			"Gmail chiede di inviare più lentamente|Nessuna azione necessaria, postino attende"),
		asked(http.StatusNotFound, "notFound", "", stages.Mailbox, permanent,
			"Gmail does not know the mailbox|check the connection's subject and that",
			"Gmail non conosce la casella che|controllare il subject della connessione e"),
		sent(sandbox.Fault{Status: http.StatusRequestEntityTooLarge, Code: "uploadTooLarge"}, permanent, "uploadTooLarge",
			"the message is too large for|send smaller attachments or links, or",
			"il messaggio è troppo grande per|inviare allegati più piccoli o collegamenti"),
		sent(sandbox.Fault{Status: many, Code: "userRateLimitExceeded"}, throttled, "userRateLimitExceeded",
			"Gmail asks to send more slowly|No action needed, postino waits",
			"Gmail chiede di inviare più lentamente|Nessuna azione necessaria, postino attende"),
		sent(sandbox.Fault{Status: many, Code: "mailSendingLimit", RetryAfter: time.Hour}, throttled, "userRateLimitExceeded",
			"the mailbox has reached its daily|it goes on by itself within",
			"la casella ha raggiunto il limite|riprende da solo entro 24 ore"),
		sent(sandbox.Fault{Status: many, Code: "concurrentRequests"}, throttled, "rateLimitExceeded",
			"too many requests at once for|lower limits.concurrency of the connection if",
			"troppe richieste contemporanee per questa casella|se continua, ridurre limits.concurrency della connessione"),
		sent(sandbox.Fault{Status: http.StatusInternalServerError, Code: "backendError"}, unknown, "backendError",
			"the whole message had been handed|look into the mailbox's Sent folder",
			"l'intero messaggio era già stato passato|prima di inviarlo di nuovo controllare"),
		sent(sandbox.Fault{Status: http.StatusBadGateway, Code: "backendError"}, unknown, "backendError",
			"the whole message had been handed|look into the mailbox's Sent folder",
			"l'intero messaggio era già stato passato|prima di inviarlo di nuovo controllare"),
		sent(sandbox.Fault{Status: http.StatusServiceUnavailable, Code: "backendError"}, unknown, "backendError",
			"the whole message had been handed|look into the mailbox's Sent folder",
			"l'intero messaggio era già stato passato|prima di inviarlo di nuovo controllare"),
		sent(sandbox.Fault{Status: http.StatusGatewayTimeout, Code: "backendError"}, unknown, "backendError",
			"the whole message had been handed|look into the mailbox's Sent folder",
			"l'intero messaggio era già stato passato|prima di inviarlo di nuovo controllare"),
	}
}

// googleRows are contracts C6 and its table of token errors.
func googleRows() []row {
	token := func(ref string, f sandbox.Fault, class adapters.Class, en, it string) row {
		f.Service, f.Op = "google", "token"
		if f.Status == 0 {
			f.Status = http.StatusBadRequest
		}
		return row{ref: ref + " " + f.Message, way: "gmail", stage: stages.Token, class: class, code: f.Code, en: en,
			it: it, faults: []sandbox.Fault{f}}
	}
	return []row{
		token("unauthorized_client", sandbox.Fault{Code: "unauthorized_client", Status: http.StatusUnauthorized,
			Message: "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes " +
				"requested."}, auth,
			"Google does not let this service|in the Google Admin console",
			"Google non permette a questo service|nella Console di amministrazione Google"),
		token("access_denied", sandbox.Fault{Code: "access_denied", Status: http.StatusForbidden,
			Message: "Requested client not authorized"}, auth,
			"Google does not let this service|in the Google Admin console",
			"Google non permette a questo service|nella Console di amministrazione Google"),
		token("invalid_grant user", sandbox.Fault{Code: "invalid_grant", Message: "Invalid email or User ID"}, auth,
			"Google does not know the mailbox|check the subject's address and that",
			"Google non conosce l'utente della casella|controllare l'indirizzo indicato come subject e"),
		token("invalid_grant user", sandbox.Fault{Code: "invalid_grant", Message: "Invalid grant: account not found"}, auth,
			"Google does not know the mailbox|check the subject's address and that",
			"Google non conosce l'utente della casella|controllare l'indirizzo indicato come subject e"),
		{ref: "invalid_grant user unknown", way: "gmail", change: mailbox("unknown@contoso.example"), stage: stages.Token, class: auth,
			code: "invalid_grant",
			en:   "Google does not know the mailbox|check the subject's address and that",
			it:   "Google non conosce l'utente della casella|controllare l'indirizzo indicato come subject e"},
		token("invalid_grant clock", sandbox.Fault{Code: "invalid_grant",
			Message: "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."}, auth,
			"Google finds the signed request outside|set this machine's clock and keep",
			"Google ritiene la richiesta firmata fuori|regolare l'orologio di questa macchina e"),
		token("invalid_grant key", sandbox.Fault{Code: "invalid_grant", Message: "Invalid JWT Signature."}, auth,
			"Google does not accept the service|the key was probably deleted: create",
			"Google non accetta la chiave del|la chiave è stata probabilmente eliminata"),
		token("invalid_grant", sandbox.Fault{Code: "invalid_grant", Message: "Bad Request"}, auth,
			"Google does not accept the signed|check the clock of this machine",
			"Google non accetta la richiesta firmata|controllare l'orologio di questa macchina, la"),
		token("invalid_scope", sandbox.Fault{Code: "invalid_scope"}, auth,
			"Google does not accept the scope|check the scopes in the domain-wide",
			"Google non accetta lo scope|controllare gli scope nella delega a"),
		token("admin_policy_enforced", sandbox.Fault{Code: "admin_policy_enforced"}, auth,
			"a policy of the Google Workspace|let the Workspace administrator trust the",
			"un criterio del dominio Google Workspace|l'amministratore di Workspace deve rendere attendibile"),
		token("org_internal", sandbox.Fault{Code: "org_internal", Status: http.StatusForbidden}, auth,
			"a policy of the Google Workspace|let the Workspace administrator trust the",
			"un criterio del dominio Google Workspace|l'amministratore di Workspace deve rendere attendibile"),
		token("disabled_client", sandbox.Fault{Code: "disabled_client", Status: http.StatusUnauthorized}, auth,
			"the service account is deleted, disabled|enable it again, or create a",
			"il service account è eliminato, disabilitato|riabilitarlo, o crearne uno nuovo con"),
		token("deleted_client", sandbox.Fault{Code: "deleted_client", Status: http.StatusUnauthorized}, auth,
			"the service account is deleted, disabled|enable it again, or create a",
			"il service account è eliminato, disabilitato|riabilitarlo, o crearne uno nuovo con"),
		token("rate_limit_exceeded", sandbox.Fault{Code: "rate_limit_exceeded", Status: http.StatusTooManyRequests}, throttled,
			"Google limits the token requests|No action needed", "Google limita le richieste di token|Nessuna azione necessaria"),
		token("internal_failure", sandbox.Fault{Code: "internal_failure", Status: http.StatusInternalServerError}, transient,
			"Google's token service has a temporary|No action needed",
			"il servizio dei token di Google|Nessuna azione necessaria"),
	}
}
