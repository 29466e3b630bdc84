package tokens

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

const codeLoop = "AADSTS50196"

// A row of a table of refusals: what a code means and what to do (contracts A5, C6).
type row struct {
	code    adapters.Code
	class   adapters.Class
	message adapters.Text
	hint    adapters.Text
	clock   bool // a wrong clock causes it: compare with the issuer's
}

func (r row) found() bool { return r.class != "" }

// failure says in words why a fetch gave no token.
func (x *exchange) failure(w want) *adapters.Error {
	if x.err != nil {
		e := adapters.NetworkError(w.provider, x.host, x.err, x.now())
		e.Enhanced = "4.4.1"
		if x.step == stepMetadata {
			e.Message, e.Hint = noMetadataServer()
		}
		if w.key.credential == "managed" {
			e.Message = mime.NewText("token.no_identity_service",
				"no managed identity service answers on this machine")
			e.Hint = mime.NewText("token.azure_hosts_only",
				"managed identity works on Azure hosts only: run there and assign an identity, or choose another "+
					"credential; the service is asked directly, never through HTTP_PROXY or HTTPS_PROXY")
		}
		return e
	}
	if x.requests == 0 {
		return misconfigured("credential_unusable",
			mime.NewText("token.credential_unusable", "the credential of the connection cannot be used"),
			mime.NewText("token.credential_unusable_hint", "enter tenant, client id and credential again"))
	}
	ans := parseAnswer(x.body)
	e := &adapters.Error{Status: x.status, RetryAfter: x.retryAfter(), RequestID: ans.requestID, Enhanced: "4.7.0"}
	var r row
	switch {
	case w.key.credential == "managed":
		e.ProviderCode, r = managedRow(ans, x.status)
	case x.step == stepMetadata:
		e.ProviderCode, r = metadataRow(x.status)
	case ans.code == "":
		r = x.strange()
	case x.step == stepFederation:
		e.ProviderCode, r = federationRow(ans, x.status)
	case x.step == stepSign:
		e.ProviderCode, r = signRow(ans, x.status, x.account)
	case w.key.issuer == "google":
		e.ProviderCode, r = googleRow(ans, x.status)
	default:
		e.ProviderCode, r = entraRow(ans, x.status)
	}
	e.Code, e.Class, e.Message, e.Hint = r.code, r.class, r.message, r.hint
	if r.clock {
		x.explainClock(e)
	}
	if w.key.issuer == "google" && x.step == stepToken && e.Code == adapters.CodePermissionMissing {
		x.explainDelegation(e, w.key.scope)
	}
	if aboutCertificate(e.ProviderCode) {
		x.explainCertificate(e)
	}
	return e
}

// strange tells answers that are not the issuer's own.
func (x *exchange) strange() row {
	trimmed := bytes.TrimSpace(x.body)
	html := bytes.HasPrefix(trimmed, []byte("<")) || strings.Contains(x.header.Get("Content-Type"), "html")
	proxy := mime.NewText("token.proxy_in_between",
		"a proxy, firewall or captive portal stands in between: let this machine reach {host} directly, or "+
			"configure the proxy",
		"host", x.host)
	again := mime.NewText("token.retried",
		"postino retries automatically; if this goes on, look for a proxy in between")
	status := strconv.Itoa(x.status)
	switch {
	case x.status == http.StatusProxyAuthRequired:
		return row{code: adapters.CodeProxyAuth, class: adapters.Transient, hint: proxy,
			message: mime.NewText("token.proxy_auth", "{host} is behind a proxy that wants a password", "host", x.host)}
	case x.status == http.StatusTooManyRequests:
		return row{code: adapters.CodeThrottled, class: adapters.Throttled, hint: again,
			message: mime.NewText("token.limited", "{host} limits the token requests", "host", x.host)}
	case x.status >= 300 && x.status < 400:
		return row{code: adapters.CodeRedirect, class: adapters.Transient, hint: proxy,
			message: mime.NewText("token.redirect", "{host} answered with a redirect instead of a token", "host", x.host)}
	case html:
		return row{code: adapters.CodeWebPage, class: adapters.Transient, hint: proxy,
			message: mime.NewText("token.html", "{host} answered with a web page ({status}) instead of a token", "host", x.host, "status", status)}
	case x.status >= 500:
		return row{code: adapters.CodeProviderFault, class: adapters.Transient, hint: again,
			message: mime.NewText("token.issuer_fault", "{host} has an internal error ({status})", "host", x.host, "status", status)}
	case len(trimmed) == 0:
		return row{code: adapters.CodeEmptyAnswer, class: adapters.Transient, hint: again,
			message: mime.NewText("token.empty_answer", "{host} returned an empty answer ({status}) instead of a token",
				"host", x.host, "status", status)}
	}
	return row{code: adapters.CodeGarbage, class: adapters.Transient, hint: proxy,
		message: mime.NewText("token.garbage", "{host} returned an answer ({status}) that is no token", "host", x.host, "status", status)}
}

// explainClock compares this machine's clock with the issuer's Date header.
func (x *exchange) explainClock(e *adapters.Error) {
	theirs, err := http.ParseTime(x.header.Get("Date"))
	if err != nil {
		return
	}
	skew := x.at.Sub(theirs)
	m := int(skew.Abs().Round(time.Minute) / time.Minute)
	if skew.Abs() < 2*time.Minute {
		return
	}
	if skew > 0 {
		e.Message = mime.NewCount("token.clock_ahead", m,
			"this machine's clock is one minute ahead of the one of {host}, so that its requests are refused",
			"this machine's clock is {count} minutes ahead of the one of {host}, so that its requests are refused", "host", x.host)
	} else {
		e.Message = mime.NewCount("token.clock_behind", m,
			"this machine's clock is one minute behind the one of {host}, so that its requests are refused",
			"this machine's clock is {count} minutes behind the one of {host}, so that its requests are refused", "host", x.host)
	}
	e.Hint = mime.NewText("token.set_clock",
		"set this machine's clock and keep it right with NTP")
}

// explainDelegation adds what has to be typed into the Admin console.
func (x *exchange) explainDelegation(e *adapters.Error, scope string) {
	e.Hint = mime.NewText("google.hint_scope", "{hint}; the scope is {scope}", "hint", e.Hint, "scope", scope)
	if x.clientID != "" {
		e.Hint = mime.NewText("google.hint_client_id", "{hint} and the client id {client_id}", "hint", e.Hint, "client_id", x.clientID)
	}
}

// aboutCertificate: the codes by which Entra refuses a certificate (contracts A5, L).
func aboutCertificate(code string) bool {
	switch strings.TrimPrefix(code, "AADSTS") {
	case "700027", "50012", "1000502", "7000273", "7000274", "5002730":
		return true
	}
	return false
}

// explainCertificate adds what the Entra page of the app shows beside each certificate.
func (x *exchange) explainCertificate(e *adapters.Error) {
	if x.certificate == nil {
		return
	}
	print := thumbprint(x.certificate)
	if now := x.now(); now.After(x.certificate.NotAfter) {
		day := x.certificate.NotAfter.UTC().Format(time.DateOnly)
		e.Message = mime.NewText("token.client_certificate_expired_thumbprint",
			"the client certificate expired on {day} (thumbprint {print})", "day", day, "print", print)
		e.Hint = mime.NewText("token.renew_certificate",
			"make a new certificate, upload it to the app registration and put it in place of the old file")
		return
	}
	e.Hint = mime.NewText("entra.hint_thumbprint", "{hint}; the thumbprint must be {thumbprint}", "hint", e.Hint, "thumbprint", print)
}

// retryAfter reads the header in both its forms (RFC 9110 section 10.2.3).
func (x *exchange) retryAfter() time.Duration {
	v := strings.TrimSpace(x.header.Get("Retry-After"))
	if s, err := strconv.ParseInt(v, 10, 32); err == nil {
		return min(max(time.Duration(s)*time.Second, 0), 24*time.Hour)
	}
	if t, err := http.ParseTime(v); err == nil {
		return min(max(t.Sub(x.at), 0), 24*time.Hour)
	}
	return 0
}

// An answer is an error answer of Entra or Google, in their words that are
// safe to branch on; the description is never shown.
type answer struct {
	code        string // error
	codes       []int  // error_codes of Entra
	description string
	requestID   string
}

func parseAnswer(body []byte) answer {
	var flat struct {
		Error       json.RawMessage `json:"error"`
		Description string          `json:"error_description"`
		Codes       []int           `json:"error_codes"`
		TraceID     string          `json:"trace_id"`
	}
	if json.Unmarshal(body, &flat) != nil {
		// One odd field must not hide the rest.
		flat.Codes = nil
		var least struct {
			Error       json.RawMessage `json:"error"`
			Description any             `json:"error_description"`
		}
		if json.Unmarshal(body, &least) != nil {
			return answer{}
		}
		flat.Error = least.Error
		flat.Description, _ = least.Description.(string)
	}
	a := answer{codes: flat.Codes, description: flat.Description, requestID: word(flat.TraceID)}
	var name string
	var nested struct {
		Status  string `json:"status"`
		Message string `json:"message"`
	}
	switch {
	case json.Unmarshal(flat.Error, &name) == nil:
		a.code = word(name)
	case json.Unmarshal(flat.Error, &nested) == nil: // the shape of Google's other APIs
		a.code, a.description = word(strings.ToLower(nested.Status)), nested.Message
	}
	if len(a.codes) == 0 {
		a.codes = codesIn(a.description)
	}
	if a.code == "" && len(a.codes) > 0 {
		a.code = "error"
	}
	return a
}

// codesIn finds AADSTS codes in a description, for answers without error_codes.
func codesIn(s string) []int {
	_, after, ok := strings.Cut(s, "AADSTS")
	if !ok {
		return nil
	}
	end := 0
	for end < len(after) && end < 9 && after[end] >= '0' && after[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(after[:end])
	if err != nil {
		return nil
	}
	return []int{n}
}

// word lets only what can be a code or an id through to logs and pages.
func word(s string) string {
	if len(s) > 64 {
		return ""
	}
	for _, c := range s {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return ""
		}
	}
	return s
}

func rejectedError(p adapters.Provider) *adapters.Error {
	return &adapters.Error{Class: adapters.Auth, Scope: adapters.ScopeConnection, Provider: p, Code: adapters.CodeTokenRefused,
		Status: http.StatusUnauthorized, Enhanced: "4.7.0",
		Message: mime.NewText("token.token_rejected", "the provider refuses a token that was issued just now"),
		Hint: mime.NewText("token.token_rejected_hint",
			"the credential is right, the access is not: check cloud, tenant and the app's permissions, and that the "+
				"mailbox belongs to them")}
}

func closedError(p adapters.Provider) *adapters.Error {
	return &adapters.Error{Class: adapters.Transient, Scope: adapters.ScopeConnection, Provider: p, Code: "closed", Enhanced: "4.3.2",
		Message: mime.NewText("token.closed", "the program is shutting down"),
		Hint:    mime.NewText("token.closed_hint", "No action needed; postino retries automatically after the start")}
}
