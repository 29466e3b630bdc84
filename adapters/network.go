package adapters

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/postino-mail/postino/mime"
)

// NetworkError describes a failure to reach host or to exchange bytes with it:
// DNS, refusal, timeout, TLS, cancellation. The class is Transient, because
// alone from err no one can tell what the peer received; a caller that had
// handed over the whole message makes it Unknown. now is the local clock, used
// to tell an expired certificate from a clock that is wrong.
func NetworkError(p Provider, host string, err error, now time.Time) *Error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err // a url.Error shows the URL, and an upload's URL is a capability
	}
	e := &Error{Class: Transient, Scope: ScopeConnection, Provider: p, Err: err}
	var refused *proxyError
	if errors.As(err, &refused) {
		refused.describe(e, host)
		return e
	}
	for _, describe := range []func(*Error, string, error, time.Time) bool{
		describeContext, describeTLS, describeDNS, describeDial, describeLost,
	} {
		if describe(e, host, err, now) {
			return e
		}
	}
	e.Code = CodeNetwork
	e.Message = mime.NewText("network.network", "the network failed while talking to {host}", "host", host)
	e.Hint = mime.NewText("network.network_hint",
		"postino retries automatically; check the network if this goes on")
	return e
}

func describeContext(e *Error, host string, err error, _ time.Time) bool {
	switch {
	case errors.Is(err, context.Canceled):
		e.Code = CodeCancelled
		e.Message = mime.NewText("network.cancelled", "the request to {host} was cancelled here", "host", host)
		e.Hint = mime.NewText("network.cancelled_hint", "No action needed; postino retries automatically")
		return true
	case isTimeout(err):
		e.Code = CodeTimeout
		e.Message = mime.NewText("network.timeout", "{host} did not answer in time", "host", host)
		e.Hint = mime.NewText("network.timeout_hint",
			"check that the firewall lets this machine reach {host}, and that no proxy is needed", "host", host)
		return true
	}
	return false
}

func isTimeout(err error) bool {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return false // told apart below
	}
	var n net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}

func describeDNS(e *Error, host string, err error, _ time.Time) bool {
	var dns *net.DNSError
	if !errors.As(err, &dns) {
		return false
	}
	if dns.IsNotFound {
		e.Code = CodeDNSNotFound
		e.Message = mime.NewText("network.dns_not_found", "the name {name} does not exist in DNS", "name", dns.Name)
		e.Hint = mime.NewText("network.dns_not_found_hint",
			"check the spelling of the host in the connection, and the DNS server of this machine")
		return true
	}
	e.Code = CodeDNSFailed
	e.Message = mime.NewText("network.dns_failed", "DNS gave no answer for {name}", "name", dns.Name)
	e.Hint = mime.NewText("network.dns_failed_hint",
		"check the DNS server and the network of this machine; postino retries automatically")
	return true
}

func describeDial(e *Error, host string, err error, _ time.Time) bool {
	var op *net.OpError
	proxy := errors.As(err, &op) && op.Op == "proxyconnect" || strings.Contains(err.Error(), "proxyconnect")
	switch {
	case proxy:
		e.Code = CodeProxy
		addr := ""
		if op != nil {
			addr = proxyDialed(op)
		}
		e.Message = mime.NewText("network.proxy", "the proxy {addr} on the way to {host} cannot be reached or refused", "addr", addr, "host",
			host)
		if addr == "" {
			e.Message = mime.NewText("network.proxy_unknown", "the proxy on the way to {host} cannot be reached or refused", "host", host)
		}
		e.Hint = mime.NewText("network.proxy_hint",
			"check HTTPS_PROXY and NO_PROXY of the service, and the proxy's rules")
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Code = CodeConnectionRefused
		e.Message = mime.NewText("network.connection_refused", "{host} refused the connection", "host", host)
		e.Hint = mime.NewText("network.connection_refused_hint",
			"check host and port in the connection, and that a firewall does not refuse them")
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		e.Code = CodeUnreachable
		e.Message = mime.NewText("network.unreachable", "there is no network path to {host}", "host", host)
		e.Hint = mime.NewText("network.unreachable_hint", "check the network and the default route of this machine")
	default:
		return false
	}
	return true
}

func describeLost(e *Error, host string, err error, _ time.Time) bool {
	lost := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED) ||
		strings.Contains(err.Error(), "server closed idle connection")
	if !lost {
		return false
	}
	e.Code = CodeConnectionLost
	e.Message = mime.NewText("network.connection_lost", "{host} closed the connection before it had answered", "host", host)
	e.Hint = mime.NewText("network.connection_lost_hint",
		"if this goes on, look for a firewall or proxy that cuts connections")
	return true
}

func describeTLS(e *Error, host string, err error, now time.Time) bool {
	var (
		record tls.RecordHeaderError
		alert  tls.AlertError
		verify *tls.CertificateVerificationError
	)
	switch {
	case describeCertificate(e, host, err, now), describeAlert(e, host, err):
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		e.Code = CodeTLSNotSpoken
		e.Message = mime.NewText("network.tls_not_spoken", "{host} does not speak TLS on this port", "host", host)
		e.Hint = mime.NewText("network.tls_not_spoken_hint", "check port and encryption of the connection")
	case errors.As(err, &alert), errors.As(err, &verify), strings.Contains(err.Error(), "tls: "), strings.Contains(err.Error(), "x509: "):
		e.Code = CodeTLSFailed
		e.Message = mime.NewText("network.tls_failed", "no secure connection to {host} could be made", "host", host)
		e.Hint = mime.NewText("network.tls_failed_hint",
			"look for a proxy or firewall that inspects TLS, and check the server's certificate and TLS version")
	default:
		return false
	}
	return true
}

func second(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 -07:00") }

func day(t time.Time) string { return t.UTC().Format("2006-01-02") }
