package tokens

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
	"github.com/postino-mail/postino/tokens/credential"
)

// wantOf finds what a connection needs to get a token for an audience.
func wantOf(c *adapters.Connection, a adapters.Audience) (want, error) {
	var w want
	var err error
	switch cred := credentialOf(c, a).(type) {
	case *credential.Entra:
		w, err = entraWant(*cred, a)
	case *credential.Google:
		subject := cred.Subject
		if _, pattern := c.FromPattern(); subject == "" && !pattern {
			subject = c.From
		}
		w, err = googleWant(*cred, subject, a)
	default:
		return want{}, noSuchToken(c, a)
	}
	if err != nil {
		e := adapters.AsError(err)
		e.Provider, e.Scope = c.Provider, adapters.ScopeConnection
		return want{}, e
	}
	w.audience, w.provider = a, c.Provider
	return w, nil
}

// credentialOf is what the connection has to request a token for an audience with.
func credentialOf(c *adapters.Connection, a adapters.Audience) credential.Credential {
	if holder, ok := c.Settings.(credential.Holder); ok {
		return holder.Credential(a)
	}
	return nil
}

// audiencesOf are the audiences that the connection can have tokens for.
func audiencesOf(c *adapters.Connection) []adapters.Audience {
	if holder, ok := c.Settings.(credential.Holder); ok {
		return holder.Audiences()
	}
	return nil
}

func noSuchToken(c *adapters.Connection, a adapters.Audience) error {
	return &adapters.Error{Class: adapters.Auth, Scope: adapters.ScopeConnection, Provider: c.Provider,
		Code: adapters.CodeNoCredential,
		Message: mime.NewText("token.no_credential", "the connection {name} has no credential for {a} tokens", "name", strconv.Quote(c.Name),
			"a", a),
		Hint: mime.NewText("token.no_credential_hint",
			"give the connection the credential of its provider: graph, gmail, or smtp with oauth")}
}

// ownScope is the scope of an audience that is one.
func ownScope(a adapters.Audience) (string, bool) {
	return string(a), strings.HasPrefix(string(a), "https://")
}

// fingerprint tells secrets apart without keeping them.
func fingerprint(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func hostOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" {
		return strings.TrimSuffix(strings.TrimPrefix(rawURL, "https://"), "/")
	}
	return u.Host
}
