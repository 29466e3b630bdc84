package adapters

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
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
		e.Code = "tls_not_yet_valid"
		e.Message = Text{
			EN: fmt.Sprintf("the certificate of %s is not valid before %s, and this machine's clock shows %s", host, minute(invalid.Cert.NotBefore), minute(now)),
			IT: fmt.Sprintf("il certificato di %s non vale prima del %s e l'orologio di questa macchina segna %s", host, minute(invalid.Cert.NotBefore), minute(now))}
		e.Hint = Text{EN: "set this machine's clock (NTP)", IT: "regolare l'orologio di questa macchina (NTP)"}
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		e.Code = "tls_expired"
		until := ""
		if invalid.Cert != nil {
			until = " (" + day(invalid.Cert.NotAfter) + ")"
		}
		e.Message = Text{
			EN: fmt.Sprintf("the certificate of %s has expired%s", host, until),
			IT: fmt.Sprintf("il certificato di %s è scaduto%s", host, until)}
		e.Hint = Text{
			EN: "the server's administrator must renew it; first make sure that this machine's clock is right",
			IT: "deve rinnovarlo chi amministra il server; prima verificare che l'orologio di questa macchina sia giusto"}
	case errors.As(err, &unknown):
		describeAuthority(e, host, unknown.Cert, verify)
	case errors.As(err, &hostname):
		describeName(e, host, hostname.Certificate)
	default:
		return false
	}
	return true
}

// describeAuthority tells a self-signed certificate, a chain that is not
// complete and an authority that is not known apart.
func describeAuthority(e *Error, host string, cert *x509.Certificate, verify *tls.CertificateVerificationError) {
	e.Code = "tls_untrusted"
	e.Hint = Text{
		EN: "if a proxy inspects TLS or the server has a private CA, add that CA to the system's trust store",
		IT: "se un proxy ispeziona il TLS o il server usa una CA privata, aggiungere la CA a quelle del sistema"}
	switch issuer := issuerOf(cert, verify); {
	case cert != nil && bytes.Equal(cert.RawIssuer, cert.RawSubject) && (verify == nil || len(verify.UnverifiedCertificates) <= 1):
		e.Message = Text{
			EN: fmt.Sprintf("the certificate of %s comes from an authority that this machine does not trust: itself (self-signed)", host),
			IT: fmt.Sprintf("il certificato di %s proviene da un'autorità che questa macchina non riconosce: sé stesso (autofirmato)", host)}
	case verify != nil && len(verify.UnverifiedCertificates) == 1:
		e.Message = Text{
			EN: fmt.Sprintf("the certificate of %s comes from an authority that this machine does not trust (%s), and the server sends no intermediate certificate: its chain may be incomplete", host, issuer),
			IT: fmt.Sprintf("il certificato di %s proviene da un'autorità che questa macchina non riconosce (%s), e il server non invia certificati intermedi: la sua catena può essere incompleta", host, issuer)}
		e.Hint = mime.NewText("tls.hint_intermediate", "the server's administrator must install the intermediate certificate too; {hint}", "hint", e.Hint)
	default:
		e.Message = Text{
			EN: fmt.Sprintf("the certificate of %s comes from an authority that this machine does not trust (%s)", host, issuer),
			IT: fmt.Sprintf("il certificato di %s proviene da un'autorità che questa macchina non riconosce (%s)", host, issuer)}
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
	e.Code = "tls_wrong_name"
	names := namesOf(cert)
	if names == "" && cert != nil && cert.Subject.CommonName != "" {
		e.Code = "tls_no_san"
		cn := clean(cert.Subject.CommonName)
		e.Message = Text{
			EN: fmt.Sprintf("the certificate of %s has no subjectAltName, only the common name %s, which no program looks at any more", host, cn),
			IT: fmt.Sprintf("il certificato di %s non ha subjectAltName ma solo il common name %s, che nessun programma considera più", host, cn)}
		e.Hint = Text{
			EN: "the server's administrator must install a certificate with subjectAltName",
			IT: "chi amministra il server deve installare un certificato con subjectAltName"}
		return
	}
	if names == "" {
		names = "-"
	}
	e.Message = Text{
		EN: fmt.Sprintf("the certificate that %s presents is for other names: %s", host, names),
		IT: fmt.Sprintf("il certificato che %s presenta è per altri nomi: %s", host, names)}
	e.Hint = Text{
		EN: "use one of the certificate's names as host, or look for a proxy in between",
		IT: "usare come server uno dei nomi del certificato, o cercare un proxy nel mezzo"}
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
		e.Message = Text{
			EN: fmt.Sprintf("%s wants a client certificate, which this connection cannot give", host),
			IT: fmt.Sprintf("%s vuole un certificato client, che questa connessione non può dare", host)}
		e.Hint = Text{
			EN: "have the server's administrator allow this machine without a client certificate, or use another port",
			IT: "far accettare questa macchina senza certificato client da chi amministra il server, o usare un'altra porta"}
	case strings.Contains(s, "remote error: tls: handshake failure"), strings.Contains(s, "remote error: tls: insufficient security"), strings.Contains(s, "unconfigured cipher suite"):
		e.Code = "tls_old_ciphers"
		e.Message = Text{
			EN: fmt.Sprintf("%s and this machine share no cipher that is still safe: the server offers only old ones, or wants a client certificate", host),
			IT: fmt.Sprintf("%s e questa macchina non hanno in comune un cifrario ancora sicuro: il server ne offre solo di vecchi, o vuole un certificato client", host)}
		e.Hint = Text{
			EN: "the server's administrator must enable ECDHE ciphers with AES-GCM or ChaCha20 (TLS 1.2 or later)",
			IT: "chi amministra il server deve abilitare cifrari ECDHE con AES-GCM o ChaCha20 (TLS 1.2 o successivo)"}
	default:
		return false
	}
	return true
}
