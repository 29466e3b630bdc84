package entra

import (
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/postino-mail/postino/adapters/sandbox/control"
	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// A Token is the content of an access token.
type Token struct {
	Audience  string // GraphResource or OutlookResource
	tenant    string
	AppID     string
	Roles     []string // empty under RBAC for Applications
	Consented bool     // the application is allowed to do something, by role or by RBAC
	expires   time.Time
}

// HasRole reports whether the token has the application role.
func (t Token) HasRole(role string) bool { return slices.Contains(t.Roles, role) }

// Errors of verify.
var (
	ErrTokenInvalid = errors.New("the token is not one of this sandbox")
	ErrTokenExpired = errors.New("the token is expired")
)

// issue signs an access token. It is as long as a real one (contracts D1.3).
func (e *Server) issue(tenant, appID, resource string, sw control.Switches) (string, error) {
	now := e.core.Now()
	filler, err := core.RandomBytes(540)
	if err != nil {
		return "", err
	}
	claims := jwt.MapClaims{
		"aud": resource, "iss": e.url + "/" + tenant + "/", "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(sw.TokenLifetime).Unix(),
		"aio": base64.RawURLEncoding.EncodeToString(filler), "appid": appID, "appidacr": "1", "idp": e.url + "/" + tenant + "/", "idtyp": "app",
		"oid": appID, "sub": appID, "tid": tenant, "uti": uuid.NewString(), "ver": "1.0",
	}
	if roles := e.roles(appID, resource, sw); len(roles) > 0 {
		claims["roles"] = roles
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(e.key)
}

func (e *Server) roles(appID, resource string, sw control.Switches) []string {
	switch {
	case !sw.GraphRoles || !e.apps[appID].consented:
		return nil
	case resource == OutlookResource:
		return []string{"SMTP.SendAsApp"}
	case sw.GraphMailRead:
		return []string{"Mail.ReadWrite", "Mail.Send"}
	}
	return []string{"Mail.Send"}
}

// maxKnownTokens bounds the memory of verify.
const maxKnownTokens = 4096

// Verify reads an access token: signature and lifetime. The caller checks audience
// and rights. The error is errTokenInvalid or errTokenExpired.
func (e *Server) Verify(raw string) (Token, error) {
	e.mu.RLock()
	t, ok := e.known[raw]
	e.mu.RUnlock()
	if !ok {
		var claims struct {
			jwt.RegisteredClaims
			AppID string   `json:"appid"`
			TID   string   `json:"tid"`
			Roles []string `json:"roles"`
		}
		p := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithoutClaimsValidation())
		if _, err := p.ParseWithClaims(raw, &claims, func(*jwt.Token) (any, error) { return e.key, nil }); err != nil ||
			claims.ExpiresAt == nil || len(claims.Audience) != 1 {
			return Token{}, ErrTokenInvalid
		}
		t = Token{claims.Audience[0], claims.TID, claims.AppID, claims.Roles, e.apps[claims.AppID].consented, claims.ExpiresAt.Time}
		e.remember(raw, t)
	}
	if !e.core.Now().Before(t.expires) {
		return Token{}, ErrTokenExpired
	}
	return t, nil
}

func (e *Server) remember(raw string, t Token) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.known == nil || len(e.known) >= maxKnownTokens {
		e.known = make(map[string]Token)
	}
	e.known[raw] = t
}
