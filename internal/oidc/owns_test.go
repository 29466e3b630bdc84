package oidc

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/mime"
)

// Which address counts, by issuer: Google verifies the address of a private account once.
func TestOwns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		issuer, email, company string
		verified, owner        yes
		want                   bool
	}{
		{"https://accounts.google.com", "anna@contoso.it", "contoso.it", true, false, true},
		{"https://accounts.google.com", "anna@gmail.com", "", true, false, true},
		{"https://accounts.google.com", "anna@contoso.it", "", true, false, false},
		{"https://accounts.google.com", "anna@contoso.it", "contoso.it", false, true, false},
		{"https://login.microsoftonline.com/x/v2.0", "anna@contoso.it", "", false, true, true},
		{"https://login.microsoftonline.com/x/v2.0", "anna@contoso.it", "", false, false, false},
		{"https://sso.contoso.it", "anna@contoso.it", "", true, false, true},
	} {
		email, err := mime.ParseMailbox(c.email)
		if err != nil {
			t.Fatal(err)
		}
		if got := New(Options{Issuer: c.issuer}).owns(email, c.company, c.verified, c.owner); got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
}

// counting answers nothing that is a configuration, until it is up.
type counting struct {
	n  int
	up bool
}

func (c *counting) RoundTrip(*http.Request) (*http.Response, error) {
	c.n++
	if c.up {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
			Body: io.NopCloser(strings.NewReader(`{"issuer": "https://sso.contoso.it", "authorization_endpoint": "https://sso.contoso.it/a",
				"token_endpoint": "https://sso.contoso.it/t", "jwks_uri": "https://sso.contoso.it/k"}`))}, nil
	}
	return &http.Response{StatusCode: http.StatusBadGateway, Body: io.NopCloser(strings.NewReader("down"))}, nil
}

// A provider that is down is asked once in a while, however many want to sign in, and a
// browser that goes away does not stop the asking.
func TestDiscoveryFails(t *testing.T) {
	t.Parallel()
	now, asked := time.Unix(1_800_000_000, 0), new(counting)
	p := New(Options{Issuer: "https://sso.contoso.it", Transport: asked, Now: func() time.Time { return now }})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, want := range []int{1, 1, 2} {
		if _, err := p.AuthURL(gone, "s", "n", "v"); err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		if asked.n != want {
			t.Errorf("asked %d times, want %d", asked.n, want)
		}
		if want == asked.n && asked.n == 1 {
			now = now.Add(failedTime / 2)
		}
	}
	// Once it is up again it stays so: what failed before counts no more.
	now, asked.up = now.Add(failedTime), true
	for range 3 {
		if to, err := p.AuthURL(t.Context(), "s", "n", "v"); err != nil || !strings.HasPrefix(to, "https://sso.contoso.it/a?") {
			t.Errorf("%q, %v", to, err)
		}
	}
	if asked.n != 3 {
		t.Errorf("asked %d times", asked.n)
	}
}
