// Package oidctest is an OpenID Connect provider on loopback for tests, with claims as
// Entra and Keycloak write them.
package oidctest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/postino-mail/postino/internal/vault"
)

// The client that the issuer knows.
const (
	ClientID     = "postino"
	ClientSecret = "oidc-secret-of-the-test"
)

// An Issuer signs whoever a test names in.
type Issuer struct {
	*httptest.Server
	key *ecdsa.PrivateKey

	mu    sync.Mutex
	codes map[string]request
	// People are who can sign in at the page to which browsers are sent, by what they type there.
	People map[string]jwt.MapClaims
	// Silent has browsers stay at the page that sent them here.
	Silent atomic.Bool
	// Status, where it is not 0, is the answer of the token endpoint.
	Status int
	// KeysStatus, where it is not 0, is the answer where the keys are published.
	KeysStatus int
	// Change, which may be nil, alters the claims of a token before it is signed.
	Change func(jwt.MapClaims)
	// Key, which may be nil, signs in place of the one that is published.
	Key *ecdsa.PrivateKey
}

type request struct {
	claims              jwt.MapClaims
	challenge, redirect string
}

// Start starts an issuer, which ends with the test.
func Start(t testing.TB) *Issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &Issuer{key: key, codes: map[string]request{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.discovery)
	mux.HandleFunc("GET /keys", i.keys)
	mux.HandleFunc("POST /token", i.token)
	mux.HandleFunc("GET /authorize", i.page)
	mux.HandleFunc("POST /authorize", i.leave)
	i.Server = httptest.NewTLSServer(mux)
	t.Cleanup(i.Close)
	return i
}

// Transport trusts the issuer.
func (i *Issuer) Transport() http.RoundTripper { return i.Client().Transport }

func write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // to a client that is gone
}

func (i *Issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	write(w, map[string]any{"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token",
		"jwks_uri": i.URL + "/keys", "id_token_signing_alg_values_supported": []string{"ES256"}})
}

func (i *Issuer) keys(w http.ResponseWriter, _ *http.Request) {
	if i.KeysStatus != 0 {
		w.WriteHeader(i.KeysStatus)
		return
	}
	b64 := base64.RawURLEncoding.EncodeToString
	point, err := i.key.PublicKey.Bytes() // 4, X, Y (SEC 1 section 2.3.3)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	write(w, map[string]any{"keys": []any{map[string]string{"kty": "EC", "use": "sig", "alg": "ES256", "kid": "1", "crv": "P-256",
		"x": b64(point[1:33]), "y": b64(point[33:])}}})
}

// SignIn is what happens in the browser: someone with these claims signs in at the address
// that the gateway named. It returns the query with which the browser is sent back.
func (i *Issuer) SignIn(t testing.TB, authURL string, who jwt.MapClaims) url.Values {
	t.Helper()
	u, err := url.Parse(authURL)
	if err != nil {
		t.Fatal(err)
	}
	if u.Path != "/authorize" || !complete(u.Query()) {
		t.Errorf("asked for %s", authURL)
	}
	return i.accept(u.Query(), who)
}

// complete reports whether a sign-in is asked for with all that it should have.
func complete(q url.Values) bool {
	return q.Get("client_id") == ClientID && q.Get("response_type") == "code" && q.Get("code_challenge_method") == "S256" &&
		q.Get("state") != "" && q.Get("nonce") != ""
}

// accept makes a code of someone, and the query with which the browser is sent back.
func (i *Issuer) accept(q url.Values, who jwt.MapClaims) url.Values {
	now := time.Now()
	claims := jwt.MapClaims{"iss": i.URL, "aud": ClientID, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "nonce": q.Get("nonce")}
	for k, v := range who {
		claims[k] = v
	}
	code := vault.NewKey("").Reveal()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.codes[code] = request{claims, q.Get("code_challenge"), q.Get("redirect_uri")}
	return url.Values{"code": {code}, "state": {q.Get("state")}}
}

// page is where people sign in with a browser.
func (i *Issuer) page(w http.ResponseWriter, r *http.Request) {
	switch {
	case i.Silent.Load():
		w.WriteHeader(http.StatusNoContent)
	case !complete(r.URL.Query()):
		http.Error(w, "this is no request for a sign-in", http.StatusBadRequest)
	default:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, `<!DOCTYPE html><html lang="en"><title>Contoso SSO</title><main><h1>Contoso SSO</h1><form method="post">
<label for="account">Account</label> <input id="account" name="account">
<button>Continue</button> <button name="cancel" value="1">Cancel</button></form></main></html>`)
	}
}

// leave sends the browser back (RFC 6749 section 4.1.2): with a code, or with the error of who
// cancelled or is not known.
func (i *Issuer) leave(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back := url.Values{"error": {"access_denied"}, "error_description": {"AADSTS65004"}, "state": {q.Get("state")}}
	if who, ok := i.People[r.PostFormValue("account")]; ok && r.PostFormValue("cancel") == "" {
		back = i.accept(q, who)
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	refuse := func(status int, code string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		write(w, map[string]string{"error": code})
	}
	if i.Status != 0 {
		refuse(i.Status, "server_error")
		return
	}
	id, secret, ok := r.BasicAuth()
	if !ok {
		id, secret = r.FormValue("client_id"), r.FormValue("client_secret")
	}
	if id != ClientID || secret != ClientSecret {
		refuse(http.StatusUnauthorized, "invalid_client")
		return
	}
	asked, ok := i.codes[r.FormValue("code")]
	delete(i.codes, r.FormValue("code"))
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if !ok || base64.RawURLEncoding.EncodeToString(sum[:]) != asked.challenge || r.FormValue("redirect_uri") != asked.redirect {
		refuse(http.StatusBadRequest, "invalid_grant")
		return
	}
	if i.Change != nil {
		i.Change(asked.claims)
	}
	token := jwt.NewWithClaims(jwt.SigningMethodES256, asked.claims)
	token.Header["kid"] = "1"
	key := i.key
	if i.Key != nil {
		key = i.Key
	}
	signed, err := token.SignedString(key)
	if err != nil {
		refuse(http.StatusInternalServerError, "server_error")
		return
	}
	write(w, map[string]any{"access_token": "unused", "token_type": "Bearer", "expires_in": 3600, "id_token": signed})
}

// Entra are claims as Microsoft Entra writes them: no email_verified, but xms_edov.
func Entra(subject, email string) jwt.MapClaims {
	return jwt.MapClaims{"sub": subject, "oid": subject, "tid": "6f0d3c3a-5b1e-4e44-9d1c-2f6c1b7a9e10", "email": email, "xms_edov": "1",
		"preferred_username": email, "name": "Anna Rossi", "ver": "2.0"}
}

// Keycloak are claims as Keycloak writes them.
func Keycloak(subject, email string, verified bool) jwt.MapClaims {
	return jwt.MapClaims{"sub": subject, "email": email, "email_verified": verified, "preferred_username": "anna", "name": "Anna Rossi",
		"azp": ClientID, "typ": "ID"}
}
