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
	"github.com/postino-mail/postino/mime"
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

// code is what Gmail calls the failure, empty where it does not.
func (w words) code() string {
	for _, c := range []string{w.reason, w.detail, strings.ToLower(w.rpc)} {
		if c = word(c); c != "" {
			return c
		}
	}
	return ""
}

// said reads an error answer.
func said(status int, header http.Header, body []byte) words {
	err := googleapi.CheckResponseWithBody(&http.Response{StatusCode: status, Header: header}, body)
	var ge *googleapi.Error
	if !errors.As(err, &ge) {
		return words{status: status}
	}
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
	e := &adapters.Error{ProviderCode: w.code()}
	set := func(code adapters.Code, class adapters.Class, scope adapters.Scope, enhanced string, message, hint adapters.Text) *adapters.Error {
		e.Code, e.Class, e.Scope, e.Enhanced, e.Message, e.Hint = code, class, scope, enhanced, message, hint
		return e
	}
	auth := func(code adapters.Code, scope adapters.Scope, message, hint adapters.Text) *adapters.Error {
		return set(code, adapters.Auth, scope, "4.7.0", message, hint)
	}
	switch {
	case limited(w):
		return throttled(w, e, now)
	case w.is("authError") || w.status == http.StatusUnauthorized:
		return auth(adapters.CodeTokenRefused,
			adapters.ScopeConnection, mime.NewText("gmail.token_refused", "Gmail does not accept the access token"),
			mime.NewText("gmail.check_key",
				"check the service account's key and that the account is enabled; look at token_url and gmail_url if they "+
					"are set"))
	case w.is("insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"):
		return auth(adapters.CodePermissionMissing,
			adapters.ScopeConnection, mime.NewText("gmail.token_lacks_scope", "the token lacks the scope for this"),
			mime.NewText("gmail.grant_scope",
				"in the Google Admin console (Security > API controls > Domain-wide delegation) give the service "+
					"account's client id the scope https://www.googleapis.com/auth/gmail.send"))
	case w.is("accessNotConfigured", "SERVICE_DISABLED"):
		return auth(adapters.CodeServiceDisabled, adapters.ScopeConnection, mime.NewText("gmail.api_off",
			"the Gmail API is not switched on in the Google Cloud project"),
			mime.NewText("gmail.enable_api",
				"enable the Gmail API in the project of the service account (APIs & Services > Library) and wait a few "+
					"minutes"))
	case w.is("delegationDenied") || w.says("delegation denied"):
		return auth(adapters.CodeAccessDenied, adapters.ScopeLane, mime.NewText("gmail.token_of_other_mailbox",
			"the token belongs to another mailbox than the one that sends"),
			mime.NewText("gmail.set_subject",
				"set the connection's subject to the mailbox that sends"))
	case w.is("domainPolicy"):
		return auth(adapters.CodeBlockedByPolicy, adapters.ScopeConnection, mime.NewText("gmail.access_off",
			"the Workspace administrator has switched off access to Gmail for apps"),
			mime.NewText("gmail.allow_app",
				"let the administrator allow the app (Security > API controls > App access control)"))
	case w.is("failedPrecondition") || w.rpc == "FAILED_PRECONDITION":
		return auth(adapters.CodeMailboxUnavailable, adapters.ScopeLane, mime.NewText("gmail.no_gmail_service",
			"the mailbox has no Gmail service, or the service account does not act for a user"),
			mime.NewText("gmail.give_licence",
				"give the user a licence with Gmail and switch the service on; check the connection's subject"))
	case w.status == http.StatusRequestEntityTooLarge || w.is("uploadTooLarge"):
		e.TooLarge = true
		return set(adapters.CodeTooLarge, adapters.Permanent, adapters.ScopeMessage, "5.3.4", mime.NewText("gmail.message_too_large_gmail",
			"the message is too large for Gmail"),
			mime.NewText("gmail.send_smaller",
				"send smaller attachments or links, or name a fallback connection that carries the size"))
	case w.status == http.StatusNotFound && (w.is("notFound") || w.rpc == "NOT_FOUND"):
		return set(adapters.CodeMailboxUnknown, adapters.Permanent, adapters.ScopeLane, "5.1.8", mime.NewText("gmail.unknown_mailbox",
			"Gmail does not know the mailbox that sends"),
			mime.NewText("gmail.check_subject",
				"check the connection's subject and that the user exists"))
	case w.status == http.StatusForbidden:
		return auth(adapters.CodeAccessDenied, adapters.ScopeConnection, mime.NewText("gmail.gmail_refuses_access", "Gmail refuses access"),
			mime.NewText("gmail.check_delegation",
				"check the domain-wide delegation, the Gmail API of the project and the user's state"))
	case w.status >= 400 && w.status < 500:
		return badMessage(w, e)
	}
	return set(adapters.CodeProviderFault, adapters.Transient, adapters.ScopeConnection, "4.3.0",
		mime.NewText("gmail.gmail_fault_own", "Gmail has an internal error ({status})", "status", strconv.Itoa(w.status)),
		mime.NewText("gmail.retried",
			"No action needed; postino retries automatically"))
}

// badMessage is 400: Gmail does not take this message.
func badMessage(w words, e *adapters.Error) *adapters.Error {
	e.Class, e.Scope, e.Enhanced = adapters.Permanent, adapters.ScopeMessage, "5.6.0"
	switch {
	case w.says("send-as", "send as", "sendas", "invalid from", "from header", "from address"): // contracts C5.1, F30
		e.NoRetry, e.Enhanced = true, "5.7.1"
		e.Code = adapters.CodeSenderRefused
		e.Message = mime.NewText("gmail.from_refused",
			"Gmail does not let this mailbox send with this From")
		e.Hint = mime.NewText("gmail.verify_send_as",
			"verify the address as a send-as address in the mailbox's Gmail settings, or send with the mailbox's own "+
				"address")
	case w.says("recipient", "to header", "cc header", "bcc header"):
		e.Enhanced = "5.1.3"
		e.Code = adapters.CodeRecipientRefused
		e.Message = mime.NewText("gmail.recipient_refused",
			"Gmail does not accept a recipient of the message")
		e.Hint = mime.NewText("gmail.correct_recipients",
			"correct the recipients' addresses, at most 100 in one message")
	default:
		e.Code = adapters.CodeMessageRefused
		e.Message = mime.NewText("gmail.message_refused", "Gmail does not accept the message")
		e.Hint = mime.NewText("gmail.check_headers",
			"check headers and addresses of the message in the program that makes it")
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
		e.Code = adapters.CodeSendingLimit
		e.Message = mime.NewText("gmail.mail_sending_limit", "the mailbox has reached its daily sending limit at Gmail")
		e.Hint = mime.NewText("gmail.mail_sending_limit_hint",
			"it goes on by itself within 24 hours; messages sent in the last minutes before may be lost, so compare "+
				"them with the Sent folder; send bulk mail elsewhere")
	case w.is("dailyLimitExceeded", "quotaExceeded"):
		e.Scope = adapters.ScopeConnection
		e.RetryAfter = max(e.RetryAfter, time.Hour)
		e.Code = adapters.CodeSendingLimit
		e.Message = mime.NewText("gmail.project_quota",
			"the Google Cloud project has used up its quota for the day")
		e.Hint = mime.NewText("gmail.raise_quota",
			"raise the Gmail API quota of the project in the Google Cloud console, or wait for the next day")
	case w.says("concurrent"):
		e.RetryAfter = max(e.RetryAfter, time.Second)
		e.Code = adapters.CodeTooManyConnections
		e.Message = mime.NewText("gmail.too_many_at_once", "too many requests at once for this mailbox")
		e.Hint = mime.NewText("gmail.lower_concurrency",
			"lower limits.concurrency of the connection if this goes on")
	default:
		e.RetryAfter = max(e.RetryAfter, time.Second) // contracts C4: first wait at least 1 s
		e.Code = adapters.CodeThrottled
		e.Message = mime.NewText("gmail.slow_down", "Gmail asks to send more slowly")
		e.Hint = mime.NewText("gmail.waits",
			"No action needed, postino waits; lower limits.per_minute of the connection if this goes on")
	}
	return e
}
