package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/oidc"
	"github.com/postino-mail/postino/internal/oidc/oidctest"
	"github.com/postino-mail/postino/internal/people"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
)

// newProviderWorld is a world where people may sign in by an identity provider.
func newProviderWorld(t *testing.T) (*world, *oidctest.Issuer) {
	t.Helper()
	issuer := oidctest.Start(t)
	w := newWorld(t, func(o *Options) {
		st, ok := o.Store.(interface {
			store.People
			OnChange(f func())
		})
		if !ok {
			t.Fatal("the store has no people")
		}
		o.People = people.New(people.Options{Store: st, External: people.External{Issuer: issuer.URL,
			Provider: oidc.New(oidc.Options{Issuer: issuer.URL, ClientID: oidctest.ClientID, ClientSecret: oidctest.ClientSecret,
				Redirect: "https://mail.contoso.it/login/oidc/callback", Transport: issuer.Transport()})}})
	})
	return w, issuer
}

// cookies are those that an answer sets, by name; an empty one is removed.
func cookies(a answer) map[string]string {
	out := map[string]string{}
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		out[c.Name] = c.Value
	}
	return out
}

func TestExternalSignIn(t *testing.T) {
	t.Parallel()
	w, issuer := newProviderWorld(t)
	anna := w.person("anna@contoso.it", store.RoleAdmin)
	fromThere := []string{"Sec-Fetch-Site", "cross-site"} // as the browser comes back from the provider
	var to ExternalRequest
	a := w.want(w.do("", "POST", "/v1/sign-in/oidc/begin", map[string]any{"next": "/mail"}), http.StatusOK)
	a.into(t, &to)
	set := a.header.Get("Set-Cookie")
	if !strings.HasPrefix(set, externalCookie+"=po_") || !strings.Contains(set, "HttpOnly") || !strings.Contains(set, "SameSite=Lax") {
		t.Errorf("cookie: %s", set)
	}
	bound, _, _ := strings.Cut(set, ";")
	q := issuer.SignIn(t, to.URL, oidctest.Keycloak("s-1", "anna@contoso.it", true))
	answer := map[string]any{"state": q.Get("state"), "code": q.Get("code")}
	var in ExternalSignIn
	a = w.want(w.as(bound, "POST", "/v1/sign-in/oidc", answer, fromThere...), http.StatusOK)
	a.into(t, &in)
	got := cookies(a)
	if in.Next != "/mail" || in.Person.ID != anna.ID || in.Person.Account == nil || got[externalCookie] != "" {
		t.Errorf("%+v, %v", in, got)
	}
	session := cookieName + "=" + got[cookieName]
	w.want(w.as(session, "GET", "/v1/me", nil), http.StatusOK)
	w.want(w.as(bound, "POST", "/v1/sign-in/oidc", answer, fromThere...), http.StatusGone) // once

	// Another browser, and one that began nothing.
	for _, cookie := range []string{"", externalCookie + "=po_another"} {
		a := w.want(w.do("", "POST", "/v1/sign-in/oidc/begin", map[string]any{}), http.StatusOK)
		a.into(t, &to)
		q := issuer.SignIn(t, to.URL, oidctest.Keycloak("s-1", "anna@contoso.it", true))
		a = w.want(w.as(cookie, "POST", "/v1/sign-in/oidc", map[string]any{"state": q.Get("state"), "code": q.Get("code")}), http.StatusGone)
		if cookies(a)[cookieName] != "" {
			t.Errorf("%q: signed in", cookie)
		}
	}

	// Unlinking ends all sessions but the one that it answers with.
	w.want(w.as(session, "PATCH", "/v1/me", map[string]any{"unlink": true}, fromThere...), http.StatusForbidden)
	a = w.want(w.as(session, "PATCH", "/v1/me", map[string]any{"unlink": true}), http.StatusOK)
	var me view.Person
	a.into(t, &me)
	if me.Account != nil {
		t.Errorf("%+v", me)
	}
	w.want(w.as(session, "GET", "/v1/me", nil), http.StatusUnauthorized)
	session = cookieName + "=" + cookies(a)[cookieName]
	w.want(w.as(session, "GET", "/v1/me", nil), http.StatusOK)

	// Linking wants the password, and no page of another site.
	present := map[string]any{"present": goodPassword, "next": "/settings"}
	w.want(w.as(session, "POST", "/v1/me/account/begin", map[string]any{"present": "wrong"}), http.StatusUnauthorized)
	w.want(w.as(session, "POST", "/v1/me/account/begin", present, fromThere...), http.StatusForbidden)
	w.want(w.do(w.personsKey(anna), "POST", "/v1/me/account/begin", present), http.StatusForbidden)
	a = w.want(w.as(session, "POST", "/v1/me/account/begin", present), http.StatusOK)
	a.into(t, &to)
	q = issuer.SignIn(t, to.URL, oidctest.Keycloak("s-2", "private@home.example", false))
	bound = externalCookie + "=" + cookies(a)[externalCookie]
	answer = map[string]any{"state": q.Get("state"), "code": q.Get("code")}
	a = w.want(w.as(bound, "POST", "/v1/sign-in/oidc", answer, fromThere...), http.StatusOK)
	a.into(t, &in)
	if in.Person.ID != anna.ID || in.Person.Account.Subject != "s-2" || in.Next != "/settings" {
		t.Errorf("%+v", in)
	}
	w.want(w.as(session, "GET", "/v1/me", nil), http.StatusUnauthorized) // replaced
	w.want(w.do(w.admin, "PATCH", "/v1/people/"+anna.ID, map[string]any{"unlink": true}), http.StatusOK).into(t, &me)
	if me.Account != nil {
		t.Errorf("unlinked by an administrator: %+v", me)
	}
	w.want(w.as(cookieName+"="+cookies(a)[cookieName], "GET", "/v1/me", nil), http.StatusUnauthorized)
}

// What fails says why, with a status and a code.
func TestExternalSignInProblems(t *testing.T) {
	t.Parallel()
	w, issuer := newProviderWorld(t)
	w.person("anna@contoso.it", store.RoleAdmin)
	for _, c := range []struct {
		subject, email string
		verified       bool
		status         int
		code           string
	}{
		{"s-1", "anna@contoso.it", false, http.StatusForbidden, "email_unverified"},
		{"s-1", "bruno@contoso.it", true, http.StatusForbidden, "no_person"},
		{"", "anna@contoso.it", true, http.StatusForbidden, "identity_refused"},
		{"s-1", "anna@contoso.it", true, http.StatusOK, ""},
		{"s-2", "anna@contoso.it", true, http.StatusForbidden, "other_account"},
	} {
		var to ExternalRequest
		a := w.want(w.do("", "POST", "/v1/sign-in/oidc/begin", map[string]any{}), http.StatusOK)
		a.into(t, &to)
		bound, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
		q := issuer.SignIn(t, to.URL, oidctest.Keycloak(c.subject, c.email, c.verified))
		a = w.want(w.as(bound, "POST", "/v1/sign-in/oidc", map[string]any{"state": q.Get("state"), "code": q.Get("code")}), c.status)
		if c.code != "" && !strings.Contains(string(a.body), `"/problems/sign_in"`) {
			t.Errorf("%+v: %s", c, a.body)
		}
		if !strings.Contains(string(a.body), c.code) || c.status != http.StatusOK && a.header.Get("Set-Cookie") != "" {
			t.Errorf("%+v: %s", c, a.body)
		}
	}
	without := newWorld(t, nil)
	a := without.want(without.do("", "POST", "/v1/sign-in/oidc/begin", map[string]any{}), http.StatusNotFound)
	if !strings.Contains(string(a.body), "no_identity_provider") {
		t.Errorf("%s", a.body)
	}
}
