package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/mime"
)

const problemType = "application/problem+json"

// A Problem is the body of every error (RFC 9457).
type Problem struct {
	Type   string       `json:"type" format:"uri-reference" example:"/problems/no_route" doc:"Page that explains this kind of problem"`
	Title  string       `json:"title" doc:"The kind of problem in a few words"`
	Status int          `json:"status" example:"422" doc:"HTTP status"`
	Code   string       `json:"code" example:"no_route" doc:"Stable name of what happened; finer than type"`
	Detail string       `json:"detail" doc:"What happened this time"`
	Hint   string       `json:"hint,omitempty" doc:"What to do about it"`
	Field  string       `json:"field,omitempty" example:"attachments[0].content" doc:"Field that is to blame, when there is one"`
	Errors []FieldError `json:"errors,omitempty" doc:"Every field that is wrong"`
}

// A FieldError is what is wrong with one field.
type FieldError struct {
	Field   string `json:"field" example:"to[3]"`
	Message string `json:"message"`
}

// A fault is one wrong field in all languages.
type fault struct {
	field string
	text  adapters.Text
}

// A failure is a Problem before its language is known. Its texts are safe to show.
type failure struct {
	status     int
	code       string
	field      string
	message    adapters.Text
	hint       adapters.Text
	faults     []fault
	retryAfter time.Duration
	challenge  bool  // ask for credentials
	err        error // cause; never shown
}

func (f *failure) Error() string  { return f.message.String() }
func (f *failure) Unwrap() error  { return f.err }
func (f *failure) GetStatus() int { return f.status }

// ContentType makes huma say that the body is a problem.
func (f *failure) ContentType(string) string { return problemType }

// GetHeaders are the fields that go with the status.
func (f *failure) GetHeaders() http.Header {
	h := http.Header{}
	if f.challenge {
		h.Add("WWW-Authenticate", `Bearer realm="postino"`)
		h.Add("WWW-Authenticate", `Basic realm="postino", charset="UTF-8"`)
	}
	if f.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((f.retryAfter+time.Second-1)/time.Second)))
	}
	return h
}

func (f *failure) in(lang string) *Problem {
	kind, c := kindOf(f.code, f.status)
	p := &Problem{Type: "/problems/" + kind, Title: c.title.In(lang), Status: f.status, Code: f.code, Detail: f.message.In(lang),
		Hint: f.hint.In(lang), Field: f.field}
	for _, x := range f.faults {
		p.Errors = append(p.Errors, FieldError{Field: x.field, Message: x.text.In(lang)})
	}
	if p.Field == "" && len(f.faults) == 1 {
		p.Field = f.faults[0].field
	}
	return p
}

// fail makes a failure; field is empty where none is to blame, hint where there
// is nothing to do.
func fail(status int, code, field string, message, hint adapters.Text) *failure {
	return &failure{status: status, code: code, field: field, message: message, hint: hint}
}

// mimeText returns what is wrong with a message.
func mimeText(e *mime.Error) adapters.Text { return e.Message }

// passOn returns the sentence of another package, which knows its languages.
func passOn(sentence interface{ In(lang string) string }) adapters.Text {
	return text("api.passed_on", "{sentence}", "sentence", sentence)
}

// failureOf returns any error of the inner packages as a failure.
func failureOf(err error) *failure {
	var f *failure
	var r *submit.Refusal
	var m *mime.Error
	var model *huma.ErrorModel
	var full *spool.FullError
	var tooLarge *http.MaxBytesError
	if refused := refusedJSON(err); refused != nil {
		return refused
	}
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &r):
		f = fail(r.HTTP, r.Code, apiField(r.Field), r.Message, r.Hint)
		f.err = r.Err
		if r.Code == "rate" {
			f.retryAfter = time.Minute
		} else if r.HTTP == http.StatusServiceUnavailable {
			f.retryAfter = 30 * time.Second
		}
		return f
	case errors.As(err, &m):
		f = fail(http.StatusUnprocessableEntity, m.Code, apiField(m.Field), mimeText(m), adapters.Text{})
		f.err = err
		return f
	case errors.As(err, &model):
		return fromHuma(model, nil)
	case errors.As(err, &full):
		f = fail(http.StatusInsufficientStorage, "no_room", "",
			text("api.no_room", "uploads under way may have no more of the server's disk"),
			text("api.no_room_hint",
				"send it again when others have ended; the administrator can raise [limits] {setting} or make "+
					"room", "setting", full.Setting))
		f.retryAfter, f.err = time.Minute, err
		return f
	case errors.As(err, &tooLarge), errors.Is(err, spool.ErrTooLarge):
		return fail(http.StatusRequestEntityTooLarge, "too_large", "",
			text("api.message_too_large", "the message is larger than any route carries"),
			text("api.message_too_large_hint", "send smaller attachments"))
	}
	return storeFailure(err)
}

func storeFailure(err error) *failure {
	f := &failure{err: err}
	switch {
	case errors.Is(err, store.ErrNotFound):
		f = fail(http.StatusNotFound, "not_found", "",
			text("api.no_record", "there is no such record, or this key may not see it"), adapters.Text{})
	case errors.Is(err, store.ErrExists):
		f = fail(http.StatusConflict, "name_taken", "name",
			text("api.name_taken", "this name is taken already"),
			text("api.name_taken_hint", "choose another name, or edit the one that has it"))
	case errors.Is(err, store.ErrConflict):
		f = fail(http.StatusConflict, "changed_meanwhile", "revision",
			text("api.changed_meanwhile", "the record was changed by someone else meanwhile"),
			text("api.changed_meanwhile_hint", "read it again and repeat the change on what is there now"))
	case errors.Is(err, store.ErrInUse):
		f = fail(http.StatusConflict, "in_use", "",
			text("api.in_use", "there are messages under way that need this connection"),
			text("api.in_use_hint", "cancel them or let them end, then delete it"))
	case errors.Is(err, store.ErrGone):
		f = fail(http.StatusGone, "bytes_gone", "",
			text("api.bytes_gone", "the bytes of the message were removed when their retention ended"),
			text("api.bytes_gone_hint", "the record and its attempts are still there"))
	case errors.Is(err, store.ErrCorrupt):
		f = fail(http.StatusInternalServerError, "bytes_corrupt", "",
			text("api.bytes_corrupt", "the stored bytes of the message are corrupt or missing"),
			text("api.bytes_corrupt_hint", "the administrator should look at the disk"))
	case errors.Is(err, store.ErrUnderWay):
		f = fail(http.StatusConflict, "under_way", "Idempotency-Key",
			text("api.under_way", "the request with this Idempotency-Key has begun and has no answer yet"),
			text("api.under_way_hint",
				"ask again in a moment; if it stays so, the server was stopped meanwhile: look at what was "+
					"done before it is repeated with a new key"))
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		f = fail(http.StatusServiceUnavailable, "interrupted", "",
			text("api.interrupted", "the request was interrupted"),
			text("api.send_again", "send it again"))
	default:
		return failureOf(submit.AsRefusal(err))
	}
	f.err = err
	return f
}

// apiField is the name in the request of what mime and submit call by header
// or draft names: "Reply-To" is reply_to.
func apiField(name string) string {
	prefix, last := "", name
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		prefix, last = name[:i+1], name[i+1:]
	}
	switch last {
	case "OneClick":
		last = "one_click"
	case "ListUnsubscribe":
		last = "list_unsubscribe"
	}
	return prefix + strings.ReplaceAll(strings.ToLower(last), "-", "_")
}

// transformProblem writes failures, and what huma itself found wrong, in the
// caller's language.
func transformProblem(schemas huma.Registry) huma.Transformer {
	return func(ctx huma.Context, _ string, v any) (any, error) {
		switch e := v.(type) {
		case *failure:
			return e.in(language(ctx.Header("Accept-Language"))), nil
		case *huma.ErrorModel:
			return fromHuma(e, bodyOfOperation(schemas, ctx.Operation())).in(language(ctx.Header("Accept-Language"))), nil
		}
		return v, nil
	}
}

// writeFailure answers with a problem outside of huma.
func writeFailure(w http.ResponseWriter, r *http.Request, err error) {
	f := failureOf(err)
	for k, v := range f.GetHeaders() {
		w.Header()[k] = v
	}
	writeJSON(w, f.status, problemType, f.in(language(r.Header.Get("Accept-Language"))))
}

// writeJSON answers with v. A write that fails needs no report: the reader left.
func writeJSON(w http.ResponseWriter, status int, contentType string, v any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_ = encodeJSON(w, v)
}
