package doctor_test

import (
	"net/http"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/gmail"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/adapters/stages"
)

// keylessRows are contracts C6.10 and C6.12: Google signs for a platform elsewhere.
func keylessRows() []row {
	step := func(ref, op string, f sandbox.Fault, class adapters.Class, code, en, it string) row {
		f.Service, f.Op = "google", op
		return row{ref: ref, way: "gmail-federated", stage: stages.Token, class: class, code: code, en: en, it: it, faults: []sandbox.Fault{f}}
	}
	const forbidden = http.StatusForbidden
	return []row{
		step("C6.10 may not sign", "sign", sandbox.Fault{Status: forbidden, Message: "Permission 'iam.serviceAccounts.signJwt' denied"},
			auth, "permission_denied", "may not sign for the service account|roles/iam.serviceAccountTokenCreator",
			"non può firmare per|roles/iam.serviceAccountTokenCreator"),
		step("C6.10 API switched off", "sign", sandbox.Fault{Status: forbidden,
			Message: "IAM Service Account Credentials API has not been used in project 1 before or it is disabled."},
			auth, "permission_denied", "has the IAM Service Account Credentials|gcloud services enable",
			"IAM Service Account Credentials|gcloud services enable"),
		step("C6.10 throttled", "sign", sandbox.Fault{Status: http.StatusTooManyRequests}, throttled, "resource_exhausted",
			"Google limits the token requests|No action needed", "Google limita le richieste di token|Nessuna azione necessaria"),
		step("C6.10 fault", "sign", sandbox.Fault{Status: http.StatusServiceUnavailable}, transient, "unavailable",
			"Google's token service has a temporary|No action needed", "il servizio dei token di Google|Nessuna azione necessaria"),
		{ref: "C6.10 another account", way: "gmail-federated", stage: stages.Token, class: auth, code: "not_found",
			en: "there is no service account|check service_account in the connection",
			it: "service_account nella connessione",
			change: func(c *adapters.Connection) {
				gmail.SettingsOf(c).ServiceAccount = "other@sandbox-project.iam.gserviceaccount.com"
			}},
		step("C6.12 invalid_target", "exchange", sandbox.Fault{Status: http.StatusBadRequest, Code: "invalid_target"}, auth, "invalid_target",
			"does not know the identity provider|pool and provider must exist",
			"non conosce il provider di identità|pool e provider devono esistere"),
		step("C6.12 invalid_grant", "exchange", sandbox.Fault{Status: http.StatusBadRequest, Code: "invalid_grant"}, auth, "invalid_grant",
			"does not accept the token of this|compare issuer and audience",
			"non accetta il token della piattaforma|issuer e audience del token con quelli"),
		step("C6.12 unauthorized_client", "exchange", sandbox.Fault{Status: http.StatusUnauthorized, Code: "unauthorized_client"}, auth,
			"unauthorized_client", "does not accept the token of this|attribute condition",
			"non accetta il token della piattaforma|condizione sugli attributi"),
	}
}

// metadataRows are contracts C6.11: the identity of this machine.
func metadataRows() []row {
	answer := func(ref string, status int, class adapters.Class, code, en, it string) row {
		return row{ref: "C6.11 " + ref, way: "gmail-keyless", stage: stages.Token, class: class, code: code, en: en, it: it,
			faults: []sandbox.Fault{{Service: "google", Op: "metadata", Status: status}}}
	}
	return []row{
		answer("no account attached", http.StatusNotFound, auth, "404", "this machine has no service account|attach a service account",
			"questa macchina non ha un account di servizio|su GKE"),
		answer("fault", http.StatusServiceUnavailable, transient, "503", "no metadata server of Google Cloud|keyless works on Google Cloud",
			"non risponde un server dei metadati|keyless funziona solo su Google Cloud"),
	}
}

// TestRowsOfMachine: the metadata server is named by the environment.
func TestRowsOfMachine(t *testing.T) {
	sb := start(t)
	for name, value := range sb.MetadataEnv() {
		t.Setenv(name, value)
	}
	for _, r := range metadataRows() {
		t.Run(r.ref, func(t *testing.T) { r.test(t, sb) })
	}
}
