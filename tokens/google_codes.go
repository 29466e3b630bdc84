package tokens

import (
	"net/http"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// googleRow is the table of token errors in contracts C6.
func googleRow(a answer, status int) (string, row) {
	auth := func(message, hint adapters.Text) (string, row) {
		return a.code, row{class: adapters.Auth, message: message, hint: hint}
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
		return auth(mime.NewText("google.google_does_not_let_service",
			"Google does not let this service account act for the mailbox user"),
			mime.NewText("google.google_admin_console_security_api",
				"in the Google Admin console (Security > API controls > Domain-wide delegation) add the service account's "+
					"numeric client id with exactly the scope that is asked for; it may take a while to work"))
	case "invalid_grant":
		switch {
		case has("short-lived", "iat", "exp "):
			code, r := auth(mime.NewText("google.google_finds_signed_request_outside",
				"Google finds the signed request outside its time"),
				mime.NewText("google.set_machine_clock_keep_right",
					"set this machine's clock and keep it right with NTP"))
			r.clock = true
			return code, r
		case has("signature", "no valid verifier", "key"):
			code, r := auth(mime.NewText("google.google_does_not_accept_service",
				"Google does not accept the service account's key"),
				mime.NewText("google.key_probably_deleted_create_new",
					"the key was probably deleted: create a new one in the Google Cloud console and give it to the connection"))
			r.clock = true
			return code, r
		case has("account not found", "invalid email", "user id", "disabled", "suspended"):
			return auth(mime.NewText("google.google_does_not_know_mailbox",
				"Google does not know the mailbox user or the service account, or has it suspended"),
				mime.NewText("google.check_subject_address_user_active",
					"check the subject's address and that the user is active; make sure the service account still exists"))
		}
		code, r := auth(mime.NewText("google.google_does_not_accept_signed", "Google does not accept the signed request"),
			mime.NewText("google.check_clock_machine_service_account",
				"check the clock of this machine, the service account's key and the mailbox user (subject)"))
		r.clock = true
		return code, r
	case "invalid_scope":
		return auth(mime.NewText("google.google_does_not_accept_scope", "Google does not accept the scope"),
			mime.NewText("google.check_scopes_domain_wide_delegation",
				"check the scopes in the domain-wide delegation of the Admin console"))
	case "admin_policy_enforced", "org_internal":
		return auth(mime.NewText("google.policy_google_workspace_domain_blocks",
			"a policy of the Google Workspace domain blocks this app"),
			mime.NewText("google.let_workspace_administrator_trust_app",
				"let the Workspace administrator trust the app (Security > API controls > App access control)"))
	case "deleted_client", "disabled_client", "invalid_client":
		return auth(mime.NewText("google.service_account_deleted_disabled_unknown",
			"the service account is deleted, disabled or unknown"),
			mime.NewText("google.enable_again_create_new_one",
				"enable it again, or create a new one with a key and delegation, in the Google Cloud console"))
	case "rate_limit_exceeded", "resource_exhausted", "quota_exceeded":
		return a.code, row{class: adapters.Throttled, message: mime.NewText("google.google_limits_token_requests",
			"Google limits the token requests"),
			hint: mime.NewText("google.no_action_needed_postino_waits", "No action needed; postino waits")}
	}
	switch {
	case status == http.StatusTooManyRequests:
		return a.code, row{class: adapters.Throttled, message: mime.NewText("google.google_limits_token_requests",
			"Google limits the token requests"),
			hint: mime.NewText("google.no_action_needed_postino_waits", "No action needed; postino waits")}
	case status >= 500, a.code == "internal_failure", a.code == "backend_error", a.code == "unavailable", a.code == "internal":
		return a.code, row{class: adapters.Transient, message: mime.NewText("google.google_token_service_passing_fault",
			"Google's token service has a temporary fault"),
			hint: mime.NewText("google.no_action_needed_postino_retries",
				"No action needed; postino retries automatically")}
	}
	return auth(mime.NewText("google.google_refused_issue_token", "Google refused to issue a token"),
		mime.NewText("google.check_service_account_subject_domain",
			"check service account, subject and domain-wide delegation"))
}
