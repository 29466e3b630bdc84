package clientcert

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
)

func TestNew(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	secret, err := newPair("Ufficio\n"+strings.Repeat("è", 100), 30, now)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair([]byte(secret.Reveal()), []byte(secret.Reveal())) // the key is that of the certificate
	if err != nil {
		t.Fatal(err)
	}
	p, err := Of(secret)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(p.DER())
	if err != nil || !bytes.Equal(pair.Certificate[0], p.DER()) ||
		c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) != nil {
		t.Errorf("%v", err)
	}
	if !now.After(c.NotBefore) || p.NotAfter().Sub(now) > 30*24*time.Hour || p.NotAfter().Sub(now) < 29*24*time.Hour {
		t.Errorf("from %v to %v", c.NotBefore, c.NotAfter)
	}
	if len([]rune(c.Subject.CommonName)) != 64 || strings.Contains(c.Subject.CommonName, "\n") || len(p.Thumbprint()) != 40 {
		t.Errorf("%q %q", c.Subject.CommonName, p.Thumbprint())
	}
	for name, shown := range map[string]string{"PEM": p.PEM(), "DER": string(p.DER())} {
		if strings.Contains(shown, "PRIVATE") {
			t.Errorf("the private key is in %s", name)
		}
	}
	for _, days := range []int{0, -1, MaxDays + 1} {
		if _, err := newPair("x", days, now); err == nil {
			t.Errorf("%d days", days)
		}
	}
}

func TestOfRefuses(t *testing.T) {
	t.Parallel()
	const key = "-----BEGIN PRIVATE KEY-----\nc2VncmV0bw==\n-----END PRIVATE KEY-----\n"
	for _, s := range []string{"", "x", key, "-----BEGIN CERTIFICATE-----\nc2VncmV0bw==\n-----END CERTIFICATE-----\n", adapters.Redacted} {
		if _, err := Of(adapters.Secret(s)); err == nil || strings.Contains(err.Error(), "segreto") || strings.Contains(err.Error(), "c2Vn") {
			t.Errorf("%q: %v", s, err)
		}
	}
}
