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
)

// wantOf finds what a connection needs to get a token for an audience.
func wantOf(c *adapters.Connection, a adapters.Audience) (want, error) {
	var w want
	var err error
	switch a {
	case adapters.AudienceGraph, adapters.AudienceOutlookSMTP:
		var g *adapters.GraphSettings
		switch {
		case a == adapters.AudienceGraph:
			g = c.Graph
		case c.SMTP != nil && c.SMTP.OAuth != nil && c.SMTP.OAuth.Provider == "entra":
			g = &c.SMTP.OAuth.GraphSettings
		}
		if g == nil {
			return want{}, noSuchToken(c, a)
		}
		w, err = entraWant(*g, a)
	case adapters.AudienceGmailSend, adapters.AudienceGmailRead, adapters.AudienceGmailSMTP:
		var g *adapters.GmailSettings
		subject := ""
		switch {
		case a != adapters.AudienceGmailSMTP && c.Gmail != nil:
			g = c.Gmail
		case a == adapters.AudienceGmailSMTP && c.SMTP != nil && c.SMTP.OAuth != nil && c.SMTP.OAuth.Provider == "google":
			g, subject = &c.SMTP.OAuth.GmailSettings, c.SMTP.Login
		}
		if g == nil {
			return want{}, noSuchToken(c, a)
		}
		if g.Subject != "" {
			subject = g.Subject
		}
		if _, pattern := c.FromPattern(); subject == "" && !pattern {
			subject = c.From
		}
		w, err = googleWant(*g, subject, a)
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

// audiencesOf are the audiences that the connection can have tokens for.
func audiencesOf(c *adapters.Connection) []adapters.Audience {
	switch {
	case c.Graph != nil:
		return []adapters.Audience{adapters.AudienceGraph}
	case c.Gmail != nil:
		return []adapters.Audience{adapters.AudienceGmailSend, adapters.AudienceGmailRead}
	case c.SMTP != nil && c.SMTP.OAuth != nil:
		return []adapters.Audience{adapters.AudienceOutlookSMTP, adapters.AudienceGmailSMTP}
	}
	return nil
}

func noSuchToken(c *adapters.Connection, a adapters.Audience) error {
	return &adapters.Error{Class: adapters.Auth, Scope: adapters.ScopeConnection, Provider: c.Provider, Code: "no_credential",
		Message: mime.NewText("token.no_credential", "the connection {name} has no credential for {a} tokens", "name", strconv.Quote(c.Name),
			"a", a),
		Hint: mime.NewText("token.no_credential_hint",
			"give the connection the credential of its provider: graph, gmail, or smtp with oauth")}
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
