package tokens

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"golang.org/x/oauth2"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/gmail"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/tokens/credential"
)

// An azure is a credential of the program.
type azure struct {
	asked atomic.Int64
	last  atomic.Pointer[policy.TokenRequestOptions]
	err   error
}

func (a *azure) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	a.last.Store(&o)
	if a.err != nil {
		return azcore.AccessToken{}, a.err
	}
	n := a.asked.Add(1)
	return azcore.AccessToken{Token: "token" + strings.Repeat("x", int(n)), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

type oauth func() (*oauth2.Token, error)

func (f oauth) Token() (*oauth2.Token, error) { return f() }

func TestFromAzure(t *testing.T) {
	t.Parallel()
	cred := &azure{}
	c := FromAzure(cred)
	t.Cleanup(func() { _ = c.Close() })
	conn := &adapters.Connection{Provider: adapters.Graph, Settings: &graph.Settings{Entra: credential.Entra{Cloud: "china"}}}
	src, err := c.TokenSource(conn, adapters.AudienceGraph)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got, err := src.Token(t.Context()); err != nil || got != "tokenx" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if got := cred.last.Load().Scopes; cred.asked.Load() != 1 || len(got) != 1 ||
		got[0] != "https://microsoftgraph.chinacloudapi.cn/.default" {
		t.Errorf("asked %d times, for %v", cred.asked.Load(), got)
	}
	if got, err := src.Renew(t.Context(), "tokenx"); err != nil || got != "tokenxx" || cred.last.Load().Claims == "" {
		t.Errorf("renewed: %q, %v", got, err)
	}
	if _, err := c.TokenSource(conn, adapters.AudienceGmailSend); adapters.AsError(err).Code != "no_credential" {
		t.Errorf("a Microsoft credential for Gmail: %v", err)
	}
	if _, err := c.TokenSource(&adapters.Connection{Provider: adapters.SMTP, Settings: &fallback.Settings{}},
		adapters.AudienceOutlookSMTP); err != nil {
		t.Error(err)
	}
}

func TestFromOAuth2(t *testing.T) {
	t.Parallel()
	expiry := time.Now().Add(time.Hour)
	n := 0
	c := FromOAuth2(oauth(func() (*oauth2.Token, error) {
		n++
		return &oauth2.Token{AccessToken: "token", Expiry: expiry}, nil
	}))
	t.Cleanup(func() { _ = c.Close() })
	src, err := c.TokenSource(&adapters.Connection{Provider: adapters.Gmail, Settings: &gmail.Settings{}}, adapters.AudienceGmailSend)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got, err := src.Token(t.Context()); err != nil || got != "token" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if n != 1 {
		t.Errorf("%d requests for one token", n)
	}
	if _, err := src.Renew(t.Context(), "token"); adapters.AsError(err).Code != "token_refused" {
		t.Errorf("the same token again: %v", err)
	}
}

// What a foreign credential tells is told as what a connection's own does: with
// its class and code, remembered, and without what the issuer wrote.
func TestGivenFailures(t *testing.T) {
	t.Parallel()
	const secret = "the issuer's own words"
	resp := func(status int, body string) *http.Response {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)),
			Request: &http.Request{URL: &url.URL{Host: "login.example"}}}
	}
	entra := `{"error":"invalid_client","error_description":"AADSTS7000222: ` + secret + `","error_codes":[7000222]}`
	google := `{"error":"invalid_grant","error_description":"` + secret + `"}`
	own := &adapters.Error{Class: adapters.Auth, Code: "mine"}
	for _, c := range []struct {
		name  string
		err   error
		class adapters.Class
		code  string
	}{
		{"Entra refuses", &azidentity.AuthenticationFailedError{RawResponse: resp(401, entra)}, adapters.Auth, "AADSTS7000222"},
		{"Google refuses", &oauth2.RetrieveError{Response: resp(400, google), Body: []byte(google)}, adapters.Auth, "invalid_grant"},
		{"no network", &url.Error{Op: "Post", URL: "https://login.example", Err: io.ErrUnexpectedEOF}, adapters.Transient, ""},
		{"the program's own", own, adapters.Auth, "mine"},
		{"anything else", errors.New(secret), adapters.Auth, "credential_unusable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			cache := FromOAuth2(oauth(func() (*oauth2.Token, error) { asked++; return nil, c.err }))
			audience := adapters.AudienceGmailSend
			if c.name == "Entra refuses" {
				cache, audience = FromAzure(&azure{err: c.err}), adapters.AudienceGraph
			}
			t.Cleanup(func() { _ = cache.Close() })
			src, err := cache.TokenSource(&adapters.Connection{Provider: adapters.Gmail, Settings: &gmail.Settings{}}, audience)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				_, err = src.Token(t.Context())
				e := adapters.AsError(err)
				if err == nil || e.Class != c.class || c.code != "" && e.ShownCode() != c.code || e.Provider != adapters.Gmail {
					t.Errorf("%+v", e)
				}
				if strings.Contains(err.Error(), secret) {
					t.Errorf("shown: %v", err)
				}
			}
			if asked > 1 {
				t.Errorf("%d requests: the failure was not remembered", asked)
			}
			if own.Provider != "" {
				t.Error("the program's own error was changed")
			}
		})
	}
}
