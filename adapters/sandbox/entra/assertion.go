package entra

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// A lazyKey is an RSA key that is made when first asked for: it takes a tenth
// of a second, and most sandboxes never need it.
type lazyKey struct {
	once sync.Once
	key  *rsa.PrivateKey
	der  []byte // self-signed certificate
	err  error
}

func (k *lazyKey) get(name string) (*rsa.PrivateKey, []byte, error) {
	k.once.Do(func() {
		if k.key, k.err = rsa.GenerateKey(rand.Reader, 2048); k.err != nil {
			return
		}
		serial, err := core.NewSerial()
		if err != nil {
			k.err = err
			return
		}
		from, until := core.Validity()
		tmpl := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: until}
		k.der, k.err = x509.CreateCertificate(rand.Reader, tmpl, tmpl, k.key.Public(), k.key)
	})
	return k.key, k.der, k.err
}

// CertificateFile writes the PEM file (certificate and key) of which the certificate
// is registered on every application.
func (e *Server) CertificateFile() (string, error) {
	file := filepath.Join(e.core.Dir, "client-certificate.pem")
	key, der, err := e.certificate.get("postino sandbox application")
	if err != nil {
		return file, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return file, err
	}
	var b bytes.Buffer
	for _, block := range []*pem.Block{{Type: "CERTIFICATE", Bytes: der}, {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := pem.Encode(&b, block); err != nil {
			return file, err
		}
	}
	return file, writeFile(file, b.Bytes())
}

// UploadCertificate registers a certificate on every application, as the
// administrator of a tenant does with a .cer file.
func (e *Server) UploadCertificate(der []byte) error {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("the certificate that is uploaded: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.uploaded = append(e.uploaded, c)
	return nil
}

// registered are the certificates of every application.
func (e *Server) registered() ([]*x509.Certificate, error) {
	_, der, err := e.certificate.get("postino sandbox application")
	if err != nil {
		return nil, err
	}
	own, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	return append([]*x509.Certificate{own}, e.uploaded...), nil
}

// FederatedKey signs the tokens of FederatedIssuer, for a test that makes its own.
func (e *Server) FederatedKey() (*rsa.PrivateKey, error) {
	key, _, err := e.federation.get("issuer")
	return key, err
}

// writeFile replaces file in one step: a reader sees the old or the new content.
func writeFile(file string, data []byte) error {
	tmp := file + "." + uuid.NewString()
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, file)
}

// WriteFederatedToken writes a token of FederatedIssuer for subject
// (FederatedSubject is the trusted one) to file, good for lifetime from now,
// as a platform does that renews it. A negative lifetime makes an expired token.
func (e *Server) WriteFederatedToken(file, subject string, lifetime time.Duration) error {
	key, _, err := e.federation.get("issuer")
	if err != nil {
		return fmt.Errorf("key of the federated issuer: %w", err)
	}
	now := e.core.Now()
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": FederatedIssuer, "sub": subject, "aud": []string{FederatedAudience}, "jti": uuid.NewString(),
		"iat": now.Unix(), "nbf": now.Add(min(0, lifetime)).Unix(), "exp": now.Add(lifetime).Unix(),
	})
	t.Header["kid"] = "sandbox"
	signed, err := t.SignedString(key)
	if err != nil {
		return fmt.Errorf("federated token: %w", err)
	}
	if err := writeFile(file, []byte(signed)); err != nil {
		return fmt.Errorf("federated token: %w", err)
	}
	return nil
}

// clockSkew is what Entra forgives.
const clockSkew = 5 * time.Minute

// checkAssertion checks a client assertion: one signed with the application's
// certificate (contracts A2), or one of the federated issuer (A1.4), which is
// recognised by the missing thumbprint. tenantInURL is the tenant as the client wrote it.
func (e *Server) checkAssertion(raw, clientID, tenant, tenantInURL string) *aadError {
	claims := jwt.MapClaims{}
	t, _, err := jwt.NewParser(jwt.WithPaddingAllowed()).ParseUnverified(raw, claims) // A2.5
	if err != nil {
		return &aadError{50027, "JWT token is invalid or malformed."}
	}
	_, s256 := t.Header["x5t#S256"]
	_, sha := t.Header["x5t"]
	iss, _ := claims.GetIssuer() // a claim of another type is an empty one, and refused as such
	if !s256 && !sha && !strings.EqualFold(iss, clientID) {
		return e.checkFederated(raw, t, claims)
	}
	registered, err := e.registered()
	if err != nil {
		return &aadError{90033, "A transient error has occurred. Please try again."}
	}
	wrong := func(why string) *aadError {
		return &aadError{700027, "The certificate with identifier used to sign the client assertion is not registered on application. " +
			"[Reason - " + why + "] Alternately, review the documentation at https://learn.microsoft.com."}
	}
	i := slices.IndexFunc(registered, func(c *x509.Certificate) bool {
		sum256, sum1 := sha256.Sum256(c.Raw), sha1.Sum(c.Raw)
		return (s256 || sha) && (!s256 || sameThumbprint(t.Header["x5t#S256"], sum256[:])) && (!sha || sameThumbprint(t.Header["x5t"], sum1[:]))
	})
	if i < 0 {
		return wrong("The key was not found.")
	}
	if c := registered[i]; e.core.Now().After(c.NotAfter) || !goodSignature(raw, c.PublicKey, "PS256", "RS256") { // A2.1, A2.3
		return wrong("The key used is expired or the signature is not valid.")
	}
	sub, _ := claims.GetSubject()
	aud, _ := claims.GetAudience()
	switch {
	case iss != sub:
		return &aadError{50048, "Subject must match Issuer claim in the client assertion."}
	case !strings.EqualFold(iss, clientID):
		return &aadError{700021, "Client assertion application identifier '" + iss + "' doesn't match 'client_id' parameter '" + clientID + "'."}
	case len(aud) != 1 || !e.isTokenURL(aud[0], tenant, tenantInURL): // A2.2
		return &aadError{700023, "Client assertion audience claim does not match Realm issuer. Review the documentation."}
	}
	return e.checkTimes(claims)
}

// isTokenURL reports whether url is the token endpoint of one of the tenants.
func (e *Server) isTokenURL(url string, tenants ...string) bool {
	return slices.ContainsFunc(e.authorities(), func(root string) bool {
		return slices.ContainsFunc(tenants, func(tenant string) bool { return url == tokenURL(root, tenant) })
	})
}

func (e *Server) checkFederated(raw string, t *jwt.Token, claims jwt.MapClaims) *aadError {
	key, _, err := e.federation.get("issuer")
	if err != nil {
		return &aadError{90033, "A transient error has occurred. Please try again."}
	}
	iss, _ := claims.GetIssuer() // as above
	sub, _ := claims.GetSubject()
	aud, _ := claims.GetAudience()
	switch {
	case iss != FederatedIssuer:
		return &aadError{700211, "No matching federated identity record found for presented assertion issuer '" + iss + "'."}
	case !goodSignature(raw, key.Public(), "RS256"):
		return &aadError{50013, "Assertion failed signature validation. [Reason - The key was not found., KeyId: '" +
			fmt.Sprint(t.Header["kid"]) + "']"}
	case sub != FederatedSubject:
		return &aadError{700213, "No matching federated identity record found for presented assertion subject '" + sub +
			"'. Please check your federated identity credential Subject, Audience and Issuer against the presented assertion."}
	case !slices.Contains(aud, FederatedAudience):
		return &aadError{700212, "No matching federated identity record found for presented assertion audience '" + strings.Join(aud, " ") + "'."}
	}
	return e.checkTimes(claims)
}

func (e *Server) checkTimes(claims jwt.MapClaims) *aadError {
	now := e.core.Now()
	exp, err1 := claims.GetExpirationTime()
	nbf, err2 := claims.GetNotBefore()
	if err1 != nil || err2 != nil || exp == nil || now.After(exp.Add(clockSkew)) || nbf != nil && now.Before(nbf.Add(-clockSkew)) {
		return &aadError{700024, "Client assertion is not within its valid time range. Current time: " + now.UTC().Format(time.RFC3339) + "."}
	}
	return nil
}

// sameThumbprint compares in both base64 alphabets, padded or not (A2.4).
func sameThumbprint(header any, sum []byte) bool {
	v, _ := header.(string) // another type is no thumbprint
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if got, err := enc.DecodeString(v); err == nil && bytes.Equal(got, sum) {
			return true
		}
	}
	return false
}

func goodSignature(raw string, key any, methods ...string) bool {
	p := jwt.NewParser(jwt.WithValidMethods(methods), jwt.WithoutClaimsValidation(), jwt.WithPaddingAllowed())
	_, err := p.Parse(raw, func(*jwt.Token) (any, error) { return key, nil })
	return err == nil
}
