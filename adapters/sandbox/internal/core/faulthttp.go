package core

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/postino-mail/postino/adapters/sandbox/control"
)

// An ErrorWriter answers with an error in the shape of one provider. Code and
// message may be empty: the writer has a default for the status.
type ErrorWriter func(w http.ResponseWriter, r *http.Request, status int, code, message string)

// HTTPFault looks up the fault that acts on this request. Read the request's
// body before: a fault that delays must notice when the client gives up.
//
//	after, answered := c.HTTPFault(w, r, "gmail", "send", mailbox, writeGoogleError)
//	if answered { return }
//	... check, deliver ...
//	if after() { return }
//	w.WriteHeader(http.StatusOK)
//
// A request that is refused between the two uses the fault up all the same.
func (c *Core) HTTPFault(w http.ResponseWriter, r *http.Request, service, op, match string, fail ErrorWriter) (after func() bool,
	answered bool) {
	f, ok := c.Fault(service, op, match)
	switch {
	case !ok:
		return func() bool { return false }, false
	case f.After:
		return func() bool { return c.applyHTTP(w, r, f, fail) }, false
	}
	return func() bool { return false }, c.applyHTTP(w, r, f, fail)
}

// applyHTTP acts. It is false when the request goes on.
func (c *Core) applyHTTP(w http.ResponseWriter, r *http.Request, f control.Fault, fail ErrorWriter) (answered bool) {
	c.Log.Debug("a fault acts", "service", f.Service, "path", r.URL.Path, "after", f.After)
	if f.Delay > 0 && !c.Sleep(r.Context(), f.Delay) {
		ResetHTTP(w)
		return true
	}
	if f.Reset {
		ResetHTTP(w)
		return true
	}
	if onlyDelays(f) {
		return false
	}
	status := f.Status
	if status == 0 && f.Body != "" {
		status = http.StatusOK
	} else if status == 0 {
		status = http.StatusBadRequest
	}
	if f.RetryAfter > 0 {
		SetRetryAfter(w, f.RetryAfter)
	}
	if f.Body != "" {
		if w.Header().Get("Content-Type") == "" {
			w.Header().Set("Content-Type", http.DetectContentType([]byte(f.Body)))
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, f.Body) // a client that is gone is no fault of the fault
		return true
	}
	fail(w, r, status, f.Code, f.Message)
	return true
}

// SetRetryAfter sets the header in whole seconds, rounded up.
func SetRetryAfter(w http.ResponseWriter, d time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(int((d+time.Second-1)/time.Second)))
}

// ResetHTTP ends the TCP connection with RST, as a crashed server or a
// firewall does.
func ResetHTTP(w http.ResponseWriter) {
	h, ok := w.(http.Hijacker)
	if !ok {
		panic(http.ErrAbortHandler) // net/http's own way to drop a connection
	}
	conn, _, err := h.Hijack()
	if err != nil {
		return // the connection is gone already
	}
	ResetConn(conn)
}

// ResetConn closes conn with RST, also under TLS.
func ResetConn(conn net.Conn) {
	raw := conn
	for {
		below, ok := raw.(interface{ NetConn() net.Conn }) // TLS, or a connection that came by the proxy
		if !ok {
			break
		}
		raw = below.NetConn()
	}
	if t, ok := raw.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // at worst the client sees FIN in place of RST
	}
	_ = raw.Close()
}
