package app

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/watch"
	"github.com/postino-mail/postino/tokens"
	"github.com/postino-mail/postino/tokens/credential"
)

// The end of a client certificate is read from the file that tokens are requested
// with, for Graph and for SMTP alike, that of a client secret from the registration.
func TestCredentialEnds(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ends := time.Date(2027, 1, 20, 12, 0, 0, 0, time.UTC)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "postino"},
		NotBefore: ends.AddDate(-1, 0, 0), NotAfter: ends}, &x509.Certificate{SerialNumber: big.NewInt(1)}, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "client.pem")
	content := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	sb, err := sandbox.Start(sandbox.Options{AnyMailbox: true, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sb.Close() })
	of := func(settings adapters.Settings) *gateway.Connection {
		c := &gateway.Connection{Connection: adapters.Connection{Name: "x", From: "a@contoso.example", Settings: settings}}
		if c.Provider = adapters.SMTP; graph.SettingsOf(&c.Connection) != nil {
			c.Provider = adapters.Graph
		}
		return c
	}
	over := func(change func(*graph.Settings)) *gateway.Connection {
		set := *graph.SettingsOf(sb.GraphConnection("a@contoso.example"))
		change(&set)
		return of(&set)
	}
	withCertificate := graph.SettingsOf(sb.GraphCertificateConnection("a@contoso.example"))
	registered := func(g *graph.Settings) { g.ClientSecret, g.CertificateFile = "", withCertificate.CertificateFile }
	leaf, err := tokens.ClientCertificate(&over(registered).Connection)
	if err != nil {
		t.Fatal(err)
	}
	secretEnds := time.Now().Add(100 * 24 * time.Hour)
	for _, c := range []struct {
		name     string
		conn     *gateway.Connection
		kind     string
		ends     time.Time
		refused  bool // Graph does not tell
		err, one bool
	}{
		{name: "certificate that Entra does not know", conn: over(func(g *graph.Settings) { g.ClientSecret, g.CertificateFile = "", file }),
			kind: store.KindClientCertificate, ends: ends},
		{name: "certificate that Entra knows", conn: over(registered), kind: store.KindClientCertificate, ends: leaf.NotAfter},
		{name: "certificate, not told", conn: over(registered), kind: store.KindClientCertificate, ends: leaf.NotAfter, refused: true},
		{name: "SMTP with a certificate", conn: of(&fallback.Settings{Host: "h", OAuth: &fallback.OAuth{Provider: "entra",
			Entra: credential.Entra{CertificateFile: file, AuthorityURL: sb.EntraURL()}}}), kind: store.KindClientCertificate, ends: ends},
		{name: "secret", conn: over(func(*graph.Settings) {}), kind: store.KindSecret, ends: secretEnds, one: true},
		{name: "secret, not told", conn: over(func(*graph.Settings) {}), refused: true, err: true},
		{name: "wrong secret", conn: over(func(g *graph.Settings) { g.ClientSecret = "wrong" }), err: true},
		{name: "password", conn: of(&fallback.Settings{Host: "h", Login: "a", Password: "x"})},
		{name: "missing file", conn: over(func(g *graph.Settings) { g.ClientSecret, g.CertificateFile = "", file+".gone" }), err: true},
	} {
		sb.Configure(func(s *sandbox.Switches) { s.GraphApplicationRead, s.SecretLeft = !c.refused, time.Until(secretEnds) })
		got, err := newEndReader(sb.CertPool(), slog.New(slog.DiscardHandler)).credentialEnd(t.Context(), c.conn)
		if (err != nil) != c.err || got.Kind != c.kind || got.Ends.Sub(c.ends).Abs() > time.Minute || got.Among == 1 != c.one ||
			c.refused && c.err != errors.Is(err, watch.ErrNotGranted) {
			t.Errorf("%s: %+v, %v; want %s %s", c.name, got, err, c.kind, c.ends)
		}
	}
}

// Connections of one application ask for its registration once, refused or not, and
// again after a while. None of their network connections stays.
func TestRegistrationIsReadOnce(t *testing.T) {
	t.Parallel()
	sb, err := sandbox.Start(sandbox.Options{AnyMailbox: true, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sb.Close() })
	for _, granted := range []bool{true, false} {
		sb.Configure(func(s *sandbox.Switches) { s.GraphApplicationRead = granted })
		reader := newEndReader(sb.CertPool(), slog.New(slog.DiscardHandler))
		now := time.Now()
		reader.now = func() time.Time { return now }
		before := sb.Counters()
		for _, minutes := range []time.Duration{0, 19, 2} { // the third is due again
			now = now.Add(minutes * time.Minute)
			var asking sync.WaitGroup
			for i := range 20 {
				asking.Go(func() {
					c := &gateway.Connection{Connection: *sb.GraphConnection(fmt.Sprintf("box%d@contoso.example", i))}
					if _, err := reader.credentialEnd(t.Context(), c); (err == nil) != granted {
						t.Errorf("granted %v: %v", granted, err)
					}
				})
			}
			asking.Wait()
		}
		for name, n := range sb.Counters() {
			if n -= before[name]; n > 2 {
				t.Errorf("granted %v: %s: %d requests for one application", granted, name, n)
			}
		}
	}
}
