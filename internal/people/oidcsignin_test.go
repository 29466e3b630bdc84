package people_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/oidc"
	"github.com/postino-mail/postino/internal/oidc/oidctest"
	"github.com/postino-mail/postino/internal/people"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/sqlite"
)

// An outside is a service with an identity provider.
type outside struct {
	*people.Service
	store  store.Store
	issuer *oidctest.Issuer
}

func newOutside(t *testing.T, change func(*people.External)) *outside {
	t.Helper()
	st, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Server: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	o := &outside{store: st, issuer: oidctest.Start(t)}
	ext := people.External{Issuer: o.issuer.URL, Provider: oidc.New(oidc.Options{Issuer: o.issuer.URL, ClientID: oidctest.ClientID,
		ClientSecret: oidctest.ClientSecret, Redirect: "https://mail.contoso.it/login/oidc/callback", Transport: o.issuer.Transport()})}
	if change != nil {
		change(&ext)
	}
	o.Service = people.New(people.Options{Store: st, External: ext})
	return o
}

// person stores one; they have no password.
func (o *outside) person(t *testing.T, email string) *store.Person {
	t.Helper()
	p, err := o.Add(t.Context(), store.Person{Email: email, Role: store.RoleOperator}, "")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// signIn goes the whole way; alter may be nil.
func (o *outside) signIn(t *testing.T, who jwt.MapClaims, alter func(q url.Values, browser *adapters.Secret)) (*people.SignedIn, error) {
	t.Helper()
	asked, err := o.BeginExternal(t.Context(), "/mail")
	if err != nil {
		t.Fatal(err)
	}
	q := o.issuer.SignIn(t, asked.URL, who)
	if alter != nil {
		alter(q, &asked.Browser)
	}
	in, next, err := o.SignInExternal(t.Context(), q.Get("state"), q.Get("code"), asked.Browser, people.From{Address: "192.0.2.1"})
	if err == nil && next != "/mail" {
		t.Errorf("next is %q", next)
	}
	return in, err
}

// A person is found by a verified address once, and by the account from then on.
func TestExternalSignIn(t *testing.T) {
	t.Parallel()
	o := newOutside(t, nil)
	anna := o.person(t, "anna@contoso.it")
	in, err := o.signIn(t, oidctest.Entra("s-1", "Anna@contoso.it"), nil)
	if err != nil || in.Person.ID != anna.ID || in.Person.Account.Subject != "s-1" {
		t.Fatalf("%+v, %v", in, err)
	}
	if p, _, err := o.BySession(t.Context(), in.Token); err != nil || p.ID != anna.ID {
		t.Errorf("%+v, %v", p, err)
	}
	in, err = o.signIn(t, oidctest.Keycloak("s-1", "other@contoso.it", false), nil) // the account has another address now
	if err != nil || in.Person.ID != anna.ID || in.Person.Account.Subject != "s-1" {
		t.Errorf("by subject: %+v, %v", in, err)
	}
	list, err := o.store.AuditEntries(t.Context(), store.AuditRequest{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	trail := ""
	for _, e := range list.Entries {
		trail += fmt.Sprintf("%s %s by %s; ", e.Action, e.Kind, e.Actor.Name)
	}
	if strings.Count(trail, "changed person by anna@contoso.it; ") != 1 ||
		strings.Count(trail, "added session by anna@contoso.it") != 2 {
		t.Errorf("the trail is %s", trail)
	}
}

// Whoever is not vouched for, or is someone else, is not signed in.
func TestExternalSignInRefuses(t *testing.T) {
	t.Parallel()
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	claim := func(name string, value any) func(*oidctest.Issuer) {
		return func(i *oidctest.Issuer) { i.Change = func(c jwt.MapClaims) { c[name] = value } }
	}
	anna := oidctest.Keycloak("s-1", "anna@contoso.it", true)
	for _, c := range []struct {
		name   string
		who    jwt.MapClaims
		issuer func(*oidctest.Issuer)
		alter  func(q url.Values, browser *adapters.Secret)
		want   error
	}{
		{name: "wrong nonce", issuer: claim("nonce", "another"), want: people.ErrProviderRefused},
		{name: "no nonce", issuer: claim("nonce", nil), want: people.ErrProviderRefused},
		{name: "wrong audience", issuer: claim("aud", "another"), want: people.ErrProviderRefused},
		{name: "two audiences, for the other", issuer: func(i *oidctest.Issuer) {
			i.Change = func(c jwt.MapClaims) { c["aud"], c["azp"] = []string{oidctest.ClientID, "x"}, "x" }
		}, want: people.ErrProviderRefused},
		{name: "expired", issuer: claim("exp", time.Now().Add(-time.Minute).Unix()), want: people.ErrProviderRefused},
		{name: "another issuer", issuer: claim("iss", "https://login.example.com"), want: people.ErrProviderRefused},
		{name: "no subject", issuer: claim("sub", ""), want: people.ErrProviderRefused},
		{name: "another key", issuer: func(i *oidctest.Issuer) { i.Key = other }, want: people.ErrProviderRefused},
		{name: "provider down", issuer: func(i *oidctest.Issuer) { i.Status = http.StatusBadGateway }, want: people.ErrProvider},
		{name: "keys down", issuer: func(i *oidctest.Issuer) { i.KeysStatus = http.StatusServiceUnavailable }, want: people.ErrProvider},
		{name: "keys gone", issuer: func(i *oidctest.Issuer) { i.KeysStatus = http.StatusNotFound }, want: people.ErrProvider},
		{name: "code refused", alter: func(q url.Values, _ *adapters.Secret) { q.Set("code", "x") }, want: people.ErrProviderRefused},
		{name: "unverified address", who: oidctest.Keycloak("s-1", "anna@contoso.it", false), want: people.ErrNotVerified},
		{name: "address that Entra does not vouch for", who: jwt.MapClaims{"sub": "s", "email": "anna@contoso.it", "xms_edov": false},
			want: people.ErrNotVerified},
		{name: "address with a letter that folds", who: oidctest.Keycloak("s-7", "an\u212aa@contoso.it", true), want: people.ErrNoPerson},
		{name: "no address", who: jwt.MapClaims{"sub": "s", "email_verified": true}, want: people.ErrNotVerified},
		{name: "no person", who: oidctest.Entra("s-2", "bruno@contoso.it"), want: people.ErrNoPerson},
		{name: "disabled", who: oidctest.Entra("s-3", "off@contoso.it"), want: people.ErrNoPerson},
		{name: "address that someone else has now", who: oidctest.Entra("s-9", "carla@contoso.it"), want: people.ErrOtherAccount},
		{name: "state of no sign-in", alter: func(q url.Values, _ *adapters.Secret) { q.Set("state", "x") }, want: people.ErrEnded},
		{name: "another browser", alter: func(_ url.Values, b *adapters.Secret) { *b = "po_other" }, want: people.ErrEnded},
		{name: "no cookie", alter: func(_ url.Values, b *adapters.Secret) { *b = "" }, want: people.ErrEnded},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := newOutside(t, nil)
			o.person(t, "anna@contoso.it")
			o.person(t, "anka@contoso.it")
			carla := o.person(t, "carla@contoso.it")
			off := o.person(t, "off@contoso.it")
			for id, f := range map[string]func(p *store.Person) error{
				off.ID: func(p *store.Person) error { p.Disabled = true; return nil },
				carla.ID: func(p *store.Person) error {
					p.Account = store.Account{Issuer: o.issuer.URL, Subject: "s-4"}
					return nil
				},
			} {
				if _, err := o.Change(t.Context(), id, f); err != nil {
					t.Fatal(err)
				}
			}
			if c.issuer != nil {
				c.issuer(o.issuer)
			}
			who := anna
			if c.who != nil {
				who = c.who
			}
			if in, err := o.signIn(t, who, c.alter); !errors.Is(err, c.want) {
				t.Errorf("%+v, %v; want %v", in, err, c.want)
			}
			if all, err := o.store.Sessions(t.Context(), ""); err != nil || len(all) != 0 {
				t.Errorf("%d sessions, %v", len(all), err)
			}
		})
	}
}

// A state is good once.
func TestExternalSignInOnce(t *testing.T) {
	t.Parallel()
	o := newOutside(t, nil)
	o.person(t, "anna@contoso.it")
	asked, err := o.BeginExternal(t.Context(), "/")
	if err != nil {
		t.Fatal(err)
	}
	q := o.issuer.SignIn(t, asked.URL, oidctest.Entra("s-1", "anna@contoso.it"))
	again := o.issuer.SignIn(t, asked.URL, oidctest.Entra("s-1", "anna@contoso.it"))
	if _, _, err := o.SignInExternal(t.Context(), q.Get("state"), q.Get("code"), asked.Browser, people.From{}); err != nil {
		t.Fatal(err)
	}
	_, _, err = o.SignInExternal(t.Context(), q.Get("state"), again.Get("code"), asked.Browser, people.From{})
	if !errors.Is(err, people.ErrEnded) {
		t.Errorf("again: %v", err)
	}
	without := people.New(people.Options{Store: o.store})
	if _, err := without.BeginExternal(t.Context(), "/"); !errors.Is(err, people.ErrNoProvider) {
		t.Errorf("without a provider: %v", err)
	}
}

// A person is made where the configuration says so, of the domains that it names.
func TestExternalSignInCreates(t *testing.T) {
	t.Parallel()
	o := newOutside(t, func(x *people.External) { x.CreateRole, x.Domains = store.RoleOperator, []string{"contoso.it"} })
	// Not before the first administrator: the link of the first start is good until there is someone.
	if _, err := o.signIn(t, oidctest.Entra("s-1", "anna@Contoso.it"), nil); !errors.Is(err, people.ErrNoPerson) {
		t.Errorf("the first person is no administrator: %v", err)
	}
	o.person(t, "admin@contoso.it")
	in, err := o.signIn(t, oidctest.Entra("s-1", "anna@Contoso.it"), nil)
	if err != nil || in.Person.Role != store.RoleOperator || in.Person.Name != "Anna Rossi" || in.Person.PasswordHash != "" {
		t.Fatalf("%+v, %v", in, err)
	}
	for _, who := range []jwt.MapClaims{oidctest.Entra("s-2", "x@other.example"), oidctest.Entra("s-3", "x@sub.contoso.it"),
		oidctest.Entra("s-4", "x@other.example@contoso.it"), oidctest.Entra("s-5", "contoso.it")} {
		if in, err := o.signIn(t, who, nil); err == nil {
			t.Errorf("%v: made %+v", who["email"], in.Person)
		}
	}
	if _, err := o.signIn(t, oidctest.Keycloak("s-6", "y@contoso.it", false), nil); !errors.Is(err, people.ErrNotVerified) {
		t.Errorf("unverified: %v", err)
	}
}

// A person links the account that no verified address names, and unlinks it.
func TestExternalLink(t *testing.T) {
	t.Parallel()
	o := newOutside(t, nil)
	anna, bruno := o.person(t, "anna@contoso.it"), o.person(t, "bruno@contoso.it")
	unverified := oidctest.Keycloak("s-1", "someone@private.example", false)
	session := func(p *store.Person) *store.Session {
		t.Helper()
		in, err := o.Begin(t.Context(), p, people.From{})
		if err != nil {
			t.Fatal(err)
		}
		return in.Session
	}
	link := func(p *store.Person, s *store.Session, meanwhile func()) (*people.SignedIn, error) {
		t.Helper()
		asked, err := o.BeginLink(t.Context(), people.Proof{Person: p.ID, Session: s}, "/settings")
		if err != nil {
			return nil, err
		}
		q := o.issuer.SignIn(t, asked.URL, unverified)
		if meanwhile != nil {
			meanwhile()
		}
		in, _, err := o.SignInExternal(t.Context(), q.Get("state"), q.Get("code"), asked.Browser, people.From{})
		return in, err
	}
	if _, err := o.signIn(t, unverified, nil); !errors.Is(err, people.ErrNotVerified) {
		t.Errorf("before it is linked: %v", err)
	}
	if _, err := link(anna, nil, nil); !errors.Is(err, people.ErrProve) {
		t.Errorf("without a session: %v", err)
	}
	s := session(anna)
	if in, err := link(anna, s, func() { _ = o.EndAll(t.Context(), anna.ID, "") }); !errors.Is(err, people.ErrEnded) {
		t.Errorf("its session has ended meanwhile: %+v, %v", in, err)
	}
	in, err := link(anna, session(anna), nil)
	if err != nil || in.Person.ID != anna.ID || in.Person.Account.Subject != "s-1" {
		t.Fatalf("linked: %+v, %v", in, err)
	}
	if all, err := o.Sessions(t.Context(), anna.ID); err != nil || len(all) != 1 || all[0].ID != in.Session.ID {
		t.Errorf("the session was not replaced: %+v, %v", all, err)
	}
	if in, err := o.signIn(t, unverified, nil); err != nil || in.Person.ID != anna.ID {
		t.Errorf("by the linked account: %+v, %v", in, err)
	}
	if _, err := link(bruno, session(bruno), nil); !errors.Is(err, people.ErrTaken) {
		t.Errorf("another person's account: %v", err)
	}
	if _, err := o.Change(t.Context(), anna.ID, people.Unlink); !errors.Is(err, people.ErrLastAccount) {
		t.Errorf("nothing else signs in: %v", err)
	}
	if _, err := o.Change(t.Context(), anna.ID, func(p *store.Person) error {
		p.PasswordHash = "argon2id"
		return people.Unlink(p)
	}); err != nil {
		t.Fatal(err)
	}
	if all, err := o.Sessions(t.Context(), anna.ID); err != nil || len(all) != 0 {
		t.Errorf("sessions stay: %+v, %v", all, err)
	}
	if _, err := o.signIn(t, unverified, nil); !errors.Is(err, people.ErrNotVerified) {
		t.Errorf("unlinked: %v", err)
	}
}
