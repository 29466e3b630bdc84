package gmail

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

const maxWait = 24 * time.Hour // contracts C3.5

// failure says what an answer that proves no acceptance means. final: the
// request carried the message, or its end, so that an answer which does not
// refuse leaves the outcome unknown (design rule 5).
func (a *Adapter) failure(ans answer, final bool) *adapters.Error {
	if ans.local != nil {
		return a.localFailure(ans.local)
	}
	if ans.cancelled {
		return a.transient("upload_cancelled", ans,
			mime.NewText("gmail.upload_cut_short",
				"Gmail did not receive the whole upload, which was then cancelled"))
	}
	var e *adapters.Error
	switch {
	case ans.err != nil:
		e = a.network(ans.err)
	default:
		e = a.refused(ans)
	}
	if final && ans.handed && !refuses(e, ans) {
		return unknown(e)
	}
	return e
}

// refuses reports an answer that says for certain that the message was not taken.
func refuses(e *adapters.Error, ans answer) bool {
	switch {
	case ans.err != nil, ans.status < 300, ans.status >= 500, incomplete(ans):
		return false
	}
	return e.Class != adapters.Unknown
}

// unknown makes e the story of a message that may have been sent.
func unknown(e *adapters.Error) *adapters.Error {
	e.Class, e.Scope, e.Enhanced, e.RetryAfter = adapters.Unknown, adapters.ScopeMessage, "4.4.0", 0
	e.Message = mime.NewText("gmail.handed_over",
		"the whole message had been handed to Gmail when this happened: {message}; whether it was sent is not known",
		"message", e.Message)
	e.Hint = mime.NewText("gmail.look_in_sent",
		"look into the mailbox's Sent folder before sending it again; with the scope gmail.readonly in the "+
			"domain-wide delegation this is checked by itself")
	return e
}

// refused describes an HTTP answer without success.
func (a *Adapter) refused(ans answer) *adapters.Error {
	if said := said(ans.status, ans.header, ans.body); said.known() {
		e := row(said, a.now())
		e.Provider, e.Status = adapters.Gmail, ans.status
		e.RetryAfter = min(max(e.RetryAfter, retryAfter(ans.header, a.now())), maxWait)
		e.RequestID = word(ans.header.Get("X-GUploader-UploadID"))
		return e
	}
	return a.strange(ans)
}

// strange describes answers that are not Gmail's own.
func (a *Adapter) strange(ans answer) *adapters.Error {
	status := strconv.Itoa(ans.status)
	html := strings.HasPrefix(strings.TrimSpace(string(ans.body)), "<") || strings.Contains(ans.header.Get("Content-Type"), "html")
	switch {
	case ans.status == http.StatusRequestEntityTooLarge: // contracts C4: exact body unconfirmed
		e := row(words{status: ans.status}, a.now())
		e.Provider, e.Status = adapters.Gmail, ans.status
		return e
	case ans.status == http.StatusUnauthorized, ans.status == http.StatusTooManyRequests:
		e := row(words{status: ans.status}, a.now())
		e.Provider, e.Status, e.RetryAfter = adapters.Gmail, ans.status, min(max(e.RetryAfter, retryAfter(ans.header, a.now())), maxWait)
		return e
	case ans.status == http.StatusNotFound && !html, ans.status == http.StatusGone:
		return a.transient("session_gone", ans, mime.NewText("gmail.upload_session_ended", "the upload session has ended"))
	case html:
		return a.transient(adapters.CodeWebPage, ans, mime.NewText("gmail.web_page",
			"a web page ({status}) came instead of Gmail's answer", "status", status))
	case len(ans.body) == 0:
		return a.transient(adapters.CodeEmptyAnswer,
			ans, mime.NewText("gmail.gmail_answer_empty", "Gmail's answer ({status}) is empty", "status", status))
	case ans.status >= 500:
		return a.transient(adapters.CodeProviderFault,
			ans, mime.NewText("gmail.gmail_fault_own", "Gmail has an internal error ({status})", "status", status))
	}
	return a.transient(adapters.CodeGarbage, ans,
		mime.NewText("gmail.gmail_answer_cannot_read", "Gmail's answer ({status}) cannot be read", "status",
			status))
}

func (a *Adapter) transient(code adapters.Code, ans answer, message adapters.Text) *adapters.Error {
	return &adapters.Error{Class: adapters.Transient, Scope: adapters.ScopeConnection, Provider: adapters.Gmail, Code: code,
		Status: ans.status, Enhanced: "4.4.2",
		RetryAfter: min(retryAfter(ans.header, a.now()), maxWait), Message: message,
		Hint: mime.NewText("gmail.retried_check_proxy",
			"postino retries automatically; if this goes on, look for a proxy or firewall in front of {host}",
			"host", a.host())}
}

// stalled is an upload that does not get on; nothing has been sent by it.
func (a *Adapter) stalled(ans answer) *adapters.Error {
	e := a.failure(ans, false)
	if incomplete(ans) {
		e = a.transient("upload_stalled", ans, mime.NewText("gmail.upload_stuck", "the upload to Gmail does not get on"))
	}
	return e
}

func (a *Adapter) protocolError(what string) *adapters.Error {
	return a.transient("protocol", answer{}, mime.NewText("gmail.gmail_upload_answered", "Gmail's upload answered with {what}", "what", what))
}

func (a *Adapter) network(err error) *adapters.Error {
	e := adapters.NetworkError(adapters.Gmail, a.host(), err, a.now())
	e.Enhanced = "4.4.1"
	return e
}

func (a *Adapter) localFailure(err error) *adapters.Error {
	if e := (*adapters.Error)(nil); errors.As(err, &e) { // of Permit
		return e
	}
	return &adapters.Error{Class: adapters.Transient, Scope: adapters.ScopeMessage, Provider: adapters.Gmail,
		Code:     adapters.CodeUnreadable,
		Enhanced: "4.3.0", Err: err,
		Message: mime.NewText("gmail.message_unreadable", "the stored message could not be read"),
		Hint:    mime.NewText("gmail.message_unreadable_hint", "check the disk that holds the queue")}
}

func (a *Adapter) host() string {
	u, err := url.Parse(a.base)
	if err != nil {
		return "Gmail"
	}
	return u.Host
}

// retryAfter reads the header in both its forms (RFC 9110 section 10.2.3), 0 when absent.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if s, err := strconv.ParseInt(v, 10, 32); err == nil {
		return max(time.Duration(s)*time.Second, 0)
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(t.Sub(now), 0)
	}
	return 0
}

// toldTime finds the moment that a sending limit's text names (contracts C4).
func toldTime(s string) (time.Time, bool) {
	m := regexp.MustCompile(`\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z`).FindString(s)
	t, err := time.Parse(time.RFC3339Nano, m)
	return t, err == nil
}
