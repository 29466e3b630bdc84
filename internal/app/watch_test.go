package app

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/watch"
	"github.com/postino-mail/postino/tokens/credential"
)

// The end of a client certificate is read from the file that tokens are
// requested with, for Graph and for SMTP alike.
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
	for name, settings := range map[string]adapters.Settings{
		"graph": &graph.Settings{Entra: credential.Entra{Tenant: "t", ClientID: "c", CertificateFile: file}},
		"smtp":  &fallback.Settings{Host: "h", OAuth: &fallback.OAuth{Provider: "entra", Entra: credential.Entra{CertificateFile: file}}},
	} {
		got, err := credentialEnds(t.Context(), &gateway.Connection{Connection: adapters.Connection{Name: name, Settings: settings}})
		if err != nil || len(got) != 1 || got[0].Kind != watch.KindClientCertificate || !got[0].Ends.Equal(ends) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, settings := range map[string]adapters.Settings{
		"secret":   &graph.Settings{Entra: credential.Entra{ClientSecret: "x"}},
		"password": &fallback.Settings{Host: "h", Login: "a", Password: "x"},
	} {
		got, err := credentialEnds(t.Context(), &gateway.Connection{Connection: adapters.Connection{Name: name, Settings: settings}})
		if err != nil || len(got) != 0 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	gone := &graph.Settings{Entra: credential.Entra{CertificateFile: file + ".gone"}}
	if _, err := credentialEnds(t.Context(), &gateway.Connection{Connection: adapters.Connection{Settings: gone}}); err == nil {
		t.Error("a file that is missing is no error")
	}
}
