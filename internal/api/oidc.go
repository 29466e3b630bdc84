package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/people"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/internal/view"
)

// externalCookie binds a sign-in by the identity provider to the browser that began it.
// Lax: it comes along when the provider sends the browser back.
const (
	externalCookie     = "postino_sign_in"
	externalCookieLife = 600
)

type (
	externalInput struct {
		Body struct {
			Next string `json:"next,omitempty" maxLength:"500" doc:"Given back by external-sign-in: a path of the page"`
		}
	}
	linkInput struct {
		Body struct {
			Present string `json:"present,omitempty" maxLength:"200" doc:"The present password, where there is one"`
			Next    string `json:"next,omitempty" maxLength:"500" doc:"Given back by external-sign-in: a path of the page"`
		}
	}
	// ExternalRequest is where a browser is sent.
	ExternalRequest struct {
		URL string `json:"url" doc:"Of the identity provider"`
	}
	externalAnswer struct {
		Body struct {
			State string `json:"state" minLength:"1" maxLength:"200" doc:"As the provider gave it back"`
			Code  string `json:"code" minLength:"1" maxLength:"4000" doc:"As the provider gave it"`
		}
	}
	// ExternalSignIn is who signed in by the identity provider.
	ExternalSignIn struct {
		Person view.Person `json:"person"`
		Next   string      `json:"next" doc:"As it was given at the begin"`
	}
	withCookies[T any] struct {
		SetCookie []http.Cookie `header:"Set-Cookie"`
		Body      T
	}
)

// fromProvider lets the handler see the request. It may come from a page of another site:
// the provider's. State and cookie say that this browser began it.
func fromProvider(o huma.Operation) huma.Operation {
	o.Middlewares = append(o.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
		r, _ := humago.Unwrap(ctx)
		next(huma.WithValue(ctx, requestKey{}, r))
	})
	return o
}

func (s *signInService) externalRoutes(rt *router) {
	register(rt, fromProvider(op("begin-external-sign-in", http.MethodPost, "/v1/sign-in/oidc/begin", peopleTag, "",
		"Begin to sign in by the identity provider", "Answers with the address to which the browser goes, and with a cookie.")), s.beginExternal)
	register(rt, fromProvider(op("external-sign-in", http.MethodPost, "/v1/sign-in/oidc", peopleTag, "", "Sign in by the identity provider",
		"Takes what the provider sent the browser back with, and answers with the cookie of a session. Where begin-my-account began it, the "+
			"account is linked with me.")), s.externalSignIn)
	register(rt, s.byBrowser(op("begin-my-account", http.MethodPost, "/v1/me/account/begin", peopleTag, scopeSession,
		"Begin to link my account at the identity provider", "Wants the present password, or of who has none a session that is 15 minutes "+
			"old at most. Answers as begin-external-sign-in; patch-me unlinks.")), s.beginLink)
}

// beginExternal is for anyone, and writes a row: an address has so many at once.
func (s *signInService) beginExternal(ctx context.Context, in *externalInput) (*withCookie[ExternalRequest], error) {
	_, key, err := s.from(requestOf(ctx))
	if err != nil {
		return nil, err
	}
	end, err := s.auth.ceremonies.begin(ctx, key)
	if err != nil {
		return nil, err
	}
	defer end(true)
	asked, err := s.people.BeginExternal(ctx, in.Body.Next)
	return s.externalRequest(ctx, asked, err)
}

func (s *signInService) beginLink(ctx context.Context, in *linkInput) (*withCookie[ExternalRequest], error) {
	var asked *people.ExternalRequest
	_, err := s.guessed(ctx, strings.ToLower(caller(ctx).person.Email), func(people.From) (_ *people.SignedIn, err error) {
		asked, err = s.people.BeginLink(ctx, proof(ctx, in.Body.Present), in.Body.Next)
		return nil, err
	})
	return s.externalRequest(ctx, asked, err)
}

func (s *signInService) externalRequest(ctx context.Context, asked *people.ExternalRequest, err error) (*withCookie[ExternalRequest],
	error) {
	if err != nil {
		return nil, personError(err)
	}
	return &withCookie[ExternalRequest]{SetCookie: s.auth.newCookie(requestOf(ctx), externalCookie, asked.Browser, externalCookieLife),
		Body: ExternalRequest{URL: asked.URL}}, nil
}

func (s *signInService) externalSignIn(ctx context.Context, in *externalAnswer) (*withCookies[ExternalSignIn], error) {
	r := requestOf(ctx)
	browser, next := s.auth.shown(r, externalCookie), ""
	out, err := s.guessed(ctx, "", func(from people.From) (in2 *people.SignedIn, err error) {
		in2, next, err = s.people.SignInExternal(ctx, in.Body.State, in.Body.Code, browser, from)
		return in2, err
	})
	if err != nil {
		return nil, err
	}
	return &withCookies[ExternalSignIn]{SetCookie: []http.Cookie{s.auth.sessionCookie(r, out), s.auth.newCookie(r, externalCookie, "", -1)},
		Body: ExternalSignIn{Person: view.OfPerson(out.Person), Next: next}}, nil
}

// externalError is how a sign-in by the identity provider failed; nil: it is another error.
func externalError(err error) error {
	for _, e := range []struct {
		err    error
		status int
		code   string
	}{
		{people.ErrNoProvider, http.StatusNotFound, "no_identity_provider"},
		{people.ErrProvider, http.StatusBadGateway, "identity_provider"},
		{people.ErrProviderRefused, http.StatusForbidden, "identity_refused"},
		{people.ErrNotVerified, http.StatusForbidden, "email_unverified"},
		{people.ErrNoPerson, http.StatusForbidden, "no_person"},
		{people.ErrOtherAccount, http.StatusForbidden, "other_account"},
		{people.ErrTaken, http.StatusConflict, "account_taken"},
		{people.ErrLastAccount, http.StatusConflict, "last_credential"},
	} {
		if known := new(texterr.Error); errors.Is(err, e.err) && errors.As(e.err, &known) {
			return fail(e.status, e.code, "", known.Text, adapters.Text{})
		}
	}
	return nil
}
