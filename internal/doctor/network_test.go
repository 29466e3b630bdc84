package doctor_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/all"
	"github.com/postino-mail/postino/adapters/stages"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/doctor"
	"github.com/postino-mail/postino/internal/gateway"
)

// certificate makes one for a name and a time, by the authority; self-signed
// where there is none.
func certificate(t *testing.T, name string, from, to time.Time, authority *tls.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: from, NotAfter: to, IsCA: authority == nil, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	if ip := net.ParseIP(name); ip != nil {
		c.DNSNames, c.IPAddresses = nil, []net.IP{ip}
	}
	parent, signer := c, any(key)
	if authority != nil {
		parent, signer = authority.Leaf, authority.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// listen accepts connections on a free port and hands each to serve.
func listen(t *testing.T, address string, serve func(net.Conn)) int {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("this machine cannot listen at %s: %v", address, err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// TestNetwork: what goes wrong on the way to a server is told at its stage.
func TestNetwork(t *testing.T) {
	t.Parallel()
	now := time.Now()
	const day = 24 * time.Hour
	authority := certificate(t, "authority", now.Add(-day), now.Add(1000*day), nil)
	roots := x509.NewCertPool()
	roots.AddCert(authority.Leaf)
	secure := func(c tls.Certificate) func(net.Conn) {
		return func(conn net.Conn) {
			defer conn.Close()
			s := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{c}, MinVersion: tls.VersionTLS12})
			if s.Handshake() != nil {
				return
			}
			_, _ = s.Write([]byte("220 ready\r\n"))
			_, _ = s.Read(make([]byte, 100))
			_, _ = s.Write([]byte("250 mail.example greets [203.0.113.9]\r\n"))
			_, _ = s.Read(make([]byte, 100))
		}
	}
	silent := func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) }
	d := doctor.New(doctor.Options{Sender: func() doctor.Sender {
		const wait = 1500 * time.Millisecond
		return all.New(all.Options{RootCAs: roots, SMTP: fallback.Options{
			Timeouts: fallback.Timeouts{Dial: wait, TLS: wait, Greeting: wait, Command: wait, Quit: wait}}})
	}})
	for _, c := range []struct {
		name  string
		host  string
		enc   fallback.Encryption
		serve func(net.Conn) // nil: nothing listens
		stage stages.Name
		code  string
		it    string
	}{
		{"expired", "127.0.0.1", fallback.EncryptionTLS, secure(certificate(t, "127.0.0.1", now.Add(-90*day), now.Add(-day), &authority)),
			stages.TLS, "tls_expired", "scaduto"},
		{"self-signed", "127.0.0.1", fallback.EncryptionTLS, secure(certificate(t, "127.0.0.1", now.Add(-day), now.Add(day), nil)),
			stages.TLS, "tls_untrusted", "autofirmato"},
		{"wrong name", "127.0.0.1", fallback.EncryptionTLS, secure(certificate(t, "mail.example", now.Add(-day), now.Add(day), &authority)),
			stages.TLS, "tls_wrong_name", "mail.example"},
		{"TLS on a plain setting", "127.0.0.1", fallback.EncryptionSTARTTLS,
			secure(certificate(t, "127.0.0.1", now.Add(-day), now.Add(day), &authority)), stages.TLS, "tls_port", "TLS"},
		{"never answers", "127.0.0.1", fallback.EncryptionSTARTTLS, silent, stages.Greeting, "no_greeting", "127.0.0.1"},
		{"nothing listens", "127.0.0.1", fallback.EncryptionSTARTTLS, nil, stages.TCP, "connection_refused", "rifiutato"},
		{"no such name", "nowhere.invalid", fallback.EncryptionSTARTTLS, nil, stages.DNS, "", "nowhere.invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			port := 1
			if c.serve != nil {
				port = listen(t, "127.0.0.1:0", c.serve)
			}
			res := run(t, d, doctor.Test{Connection: smtpTo(c.host, port, c.enc)})
			s := find(res, c.stage)
			if s.Status != stages.Failed || c.code != "" && string(s.Err.Code) != c.code || s.Err.Class != transient {
				t.Fatalf("%s: %+v", shown(res), s.Err)
			}
			wantWords(t, s.Message.In("it"), c.it)
			if s.Hint.IsZero() {
				t.Error("there is no hint")
			}
		})
	}
	t.Run("ends soon", func(t *testing.T) {
		t.Parallel()
		port := listen(t, "127.0.0.1:0", secure(certificate(t, "127.0.0.1", now.Add(-day), now.Add(3*day+time.Hour), &authority)))
		res := run(t, d, doctor.Test{Connection: smtpTo("127.0.0.1", port, fallback.EncryptionTLS)})
		s := find(res, stages.TLS)
		wantWords(t, s.Message.String(), "3 days left|by authority")
		wantWords(t, s.Hint.In("it"), "deve rinnovarlo")
		if seen := find(res, stages.Offers).Seen; seen != "203.0.113.9" {
			t.Errorf("seen: %q", seen)
		}
	})
	t.Run("IPv6 alone", func(t *testing.T) {
		t.Parallel()
		port := listen(t, "[::1]:0", secure(certificate(t, "::1", now.Add(-day), now.Add(90*day), &authority)))
		s := find(run(t, d, doctor.Test{Connection: smtpTo("::1", port, fallback.EncryptionTLS)}), stages.TCP)
		wantWords(t, s.Message.String(), "at [::1]:")
	})
}

func smtpTo(host string, port int, enc fallback.Encryption) *gateway.Connection {
	return &gateway.Connection{Connection: adapters.Connection{Name: "Prova", Provider: adapters.SMTP, From: from,
		Settings: &fallback.Settings{Host: host, Port: port, Encryption: enc}}}
}
