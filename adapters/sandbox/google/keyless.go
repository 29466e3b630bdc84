package google

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// What the sandbox's platform and its provider in a workload identity pool are called.
const (
	platformIssuer   = "https://platform.sandbox.example"
	platformSubject  = "system:serviceaccount:erp:postino"
	platformAudience = "//iam.googleapis.com/projects/123456789/locations/global/workloadIdentityPools/sandbox/providers/platform"
	grantExchange    = "urn:ietf:params:oauth:grant-type:token-exchange"
	typeJWT          = "urn:ietf:params:oauth:token-type:jwt"
	typeAccessToken  = "urn:ietf:params:oauth:token-type:access_token"
	scopeIAM         = ScopePrefix + "iam"
	scopeCloud       = ScopePrefix + "cloud-platform"
	signedLife       = 12 * time.Hour // the longest of a signed JWT (contracts C6.10)
)

// IAMURL is the root of the token exchange and of signJwt.
func (g *Server) IAMURL() string { return g.base }

// Metadata answers as the metadata server of a machine with the service account.
func (g *Server) Metadata(w http.ResponseWriter, r *http.Request) {
	// contracts C6.11
	g.core.Count("google.metadata")
	w.Header().Set("Metadata-Flavor", "Google")
	if _, answered := g.core.HTTPFault(w, r, "google", "metadata", "", writeAPIError); answered {
		return
	}
	switch {
	case r.Header.Get("Metadata-Flavor") != "Google", r.Header.Get("X-Forwarded-For") != "":
		http.Error(w, "Missing required header: Metadata-Flavor", http.StatusForbidden)
	case r.PathValue("what") == "email":
		_, _ = w.Write([]byte(serviceAccountEmail)) // a client that is gone needs no answer
	case r.PathValue("what") == "token":
		scopes := strings.Split(r.URL.Query().Get("scopes"), ",")
		core.WriteJSON(w, http.StatusOK, map[string]any{"access_token": g.issue(Token{scopes: scopes}), "expires_in": 3599,
			"token_type": "Bearer"})
	default:
		http.NotFound(w, r)
	}
}

// WorkloadIdentityFile writes a configuration of workload identity federation, as gcloud
// does, beside the platform's token that it names, which is good for life.
func (g *Server) WorkloadIdentityFile(life time.Duration) (string, error) {
	account, err := g.account()
	if err != nil {
		return "", err
	}
	now := g.core.Now()
	token, err := account.sign(map[string]any{"iss": platformIssuer, "sub": platformSubject, "aud": platformAudience, "iat": now.Unix(),
		"exp": now.Add(life).Unix()})
	if err != nil {
		return "", err
	}
	tokenFile, file := filepath.Join(g.core.Dir, "platform-token.jwt"), filepath.Join(g.core.Dir, "workload-identity.json")
	doc, err := json.MarshalIndent(map[string]any{
		"type": "external_account", "audience": platformAudience, "subject_token_type": typeJWT, "token_url": g.base + "/v1/token",
		"universe_domain": "googleapis.com", "credential_source": map[string]any{"file": tokenFile},
		"service_account_impersonation_url": g.base + "/v1/projects/-/serviceAccounts/" + serviceAccountEmail + ":generateAccessToken",
	}, "", "  ")
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(tokenFile, []byte(token), 0o600); err != nil {
		return "", err
	}
	return file, os.WriteFile(file, doc, 0o600)
}

// sign makes a JWT with the account's key.
func (a *serviceAccount) sign(claims any) (string, error) {
	head, err := json.Marshal(map[string]string{"alg": "RS256", "typ": "JWT", "kid": a.keyID})
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	enc := base64.RawURLEncoding
	signed := enc.EncodeToString(head) + "." + enc.EncodeToString(body)
	sum := sha256.Sum256([]byte(signed))
	sig, err := rsa.SignPKCS1v15(rand.Reader, a.private, crypto.SHA256, sum[:])
	return signed + "." + enc.EncodeToString(sig), err
}

// exchange answers POST /v1/token (contracts C6.12; RFC 8693 section 2.1).
func (g *Server) exchange(w http.ResponseWriter, r *http.Request) {
	g.core.Count("google.exchange")
	if _, answered := g.core.HTTPFault(w, r, "google", "exchange", "", writeTokenError); answered {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		writeTokenError(w, r, http.StatusBadRequest, "invalid_request", "The form cannot be read.")
		return
	}
	account, err := g.account()
	if err != nil {
		writeTokenError(w, r, http.StatusInternalServerError, "internal_failure", "")
		return
	}
	f := r.PostForm
	switch {
	case f.Get("grant_type") != grantExchange, f.Get("requested_token_type") != typeAccessToken, f.Get("subject_token_type") != typeJWT,
		f.Get("scope") == "":
		writeTokenError(w, r, http.StatusBadRequest, "invalid_request", "Invalid or missing parameter.")
	case f.Get("audience") != platformAudience:
		writeTokenError(w, r, http.StatusBadRequest, "invalid_target", "The target service indicated by the \"audience\" parameters is invalid.")
	case !account.ofPlatform(f.Get("subject_token"), g.core.Now()):
		writeTokenError(w, r, http.StatusBadRequest, "invalid_grant", "The subject token does not match the provider, or is stale.")
	default:
		core.WriteJSON(w, http.StatusOK, map[string]any{"access_token": g.issue(Token{scopes: strings.Fields(f.Get("scope"))}),
			"issued_token_type": typeAccessToken, "token_type": "Bearer", "expires_in": 3600})
	}
}

// ofPlatform checks the token that a platform gives its programs.
func (a *serviceAccount) ofPlatform(token string, now time.Time) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return false
	}
	var c struct {
		Iss, Sub, Aud string
		Exp           int64
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	return err == nil && rsa.VerifyPKCS1v15(a.key, crypto.SHA256, sum[:], sig) == nil && decodeJWTPart(parts[1], &c) &&
		c.Iss == platformIssuer && c.Sub == platformSubject && c.Aud == platformAudience && time.Unix(c.Exp, 0).After(now)
}

// sign answers POST .../serviceAccounts/ACCOUNT:signJwt (contracts C6.10).
func (g *Server) sign(w http.ResponseWriter, r *http.Request) {
	g.core.Count("google.sign")
	var in struct {
		Payload string `json:"payload"`
	}
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	err := json.NewDecoder(r.Body).Decode(&in)
	var claims assertionClaims
	if err == nil {
		err = json.Unmarshal([]byte(in.Payload), &claims)
	}
	if _, answered := g.core.HTTPFault(w, r, "google", "sign", core.Normalize(claims.Sub), writeAPIError); answered {
		return
	}
	name, verb, _ := strings.Cut(r.PathValue("action"), ":")
	token, known := g.Verify(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	expires := time.Unix(claims.Exp, 0)
	switch {
	case verb != "signJwt":
		writeAPIError(w, r, http.StatusNotFound, "NOT_FOUND", "Method not found.")
	case !known:
		writeAPIError(w, r, http.StatusUnauthorized, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
	case !token.Allows(scopeIAM, scopeCloud):
		writeAPIError(w, r, http.StatusForbidden, "PERMISSION_DENIED", "Request had insufficient authentication scopes.")
	case name != serviceAccountEmail:
		writeAPIError(w, r, http.StatusNotFound, "NOT_FOUND", "Unknown service account")
	case err != nil, claims.Exp != 0 && (!expires.After(g.core.Now()) || expires.Sub(g.core.Now()) > signedLife):
		writeAPIError(w, r, http.StatusBadRequest, "INVALID_ARGUMENT", "Invalid payload.")
	default:
		account, err := g.account()
		var signed string
		if err == nil {
			signed, err = account.sign(json.RawMessage(in.Payload))
		}
		if err != nil {
			writeAPIError(w, r, http.StatusInternalServerError, "INTERNAL", "")
			return
		}
		core.WriteJSON(w, http.StatusOK, map[string]string{"keyId": account.keyID, "signedJwt": signed})
	}
}

// writeAPIError answers in the shape of Google's APIs.
func writeAPIError(w http.ResponseWriter, _ *http.Request, status int, code, message string) {
	if code == "" {
		switch {
		case status == http.StatusTooManyRequests:
			code = "RESOURCE_EXHAUSTED"
		case status >= 500:
			code = "UNAVAILABLE"
		case status == http.StatusForbidden:
			code = "PERMISSION_DENIED"
		default:
			code = "INVALID_ARGUMENT"
		}
	}
	core.WriteJSON(w, status, map[string]any{"error": map[string]any{"code": status, "message": message, "status": code}})
}
