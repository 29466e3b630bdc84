package tokens

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/tokens/credential"
)

// testKey and otherKey are two RSA keys for all tests: making one is slow.
var testKey, otherKey = sync.OnceValue(newKey), sync.OnceValue(newKey)

func newKey() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		log.Fatal(err) // no test can go on
	}
	return k
}

func selfSigned(t testing.TB, key crypto.Signer, notAfter time.Time) *x509.Certificate {
	t.Helper()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "postino"}, NotBefore: notAfter.AddDate(-1, 0, 0),
		NotAfter: notAfter}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func pemOf(t testing.TB, blocks ...any) []byte {
	t.Helper()
	var out []byte
	for _, b := range blocks {
		switch b := b.(type) {
		case *x509.Certificate:
			out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.Raw})...)
		default:
			der, err := x509.MarshalPKCS8PrivateKey(b)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
		}
	}
	return out
}

func writeFile(t testing.TB, data []byte) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "credential")
	if err := os.WriteFile(p, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func claimsOf(t testing.TB, jwt string, header, claims any) {
	t.Helper()
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		t.Fatalf("no JWT: %q", jwt)
	}
	for i, into := range []any{header, claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, into); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSecretForm(t *testing.T) {
	t.Parallel()
	f := newFakeIssuer(t)
	c, _ := newTestCache(t, f, Options{})
	mustToken(t, sourceOf(t, c, f.graph(), adapters.AudienceGraph))
	got := f.form(0)
	if got["path"] != "/contoso.it/oauth2/v2.0/token" || got["grant_type"] != "client_credentials" || got["client_secret"] != testSecret ||
		!strings.HasPrefix(got["scope"], "https://graph.microsoft.com/.default") {
		t.Errorf("%+v", got)
	}
}

func TestScopesAndAuthoritiesOfTheClouds(t *testing.T) {
	t.Parallel()
	for cloud, want := range map[string][2]string{
		"":        {"https://login.microsoftonline.com/", "https://graph.microsoft.com/.default"},
		"public":  {"https://login.microsoftonline.com/", "https://graph.microsoft.com/.default"},
		"gcchigh": {"https://login.microsoftonline.us/", "https://graph.microsoft.us/.default"},
		"dod":     {"https://login.microsoftonline.us/", "https://dod-graph.microsoft.us/.default"},
		"china":   {"https://login.chinacloudapi.cn/", "https://microsoftgraph.chinacloudapi.cn/.default"},
	} {
		w, err := wantOf(&adapters.Connection{Provider: adapters.Graph,
			Settings: &graph.Settings{Entra: credential.Entra{Tenant: "t", ClientID: "c", ClientSecret: "s", Cloud: cloud},
				GraphURL: "https://elsewhere.example"}},
			adapters.AudienceGraph)
		if err != nil || w.key.authority != want[0] || w.key.scope != want[1] {
			t.Errorf("%q: %+v, %v", cloud, w.key, err)
		}
	}
	if _, err := wantOf(&adapters.Connection{Provider: adapters.Graph, Settings: &graph.Settings{Entra: credential.Entra{Cloud: "moon"}}},
		adapters.AudienceGraph); adapters.AsError(err).Code != "unknown_cloud" {
		t.Errorf("%v", err)
	}
}

func TestCertificateAssertion(t *testing.T) {
	t.Parallel()
	leaf := selfSigned(t, testKey(), time.Now().AddDate(1, 0, 0))
	ca := selfSigned(t, otherKey(), time.Now().AddDate(1, 0, 0))
	pfx, err := pkcs12.Modern2023.Encode(testKey(), leaf, []*x509.Certificate{ca}, "pässword")
	if err != nil {
		t.Fatal(err)
	}
	legacy, err := pkcs12.LegacyDES.Encode(testKey(), leaf, nil, "pässword")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file     []byte
		password adapters.Secret
	}{
		"PEM certificate first": {pemOf(t, leaf, testKey()), ""},
		"PEM key first":         {pemOf(t, testKey(), leaf), ""},
		"PEM chain before leaf": {pemOf(t, ca, testKey(), leaf), ""},
		"PFX":                   {pfx, "pässword"},
		"PFX of old Windows":    {legacy, "pässword"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeIssuer(t)
			cache, _ := newTestCache(t, f, Options{})
			conn := f.graph()
			set := graph.SettingsOf(conn)
			set.ClientSecret, set.CertificateFile, set.CertificatePassword = "", writeFile(t, c.file), c.password
			mustToken(t, sourceOf(t, cache, conn, adapters.AudienceGraph))
			form := f.form(0)
			var header map[string]any
			var claims struct{ Aud, Iss, Sub string }
			claimsOf(t, form["client_assertion"], &header, &claims)
			sum := sha256.Sum256(leaf.Raw)
			print, _ := header["x5t#S256"].(string)
			raw, err := base64.StdEncoding.DecodeString(print) // contracts A2.4
			if err != nil || string(raw) != string(sum[:]) || header["alg"] != "PS256" {
				t.Errorf("header %v", header)
			}
			if claims.Aud != f.URL+"/contoso.it/oauth2/v2.0/token" || claims.Iss != graph.SettingsOf(conn).ClientID || claims.Sub != claims.Iss {
				t.Errorf("claims %+v", claims)
			}
			if form["client_secret"] != "" || form["client_assertion_type"] != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
				t.Errorf("form %v", form)
			}
		})
	}
}

func TestCredentialFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	leaf := selfSigned(t, testKey(), time.Now().AddDate(1, 0, 0))
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pfx, err := pkcs12.Modern2023.Encode(testKey(), leaf, nil, "right")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file []byte
		code string
	}{
		"empty":          {nil, "credential_file"},
		"too large":      {make([]byte, maxCredentialFile+1), "credential_file"},
		"garbage":        {[]byte("hello"), "certificate_file"},
		"no key":         {pemOf(t, leaf), "certificate_file"},
		"no certificate": {pemOf(t, testKey()), "certificate_file"},
		"foreign key":    {pemOf(t, leaf, otherKey()), "certificate_file"},
		"two keys":       {pemOf(t, leaf, testKey(), otherKey()), "certificate_file"},
		"EC":             {pemOf(t, selfSigned(t, ec, time.Now().AddDate(1, 0, 0)), ec), "certificate_file"},
		"encrypted key": {append(pemOf(t, leaf), pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1}})...),
			"certificate_file"},
		"corrupt block":   {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1, 2}}), "certificate_file"},
		"wrong password":  {pfx, "certificate_password"},
		"PFX cut in half": {pfx[:len(pfx)/2], "certificate_file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeIssuer(t)
			cache, _ := newTestCache(t, f, Options{})
			conn := f.graph()
			set := graph.SettingsOf(conn)
			set.ClientSecret, set.CertificateFile, set.CertificatePassword = "", writeFile(t, c.file), "wrong"
			_, err := sourceOf(t, cache, conn, adapters.AudienceGraph).Token(context.Background())
			e := adapters.AsError(err)
			if e.Class != adapters.Auth || e.ShownCode() != c.code ||
				e.Message.In("it") == "" || e.Hint.In("it") == "" || e.Provider != adapters.Graph {
				t.Errorf("%+v", e)
			}
			if f.tokens.Load() != 0 {
				t.Error("a request was made")
			}
		})
	}
}

func TestReplacedCertificateIsAnotherCredential(t *testing.T) {
	t.Parallel()
	f := newFakeIssuer(t)
	cache, clock := newTestCache(t, f, Options{})
	conn := f.graph()
	path := filepath.Join(t.TempDir(), "cert.pem")
	graph.SettingsOf(conn).ClientSecret, graph.SettingsOf(conn).CertificateFile = "", path
	s := sourceOf(t, cache, conn, adapters.AudienceGraph)
	if _, err := s.Token(context.Background()); adapters.AsError(err).Code != "credential_file" {
		t.Fatalf("missing file: %v", err)
	}
	leaf := selfSigned(t, testKey(), time.Now().AddDate(1, 0, 0))
	if err := os.WriteFile(path, pemOf(t, leaf, testKey()), 0o600); err != nil {
		t.Fatal(err)
	}
	if tok := mustToken(t, s); tok != "token-1" { // at once: the failure belonged to the file that was not there
		t.Errorf("got %s", tok)
	}
	if err := os.WriteFile(path, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	mustToken(t, s) // the token in hand is good
	if _, err := sourceOf(t, cache, conn, adapters.AudienceGraph).Token(context.Background()); adapters.AsError(
		err).Code != "certificate_file" {
		t.Errorf("a test of the new file was answered from the old one's token: %v", err)
	}
	clock.advance(2 * time.Hour)
	if _, err := s.Token(context.Background()); adapters.AsError(err).Code != "certificate_file" {
		t.Errorf("%v", err)
	}
}

func TestFederatedTokenIsReadEveryTime(t *testing.T) {
	t.Parallel()
	f := newFakeIssuer(t)
	cache, clock := newTestCache(t, f, Options{})
	conn := f.graph()
	path := writeFile(t, []byte("first.assertion.x\n"))
	graph.SettingsOf(conn).ClientSecret, graph.SettingsOf(conn).FederatedTokenFile = "", path
	s := sourceOf(t, cache, conn, adapters.AudienceGraph)
	mustToken(t, s)
	if err := os.WriteFile(path, []byte("second.assertion.x"), 0o600); err != nil {
		t.Fatal(err)
	}
	mustToken(t, s)
	if n := f.tokens.Load(); n != 1 {
		t.Errorf("%d requests: the rotation of the file is no new identity", n)
	}
	clock.advance(2 * time.Hour)
	mustToken(t, s)
	if a, b := f.form(0)["client_assertion"], f.form(1)["client_assertion"]; a != "first.assertion.x" || b != "second.assertion.x" {
		t.Errorf("sent %q and %q", a, b)
	}
	if err := os.WriteFile(path, []byte("not a\ntoken"), 0o600); err != nil {
		t.Fatal(err)
	}
	clock.advance(2 * time.Hour)
	if _, err := s.Token(context.Background()); adapters.AsError(err).Code != "federated_token_invalid" {
		t.Errorf("%v", err)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestManagedIdentity(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	n, status, clients := 0, 200, map[string]bool{}
	imds := roundTripper(func(r *http.Request) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		n++
		q := r.URL.Query()
		clients[q.Get("client_id")] = true
		if r.URL.Host != "169.254.169.254" || r.Header.Get("Metadata") != "true" || q.Get("resource") != "https://graph.microsoft.com" {
			t.Errorf("asked %s", r.URL)
		}
		rec := httptest.NewRecorder()
		rec.WriteHeader(status)
		if status == 200 {
			_, _ = fmt.Fprintf(rec, `{"access_token":"managed-%d","expires_in":"86400","token_type":"Bearer"}`, n)
		} else {
			_, _ = rec.WriteString(`{"error":"invalid_request","error_description":"Identity not found"}`)
		}
		return rec.Result(), nil
	})
	f := newFakeIssuer(t)
	cache, clock := newTestCache(t, f, Options{HTTPClient: &http.Client{Transport: imds}})
	conn := &adapters.Connection{Name: "vm", Provider: adapters.Graph, From: "a@contoso.it",
		Settings: &graph.Settings{Entra: credential.Entra{ManagedIdentity: true, ClientID: rand.Text()}}}
	s := sourceOf(t, cache, conn, adapters.AudienceGraph)
	first := mustToken(t, s)
	if second, err := s.Renew(context.Background(), first); err != nil || second == first {
		t.Errorf("Renew past the library's cache: %q, %v", second, err)
	}
	if len(clients) != 1 || !clients[graph.SettingsOf(conn).ClientID] {
		t.Errorf("client ids asked for: %v", clients)
	}
	mu.Lock()
	status = 400
	mu.Unlock()
	none := conn.Clone()
	graph.SettingsOf(none).ClientID = rand.Text()
	_, err := sourceOf(t, cache, none, adapters.AudienceGraph).Token(context.Background())
	if e := adapters.AsError(err); e.Class != adapters.Auth || e.ProviderCode != "invalid_request" {
		t.Errorf("%+v", e)
	}
	mu.Lock()
	status = 503
	mu.Unlock()
	clock.advance(time.Hour)
	_, err = sourceOf(t, cache, none, adapters.AudienceGraph).Token(context.Background())
	if e := adapters.AsError(err); e.Class != adapters.Transient {
		t.Errorf("%+v", e)
	}
}

func TestOutlookSMTPToken(t *testing.T) {
	t.Parallel()
	f := newFakeIssuer(t)
	cache, _ := newTestCache(t, f, Options{})
	conn := &adapters.Connection{Name: "smtp", Provider: adapters.SMTP, From: "a@contoso.it",
		Settings: &fallback.Settings{Host: "smtp.office365.com",
			OAuth: &fallback.OAuth{Provider: "entra", Entra: graph.SettingsOf(f.graph()).Entra}}}
	mustToken(t, sourceOf(t, cache, conn, adapters.AudienceOutlookSMTP))
	if s := f.form(0)["scope"]; !strings.HasPrefix(s, "https://outlook.office365.com/.default") {
		t.Errorf("scope %q", s)
	}
	for _, a := range []adapters.Audience{adapters.AudienceGraph, adapters.AudienceGmailSend, adapters.AudienceGmailSMTP, "other"} {
		if _, err := cache.TokenSource(conn, a); adapters.AsError(err).Code != "no_credential" ||
			adapters.AsError(err).Provider != adapters.SMTP {
			t.Errorf("%s: %v", a, err)
		}
	}
}
