package gmail

import (
	"net/http"
	"strconv"
	"time"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// A gmailRefusal is an error of the Gmail API before it is written.
type apiError struct {
	status       int
	code, detail string
}

func invalidArgument(text string) *apiError {
	return &apiError{http.StatusBadRequest, "invalidArgument", text}
}

// gmailReason is what is known about one reason of contracts C4.
type gmailReason struct {
	status string // google.rpc code; empty: that of the HTTP status
	domain string // "global" when empty
	text   string
	detail string // reason in google.rpc.ErrorInfo
	reason string // as it is written; empty: the name
}

// gmailReasons are the rows of contracts C4 that need more than their name.
// mailSendingLimit and concurrentRequests are names of ours for two faults
// that share the wire's reasons.
func gmailReasons(name string) gmailReason {
	switch name {
	case "invalidArgument":
		return gmailReason{text: "Invalid value"}
	case "failedPrecondition":
		return gmailReason{status: "FAILED_PRECONDITION", text: "Precondition check failed."}
	case "authError":
		return gmailReason{text: "Invalid Credentials"}
	case "insufficientPermissions":
		return gmailReason{reason: "insufficientPermissions", text: "Request had insufficient authentication scopes.",
			detail: "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}
	case "accessNotConfigured":
		return gmailReason{domain: "usageLimits", text: "Gmail API has not been used in project 100200300 before or it is disabled.",
			detail: "SERVICE_DISABLED"}
	case "delegationDenied":
		return gmailReason{text: "Delegation denied"}
	case "domainPolicy":
		return gmailReason{text: "The domain administrators have disabled Gmail apps."}
	case "dailyLimitExceeded":
		return gmailReason{domain: "usageLimits", text: "Daily Limit Exceeded"}
	case "rateLimitExceeded":
		return gmailReason{domain: "usageLimits", text: "Rate Limit Exceeded"}
	case "userRateLimitExceeded":
		return gmailReason{domain: "usageLimits", text: "User Rate Limit Exceeded"}
	case "mailSendingLimit":
		return gmailReason{reason: "userRateLimitExceeded", domain: "usageLimits"}
	case "concurrentRequests":
		return gmailReason{reason: "rateLimitExceeded", domain: "usageLimits", text: "Too many concurrent requests for user"}
	case "notFound":
		return gmailReason{text: "Requested entity was not found."}
	case "backendError":
		return gmailReason{text: "Backend Error"}
	}
	return gmailReason{}
}

// reasonOf is the reason that usually goes with an HTTP status.
func reasonOf(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "authError"
	case http.StatusForbidden:
		return "insufficientPermissions"
	case http.StatusNotFound:
		return "notFound"
	case http.StatusRequestEntityTooLarge:
		return "uploadTooLarge"
	case http.StatusTooManyRequests:
		return "rateLimitExceeded"
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return "backendError"
	}
	return "badRequest"
}

func rpcStatus(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "UNAUTHENTICATED"
	case http.StatusForbidden:
		return "PERMISSION_DENIED"
	case http.StatusNotFound:
		return "NOT_FOUND"
	case http.StatusTooManyRequests:
		return "RESOURCE_EXHAUSTED"
	case http.StatusInternalServerError:
		return "INTERNAL"
	case http.StatusBadGateway, http.StatusServiceUnavailable:
		return "UNAVAILABLE"
	case http.StatusGatewayTimeout:
		return "DEADLINE_EXCEEDED"
	}
	return "INVALID_ARGUMENT"
}

// writeError answers in the shape of contracts C4. Code "mailSendingLimit" is
// the daily limit: the time to come back, from the fault's RetryAfter, is told
// in the text alone.
func (g *Server) writeError(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	if code == "" {
		code = reasonOf(status)
	}
	known := gmailReasons(code)
	reason := known.reason
	if reason == "" {
		reason = code
	}
	domain := known.domain
	if domain == "" {
		domain = "global"
	}
	rpc := known.status
	if rpc == "" {
		rpc = rpcStatus(status)
	}
	if code == "mailSendingLimit" && message == "" {
		wait, err := strconv.Atoi(w.Header().Get("Retry-After"))
		if err != nil {
			wait = 3600
		}
		w.Header().Del("Retry-After")
		until := g.core.Now().Add(time.Duration(wait) * time.Second).UTC()
		message = "User-rate limit exceeded.  Retry after " + until.Format("2006-01-02T15:04:05.000Z") + " (Mail sending)"
	}
	if message == "" {
		message = known.text
	}
	if message == "" {
		message = http.StatusText(status)
	}
	body := map[string]any{
		"code": status, "message": message, "status": rpc,
		"errors": []map[string]string{{"message": message, "domain": domain, "reason": reason}},
	}
	if known.detail != "" {
		body["details"] = []map[string]any{{
			"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": known.detail, "domain": "googleapis.com",
			"metadata": map[string]string{"service": "gmail.googleapis.com"},
		}}
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="https://accounts.google.com/", error="invalid_token"`)
	}
	core.WriteJSON(w, status, map[string]any{"error": body})
}
