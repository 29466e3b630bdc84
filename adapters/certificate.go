package adapters

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"time"

	"github.com/postino-mail/postino/mime"
)

// describeCertificate says what is wrong with the certificate of host, in e.
// It reports false for errors that are none of a certificate.
func describeCertificate(e *Error, host string, err error, now time.Time) bool {
	var (
		invalid  x509.CertificateInvalidError
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		verify   *tls.CertificateVerificationError
	)
	errors.As(err, &verify)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil && now.Before(invalid.Cert.NotBefore):
		e.Code = CodeTLSNotYetValid
		e.Message = mime.NewText("tls.tls_not_yet_valid",
			"the certificate of {host} is not valid before {not_before}, and this machine's clock shows {now}",
			"host", host, "not_before", second(invalid.Cert.NotBefore), "now", second(now))
		e.Hint = mime.NewText("tls.tls_not_yet_valid_hint", "set this machine's clock (NTP)")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		e.Code = CodeTLSExpired
		until := ""
		if invalid.Cert != nil {
			until = " (" + day(invalid.Cert.NotAfter) + ")"
		}
		e.Message = mime.NewText("tls.tls_expired", "the certificate of {host} has expired{until}", "host", host, "until", until)
		e.Hint = mime.NewText("tls.tls_expired_hint",
			"the server's administrator must renew it; first make sure that this machine's clock is right")
	case errors.As(err, &unknown):
		describeAuthority(e, host, unknown.Cert, verify)
	case errors.As(err, &hostname):
		describeName(e, host, hostname.Certificate)
	case verify != nil: // not one for servers (RFC 5280 section 4.2.1.12), or with a critical extension that is not known
		describeUnusable(e, host, verify.Err)
	case strings.Contains(err.Error(), "tls: failed to parse certificate"): // crypto/tls does not type it
		describeUnusable(e, host, err)
	default:
		return false
	}
	return true
}

// describeUnusable says why no one can use a certificate, in crypto/x509's words.
func describeUnusable(e *Error, host string, why error) {
	reason := why.Error()
	if _, rest, ok := strings.Cut(reason, "x509: "); ok {
		reason = rest
	}
	e.Code = "tls_bad_certificate"
	e.Message = mime.NewText("tls.tls_bad_certificate", "the certificate of {host} cannot be used: {reason}", "host", host, "reason",
		clean(reason))
	e.Hint = mime.NewText("tls.tls_bad_certificate_hint",
		"the server's administrator must install a valid certificate for servers (TLS Web Server Authentication)")
}

// describeAuthority tells a self-signed certificate, a chain that is not
// complete and an authority that is not known apart.
func describeAuthority(e *Error, host string, cert *x509.Certificate, verify *tls.CertificateVerificationError) {
	e.Code = CodeTLSUntrusted
	e.Hint = mime.NewText("tls.tls_untrusted_hint",
		"if a proxy inspects TLS or the server has a private CA, add that CA to the system's trust store")
	switch issuer := issuerOf(cert, verify); {
	case cert != nil && bytes.Equal(cert.RawIssuer, cert.RawSubject) && (verify == nil || len(verify.UnverifiedCertificates) <= 1):
		e.Message = mime.NewText("tls.self_signed",
			"the certificate of {host} comes from an authority that this machine does not trust: itself (self-signed)",
			"host", host)
	case verify != nil && len(verify.UnverifiedCertificates) == 1:
		e.Message = mime.NewText("tls.chain_incomplete",
			"the certificate of {host} comes from an authority that this machine does not trust ({issuer}), and the "+
				"server sends no intermediate certificate: its chain may be incomplete",
			"host", host, "issuer", issuer)
		e.Hint = mime.NewText("tls.hint_intermediate", "the server's administrator must install the intermediate certificate too; {hint}",
			"hint", e.Hint)
	default:
		e.Message = mime.NewText("tls.unknown_authority",
			"the certificate of {host} comes from an authority that this machine does not trust ({issuer})",
			"host", host, "issuer", issuer)
	}
}

// issuerOf names the authority at the end of what the server sent.
func issuerOf(cert *x509.Certificate, verify *tls.CertificateVerificationError) string {
	if verify != nil && len(verify.UnverifiedCertificates) > 0 {
		cert = verify.UnverifiedCertificates[len(verify.UnverifiedCertificates)-1]
	}
	if cert == nil {
		return "?"
	}
	name := cert.Issuer.CommonName
	if name == "" {
		name = strings.Join(cert.Issuer.Organization, " ")
	}
	return clean(name)
}

// describeName says which names the certificate has.
func describeName(e *Error, host string, cert *x509.Certificate) {
	e.Code = CodeTLSWrongName
	names := namesOf(cert)
	if names == "" && cert != nil && cert.Subject.CommonName != "" {
		e.Code = "tls_no_san"
		cn := clean(cert.Subject.CommonName)
		e.Message = mime.NewText("tls.tls_no_san",
			"the certificate of {host} has no subjectAltName, only the common name {cn}, which no program looks at "+
				"any more",
			"host", host, "cn", cn)
		e.Hint = mime.NewText("tls.tls_no_san_hint",
			"the server's administrator must install a certificate with subjectAltName")
		return
	}
	if names == "" {
		names = "-"
	}
	e.Message = mime.NewText("tls.tls_wrong_name",
		"the certificate that {host} presents is for other names: {names}", "host", host, "names", names)
	e.Hint = mime.NewText("tls.tls_wrong_name_hint",
		"use one of the certificate's names as host, or look for a proxy in between")
}

// namesOf lists the first names of a certificate.
func namesOf(cert *x509.Certificate) string {
	if cert == nil {
		return ""
	}
	const most = 5
	var names []string
	for _, n := range cert.DNSNames {
		names = append(names, clean(n))
	}
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) > most {
		return strings.Join(names[:most], ", ") + ", ..."
	}
	return strings.Join(names, ", ")
}

// clean bounds a name that a stranger chose to what can be shown.
func clean(s string) string {
	out := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	if len(out) > 100 {
		out = out[:100] + "..."
	}
	return out
}

// describeAlert says what the server's TLS alert means; crypto/tls does not
// export its alerts, only their texts.
func describeAlert(e *Error, host string, err error) bool {
	s := err.Error()
	switch {
	case strings.Contains(s, "tls: certificate required"), strings.Contains(s, "remote error: tls: bad certificate"):
		e.Code = "tls_client_certificate"
		e.Message = mime.NewText("tls.tls_client_certificate",
			"{host} wants a client certificate, which this connection cannot give", "host", host)
		e.Hint = mime.NewText("tls.tls_client_certificate_hint",
			"have the server's administrator allow this machine without a client certificate, or use another port")
	case strings.Contains(s, "remote error: tls: handshake failure"), strings.Contains(s, "remote error: tls: insufficient security"),
		strings.Contains(s, "unconfigured cipher suite"):
		e.Code = "tls_old_ciphers"
		e.Message = mime.NewText("tls.tls_old_ciphers",
			"{host} and this machine share no cipher that is still safe: the server offers only old ones, or wants a "+
				"client certificate",
			"host", host)
		e.Hint = mime.NewText("tls.tls_old_ciphers_hint",
			"the server's administrator must enable ECDHE ciphers with AES-GCM or ChaCha20 (TLS 1.2 or later)")
	default:
		return false
	}
	return true
}
