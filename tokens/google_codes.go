package tokens

import (
	"net/http"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// googleRow is the table of token errors in contracts C6.
func googleRow(a answer, status int) (string, row) {
	auth := func(code adapters.Code, message, hint adapters.Text) (string, row) {
		return a.code, row{code: code, class: adapters.Auth, message: message, hint: hint}
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
		return auth(adapters.CodePermissionMissing, mime.NewText("google.not_delegated",
			"Google does not let this service account act for the mailbox user"),
			mime.NewText("google.grant_scope",
				"in the Google Admin console (Security > API controls > Domain-wide delegation) add the service account's "+
					"numeric client id with exactly the scope that is asked for; it may take a while to work"))
	case "invalid_grant":
		switch {
		case has("short-lived", "iat", "exp "):
			code, r := auth(adapters.CodeClockWrong, mime.NewText("google.out_of_time",
				"Google finds the signed request outside its time"),
				mime.NewText("google.set_clock",
					"set this machine's clock and keep it right with NTP"))
			r.clock = true
			return code, r
		case has("signature", "no valid verifier", "key"):
			code, r := auth(adapters.CodeCredentialRefused, mime.NewText("google.key_refused",
				"Google does not accept the service account's key"),
				mime.NewText("google.create_key",
					"the key was probably deleted: create a new one in the Google Cloud console and give it to the connection"))
			r.clock = true
			return code, r
		case has("account not found", "invalid email", "user id", "disabled", "suspended"):
			return auth(adapters.CodeMailboxUnknown, mime.NewText("google.unknown_user",
				"Google does not know the mailbox user or the service account, or has it suspended"),
				mime.NewText("google.check_subject",
					"check the subject's address and that the user is active; make sure the service account still exists"))
		}
		code, r := auth(adapters.CodeCredentialRefused, mime.NewText("google.request_refused", "Google does not accept the signed request"),
			mime.NewText("google.check_clock_and_key",
				"check the clock of this machine, the service account's key and the mailbox user (subject)"))
		r.clock = true
		return code, r
	case "invalid_scope":
		return auth(adapters.CodePermissionMissing, mime.NewText("google.scope_refused", "Google does not accept the scope"),
			mime.NewText("google.check_scopes",
				"check the scopes in the domain-wide delegation of the Admin console"))
	case "admin_policy_enforced", "org_internal":
		return auth(adapters.CodeBlockedByPolicy, mime.NewText("google.blocked_by_policy",
			"a policy of the Google Workspace domain blocks this app"),
			mime.NewText("google.trust_app",
				"let the Workspace administrator trust the app (Security > API controls > App access control)"))
	case "deleted_client", "disabled_client", "invalid_client":
		return auth(adapters.CodeAppUnknown, mime.NewText("google.unknown_account",
			"the service account is deleted, disabled or unknown"),
			mime.NewText("google.enable_or_create",
				"enable it again, or create a new one with a key and delegation, in the Google Cloud console"))
	case "rate_limit_exceeded", "resource_exhausted", "quota_exceeded":
		return a.code, row{code: adapters.CodeThrottled, class: adapters.Throttled, message: mime.NewText("google.google_limits_token_requests",
			"Google limits the token requests"),
			hint: mime.NewText("google.waits", "No action needed; postino waits")}
	}
	switch {
	case status == http.StatusTooManyRequests:
		return a.code, row{code: adapters.CodeThrottled, class: adapters.Throttled, message: mime.NewText("google.google_limits_token_requests",
			"Google limits the token requests"),
			hint: mime.NewText("google.waits", "No action needed; postino waits")}
	case status >= 500, a.code == "internal_failure", a.code == "backend_error", a.code == "unavailable", a.code == "internal":
		return a.code, row{code: adapters.CodeProviderFault, class: adapters.Transient, message: mime.NewText("google.temporary_fault",
			"Google's token service has a temporary fault"),
			hint: mime.NewText("google.retried",
				"No action needed; postino retries automatically")}
	}
	return auth(adapters.CodeRefused, mime.NewText("google.google_refused_issue_token", "Google refused to issue a token"),
		mime.NewText("google.check_delegation",
			"check service account, subject and domain-wide delegation"))
}
