package gmail

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/api/googleapi"

	"github.com/postino-mail/postino/adapters"
)

// words are what Gmail said, to branch on and never to show.
type words struct {
	status  int
	reason  string // errors[0].reason
	rpc     string // status, such as FAILED_PRECONDITION
	detail  string // reason of an ErrorInfo in details
	message string // lower case
}

func (w words) known() bool { return w.reason != "" || w.rpc != "" }

// code is what the failure is called towards people.
func (w words) code() string {
	for _, c := range []string{w.reason, w.detail, strings.ToLower(w.rpc)} {
		if c = word(c); c != "" {
			return c
		}
	}
	return strconv.Itoa(w.status)
}

// said reads an error answer.
func said(status int, header http.Header, body []byte) words {
	err := googleapi.CheckResponseWithBody(&http.Response{StatusCode: status, Header: header}, body)
	var ge *googleapi.Error
	if !errors.As(err, &ge) {
		return words{status: status}
	}
	return saidIn(ge)
}

func saidIn(ge *googleapi.Error) words {
	w := words{status: ge.Code, message: strings.ToLower(ge.Message)}
	if len(ge.Errors) > 0 {
		w.reason = word(ge.Errors[0].Reason)
		w.message += " " + strings.ToLower(ge.Errors[0].Message)
	}
	for _, d := range ge.Details {
		if m, ok := d.(map[string]any); ok && w.detail == "" {
			s, _ := m["reason"].(string)
			w.detail = word(s)
		}
	}
	var more struct {
		Error struct {
			Status string `json:"status"`
		} `json:"error"`
	}
	if json.Unmarshal([]byte(ge.Body), &more) == nil { // the library does not keep it
		w.rpc = word(more.Error.Status)
	}
	return w
}

func (w words) is(names ...string) bool {
	for _, n := range names {
		if w.reason == n || w.detail == n {
			return true
		}
	}
	return false
}

func (w words) says(parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(w.message, p) {
			return true
		}
	}
	return false
}

// row is table C4 of the contracts: reason first, then status.
func row(w words, now time.Time) *adapters.Error {
	e := &adapters.Error{Code: w.code()}
	set := func(class adapters.Class, scope adapters.Scope, enhanced string, sentence, remedy adapters.Text) *adapters.Error {
		e.Class, e.Scope, e.Enhanced, e.Message, e.Hint = class, scope, enhanced, sentence, remedy
		return e
	}
	auth := func(scope adapters.Scope, sentence, remedy adapters.Text) *adapters.Error {
		return set(adapters.Auth, scope, "4.7.0", sentence, remedy)
	}
	switch {
	case limited(w):
		return throttled(w, e, now)
	case w.is("authError") || w.status == http.StatusUnauthorized:
		return auth(adapters.ScopeConnection, text("Gmail does not accept the access token", "Gmail non accetta il token di accesso"),
			text("check the service account's key and that the account is enabled; look at token_url and gmail_url if they are set",
				"controllare la chiave del service account e che l'account sia abilitato; verificare token_url e gmail_url se impostati"))
	case w.is("insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"):
		return auth(adapters.ScopeConnection, text("the token lacks the scope for this", "al token manca lo scope necessario"),
			text("in the Google Admin console (Security > API controls > Domain-wide delegation) give the service account's client id the scope https://www.googleapis.com/auth/gmail.send",
				"nella Console di amministrazione Google (Sicurezza > Controlli API > Delega a livello di dominio) dare all'id client del service account lo scope https://www.googleapis.com/auth/gmail.send"))
	case w.is("accessNotConfigured", "SERVICE_DISABLED"):
		return auth(adapters.ScopeConnection, text("the Gmail API is not switched on in the Google Cloud project", "l'API di Gmail non è attiva nel progetto Google Cloud"),
			text("enable the Gmail API in the project of the service account (APIs & Services > Library) and wait a few minutes",
				"attivare l'API di Gmail nel progetto del service account (API e servizi > Libreria) e attendere qualche minuto"))
	case w.is("delegationDenied") || w.says("delegation denied"):
		return auth(adapters.ScopeLane, text("the token belongs to another mailbox than the one that sends", "il token appartiene a una casella diversa da quella che invia"),
			text("set the connection's subject to the mailbox that sends", "impostare il subject della connessione con la casella che invia"))
	case w.is("domainPolicy"):
		return auth(adapters.ScopeConnection, text("the Workspace administrator has switched off access to Gmail for apps", "l'amministratore di Workspace ha disattivato l'accesso delle app a Gmail"),
			text("let the administrator allow the app (Security > API controls > App access control)", "l'amministratore deve consentire l'app (Sicurezza > Controlli API > Controllo accesso app)"))
	case w.is("failedPrecondition") || w.rpc == "FAILED_PRECONDITION":
		return auth(adapters.ScopeLane, text("the mailbox has no Gmail service, or the service account does not act for a user", "la casella non ha il servizio Gmail, oppure il service account non agisce per un utente"),
			text("give the user a licence with Gmail and switch the service on; check the connection's subject",
				"assegnare all'utente una licenza con Gmail e attivare il servizio; controllare il subject della connessione"))
	case w.status == http.StatusRequestEntityTooLarge || w.is("uploadTooLarge"):
		e.TooLarge = true
		return set(adapters.Permanent, adapters.ScopeMessage, "5.3.4", text("the message is too large for Gmail", "il messaggio è troppo grande per Gmail"),
			text("send smaller attachments or links, or name a fallback connection that carries the size", "inviare allegati più piccoli o collegamenti, o indicare una connessione di riserva che regga la dimensione"))
	case w.status == http.StatusNotFound && (w.is("notFound") || w.rpc == "NOT_FOUND"):
		return set(adapters.Permanent, adapters.ScopeLane, "5.1.8", text("Gmail does not know the mailbox that sends", "Gmail non conosce la casella che invia"),
			text("check the connection's subject and that the user exists", "controllare il subject della connessione e che l'utente esista"))
	case w.status == http.StatusForbidden:
		return auth(adapters.ScopeConnection, text("Gmail refuses access", "Gmail rifiuta l'accesso"),
			text("check the domain-wide delegation, the Gmail API of the project and the user's state", "controllare la delega a livello di dominio, l'API di Gmail nel progetto e lo stato dell'utente"))
	case w.status >= 400 && w.status < 500:
		return badMessage(w, e)
	}
	return set(adapters.Transient, adapters.ScopeConnection, "4.3.0",
		text("Gmail has a fault of its own ("+strconv.Itoa(w.status)+")", "Gmail ha un guasto interno ("+strconv.Itoa(w.status)+")"),
		text("none; it will be tried again", "nessuno; verrà ritentato"))
}

// badMessage is 400: Gmail does not take this message.
func badMessage(w words, e *adapters.Error) *adapters.Error {
	e.Class, e.Scope, e.Enhanced = adapters.Permanent, adapters.ScopeMessage, "5.6.0"
	switch {
	case w.says("send-as", "send as", "sendas", "invalid from", "from header", "from address"): // contracts C5.1, F30
		e.NoRetry, e.Enhanced = true, "5.7.1"
		e.Message = text("Gmail does not let this mailbox send with this From", "Gmail non permette a questa casella di inviare con questo From")
		e.Hint = text("verify the address as a send-as address in the mailbox's Gmail settings, or send with the mailbox's own address",
			"verificare l'indirizzo nelle impostazioni Gmail della casella (Invia messaggio come), o inviare con l'indirizzo della casella")
	case w.says("recipient", "to header", "cc header", "bcc header"):
		e.Enhanced = "5.1.3"
		e.Message = text("Gmail does not accept a recipient of the message", "Gmail non accetta un destinatario del messaggio")
		e.Hint = text("correct the recipients' addresses, at most 100 in one message", "correggere gli indirizzi dei destinatari, al massimo 100 per messaggio")
	default:
		e.Message = text("Gmail does not accept the message", "Gmail non accetta il messaggio")
		e.Hint = text("check headers and addresses of the message in the program that makes it", "controllare intestazioni e indirizzi del messaggio nel programma che lo crea")
	}
	return e
}

// limited reports the answers that ask to slow down.
func limited(w words) bool {
	return w.status == http.StatusTooManyRequests || w.rpc == "RESOURCE_EXHAUSTED" ||
		w.is("rateLimitExceeded", "userRateLimitExceeded", "dailyLimitExceeded", "quotaExceeded", "RATE_LIMIT_EXCEEDED")
}

// throttled tells the limits apart by how long they last.
func throttled(w words, e *adapters.Error, now time.Time) *adapters.Error {
	e.Class, e.Scope, e.Enhanced = adapters.Throttled, adapters.ScopeLane, "4.7.1"
	until, told := toldTime(strings.ToUpper(w.message))
	if told {
		e.RetryAfter = min(max(until.Sub(now), time.Minute), maxWait)
	}
	switch {
	case w.says("mail sending", "daily user sending", "sending limit"):
		if !told {
			e.RetryAfter = time.Hour // it lasts up to 24 hours, Gmail does not say
		}
		e.Code = "mailSendingLimit"
		e.Message = text("the mailbox has reached its daily sending limit at Gmail", "la casella ha raggiunto il limite giornaliero di invio di Gmail")
		e.Hint = text("it goes on by itself within 24 hours; messages sent in the last minutes before may be lost, so compare them with the Sent folder; send bulk mail elsewhere",
			"riprende da solo entro 24 ore; i messaggi degli ultimi minuti potrebbero non essere partiti: confrontarli con la posta inviata; usare un altro servizio per gli invii massivi")
	case w.is("dailyLimitExceeded", "quotaExceeded"):
		e.Scope = adapters.ScopeConnection
		e.RetryAfter = max(e.RetryAfter, time.Hour)
		e.Message = text("the Google Cloud project has used up its quota for the day", "il progetto Google Cloud ha esaurito la quota giornaliera")
		e.Hint = text("raise the Gmail API quota of the project in the Google Cloud console, or wait for the next day",
			"aumentare la quota dell'API di Gmail nella console Google Cloud, o attendere il giorno successivo")
	case w.says("concurrent"):
		e.RetryAfter = max(e.RetryAfter, time.Second)
		e.Message = text("too many requests at once for this mailbox", "troppe richieste contemporanee per questa casella")
		e.Hint = text("lower limits.concurrency of the connection if this goes on", "se continua, ridurre limits.concurrency della connessione")
	default:
		e.RetryAfter = max(e.RetryAfter, time.Second) // contracts C4: first wait at least 1 s
		e.Message = text("Gmail asks to send more slowly", "Gmail chiede di inviare più lentamente")
		e.Hint = text("none, it waits; lower limits.per_minute of the connection if this goes on", "nessuno, si attende; se continua, ridurre limits.per_minute della connessione")
	}
	return e
}
