// Package oidc asks an OpenID Connect provider, such as Microsoft Entra, Google or Keycloak,
// who sits at a browser: by the authorization code flow with PKCE.
package oidc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// Bounds of what a provider may take and answer.
const (
	answerTime = 10 * time.Second
	answerSize = 1 << 20
	failedTime = 5 * time.Second // after a failure, before the provider is asked again
)

// keysUnread is how go-oidc begins its error, which wraps none, where the provider's
// keys are not to be had: the token is neither good nor bad then.
const keysUnread = "failed to verify signature: fetching keys"

// google is the issuer of all Google accounts, whichever company they are of.
const google = "https://accounts.google.com"

// ErrRefused is the cause where the provider answered, and its answer signs no one in: the
// code is not good, or the ID token is for someone else, another sign-in, or has ended.
var ErrRefused = errors.New("oidc: the answer of the provider signs no one in")

// Options of a Provider; all but Transport and Now are required.
type Options struct {
	Issuer       string // as the provider's discovery document names it
	ClientID     string
	ClientSecret adapters.Secret
	Redirect     string            // to which the provider sends the browser back
	Transport    http.RoundTripper // nil: http.DefaultTransport
	Now          func() time.Time  // nil: time.Now
}

// A Provider is one issuer. What it publishes is read when it is first needed, and again
// some time after a failure. Safe for concurrent use.
type Provider struct {
	opt    Options
	client *http.Client

	mu     sync.Mutex
	found  *gooidc.Provider
	failed error // of the last attempt, and until when it counts
	until  time.Time
}

// New makes a Provider without touching the network.
func New(o Options) *Provider {
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Provider{opt: o, client: &http.Client{Transport: bounded{o.Transport}, Timeout: answerTime,
		// Nothing that is asked here is answered elsewhere, and the secret goes nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// An Identity is who signed in, as the provider vouches for it.
type Identity struct {
	Issuer, Subject string       // together they name one account for ever
	Email           mime.Mailbox // that the provider says is theirs; zero: none
	Name            string
}

// AuthURL is where the browser is sent. verifier is the secret of PKCE (RFC 7636).
func (p *Provider) AuthURL(ctx context.Context, state, nonce, verifier string) (string, error) {
	found, err := p.discover(ctx)
	if err != nil {
		return "", err
	}
	return p.config(found).AuthCodeURL(state, gooidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), nil
}

// Redeem returns whom a code is of. The error is ErrRefused where the provider or its
// token say no; any other: it does not answer.
func (p *Provider) Redeem(ctx context.Context, code, nonce, verifier string) (*Identity, error) {
	found, err := p.discover(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(gooidc.ClientContext(ctx, p.client), answerTime)
	defer cancel()
	token, err := p.config(found).Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		// The body may quote the code, or be no answer: it is left out.
		e := new(oauth2.RetrieveError)
		switch {
		case !errors.As(err, &e) || e.Response == nil:
			return nil, fmt.Errorf("oidc: no token: %w", err)
		case e.Response.StatusCode < http.StatusInternalServerError:
			return nil, fmt.Errorf("%w: %s (status %d)", ErrRefused, strconv.Quote(e.ErrorCode), e.Response.StatusCode)
		}
		return nil, fmt.Errorf("oidc: no token: status %d", e.Response.StatusCode)
	}
	raw, _ := token.Extra("id_token").(string) // one that is missing is empty
	return p.verify(ctx, found, raw, nonce)
}

// verify checks an ID token (OpenID Connect Core section 3.1.3.7).
func (p *Provider) verify(ctx context.Context, found *gooidc.Provider, raw, nonce string) (*Identity, error) {
	if raw == "" {
		return nil, fmt.Errorf("%w: it has no ID token", ErrRefused)
	}
	token, err := found.Verifier(&gooidc.Config{ClientID: p.opt.ClientID, Now: p.opt.Now}).Verify(ctx, raw)
	switch {
	case err != nil && strings.HasPrefix(err.Error(), keysUnread):
		return nil, fmt.Errorf("oidc: the keys of the provider cannot be read: %w", err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	var claims struct {
		Party    string `json:"azp"`
		Email    string `json:"email"`
		Verified yes    `json:"email_verified"`
		Owner    yes    `json:"xms_edov"` // Entra: the account's own tenant has proven the domain of the address
		Company  string `json:"hd"`       // Google: the domain of a Workspace
		Name     string `json:"name"`
	}
	switch err := token.Claims(&claims); {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	case nonce == "" || token.Nonce != nonce:
		return nil, fmt.Errorf("%w: the nonce is another one", ErrRefused)
	case token.Subject == "":
		return nil, fmt.Errorf("%w: it names no subject", ErrRefused)
	case claims.Party != "" && claims.Party != p.opt.ClientID, claims.Party == "" && len(slices.Compact(token.Audience)) > 1:
		return nil, fmt.Errorf("%w: it is for another client", ErrRefused)
	}
	id := &Identity{Issuer: p.opt.Issuer, Subject: token.Subject, Name: strings.Join(strings.Fields(claims.Name), " ")}
	if email, err := mime.ParseMailbox(claims.Email); err == nil && p.owns(email, claims.Company, claims.Verified, claims.Owner) {
		id.Email = email
	}
	return id, nil
}

// owns reports whether the account has the address now. Entra writes no email_verified:
// whoever administers a tenant can give its accounts any address. Google's is of the day on
// which a private account was made, and the address may be someone else's since, but for
// its own mailboxes and those of Workspaces (developers.google.com/identity/gsi/web/guides/verify-google-id-token).
func (p *Provider) owns(email mime.Mailbox, company string, verified, owner yes) bool {
	if p.opt.Issuer == google {
		return bool(verified) && (company != "" || email.Domain() == "gmail.com")
	}
	return bool(verified || owner)
}

// A yes is a claim that is true in any of the forms in which providers write it.
type yes bool

// UnmarshalJSON implements json.Unmarshaler. What is none of the forms is false.
func (y *yes) UnmarshalJSON(b []byte) error {
	*y = yes(slices.Contains([]string{"true", `"true"`, "1", `"1"`}, strings.ToLower(string(b))))
	return nil
}

func (p *Provider) config(found *gooidc.Provider) *oauth2.Config {
	return &oauth2.Config{ClientID: p.opt.ClientID, ClientSecret: p.opt.ClientSecret.Reveal(), Endpoint: found.Endpoint(),
		RedirectURL: p.opt.Redirect, Scopes: []string{gooidc.ScopeOpenID, "email", "profile"}}
}

// discover reads the provider's configuration (OpenID Connect Discovery section 4).
func (p *Provider) discover(ctx context.Context) (*gooidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil || p.opt.Now().Before(p.until) {
		return p.found, p.failed
	}
	ctx, cancel := context.WithTimeout(gooidc.ClientContext(context.WithoutCancel(ctx), p.client), answerTime)
	defer cancel()
	found, err := gooidc.NewProvider(ctx, p.opt.Issuer)
	if err != nil {
		p.failed, p.until = fmt.Errorf("oidc: the configuration of the provider cannot be read: %w", err), p.opt.Now().Add(failedTime)
		return nil, p.failed
	}
	p.found, p.failed = found, nil
	return found, nil
}

// bounded ends answers that are too long to be one.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.next.RoundTrip(r)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, answerSize), res.Body}
	}
	return res, err
}
