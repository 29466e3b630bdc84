// Package google is a fake of Google's token endpoint for service accounts.
package google

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// The scopes that the sandbox's customer has delegated to the service account. Gmail's
// readonly scope follows Switches.GmailReadScope.
const (
	ScopeMail   = "https://mail.google.com/"
	ScopePrefix = "https://www.googleapis.com/auth/"
	ScopeSend   = ScopePrefix + "gmail.send"
	ScopeRead   = ScopePrefix + "gmail.readonly"
)

// grantJWT is the one grant type of service accounts (contracts C6.1); what they may be
// delegated is of C1.3 and D3.2.
const grantJWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// Server is Google's token endpoint, POST /token, op "token"; Match is
// the subject. Beside it are the token exchange of workload identity federation (op
// "exchange") and signJwt (op "sign"; Match is the subject).
type Server struct {
	core *core.Core
	base string
	url  string // of the token endpoint

	keyTokenURI string // what the key file says of it; url when empty
	account     func() (*serviceAccount, error)

	mu     sync.Mutex
	tokens map[string]Token
}

// A Token is what an access token stands for. It is opaque on the wire,
// as Google's are.
type Token struct {
	Subject string // mailbox; empty when the service account acts for itself
	scopes  []string
	expires time.Time
}

// Allows reports whether the token has one of the scopes.
func (t Token) Allows(scopes ...string) bool {
	return slices.ContainsFunc(scopes, func(v string) bool { return slices.Contains(t.scopes, v) })
}

// New makes the server; Start begins to serve.
func New(c *core.Core) *Server {
	return &Server{core: c, tokens: make(map[string]Token)}
}

// Start listens on a free port.
func (g *Server) Start() error {
	mux := http.NewServeMux()
	for _, path := range tokenPaths() {
		mux.HandleFunc("POST "+path, g.token)
	}
	mux.HandleFunc("POST /v1/token", g.exchange)
	mux.HandleFunc("POST /v1/projects/-/serviceAccounts/{action}", g.sign)
	base, err := g.core.ServeTLS("google", mux, "oauth2.googleapis.com", "accounts.google.com", "sts.googleapis.com",
		"iamcredentials.googleapis.com")
	if err != nil {
		return err
	}
	g.base, g.url = base, base+"/token"
	// A key costs a good part of a second of computing; a sandbox that sends
	// nothing through Google does without.
	g.account = sync.OnceValues(func() (*serviceAccount, error) {
		return newServiceAccount(g.core.Dir, g.url, cmp.Or(g.keyTokenURI, g.url))
	})
	return nil
}

// tokenPaths are the token endpoint's path and the older ones, which libraries still
// use (contracts C6.13).
func tokenPaths() []string { return []string{"/token", "/o/oauth2/token", "/oauth2/v4/token"} }

// ServeToken answers the token endpoint for a server that shares a host with it.
func (g *Server) ServeToken(w http.ResponseWriter, r *http.Request) { g.token(w, r) }

// NameVendor makes the key file name Google's own token endpoint, as real ones do: for
// clients that reach it by the proxy. It comes before the key is first asked for.
func (g *Server) NameVendor() { g.keyTokenURI = audiences()[0] }

// URL is the address of the token endpoint.
func (g *Server) URL() string { return g.url }

// ServiceAccountJSON is the key file of the one service account.
func (g *Server) ServiceAccountJSON() ([]byte, error) {
	a, err := g.account()
	if err != nil {
		return nil, err
	}
	return a.json, nil
}

// token answers POST /token (contracts C6).
func (g *Server) token(w http.ResponseWriter, r *http.Request) {
	g.core.Count("google.token")
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		writeTokenError(w, r, http.StatusBadRequest, "invalid_request", "The form cannot be read.")
		return
	}
	tok, err := g.grant(r)
	if _, answered := g.core.HTTPFault(w, r, "google", "token", tok.Subject, writeTokenError); answered {
		return
	}
	var refusal *tokenRefusal
	switch {
	case errors.As(err, &refusal):
		writeTokenError(w, r, refusal.status, refusal.code, refusal.text)
		return
	case err != nil:
		g.core.Log.Error("no service account", "err", err)
		writeTokenError(w, r, http.StatusInternalServerError, "internal_failure", "")
		return
	}
	core.WriteJSON(w, http.StatusOK, map[string]any{
		"access_token": g.issue(tok), "expires_in": int(g.core.Switches().TokenLifetime / time.Second), "token_type": "Bearer",
	})
}

// grant checks the request. tok.sub is set as soon as it is known, also beside an error.
func (g *Server) grant(r *http.Request) (tok Token, err error) {
	if ct := r.Header.Get("Content-Type"); !strings.HasPrefix(ct, "application/x-www-form-urlencoded") {
		return tok, refuse(http.StatusBadRequest, "invalid_request", "Content-Type must be application/x-www-form-urlencoded.")
	}
	switch v := r.PostForm.Get("grant_type"); v {
	case grantJWT:
	case "":
		return tok, refuse(http.StatusBadRequest, "invalid_request", "Required parameter is missing: grant_type")
	default:
		return tok, refuse(http.StatusBadRequest, "unsupported_grant_type", "Invalid grant_type: "+v)
	}
	account, err := g.account()
	if err != nil {
		return tok, err
	}
	claims, err := account.verify(r.PostForm.Get("assertion"), g.core.Now())
	tok.Subject = core.Normalize(claims.Sub)
	if err != nil {
		return tok, err
	}
	tok.scopes = strings.Fields(claims.Scope)
	return tok, g.checkGrant(tok)
}

// checkGrant applies the domain-wide delegation (contracts C6, table of errors).
func (g *Server) checkGrant(tok Token) error {
	if len(tok.scopes) == 0 {
		return refuse(http.StatusBadRequest, "invalid_scope", "Empty or missing scope not allowed.")
	}
	delegated := []string{ScopeSend, ScopeMail}
	if g.core.Switches().GmailReadScope {
		delegated = append(delegated, ScopeRead)
	}
	for _, v := range tok.scopes {
		if v != ScopeMail && !strings.HasPrefix(v, ScopePrefix) {
			return refuse(http.StatusBadRequest, "invalid_scope", "Invalid OAuth scope or ID token audience provided.")
		}
	}
	if tok.Subject == "" { // Google grants it; Gmail then answers "Precondition check failed." (C4)
		return nil
	}
	_, standing := g.core.Lookup(tok.Subject)
	known := standing == core.Listed || standing == core.NoMailbox || standing == core.Alias ||
		standing == core.Unlisted && !strings.HasPrefix(tok.Subject, "unknown")
	if !strings.Contains(tok.Subject, "@") || !known {
		return refuse(http.StatusBadRequest, "invalid_grant", "Invalid email or User ID")
	}
	for _, v := range tok.scopes {
		if !slices.Contains(delegated, v) { // all or nothing
			return refuse(http.StatusUnauthorized, "unauthorized_client",
				"Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.")
		}
	}
	return nil
}

// manyTokens is when expired tokens are looked for.
const manyTokens = 10000

func (g *Server) issue(tok Token) string {
	tok.expires = g.core.Now().Add(g.core.Switches().TokenLifetime)
	name := "ya29.sandbox-" + strings.ReplaceAll(uuid.NewString()+uuid.NewString(), "-", "")
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.tokens) >= manyTokens {
		now := g.core.Now()
		for k, v := range g.tokens {
			if !v.expires.After(now) {
				delete(g.tokens, k)
			}
		}
	}
	g.tokens[name] = tok
	return name
}

// Verify returns what an access token stands for; false when it is unknown or expired.
func (g *Server) Verify(name string) (Token, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	tok, ok := g.tokens[name]
	return tok, ok && tok.expires.After(g.core.Now())
}

// A tokenRefusal is an answer of the token endpoint.
type tokenRefusal struct {
	status     int
	code, text string
}

func (e *tokenRefusal) Error() string { return e.code + ": " + e.text }

func refuse(status int, code, text string) error { return &tokenRefusal{status, code, text} }

// writeTokenError answers in the shape of RFC 6749 section 5.2.
func writeTokenError(w http.ResponseWriter, _ *http.Request, status int, code, message string) {
	if code == "" {
		switch {
		case status >= 500:
			code = "internal_failure"
		case status == http.StatusTooManyRequests:
			code = "rate_limit_exceeded"
		case status == http.StatusUnauthorized:
			code = "unauthorized_client"
		default:
			code = "invalid_grant"
		}
	}
	body := struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{code, message}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that is gone needs no answer
}
