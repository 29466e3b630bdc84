package adapters

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

// What is wrong with a certificate is said with the facts that help.
func TestCertificateWords(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := func(cn string, names ...string) *x509.Certificate {
		return &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: cn}, DNSNames: names,
			NotBefore: now.AddDate(0, -1, 0), NotAfter: now.AddDate(0, 1, 0),
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true}
	}
	sign := func(c, parent *x509.Certificate) *x509.Certificate {
		der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	authority := func(cn string) *x509.Certificate {
		c := template(cn)
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign
		return sign(c, c)
	}
	root := authority("Contoso Root")
	expired, early := template("mail.example", "mail.example"), template("mail.example", "mail.example")
	expired.NotAfter, early.NotBefore = now.AddDate(0, 0, -3), now.AddDate(0, 0, 2)
	client, critical := template("", "mail.example"), template("", "mail.example")
	client.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	critical.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
	self := template("mail.example", "mail.example")
	old := &tls.Config{MaxVersion: tls.VersionTLS12,
		CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}} //nolint:gosec // the server that is refused
	for _, c := range []struct {
		name   string
		cert   *x509.Certificate
		server *tls.Config
		code   string
		words  []string // in English
		both   string   // in both languages
	}{
		{"another name", sign(template("", "smtps.hosting.example", "*.hosting.example"), root), nil,
			"tls_wrong_name", []string{"smtps.hosting.example, *.hosting.example"}, "hosting.example"},
		{"common name alone", sign(template("mail.example"), root), nil, "tls_no_san", []string{"no subjectAltName"}, "mail.example"},
		{"of a client", sign(client, root), nil, "tls_bad_certificate", []string{"incompatible key usage"}, "mail.example"},
		{"critical extension", sign(critical, root), nil, "tls_bad_certificate", []string{"unhandled critical extension"}, "mail.example"},
		{"expired", sign(expired, root), nil, "tls_expired", []string{"expired"}, "2026-11-26"},
		{"not yet valid", sign(early, root), nil, "tls_not_yet_valid", []string{"not valid before"}, "2026-12-01"},
		{"self-signed", sign(self, self), nil, "tls_untrusted", []string{"self-signed"}, "mail.example"},
		{"chain incomplete", sign(template("", "mail.example"), authority("Fabrikam Intermediate")), nil,
			"tls_untrusted", []string{"no intermediate"}, "Fabrikam Intermediate"},
		{"client certificate, TLS 1.2", sign(template("", "mail.example"), root),
			&tls.Config{ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12}, "", []string{"client certificate"}, "client"},
		{"client certificate, TLS 1.3", sign(template("", "mail.example"), root), &tls.Config{ClientAuth: tls.RequireAnyClientCert},
			"tls_client_certificate", []string{"client certificate"}, "client"},
		{"old ciphers", sign(template("", "mail.example"), root), old, "tls_old_ciphers", []string{"old"}, "TLS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			srv := &tls.Config{}
			if c.server != nil {
				srv = c.server.Clone()
			}
			srv.Time = func() time.Time { return now }
			srv.Certificates = []tls.Certificate{{Certificate: [][]byte{c.cert.Raw}, PrivateKey: key}}
			roots := x509.NewCertPool()
			roots.AddCert(root)
			err := handshake(t, srv, &tls.Config{ServerName: "mail.example", RootCAs: roots, Time: srv.Time})
			e := NetworkError(SMTP, "mail.example", err, now)
			if c.code != "" && string(e.Code) != c.code || e.Class != Transient {
				t.Errorf("%v: %s %s, want %s", err, e.Class, e.Code, c.code)
			}
			for _, w := range c.words {
				if !strings.Contains(e.Message.String(), w) {
					t.Errorf("%q lacks %q", e.Message.String(), w)
				}
			}
			if !strings.Contains(e.Message.In("it")+e.Hint.In("it"), c.both) || e.Message.In("it") == e.Message.String() || e.Hint.String() == "" {
				t.Errorf("%+v", e)
			}
		})
	}
}

// handshake returns the client's error, from the first read where a server of
// TLS 1.3 says only then what it wants.
func handshake(t *testing.T, server, client *tls.Config) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		s := tls.Server(c, server)
		if s.Handshake() == nil {
			_ = s.Close()
			return
		}
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	raw, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	c := tls.Client(raw, client)
	if err := c.Handshake(); err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 1))
	return err
}
