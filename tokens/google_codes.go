package tokens

import (
	"net/http"
	"strings"

	"github.com/postino-mail/postino/adapters"
)

// googleRow is the table of token errors in contracts C6.
func googleRow(a answer, status int) (string, row) {
	auth := func(en, it, remedyEN, remedyIT string) (string, row) {
		return a.code, row{class: adapters.Auth, sentence: text(en, it), remedy: text(remedyEN, remedyIT)}
	}
	text1 := strings.ToLower(a.description)
	has := func(s ...string) bool {
		for _, s := range s {
			if strings.Contains(text1, s) {
				return true
			}
		}
		return false
	}
	switch a.code {
	case "unauthorized_client", "access_denied":
		return auth("Google does not let this service account act for the mailbox user", "Google non permette a questo service account di agire per l'utente della casella",
			"in the Google Admin console (Security > API controls > Domain-wide delegation) add the service account's numeric client id with exactly the scope that is asked for; it may take a while to work",
			"nella Console di amministrazione Google (Sicurezza > Controlli API > Delega a livello di dominio) aggiungere l'id client numerico del service account con esattamente lo scope richiesto; può servire un po' di tempo")
	case "invalid_grant":
		switch {
		case has("short-lived", "iat", "exp "):
			code, r := auth("Google finds the signed request outside its time", "Google ritiene la richiesta firmata fuori tempo",
				"set this machine's clock and keep it right with NTP", "regolare l'orologio di questa macchina e mantenerlo esatto con NTP")
			r.clock = true
			return code, r
		case has("signature", "no valid verifier", "key"):
			code, r := auth("Google does not accept the service account's key", "Google non accetta la chiave del service account",
				"the key was probably deleted: create a new one in the Google Cloud console and give it to the connection",
				"la chiave è stata probabilmente eliminata: crearne una nuova nella console Google Cloud e darla alla connessione")
			r.clock = true
			return code, r
		case has("account not found", "invalid email", "user id", "disabled", "suspended"):
			return auth("Google does not know the mailbox user or the service account, or has it suspended", "Google non conosce l'utente della casella o il service account, oppure è sospeso",
				"check the subject's address and that the user is active; make sure the service account still exists",
				"controllare l'indirizzo indicato come subject e che l'utente sia attivo; verificare che il service account esista ancora")
		}
		code, r := auth("Google does not accept the signed request", "Google non accetta la richiesta firmata",
			"check the clock of this machine, the service account's key and the mailbox user (subject)",
			"controllare l'orologio di questa macchina, la chiave del service account e l'utente della casella (subject)")
		r.clock = true
		return code, r
	case "invalid_scope":
		return auth("Google does not accept the scope", "Google non accetta lo scope",
			"check the scopes in the domain-wide delegation of the Admin console", "controllare gli scope nella delega a livello di dominio della Console di amministrazione")
	case "admin_policy_enforced", "org_internal":
		return auth("a policy of the Google Workspace domain blocks this app", "un criterio del dominio Google Workspace blocca questa app",
			"let the Workspace administrator trust the app (Security > API controls > App access control)",
			"l'amministratore di Workspace deve rendere attendibile l'app (Sicurezza > Controlli API > Controllo accesso app)")
	case "deleted_client", "disabled_client", "invalid_client":
		return auth("the service account is deleted, disabled or unknown", "il service account è eliminato, disabilitato o sconosciuto",
			"enable it again, or create a new one with a key and delegation, in the Google Cloud console",
			"riabilitarlo, o crearne uno nuovo con chiave e delega, nella console Google Cloud")
	case "rate_limit_exceeded", "resource_exhausted", "quota_exceeded":
		return a.code, row{class: adapters.Throttled, sentence: text("Google limits the token requests", "Google limita le richieste di token"),
			remedy: text("none; it waits", "nessuno; si attende")}
	}
	switch {
	case status == http.StatusTooManyRequests:
		return a.code, row{class: adapters.Throttled, sentence: text("Google limits the token requests", "Google limita le richieste di token"),
			remedy: text("none; it waits", "nessuno; si attende")}
	case status >= 500, a.code == "internal_failure", a.code == "backend_error", a.code == "unavailable", a.code == "internal":
		return a.code, row{class: adapters.Transient, sentence: text("Google's token service has a passing fault", "il servizio dei token di Google ha un guasto temporaneo"),
			remedy: text("none; it will be tried again", "nessuno; verrà ritentato")}
	}
	return auth("Google refused to issue a token", "Google ha rifiutato di emettere un token",
		"check service account, subject and domain-wide delegation", "controllare service account, subject e delega a livello di dominio")
}
