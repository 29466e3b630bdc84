package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/postino-mail/postino/internal/api"
)

// get reads something of the API.
func (v *visit) get(target string, out any) error { return v.call(http.MethodGet, target, nil, out) }

// call asks the API in the reader's name: in is written as JSON (nil: no body), the
// answer is read into out (nil: it is not needed). Cookies that the answer sets are
// passed on. The error is a *problem where the API refuses.
func (v *visit) call(method, target string, in, out any) error {
	a, err := v.ask(method, target, in)
	if err != nil {
		return err
	}
	for _, c := range a.header.Values("Set-Cookie") {
		v.w.Header().Add("Set-Cookie", c)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(a.body.Bytes(), out); err != nil {
		return fmt.Errorf("%s %s: %w", method, target, err)
	}
	return nil
}

// pass answers with what the API answers: a file, as it is.
func (v *visit) pass(target string, headers ...string) error {
	r, err := v.request(v.r.Context(), http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	w := &passing{answer: answer{header: http.Header{}}, to: v.w, extra: headers}
	v.s.api.ServeHTTP(w, r)
	return w.problem()
}

// file hands on an export in a format; a table as the spreadsheets of the reader's
// language expect it.
func (v *visit) file(target string, q url.Values, format string) error {
	q.Set("format", format)
	if v.lang == "it" {
		q.Set("separator", ";")
	}
	return v.pass(target + "?" + q.Encode())
}

// follow calls an operation that answers with server-sent events, and hands each
// on as it comes; an error of each ends it.
func (v *visit) follow(method, target string, in any, each func(event string, data []byte) error) error {
	ctx, cancel := context.WithCancel(v.r.Context())
	defer cancel()
	r, err := v.request(ctx, method, target, in)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "text/event-stream")
	w := &events{answer: answer{header: http.Header{}}, each: each, cancel: cancel}
	v.s.api.ServeHTTP(w, r)
	if w.err != nil {
		return w.err
	}
	return w.problem()
}

func (v *visit) ask(method, target string, in any) (*answer, error) {
	r, err := v.request(v.r.Context(), method, target, in)
	if err != nil {
		return nil, err
	}
	a := &answer{header: http.Header{}}
	v.s.api.ServeHTTP(a, r)
	return a, a.problem()
}

// passedOn are the fields of the reader's request that the API goes by: who it is
// and where from. Authorization is not among them: the page knows cookies alone.
var passedOn = [...]string{"Cookie", "Origin", "Referer", "Sec-Fetch-Site", "User-Agent", "Forwarded", "X-Forwarded-For",
	"X-Forwarded-Proto", "X-Real-Ip", "Via"}

func (v *visit) request(ctx context.Context, method, target string, in any) (*http.Request, error) {
	body := new(bytes.Buffer)
	if in != nil {
		if err := json.NewEncoder(body).Encode(in); err != nil {
			return nil, err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, err
	}
	for _, name := range passedOn {
		if values := v.r.Header.Values(name); len(values) > 0 {
			r.Header[name] = values
		}
	}
	r.Header.Set("Accept-Language", v.lang)
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Host, r.RemoteAddr, r.TLS, r.Proto, r.ProtoMajor, r.ProtoMinor = v.r.Host, v.r.RemoteAddr, v.r.TLS, v.r.Proto, v.r.ProtoMajor,
		v.r.ProtoMinor
	r.RequestURI = target
	return r, nil
}

// path is a path of the API or the page with its parts escaped: path("/v1/people/", id).
func path(parts ...string) string {
	var b strings.Builder
	for i, p := range parts {
		if i%2 == 1 {
			p = url.PathEscape(p)
		}
		b.WriteString(p)
	}
	return b.String()
}

// An answer is what the API wrote.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// problem is what the API refused with; nil: it did not.
func (a *answer) problem() error {
	if a.status < http.StatusBadRequest {
		return nil
	}
	var p api.Problem
	if err := json.Unmarshal(a.body.Bytes(), &p); err != nil || p.Detail == "" {
		return fmt.Errorf("the API answered with status %d", a.status)
	}
	return ofAPI(&p)
}

// A passing answer goes on to the reader as it comes, once it is known to be no
// problem.
type passing struct {
	answer
	to    http.ResponseWriter
	extra []string // names and values of further headers
	begun bool
}

// Write implements http.ResponseWriter.
func (p *passing) Write(b []byte) (int, error) {
	p.WriteHeader(http.StatusOK)
	if p.status >= http.StatusBadRequest {
		return p.body.Write(b)
	}
	if !p.begun {
		p.begun = true
		for _, name := range []string{"Content-Type", "Content-Length", "Content-Disposition"} {
			if value := p.header.Get(name); value != "" {
				p.to.Header().Set(name, value)
			}
		}
		for i := 0; i+1 < len(p.extra); i += 2 {
			p.to.Header().Set(p.extra[i], p.extra[i+1])
		}
		p.to.WriteHeader(p.status)
	}
	return p.to.Write(b)
}

// An events answer is cut into its events (WHATWG HTML section 9.2.6).
type events struct {
	answer
	each   func(event string, data []byte) error
	cancel context.CancelFunc
	rest   []byte
	name   string
	data   []byte
	err    error
}

// Flush implements http.Flusher: nothing is held back.
func (e *events) Flush() {}

// Write implements http.ResponseWriter.
func (e *events) Write(p []byte) (int, error) {
	e.WriteHeader(http.StatusOK)
	if e.status >= http.StatusBadRequest {
		return e.body.Write(p)
	}
	e.rest = append(e.rest, p...)
	for e.err == nil {
		line, rest, whole := bytes.Cut(e.rest, []byte("\n"))
		if !whole {
			break
		}
		e.rest = rest
		e.line(bytes.TrimSuffix(line, []byte("\r")))
	}
	if e.err != nil {
		e.cancel()
		return 0, e.err
	}
	return len(p), nil
}

func (e *events) line(line []byte) {
	if len(line) == 0 {
		if len(e.data) > 0 {
			e.err = e.each(e.name, e.data)
		}
		e.name, e.data = "", nil
		return
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(name) {
	case "event":
		e.name = string(value)
	case "data":
		if len(e.data) > 0 {
			e.data = append(e.data, '\n')
		}
		e.data = append(e.data, value...)
	}
}
