package sandbox

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	oauthgoogle "golang.org/x/oauth2/google"

	"github.com/postino-mail/postino/adapters/gmail"
	"github.com/postino-mail/postino/adapters/sandbox/google"
)

// googleTokenFor gets a token with Google's own library.
func googleTokenFor(t testing.TB, s *Sandbox, sub string, scopes ...string) (*oauth2.Token, error) {
	t.Helper()
	c := s.GmailConnection("erp@contoso.example")
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	cfg, err := oauthgoogle.JWTConfigFromJSON([]byte(gmail.SettingsOf(c).ServiceAccountJSON.Reveal()), scopes...)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.TokenURL != gmail.SettingsOf(c).TokenURL {
		t.Errorf("token_uri is %s, the connection has %s", cfg.TokenURL, gmail.SettingsOf(c).TokenURL)
	}
	cfg.Subject = sub
	return cfg.TokenSource(context.WithValue(t.Context(), oauth2.HTTPClient, s.HTTPClient())).Token()
}

func gmailToken(t testing.TB, s *Sandbox, sub string, scopes ...string) string {
	t.Helper()
	tok, err := googleTokenFor(t, s, sub, scopes...)
	if err != nil {
		t.Fatal(err)
	}
	return tok.AccessToken
}

func TestGoogleToken(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	tok, err := googleTokenFor(t, s, "erp@contoso.example", google.ScopeSend, google.ScopeRead)
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(tok.Expiry); left < 3590*time.Second || left > 3600*time.Second {
		t.Errorf("expires in %v", left)
	}
	got, ok := s.google.Verify(tok.AccessToken)
	if !ok || got.Subject != "erp@contoso.example" || !got.Allows(google.ScopeRead) || got.Allows(google.ScopeMail) {
		t.Errorf("%+v", got)
	}
	if n := s.Counters()["google.token"]; n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestGoogleTokenRefusedScopes(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	s.Configure(func(sw *Switches) { sw.GmailReadScope = false })
	for _, c := range []struct {
		sub    string
		scopes []string
		status int
		want   string
	}{
		{"erp@contoso.example", []string{google.ScopeSend, google.ScopeRead}, 401, `"unauthorized_client"`},
		{"erp@contoso.example", []string{google.ScopePrefix + "gmail.modify"}, 401,
			"Client is unauthorized to retrieve access tokens using this method"},
		{"erp@contoso.example", nil, 400, `"invalid_scope"`},
		{"erp@contoso.example", []string{"gmail.send"}, 400, `"invalid_scope"`},
		{"unknown@contoso.example", []string{google.ScopeSend}, 400, "Invalid email or User ID"},
		{"", []string{google.ScopeSend}, 0, ""},
	} {
		_, err := googleTokenFor(t, s, c.sub, c.scopes...)
		if c.status == 0 {
			if err != nil {
				t.Errorf("%+v: %v", c, err)
			}
			continue
		}
		var re *oauth2.RetrieveError
		if !errors.As(err, &re) || re.Response.StatusCode != c.status || !strings.Contains(string(re.Body), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestGoogleAssertions goes through the checks of contracts C6 one by one.
func TestGoogleAssertions(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	const grantJWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	account, err := s.google.ServiceAccountJSON()
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Key   string `json:"private_key"`
		KeyID string `json:"private_key_id"`
		Email string `json:"client_email"`
	}
	if err := json.Unmarshal(account, &file); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(file.Key))
	own, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	type obj = map[string]any
	now := time.Now().Unix()
	with := func(k string, v any) obj {
		o := obj{"iss": file.Email, "sub": "erp@contoso.example", "scope": google.ScopeSend, "aud": s.google.URL(), "iat": now, "exp": now + 3600}
		o[k] = v
		return o
	}
	good := obj{"alg": "RS256", "typ": "JWT", "kid": file.KeyID}
	for name, c := range map[string]struct {
		head, claims obj
		key          any
		grant, want  string
	}{
		"good":         {good, with("x", 1), own, grantJWT, "access_token"},
		"foreign key":  {good, with("x", 1), other, grantJWT, "Invalid JWT Signature."},
		"kid":          {obj{"alg": "RS256", "kid": "old"}, with("x", 1), own, grantJWT, "Invalid JWT Signature."},
		"alg":          {obj{"alg": "none"}, with("x", 1), own, grantJWT, "Invalid JWT Signature."},
		"iss":          {good, with("iss", "x@y.example"), own, grantJWT, "account not found"},
		"aud":          {good, with("aud", "https://example.com/token"), own, grantJWT, "Failed audience check"},
		"too long":     {good, with("exp", now+3601), own, grantJWT, "short-lived"},
		"clock behind": {good, with("iat", now-7200), own, grantJWT, "short-lived"},
		"clock ahead":  {good, with("iat", now+3000), own, grantJWT, "short-lived"},
		"no exp":       {good, with("exp", 0), own, grantJWT, "short-lived"},
		"grant type":   {good, with("x", 1), own, "password", "unsupported_grant_type"},
		"no grant":     {good, with("x", 1), own, "", "grant_type"},
	} {
		key, ok := c.key.(*rsa.PrivateKey)
		if !ok {
			t.Fatal("no RSA key")
		}
		form := url.Values{"grant_type": {c.grant}, "assertion": {signAssertion(t, c.head, c.claims, key)}}
		res, err := s.HTTPClient().PostForm(s.google.URL(), form)
		if err != nil {
			t.Fatal(err)
		}
		doc := decodeBody(t, res)
		text, err := json.Marshal(doc)
		if err != nil || !strings.Contains(string(text), c.want) || (res.StatusCode == http.StatusOK) != (name == "good") {
			t.Errorf("%s: %d %s", name, res.StatusCode, text)
		}
	}
	for _, assertion := range []string{"", "a.b", "a.b.c", "...."} {
		res, err := s.HTTPClient().PostForm(s.google.URL(), url.Values{"grant_type": {grantJWT}, "assertion": {assertion}})
		if err != nil {
			t.Fatal(err)
		}
		if doc := decodeBody(t, res); res.StatusCode != http.StatusBadRequest {
			t.Errorf("%q: %d %v", assertion, res.StatusCode, doc)
		}
	}
}

func signAssertion(t testing.TB, head, claims map[string]any, key *rsa.PrivateKey) string {
	t.Helper()
	part := func(v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(data)
	}
	text := part(head) + "." + part(claims)
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func TestGoogleTokenFaultsAndClock(t *testing.T) {
	t.Parallel()
	clk := newClock()
	s, err := Start(Options{AnyMailbox: true, Dir: t.TempDir(), Now: clk.now})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Configure(func(sw *Switches) { sw.TokenLifetime = time.Minute })
	tok := gmailToken(t, s, "erp@contoso.example", google.ScopeSend)
	clk.advance(2 * time.Minute)
	if _, ok := s.google.Verify(tok); ok {
		t.Error("an expired token is good")
	}
	s.Inject(Fault{Service: "google", Op: "token", Match: "erp@contoso.example", Times: 1, Status: 401,
		Code: "disabled_client", Message: "gone"})
	if _, err := googleTokenFor(t, s, "other@contoso.example", google.ScopeSend); err != nil {
		t.Error(err)
	}
	_, err = googleTokenFor(t, s, "erp@contoso.example", google.ScopeSend)
	var re *oauth2.RetrieveError
	if !errors.As(err, &re) || !strings.Contains(string(re.Body), "disabled_client") {
		t.Error(err)
	}
}
