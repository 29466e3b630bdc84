package sandbox

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// An accessToken is what a token of the fake Entra says.
type accessToken struct {
	audience  string // GraphResource or OutlookResource
	tenant    string
	appID     string
	roles     []string // empty under RBAC for Applications (A3.5, B8.5)
	consented bool     // the application is allowed to do something, by role or by RBAC
	expires   time.Time
}

func (t accessToken) hasRole(role string) bool { return slices.Contains(t.roles, role) }

// Errors of verify.
var (
	errTokenInvalid = errors.New("the token is not one of this sandbox")
	errTokenExpired = errors.New("the token is expired")
)

// issue signs an access token. It is as long as a real one (contracts D1.3).
func (e *entraServer) issue(tenant, appID, resource string, sw Switches) (string, error) {
	now := e.s.now()
	filler, err := randomBytes(540)
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

func (e *entraServer) roles(appID, resource string, sw Switches) []string {
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

// verify reads an access token: signature and lifetime. The caller checks audience
// and rights. The error is errTokenInvalid or errTokenExpired.
func (e *entraServer) verify(raw string) (accessToken, error) {
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
		if _, err := p.ParseWithClaims(raw, &claims, func(*jwt.Token) (any, error) { return e.key, nil }); err != nil || claims.ExpiresAt == nil || len(claims.Audience) != 1 {
			return accessToken{}, errTokenInvalid
		}
		t = accessToken{claims.Audience[0], claims.TID, claims.AppID, claims.Roles, e.apps[claims.AppID].consented, claims.ExpiresAt.Time}
		e.remember(raw, t)
	}
	if !e.s.now().Before(t.expires) {
		return accessToken{}, errTokenExpired
	}
	return t, nil
}

func (e *entraServer) remember(raw string, t accessToken) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.known == nil || len(e.known) >= maxKnownTokens {
		e.known = make(map[string]accessToken)
	}
	e.known[raw] = t
}

func randomBytes(n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := rand.Read(b)
	return b, err
}
