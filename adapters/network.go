package adapters

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
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
// alone from err nobody can tell what the peer received; a caller that had
// handed over the whole message makes it Unknown. now is the local clock, used
// to tell an expired certificate from a clock that is wrong.
func NetworkError(p Provider, host string, err error, now time.Time) *Error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err // a url.Error shows the URL, and an upload's URL is a capability
	}
	e := &Error{Class: Transient, Scope: ScopeConnection, Provider: p, Err: err}
	var refused *ProxyError
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
	e.Code = "network"
	e.Message = Text{
		EN: fmt.Sprintf("the network failed while talking to %s", host),
		IT: fmt.Sprintf("la rete è caduta durante il dialogo con %s", host)}
	e.Hint = Text{EN: "it will be tried again; check the network if this goes on", IT: "verrà ritentato; se continua controllare la rete"}
	return e
}

func describeContext(e *Error, host string, err error, _ time.Time) bool {
	switch {
	case errors.Is(err, context.Canceled):
		e.Code = "cancelled"
		e.Message = Text{
			EN: fmt.Sprintf("the request to %s was cancelled here", host),
			IT: fmt.Sprintf("la richiesta a %s è stata annullata da questo lato", host)}
		e.Hint = Text{EN: "none; it will be tried again", IT: "nessuno; verrà ritentato"}
		return true
	case isTimeout(err):
		e.Code = "timeout"
		e.Message = Text{
			EN: fmt.Sprintf("%s did not answer in time", host),
			IT: fmt.Sprintf("%s non ha risposto in tempo", host)}
		e.Hint = Text{
			EN: fmt.Sprintf("check that the firewall lets this machine reach %s, and that no proxy is needed", host),
			IT: fmt.Sprintf("verificare che il firewall lasci raggiungere %s e che non serva un proxy", host)}
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
		e.Code = "dns_not_found"
		e.Message = Text{
			EN: fmt.Sprintf("the name %s does not exist in DNS", dns.Name),
			IT: fmt.Sprintf("il nome %s non esiste nel DNS", dns.Name)}
		e.Hint = Text{
			EN: "check the spelling of the host in the connection, and the DNS server of this machine",
			IT: "controllare il nome del server nella connessione e il DNS di questa macchina"}
		return true
	}
	e.Code = "dns_failed"
	e.Message = Text{
		EN: fmt.Sprintf("DNS gave no answer for %s", dns.Name),
		IT: fmt.Sprintf("il DNS non ha risposto per %s", dns.Name)}
	e.Hint = Text{
		EN: "check the DNS server and the network of this machine; it will be tried again",
		IT: "controllare il server DNS e la rete di questa macchina; verrà ritentato"}
	return true
}

func describeDial(e *Error, host string, err error, _ time.Time) bool {
	var op *net.OpError
	proxy := errors.As(err, &op) && op.Op == "proxyconnect" || strings.Contains(err.Error(), "proxyconnect")
	switch {
	case proxy:
		e.Code = "proxy"
		addr := ""
		if op != nil {
			addr = proxyDialed(op)
		}
		e.Message = Text{
			EN: fmt.Sprintf("the proxy %s on the way to %s cannot be reached or refused", addr, host),
			IT: fmt.Sprintf("il proxy %s verso %s non è raggiungibile o ha rifiutato", addr, host)}
		if addr == "" {
			e.Message = mime.NewText("network.proxy_unknown", "the proxy on the way to {host} cannot be reached or refused", "host", host)
		}
		e.Hint = Text{
			EN: "check HTTPS_PROXY and NO_PROXY of the service, and the proxy's rules",
			IT: "controllare HTTPS_PROXY e NO_PROXY del servizio e le regole del proxy"}
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Code = "connection_refused"
		e.Message = Text{
			EN: fmt.Sprintf("%s refused the connection", host),
			IT: fmt.Sprintf("%s ha rifiutato la connessione", host)}
		e.Hint = Text{
			EN: "check host and port in the connection, and that a firewall does not refuse them",
			IT: "controllare server e porta nella connessione, e che un firewall non li rifiuti"}
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		e.Code = "unreachable"
		e.Message = Text{
			EN: fmt.Sprintf("there is no network path to %s", host),
			IT: fmt.Sprintf("nessun percorso di rete verso %s", host)}
		e.Hint = Text{
			EN: "check the network and the default route of this machine",
			IT: "controllare la rete e il gateway di questa macchina"}
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
	e.Code = "connection_lost"
	e.Message = Text{
		EN: fmt.Sprintf("%s closed the connection before it had answered", host),
		IT: fmt.Sprintf("%s ha chiuso la connessione prima di rispondere", host)}
	e.Hint = Text{
		EN: "if this goes on, look for a firewall or proxy that cuts connections",
		IT: "se continua, cercare un firewall o un proxy che interrompe le connessioni"}
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
		e.Code = "tls_not_spoken"
		e.Message = Text{
			EN: fmt.Sprintf("%s does not speak TLS on this port", host),
			IT: fmt.Sprintf("%s non parla TLS su questa porta", host)}
		e.Hint = Text{EN: "check port and encryption of the connection", IT: "controllare porta e cifratura della connessione"}
	case errors.As(err, &alert), errors.As(err, &verify), strings.Contains(err.Error(), "tls: "), strings.Contains(err.Error(), "x509: "):
		e.Code = "tls_failed"
		e.Message = Text{
			EN: fmt.Sprintf("no secure connection to %s could be made", host),
			IT: fmt.Sprintf("non è stato possibile stabilire una connessione sicura con %s", host)}
		e.Hint = Text{
			EN: "look for a proxy or firewall that inspects TLS, and check the server's certificate and TLS version",
			IT: "cercare un proxy o firewall che ispeziona il TLS, e controllare certificato e versione TLS del server"}
	default:
		return false
	}
	return true
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

func day(t time.Time) string { return t.UTC().Format("2006-01-02") }
