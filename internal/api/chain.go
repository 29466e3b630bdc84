package api

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/telemetry"
)

// How slowly a body may come and an answer may be taken: nothing for stall, or
// less than minRate after grace, ends the request.
const (
	stall   = 30 * time.Second
	grace   = 60 * time.Second
	minRate = 16 << 10 // bytes a second
)

// A chain is what every request passes before its operation: limits of time,
// security headers, counting, and an answer for paths that do not exist.
type chain struct {
	mux       *http.ServeMux
	metrics   *metrics
	elsewhere http.Handler      // for what is no path of the API; nil: 404
	tracer    *telemetry.Tracer // nil: nothing is traced
	log       *slog.Logger
}

// ServeHTTP implements http.Handler.
func (c *chain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	r = withRequestID(w, r)
	if c.tracer != nil {
		r = r.WithContext(c.tracer.Received(r.Context(), r.Header))
	}
	control := http.NewResponseController(w)
	rec := &recorder{ResponseWriter: w, control: control}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &pacedBody{body: r.Body, control: control, start: start}
		if strings.Contains(strings.ToLower(r.Header.Get("Content-Type")), "json") {
			r.Body = &unmarkedBody{ReadCloser: r.Body}
		}
	}
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	_, pattern := c.mux.Handler(r)
	if pattern == "" {
		c.noOperation(rec, r)
	} else {
		c.mux.ServeHTTP(rec, r)
	}
	took := time.Since(start)
	c.metrics.request(r.Method, pattern, rec.status(), took)
	if c.log.Enabled(r.Context(), slog.LevelDebug) {
		logFor(r.Context(), c.log).Debug("HTTP", "method", r.Method, "route", pattern, "status", rec.status(), "took", took,
			"from", r.RemoteAddr)
	}
}

// noOperation answers for paths and methods that the API does not have.
func (c *chain) noOperation(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "/v1/") && c.elsewhere != nil {
		c.elsewhere.ServeHTTP(w, r)
		return
	}
	var allowed []string
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		probe := r.Clone(r.Context())
		probe.Method = m
		if _, pattern := c.mux.Handler(probe); pattern != "" {
			allowed = append(allowed, m)
		}
	}
	if len(allowed) == 0 {
		writeFailure(w, r, pathNotFound())
		return
	}
	list := strings.Join(allowed, ", ")
	w.Header().Set("Allow", list)
	writeFailure(w, r, fail(http.StatusMethodNotAllowed, "method_not_allowed", "",
		text("api.method_not_allowed", "this path does not know the method {method}", "method", r.Method),
		text("api.use_methods", "use {methods}", "methods", list)))
}

// A recorder notes the status and bounds how long a reader may take for the answer.
type recorder struct {
	http.ResponseWriter
	control *http.ResponseController
	code    int
	renewed time.Time
}

func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *recorder) status() int {
	if w.code == 0 {
		return http.StatusOK
	}
	return w.code
}

func (w *recorder) WriteHeader(code int) {
	if w.code == 0 && code >= http.StatusOK {
		w.code = code
	}
	w.renew()
	w.ResponseWriter.WriteHeader(code)
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.code == 0 {
		w.code = http.StatusOK
	}
	w.renew()
	return w.ResponseWriter.Write(p)
}

// Flush passes on what was written, for streams of events.
func (w *recorder) Flush() {
	_ = w.control.Flush() // a reader that left is seen at the next write
}

// renew lets the next piece take stall; a deadline that cannot be set (tests
// without a connection) bounds nothing.
func (w *recorder) renew() {
	if now := time.Now(); now.Sub(w.renewed) > time.Second {
		w.renewed = now
		_ = w.control.SetWriteDeadline(now.Add(stall))
	}
}

// A pacedBody ends a request with a body that comes too slowly.
type pacedBody struct {
	body    io.ReadCloser
	control *http.ResponseController
	start   time.Time
	renewed time.Time
	n       int64
}

func (b *pacedBody) Read(p []byte) (int, error) {
	now := time.Now()
	if now.Sub(b.renewed) > time.Second {
		b.renewed = now
		end := now.Add(stall)
		if last := b.start.Add(grace + time.Duration(b.n/minRate)*time.Second); last.Before(end) {
			end = last
		}
		_ = b.control.SetReadDeadline(end) // as for renew
	}
	n, err := b.body.Read(p)
	b.n += int64(n)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, fail(http.StatusRequestTimeout, "too_slow", "",
			text("api.body_too_slow", "the body came too slowly"),
			text("api.send_again", "send it again"))
	case err != nil: // at its end: a deadline that stays would end the handler's context
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

func (b *pacedBody) Close() error { return b.body.Close() }
