package adapters

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestNetworkErrorNamesTheCause(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	cert := &x509.Certificate{NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(0, -1, 0)}
	future := &x509.Certificate{NotBefore: now.AddDate(0, 1, 0), NotAfter: now.AddDate(1, 0, 0)}
	for want, err := range map[string]error{
		"cancelled":          fmt.Errorf("x: %w", context.Canceled),
		"timeout":            fmt.Errorf("x: %w", context.DeadlineExceeded),
		"dns_not_found":      &net.DNSError{Name: "nope.example", IsNotFound: true},
		"dns_failed":         &net.DNSError{Name: "slow.example", IsTimeout: true},
		"connection_refused": &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED},
		"unreachable":        &net.OpError{Op: "dial", Err: syscall.ENETUNREACH},
		"proxy":              &net.OpError{Op: "proxyconnect", Err: syscall.ECONNREFUSED},
		"connection_lost":    fmt.Errorf("read: %w", io.EOF),
		"tls_expired":        &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Cert: cert, Reason: x509.Expired}},
		"tls_not_yet_valid":  &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Cert: future, Reason: x509.Expired}},
		"tls_untrusted":      &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}},
		"tls_wrong_name":     x509.HostnameError{Certificate: cert, Host: "h"},
		"tls_not_spoken":     tls.RecordHeaderError{Msg: "x"},
		"tls_failed":         errors.New("remote error: tls: internal error"),
		"tls_old_ciphers":    errors.New("remote error: tls: handshake failure"),
		"network":            errors.New("something else"),
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			e := NetworkError(Gmail, "h.example", &url.Error{Op: "Put", URL: "https://h.example/?upload_id=CAPABILITY", Err: err}, now)
			if string(e.Code) != want || e.Class != Transient || e.Message.String() == "" || e.Message.In("it") == "" || e.Hint.String() == "" ||
				e.Hint.In("it") == "" {
				t.Errorf("%+v", e)
			}
			if strings.Contains(e.Error()+e.Err.Error(), "CAPABILITY") {
				t.Errorf("the URL shows: %v", e.Err)
			}
		})
	}
}
