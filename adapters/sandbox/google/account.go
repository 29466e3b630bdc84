package google

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// serviceAccountEmail and serviceAccountID name the one service account.
const (
	serviceAccountEmail = "mailer@sandbox-project.iam.gserviceaccount.com"
	serviceAccountID    = "100200300400500600700"
)

// A serviceAccount is Google's view of one: its key and the JSON that the
// administrator downloads.
type serviceAccount struct {
	key      *rsa.PublicKey
	private  *rsa.PrivateKey // that Google has too, for signJwt
	keyID    string
	tokenURL string
	json     []byte
	file     string
}

func newServiceAccount(dir, tokenURL, tokenURI string) (*serviceAccount, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(x509.MarshalPKCS1PublicKey(&key.PublicKey))
	a := &serviceAccount{
		key: &key.PublicKey, private: key, keyID: hex.EncodeToString(sum[:20]), tokenURL: tokenURL,
		file: filepath.Join(dir, "google-service-account.json"),
	}
	a.json, err = json.MarshalIndent(map[string]string{
		"type":            "service_account",
		"project_id":      "sandbox-project",
		"private_key_id":  a.keyID,
		"private_key":     string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"client_email":    serviceAccountEmail,
		"client_id":       serviceAccountID,
		"auth_uri":        "https://accounts.google.com/o/oauth2/auth",
		"token_uri":       tokenURI,
		"universe_domain": "googleapis.com",
	}, "", "  ")
	if err != nil {
		return nil, err
	}
	return a, os.WriteFile(a.file, a.json, 0o600)
}

// assertionClaims are the claims of contracts C6.2.
type assertionClaims struct {
	Iss   string `json:"iss"`
	Sub   string `json:"sub"`
	Aud   string `json:"aud"`
	Scope string `json:"scope"`
	Iat   int64  `json:"iat"`
	Exp   int64  `json:"exp"`
}

// The longest life of an assertion (contracts C6.2), and how far the client's
// clock may be ahead.
const (
	assertionLife = time.Hour
	clockSkew     = 5 * time.Minute
)

// verify checks an assertion. The claims are filled as far as they could be
// read; the error is a *tokenRefusal.
func (a *serviceAccount) verify(assertion string, now time.Time) (assertionClaims, error) {
	var c assertionClaims
	bad := func(text string) error { return refuse(http.StatusBadRequest, "invalid_grant", text) }
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return c, bad("Invalid JWT: the assertion must have three parts.")
	}
	var head struct{ Alg, Typ, Kid string }
	if !decodeJWTPart(parts[0], &head) || !decodeJWTPart(parts[1], &c) {
		return c, bad("Invalid JWT: Failed to parse the assertion.")
	}
	if head.Alg != "RS256" || head.Kid != "" && head.Kid != a.keyID {
		return c, bad("Invalid JWT Signature.")
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	sig, err := decodePart(parts[2])
	if err != nil || rsa.VerifyPKCS1v15(a.key, crypto.SHA256, sum[:], sig) != nil {
		return c, bad("Invalid JWT Signature.")
	}
	if c.Iss != serviceAccountEmail {
		return c, bad("Invalid grant: account not found")
	}
	if c.Aud != a.tokenURL && !slices.Contains(audiences(), c.Aud) {
		return c, bad("Invalid JWT: Failed audience check. The right audience is " + a.tokenURL)
	}
	issued, expires := time.Unix(c.Iat, 0), time.Unix(c.Exp, 0)
	if c.Iat == 0 || c.Exp == 0 || expires.Sub(issued) > assertionLife || !expires.After(issued) ||
		issued.After(now.Add(clockSkew)) || !expires.After(now) {
		return c, bad("Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp " +
			"values in the JWT claim.")
	}
	return c, nil
}

// audiences are the vendor's names of the token endpoint: its libraries put one of them
// into aud whatever address they ask (contracts C6.13).
func audiences() []string {
	return []string{"https://oauth2.googleapis.com/token", "https://accounts.google.com/o/oauth2/token",
		"https://www.googleapis.com/oauth2/v4/token"}
}

// decodePart decodes a part of a JWT, padded or not (contracts C6.14).
func decodePart(part string) ([]byte, error) {
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(part, "="))
}

func decodeJWTPart(part string, v any) bool {
	data, err := decodePart(part)
	return err == nil && json.Unmarshal(data, v) == nil
}
