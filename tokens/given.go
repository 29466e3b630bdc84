package tokens

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"golang.org/x/oauth2"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
	"github.com/postino-mail/postino/tokens/credential"
)

// endless is how long a token without an end is kept before its source is asked again.
const endless = time.Hour

// FromAzure makes a Cache of tokens from a credential that the program
// has, such as azidentity.NewDefaultAzureCredential gives, for every connection
// and for the audiences of Microsoft 365. The credential's own settings in a
// connection are not looked at, but its cloud is. Refusals of Entra are told as
// those of a connection's own credential. Close ends the Cache, not cred.
func FromAzure(cred azcore.TokenCredential) *Cache {
	return newGiven(func(c *adapters.Connection, a adapters.Audience) (want, error) {
		scope, ok := microsoftScope(c, a)
		if !ok {
			return want{}, noSuchToken(c, a)
		}
		return want{key: key{issuer: "entra", credential: "given", scope: scope}, audience: a, provider: c.Provider, host: "Microsoft Entra",
			fetch: func(ctx context.Context, x *exchange, fresh bool) (string, time.Duration, error) {
				ask := policy.TokenRequestOptions{Scopes: []string{scope}}
				if fresh {
					ask.Claims = anyClaim
				}
				t, err := cred.GetToken(ctx, ask)
				if err != nil {
					return "", 0, x.given(err)
				}
				return t.Token, t.ExpiresOn.Sub(x.now()), nil
			}}, nil
	})
}

// FromOAuth2 makes a Cache of tokens from a source that the program has,
// for every connection and audience: its scopes are the program's to choose. A
// source that keeps its tokens, as oauth2.ReuseTokenSource does, cannot renew one
// that a provider refused before its end. Close ends the Cache, not ts.
func FromOAuth2(ts oauth2.TokenSource) *Cache {
	return newGiven(func(c *adapters.Connection, a adapters.Audience) (want, error) {
		issuer := "google"
		_, isEntra := credentialOf(c, a).(*credential.Entra)
		if isEntra || a == adapters.AudienceGraph || a == adapters.AudienceOutlookSMTP {
			issuer = "entra"
		}
		return want{key: key{issuer: issuer, credential: "given", scope: string(a)}, audience: a, provider: c.Provider,
			host: "the token's issuer",
			fetch: func(ctx context.Context, x *exchange, _ bool) (string, time.Duration, error) {
				t, err := tokenOf(ctx, ts)
				switch {
				case err != nil:
					return "", 0, x.given(err)
				case t.Expiry.IsZero():
					return t.AccessToken, endless, nil
				}
				return t.AccessToken, t.Expiry.Sub(x.now()), nil
			}}, nil
	})
}

func newGiven(find func(*adapters.Connection, adapters.Audience) (want, error)) *Cache {
	c := NewCache(Options{})
	c.find = find
	return c
}

// microsoftScope is what a token for an audience of Microsoft 365 is asked for.
func microsoftScope(c *adapters.Connection, a adapters.Audience) (string, bool) {
	own, isScope := ownScope(a)
	cred, isEntra := credentialOf(c, a).(*credential.Entra)
	switch {
	case a == adapters.AudienceOutlookSMTP:
		return scopeOutlookSMTP, true
	case isScope && isEntra:
		return own, true
	case a != adapters.AudienceGraph:
		return "", false
	case !isEntra:
		cred = new(credential.Entra)
	}
	n, ok := nationOf(cred.Cloud)
	return n.graph + "/.default", ok
}

// tokenOf asks a source that knows no context.
func tokenOf(ctx context.Context, ts oauth2.TokenSource) (*oauth2.Token, error) {
	type result struct {
		token *oauth2.Token
		err   error
	}
	got := make(chan result, 1)
	go func() {
		t, err := ts.Token()
		if err == nil && t == nil {
			err = errors.New("the source returned neither a token nor an error")
		}
		got <- result{t, err}
	}()
	select {
	case r := <-got:
		return r.token, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// given notes what a foreign credential tells of its last exchange, so that
// failure finds what it would have seen itself, and returns the error to pass on.
func (x *exchange) given(err error) error {
	var own *adapters.Error
	if errors.As(err, &own) {
		shared := *own // the program may keep it
		return &shared
	}
	var azure *azidentity.AuthenticationFailedError
	var retrieve *oauth2.RetrieveError
	var transport *url.Error
	switch {
	case errors.As(err, &azure) && azure.RawResponse != nil:
		x.answered(azure.RawResponse, nil)
	case errors.As(err, &retrieve) && retrieve.Response != nil:
		x.answered(retrieve.Response, retrieve.Body)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.As(err, &transport):
		x.err = err
	default:
		e := misconfigured("credential_unusable",
			mime.NewText("tokens.given_unusable", "the program's own credential gives no token"),
			mime.NewText("tokens.given_unusable_hint", "look at the credential that the program hands to postino"))
		e.Err = err
		return e
	}
	return fmt.Errorf("no token: %w", err)
}

// answered notes an issuer's answer; body nil: it is read here.
func (x *exchange) answered(resp *http.Response, body []byte) {
	if body == nil && resp.Body != nil {
		// What is missing of a body that breaks off shows as garbage.
		body, _ = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		_ = resp.Body.Close() // the body has been read or has failed
		resp.Body = io.NopCloser(bytes.NewReader(body))
	}
	x.requests, x.status, x.header, x.body, x.at = 1, resp.StatusCode, resp.Header, body, x.now()
	if resp.Request != nil && resp.Request.URL != nil {
		x.host = resp.Request.URL.Host
	}
}
