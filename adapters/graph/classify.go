package graph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// A refusal is the cause inside an *adapters.Error: what Graph answered, for
// debug logs. The message is the provider's own, shortened, without the token.
type refusal struct {
	status  int
	codes   []string
	message string
}

func (r *refusal) Error() string {
	return fmt.Sprintf("graph answered %d %s: %s", r.status, strings.Join(r.codes, "/"), r.message)
}

// classify turns a result that is not what was wanted into an *adapters.Error.
func (a *Adapter) classify(ctx context.Context, rq *request, res *result) error {
	if res.err != nil {
		return a.transportError(ctx, rq, res)
	}
	od := parseError(res.body)
	fromGraph := len(od.codes) > 0 || requestID(res.header) != ""
	code, r, known := "", rule{}, false
	for i := len(od.codes) - 1; i >= 0 && !known; i-- { // the most specific known one (contracts B9)
		code = od.codes[i]
		r, known = ruleFor(code)
	}
	if !known {
		r = statusRule(res.status, fromGraph)
		if len(od.codes) > 0 {
			code = od.codes[0]
		} else {
			code = ""
		}
	}
	if code == "BadRequest" && strings.Contains(od.message, "maximum request length") { // contracts L5
		r = tooLargeRule()
	}
	if code == "ErrorAccessDenied" && strings.Contains(od.message, "[RAOP]") { // contracts B8.2: the text is all that tells
		r = accessPolicyRule()
	}
	e := a.error(r, rq)
	e.ProviderCode, e.Status = code, res.status
	e.RetryAfter = retryAfter(res.header, a.now())
	if e.RetryAfter == 0 {
		e.RetryAfter = r.wait
	}
	if e.RequestID = requestID(res.header); e.RequestID == "" {
		e.RequestID = od.requestID
	}
	if !printable(e.RequestID) {
		e.RequestID = ""
	}
	e.Err = &refusal{res.status, od.codes, redact(od.message, res.token)}
	if r.ambiguous {
		e.Class = adapters.Transient
		if rq.sends && res.complete {
			e.Class = adapters.Unknown
		}
	}
	return e
}

// redact shortens a provider's message and takes the token out of it.
func redact(s, token string) string {
	if token != "" {
		s = strings.ReplaceAll(s, token, adapters.Redacted)
	}
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "..."
	}
	return s
}

// transportError classifies a round trip without an answer: Unknown when the
// provider may have all of a request that sends, Transient otherwise, because
// a request is not acted on before its last byte.
func (a *Adapter) transportError(ctx context.Context, rq *request, res *result) error {
	if res.source != nil {
		return a.local(res.source)
	}
	e := a.networkError(ctx, rq, res.err)
	if rq.sends && res.complete {
		u := lostAnswerRule()
		e.Class, e.Scope, e.Message, e.Hint, e.Enhanced = adapters.Unknown, u.scope, u.say, u.do, u.enhanced
	}
	return e
}

// networkError tells apart why there was no answer. Of the URL only the host is named.
func (a *Adapter) networkError(ctx context.Context, rq *request, err error) *adapters.Error {
	if ctx.Err() != nil {
		e := a.error(cancelledRule(), rq)
		e.Err = err
		return e
	}
	host := "Microsoft Graph"
	if u, perr := url.Parse(rq.url); perr == nil && u.Host != "" {
		host = u.Host
	}
	if errors.Is(err, errQuiet) {
		err = context.DeadlineExceeded
	}
	e := adapters.NetworkError(adapters.Graph, host, err, a.now())
	e.Enhanced = "4.4.1"
	return e
}

// error makes an *adapters.Error of a rule, with the names that its sentences ask for.
func (a *Adapter) error(r rule, rq *request) *adapters.Error {
	mailbox, from := a.conn.Mailbox(a.conn.FromMailbox()), a.conn.From
	if rq != nil && rq.job != nil {
		mailbox, from = rq.job.mailbox, rq.job.from.String()
	}
	return &adapters.Error{Class: r.class, Scope: r.scope, Provider: adapters.Graph, Code: r.code, Enhanced: r.enhanced,
		NoRetry: r.noRetry, TooLarge: r.tooLarge, Concurrency: r.concurrency,
		Message: r.say.With("mailbox", mailbox, "from", from), Hint: r.do.With("mailbox", mailbox, "from", from)}
}

// refuse is a permanent failure of the message that needs no provider to know.
func (a *Adapter) refuse(code adapters.Code, enhanced string, say, do adapters.Text) *adapters.Error {
	return &adapters.Error{Class: adapters.Permanent, Scope: adapters.ScopeMessage, Provider: adapters.Graph,
		Code: code, Enhanced: enhanced, Message: say, Hint: do}
}

// local is a failure to read the stored message: its own fault when mime says
// so, the store's otherwise.
func (a *Adapter) local(err error) error {
	var e *adapters.Error
	if errors.As(err, &e) {
		return e
	}
	var bad *mime.Error
	if errors.As(err, &bad) && bad.Code != string(adapters.CodeUnreadable) {
		e = a.refuse(adapters.Code(bad.Code), "5.6.0", bad.Message,
			mime.NewText("graph.correct_message_program_makes",
				"correct the message in the program that makes it"))
		e.Err = err
		return e
	}
	return &adapters.Error{Class: adapters.Transient, Scope: adapters.ScopeMessage, Provider: adapters.Graph,
		Code: adapters.CodeUnreadable, Enhanced: "4.3.0", Err: err,
		Message: mime.NewText("graph.unreadable", "the stored message cannot be read"),
		Hint: mime.NewText("graph.unreadable_hint",
			"check the disk that holds the spool; postino retries automatically")}
}

// tokenError passes on what the token source says. No token means that nothing was sent.
func (a *Adapter) tokenError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		e := a.error(cancelledRule(), nil)
		e.Err = err
		return e
	}
	var e *adapters.Error
	if errors.As(err, &e) {
		if e.Class == adapters.Unknown {
			c := *e
			c.Class = adapters.Transient
			return &c
		}
		return e
	}
	e = a.error(rule{code: adapters.CodeToken, class: adapters.Transient, scope: adapters.ScopeConnection, enhanced: "4.7.0",
		say: mime.NewText("graph.no_token", "no access token could be had"),
		do:  mime.NewText("graph.check_connection_credential", "check the connection's credential")}, nil)
	e.Err = err
	return e
}

// A rule is what a code or status means and what to do about it.
type rule struct {
	code        adapters.Code
	class       adapters.Class
	ambiguous   bool // the class is Unknown for a complete request that sends, Transient otherwise
	scope       adapters.Scope
	enhanced    string
	noRetry     bool
	tooLarge    bool
	concurrency bool          // too many requests at once
	wait        time.Duration // when the provider does not say
	say, do     adapters.Text
}

// statusRule is for answers without a code that is known. Those that do not
// come from Graph (a proxy's page, a wrong address) never refuse the message.
func statusRule(status int, fromGraph bool) rule {
	switch {
	case status == http.StatusUnauthorized:
		return tokenRule()
	case status == http.StatusRequestEntityTooLarge: // contracts B2.1; also without a body
		return tooLargeRule()
	case status == http.StatusTooManyRequests, status == 509: // contracts B7.6, B7.8
		return throttledRule()
	case status >= 500, status == http.StatusRequestTimeout: // contracts B9: 408, 500, 503, 504
		return ambiguousRule()
	case status < 300: // not the success that was wanted, and no refusal either
		r := ambiguousRule()
		r.code = adapters.CodeGarbage
		r.say = mime.NewText("graph.answer_unreadable",
			"the answer is not one that Microsoft Graph gives")
		r.do = strangerRule().do
		return r
	case !fromGraph || status < 400 || status == http.StatusProxyAuthRequired:
		return strangerRule()
	case status == http.StatusForbidden:
		return accessRule()
	case status == http.StatusNotFound:
		return noMailboxRule()
	case status == http.StatusLocked: // contracts B9: 423
		return movingRule()
	case status == http.StatusConflict, status == http.StatusPreconditionFailed,
		status == http.StatusMisdirectedRequest, status == http.StatusTooEarly:
		return rule{code: adapters.CodeProviderBusy, class: adapters.Transient, scope: adapters.ScopeMessage, enhanced: "4.4.0",
			say: mime.NewText("graph.busy",
				"Microsoft Graph could not take the message at this moment"),
			do: mime.NewText("graph.retried",
				"No action needed; postino retries automatically")}
	}
	return badRequestRule() // contracts B9: a 400 stays one
}
