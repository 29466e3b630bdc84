package sandbox

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// An errorWriter answers with an error in the shape of one provider. Code and
// message may be empty: the writer has a default for the status.
type errorWriter func(w http.ResponseWriter, r *http.Request, status int, code, message string)

// httpFault looks up the fault that acts on this request. Read the request's
// body before: a fault that delays must notice when the client gives up.
//
//	after, answered := s.httpFault(w, r, "gmail", "send", mailbox, writeGoogleError)
//	if answered { return }
//	... check, deliver ...
//	if after() { return }
//	w.WriteHeader(http.StatusOK)
//
// A request that is refused between the two uses the fault up all the same.
func (s *Sandbox) httpFault(w http.ResponseWriter, r *http.Request, service, op, match string, fail errorWriter) (after func() bool, answered bool) {
	f, ok := s.fault(service, op, match)
	switch {
	case !ok:
		return func() bool { return false }, false
	case f.After:
		return func() bool { return s.applyHTTP(w, r, f, fail) }, false
	}
	return func() bool { return false }, s.applyHTTP(w, r, f, fail)
}

// applyHTTP acts. It is false when the request goes on.
func (s *Sandbox) applyHTTP(w http.ResponseWriter, r *http.Request, f Fault, fail errorWriter) (answered bool) {
	s.log.Debug("a fault acts", "service", f.Service, "path", r.URL.Path, "after", f.After)
	if f.Delay > 0 && !s.sleep(r.Context(), f.Delay) {
		resetConnection(w)
		return true
	}
	if f.Reset {
		resetConnection(w)
		return true
	}
	if f.onlyDelays() {
		return false
	}
	status := f.Status
	if status == 0 && f.Body != "" {
		status = http.StatusOK
	} else if status == 0 {
		status = http.StatusBadRequest
	}
	if f.RetryAfter > 0 {
		setRetryAfter(w, f.RetryAfter)
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

func setRetryAfter(w http.ResponseWriter, d time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(int((d+time.Second-1)/time.Second)))
}

// resetConnection ends the TCP connection with RST, as a crashed server or a
// firewall does.
func resetConnection(w http.ResponseWriter) {
	h, ok := w.(http.Hijacker)
	if !ok {
		panic(http.ErrAbortHandler) // net/http's own way to drop a connection
	}
	conn, _, err := h.Hijack()
	if err != nil {
		return // the connection is gone already
	}
	resetConn(conn)
}

// resetConn closes conn with RST, also under TLS.
func resetConn(conn net.Conn) {
	raw := conn
	if t, ok := conn.(*tls.Conn); ok {
		raw = t.NetConn()
	}
	if t, ok := raw.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // at worst the client sees FIN in place of RST
	}
	_ = raw.Close()
}
