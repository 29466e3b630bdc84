package web

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/oidc"
	"github.com/postino-mail/postino/internal/oidc/oidctest"
	"github.com/postino-mail/postino/internal/people"
	"github.com/postino-mail/postino/internal/store"
)

// newProviderWorld is a world where people may sign in by an identity provider.
func newProviderWorld(t *testing.T) (*world, *oidctest.Issuer) {
	t.Helper()
	return newProviderWorldAt(t, "https://mail.contoso.it")
}

// newProviderWorldAt is one with a public URL, to which the provider sends browsers back.
func newProviderWorldAt(t *testing.T, public string, change ...func(*api.Options, *Options)) (*world, *oidctest.Issuer) {
	t.Helper()
	issuer := oidctest.Start(t)
	w := newEmptyWorld(t, append(change, func(o *api.Options, po *Options) {
		st, ok := o.Store.(interface {
			store.People
			OnChange(f func())
		})
		if !ok {
			t.Fatal("the store has no people")
		}
		o.People = people.New(people.Options{Store: st, External: people.External{Issuer: issuer.URL,
			Provider: oidc.New(oidc.Options{Issuer: issuer.URL, ClientID: oidctest.ClientID, ClientSecret: oidctest.ClientSecret,
				Redirect: public + "/login/oidc/callback", Transport: issuer.Transport()})}})
		po.Provider = Provider{Name: "Contoso SSO", Issuer: issuer.URL}
	})...)
	w.admin, w.operator = w.person(testAdmin, store.RoleAdmin), w.person(testOperator, store.RoleOperator)
	return w, issuer
}

// back is where the provider sends the browser when who has signed in there.
func back(t *testing.T, issuer *oidctest.Issuer, authURL string, who jwt.MapClaims) string {
	t.Helper()
	return "/login/oidc/callback?" + issuer.SignIn(t, authURL, who).Encode()
}

// begin follows the button of the sign-in and returns where it leads.
func (w *world) beginExternal(next string) string {
	w.t.Helper()
	a := w.get("/login/oidc?" + url.Values{"next": {next}}.Encode())
	if a.status != http.StatusSeeOther {
		w.t.Fatalf("status %d: %s", a.status, a.text())
	}
	return a.header.Get("Location")
}

func TestSignInByProvider(t *testing.T) {
	t.Parallel()
	w, issuer := newProviderWorld(t)
	fromThere := []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}
	w.get("/login?next=%2Fmail").want(200, "Sign in with Contoso SSO")
	anna := oidctest.Keycloak("s-1", testAdmin, true)
	w.get(back(t, issuer, w.beginExternal("/mail?state=failed"), anna), fromThere...).to("/mail?state=failed")
	w.get("/settings").want(200, testAdmin, "Account at Contoso SSO", "it signs you in")

	// No address of another site, whatever is asked for.
	for _, next := range []string{"https://evil.example/", "//evil.example", `/\evil.example`, "javascript:alert(1)"} {
		w.newBrowser()
		w.get(back(t, issuer, w.beginExternal(next), anna), fromThere...).to("/")
	}

	// What fails is said at the sign-in, and what a link says is not.
	w.newBrowser()
	w.get("/login/oidc/callback?error=access_denied&error_description=Call+0800+EVIL").want(422, "did not sign you in").without("0800")
	w.get("/login/oidc/callback?state=x&code=y").want(422, "Sign in with Contoso SSO")
	w.get(back(t, issuer, w.beginExternal("/"), oidctest.Keycloak("s-9", "zoe@contoso.it", true))).want(422, "no person here")
	w.newBrowser()
	w.get("/login/oidc/callback?error=access_denied", "Accept-Language", "it").want(422, "Il fornitore di identità non ha confermato")

	// Who comes back without a sign-in is where they were, and in their language.
	w.newBrowser()
	w.get("/login/oidc?next=%2Fmail&lang=it")
	a := w.get("/login/oidc/callback?error=access_denied").want(422, "Il fornitore di identità non ha confermato")
	for _, has := range []string{`name="next" value="/mail"`, `href="/login/oidc?next=%2fmail&lang=it"`,
		`href="/login?next=%2fmail&lang=en"`} {
		if !strings.Contains(a.body, has) {
			t.Errorf("there is no %s in:\n%s", has, a.body)
		}
	}
	w.newBrowser()
	w.get("/login/oidc/callback?error=access_denied", "Cookie", "postino_begun=next=//evil.example&lang=xx").want(422).without("evil")

	// A link that someone else began signs no one in.
	stolen := back(t, issuer, w.beginExternal("/"), anna)
	w.newBrowser()
	w.get(stolen).want(422)
	w.get("/settings").to("/login?next=%2Fsettings")

	without := newWorld(t)
	without.get("/login").want(200).without("/login/oidc")
	without.get("/login/oidc").want(422, "no identity provider")
}

func TestLinkAccount(t *testing.T) {
	t.Parallel()
	w, issuer := newProviderWorld(t)
	w.signIn(w.operator)
	w.get("/settings").want(200, "Link the account")
	w.post("/settings/account", "account_present", "wrong").want(422, "Link the account").without(issuer.URL)
	a := w.post("/settings/account", "account_present", testPassword).want(200, "On to Contoso SSO", "Go on")
	to := html.UnescapeString(regexp.MustCompile(`href="(` + regexp.QuoteMeta(issuer.URL) + `/authorize[^"]*)"`).FindStringSubmatch(a.body)[1])
	if a.header.Get("Refresh") != "0; url="+to {
		t.Errorf("Refresh is %q, the link %q", a.header.Get("Refresh"), to)
	}
	w.get(back(t, issuer, to, oidctest.Keycloak("s-1", "", false)), "Sec-Fetch-Site", "cross-site").to("/settings")
	w.get("/settings").want(200, "The account was linked", "Unlink the account")
	w.newBrowser()
	w.get(back(t, issuer, w.beginExternal("/"), oidctest.Keycloak("s-1", "", false))).to("/")
	w.get("/settings").want(200, testOperator)

	// Another person cannot link it, and is told on the settings.
	w.newBrowser()
	w.signIn(w.admin)
	a = w.post("/settings/account", "account_present", testPassword).want(200)
	to = strings.TrimPrefix(a.header.Get("Refresh"), "0; url=")
	w.get(back(t, issuer, to, oidctest.Keycloak("s-1", "", false))).want(422, "another person", "Link the account")

	// An administrator unlinks it; so may the person.
	w.get("/people/"+w.operator.ID).want(200, "Account at an identity provider", issuer.URL, "s-1")
	w.post("/people/" + w.operator.ID + "/unlink").to("/people/" + w.operator.ID)
	w.get("/people/"+w.operator.ID).want(200, "The account was unlinked.").without("s-1")
	a = w.post("/settings/account", "account_present", testPassword).want(200)
	to = strings.TrimPrefix(a.header.Get("Refresh"), "0; url=")
	w.get(back(t, issuer, to, oidctest.Keycloak("s-1", "", false))).to("/settings")
	w.post("/settings/account/unlink").to("/settings")
	w.get("/settings").want(200, testAdmin, "Link the account", "The account was unlinked.")
}
