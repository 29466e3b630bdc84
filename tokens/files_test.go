package tokens

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/postino-mail/postino/adapters"
)

// The forms in which certificate files come: with a byte order mark, UTF-16,
// Windows line ends, base64, without a MAC.
func TestCertificateFileForms(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "postino"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	windows := bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
	encode := func(e *pkcs12.Encoder, password string) []byte {
		out, err := e.Encode(key, cert, nil, password)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	wrapped := func(b []byte) []byte {
		s := base64.StdEncoding.EncodeToString(b)
		return []byte(s[:64] + "\r\n" + s[64:] + "\r\n")
	}
	for _, c := range []struct {
		name, password string
		data           []byte
	}{
		{"PEM", "", text},
		{"PEM, byte order mark", "", append([]byte("\xef\xbb\xbf"), text...)},
		{"PEM, byte order mark, CRLF", "", append([]byte("\xef\xbb\xbf"), windows...)},
		{"PEM, UTF-16LE", "", utf16le(text)},
		{"PFX", "segreta", encode(pkcs12.Modern, "segreta")},
		{"PFX, legacy", "segreta", encode(pkcs12.LegacyDES, "segreta")},
		{"PFX in base64", "segreta", []byte(base64.StdEncoding.EncodeToString(encode(pkcs12.Modern, "segreta")))},
		{"PFX in base64, lines", "", wrapped(encode(pkcs12.Modern, ""))},
		{"PFX without MAC or encryption", "", encode(pkcs12.Passwordless, "")},
		{"PFX without MAC or encryption, a password given", "segreta", encode(pkcs12.Passwordless, "")},
		{"PFX without MAC, encrypted", "segreta", withoutMAC(t, encode(pkcs12.Modern, "segreta"))},
	} {
		certs, got, err := parseCertificate(c.data, c.password)
		if err != nil || len(certs) != 1 || !key.Equal(got) {
			t.Errorf("%s: %d certificates, %v", c.name, len(certs), err)
		}
	}
	for name, data := range map[string][]byte{"MAC": encode(pkcs12.Modern, "segreta"),
		"no MAC": withoutMAC(t, encode(pkcs12.Modern, "segreta"))} {
		for i := range 600 { // the padding of some is right by chance
			var e *adapters.Error
			if _, _, err := parseCertificate(data, fmt.Sprint("altra", i)); !errors.As(err, &e) || e.Code != "certificate_password" {
				t.Fatalf("%s, wrong password %d: %v", name, i, err)
			}
		}
	}
}

func utf16le(text []byte) []byte {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(string(text))) {
		out = append(out, byte(u), byte(u>>8))
	}
	return out
}

func withoutMAC(t *testing.T, pfx []byte) []byte {
	t.Helper()
	var p pfxDER
	if _, err := asn1.Unmarshal(pfx, &p); err != nil {
		t.Fatal(err)
	}
	out, err := asn1.Marshal(struct {
		Version  int
		AuthSafe asn1.RawValue
	}{p.Version, p.AuthSafe})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Service account keys as they come out of editors and variables.
func TestServiceAccountKeyForms(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	account := func(kind, private string) []byte {
		out, err := json.Marshal(map[string]string{"type": kind, "client_email": "x@y.iam.gserviceaccount.com", "private_key": private,
			"token_uri": "https://oauth2.googleapis.com/token"})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for name, data := range map[string][]byte{
		"plain": account("service_account", text), "byte order mark": append([]byte("\xef\xbb\xbf"), account("service_account", text)...),
		"UTF-16":              utf16le(account("service_account", text)),
		"escaped twice":       account("service_account", strings.ReplaceAll(text, "\n", `\n`)),
		"escaped twice, CRLF": account("service_account", strings.ReplaceAll(text, "\n", `\r\n`)),
	} {
		if _, err := googleConfig(data, "", "s"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	var e *adapters.Error
	if _, err := googleConfig(account("authorized_user", text), "", "s"); !errors.As(err, &e) ||
		!strings.Contains(e.Message.String(), "authorized_user") || !strings.Contains(e.Message.In("it"), "authorized_user") {
		t.Errorf("authorized_user: %v", err)
	}
}

// A PFX is a foreign file: nothing in it makes the reader panic.
func FuzzParseCertificate(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n"), "x")
	f.Add([]byte{0x30, 0x80, 0x02, 0x01, 0x03}, "")
	f.Add([]byte("MIIK"), "segreta")
	f.Fuzz(func(t *testing.T, data []byte, password string) {
		certs, key, err := parseCertificate(data, password)
		if err == nil && (len(certs) == 0 || key == nil) {
			t.Error("nothing read and no error")
		}
	})
}
