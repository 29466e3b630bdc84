package graph

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/postino-mail/postino/adapters"
)

const (
	errorReply = 64 << 10  // as much of an error's body is read
	drainLimit = 256 << 10 // and so much more is thrown away to keep the connection
)

var (
	errQuiet  = errors.New("graph: no progress")
	errSecond = errors.New("graph: the transport was about to send a second time")
)

// A request is one call.
type request struct {
	op          string // for logs, such as "sendMail"
	method      string
	url         string // an upload URL is a secret
	anonymous   bool   // no token: the URL carries its own (contracts B3 step 3)
	sends       bool   // success means that the mail is on its way
	contentType string
	header      map[string]string
	open        func() (io.Reader, error) // the body from its start; nil: none
	size        int64                     // of the body
	want        []int                     // statuses that mean success
	reply       int64                     // bytes read of a successful body, errorReply when 0
	id          string                    // client-request-id
	job         *job                      // for the words of errors; may be nil
}

// permit returns the question whether the message may still be sent, of a
// request that sends.
func (rq *request) permit() func() error {
	if !rq.sends || rq.job == nil || rq.job.out.Permit == nil {
		return func() error { return nil }
	}
	return rq.job.out.Permit
}

// A result is what one round trip gave: a status, or err.
type result struct {
	status   int
	header   http.Header
	body     []byte
	complete bool  // the provider may have all of the request
	reused   bool  // over a kept connection
	err      error // without URL
	source   error // the body could not be read from the store
	token    string
}

// do sends rq with a token, with a new one after a 401, and returns the result
// when its status is wanted. The error is an *adapters.Error.
func (a *Adapter) do(ctx context.Context, rq *request) (*result, error) {
	start := a.now()
	res, err := a.attempt(ctx, rq)
	if err != nil {
		return nil, err
	}
	a.log.DebugContext(ctx, "graph request", "op", rq.op, "status", res.status, "request_id", requestID(res.header),
		"client_request_id", rq.id, "took", a.now().Sub(start))
	if res.err == nil && slices.Contains(rq.want, res.status) {
		return res, nil
	}
	return res, a.classify(ctx, rq, res)
}

func (a *Adapter) attempt(ctx context.Context, rq *request) (*result, error) {
	if rq.anonymous {
		return a.roundTrip(ctx, rq, ""), nil
	}
	token, err := a.tokens.Token(ctx)
	if err != nil {
		return nil, a.tokenError(ctx, err)
	}
	res := a.roundTrip(ctx, rq, token)
	if res.err != nil && res.reused && !res.complete && res.source == nil && ctx.Err() == nil {
		// The kept connection was dead: the provider cannot have the request.
		res = a.roundTrip(ctx, rq, token)
	}
	if res.status != http.StatusUnauthorized {
		return res, nil
	}
	fresh, err := a.tokens.Renew(ctx, token) // contracts B9: refresh once, then stop
	if err != nil {
		return nil, a.tokenError(ctx, err)
	}
	if fresh == token {
		return res, nil
	}
	return a.roundTrip(ctx, rq, fresh), nil
}

// roundTrip sends rq once. It never sends twice: without GetBody and
// Idempotency-Key the transport itself repeats a POST only when nothing of it
// was written, except for empty bodies over HTTP/2, which the trace stops.
func (a *Adapter) roundTrip(ctx context.Context, rq *request, token string) *result {
	res := &result{token: token}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(a.quiet, func() { cancel(errQuiet) })
	defer timer.Stop()

	var body io.Reader
	m := &meter{left: rq.size, progress: func() { timer.Reset(a.quiet) }}
	if rq.open != nil {
		src, err := rq.open()
		if err != nil {
			res.err, res.source = err, err
			return res
		}
		m.src, body = src, m
	}
	defer func() { _ = m.Close() }() // never fails

	permit := rq.permit()
	var headers, wrote, failed, reused atomic.Bool
	var denied atomic.Pointer[error]
	trace := &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) {
			if err := permit(); err != nil { // from here on the request is written, whatever becomes of ctx
				denied.Store(&err)
				cancel(err)
				_ = i.Conn.Close() // it is not used any more
			}
			if headers.Load() && !failed.Load() && rq.method == http.MethodPost {
				cancel(errSecond)
			}
			headers.Store(false)
			failed.Store(false)
			reused.Store(i.Reused)
		},
		WroteHeaders: func() { headers.Store(true) },
		WroteRequest: func(i httptrace.WroteRequestInfo) {
			wrote.Store(i.Err == nil)
			failed.Store(i.Err != nil)
			timer.Reset(a.quiet)
		},
	}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), rq.method, rq.url, body)
	if err != nil {
		res.err = withoutURL(err)
		return res
	}
	req.ContentLength, req.GetBody = rq.size, nil
	a.setHeader(req, rq, token)

	resp, err := a.client.Do(req)
	taken, sourceErr := m.taken()
	res.source = sourceErr
	if p := denied.Load(); p != nil && !wrote.Load() {
		res.err, res.source = *p, *p
		return res
	}
	res.reused = reused.Load()
	res.complete = wrote.Load() || headers.Load() && taken && !failed.Load()
	if err != nil {
		res.err = withoutURL(err)
		res.complete = res.complete && !adapters.NotProcessed(err)
		if cause := context.Cause(ctx); errors.Is(cause, errQuiet) || errors.Is(cause, errSecond) {
			res.err = cause
			res.complete = res.complete || errors.Is(cause, errSecond)
		}
		return res
	}
	res.status, res.header = resp.StatusCode, resp.Header
	limit := int64(errorReply)
	if rq.reply > 0 && slices.Contains(rq.want, resp.StatusCode) {
		limit = rq.reply
	}
	// The status line decides; a body that breaks off only costs detail.
	res.body, _ = io.ReadAll(io.LimitReader(resp.Body, limit))
	_, _ = io.CopyN(io.Discard, resp.Body, drainLimit)
	_ = resp.Body.Close()
	return res
}

func (a *Adapter) setHeader(req *http.Request, rq *request, token string) {
	h := req.Header
	h.Set("User-Agent", "postino")
	if rq.contentType != "" {
		h.Set("Content-Type", rq.contentType)
	}
	if !rq.anonymous {
		h.Set("Authorization", "Bearer "+token)
		h.Set("Accept", "application/json")
		if printable(rq.id) {
			h.Set("client-request-id", rq.id)
			h.Set("return-client-request-id", "true")
		}
	}
	for k, v := range rq.header {
		h.Set(k, v)
	}
}

// printable keeps an id of the caller's from becoming an invalid header.
func printable(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// withoutURL drops what net/http wraps around an error: an upload URL holds a
// token, the others an address.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func requestID(h http.Header) string { return h.Get("request-id") }

// userURL is the address of something in a mailbox. Each element is escaped.
func (a *Adapter) userURL(mailbox string, elems ...string) string {
	s := a.base + "/users/" + url.PathEscape(mailbox)
	for _, e := range elems {
		s += "/" + url.PathEscape(e)
	}
	return s
}

// retryAfter reads the header in both forms of RFC 9110 section 10.2.3. A date
// is compared with the server's own clock where it shows it.
func retryAfter(h http.Header, now time.Time) time.Duration {
	const most = 24 * time.Hour // no limit of contracts B7 is longer
	v := h.Get("Retry-After")
	var d time.Duration
	if n, err := strconv.ParseInt(v, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		d = time.Duration(min(max(n, 0), int64(most/time.Second))) * time.Second
	} else if t, err := http.ParseTime(v); err == nil {
		if server, err := http.ParseTime(h.Get("Date")); err == nil {
			now = server
		}
		d = t.Sub(now)
	}
	return min(max(d, 0), most)
}
