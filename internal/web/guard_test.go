package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/api"
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.get("/people?x=1").to("/login?next=%2Fpeople%3Fx%3D1")
	w.get("/").to("/login")
	w.get("/login?next=/people", "Accept-Language", "it-IT,it;q=0.9").want(200, "Accedi", "Indirizzo email", "Password", "/people")
	w.post("/login", "email", testAdmin, "password", "wrong", "lang", "it").want(422, "Indirizzo e password non corrispondono").
		without(`value="wrong"`)
	a := w.post("/login", "email", testAdmin, "password", testPassword, "next", "/people").to("/people")
	cookie := a.header.Get("Set-Cookie")
	if !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Lax") {
		t.Error(cookie)
	}
	w.get("/people").want(200, testOperator, "Sign out")
	w.post("/logout").to("/login")
	w.get("/login").want(200, "You have signed out.")
	w.get("/people").to("/login?next=%2Fpeople")
}

// After the sign-in the browser stays on this server.
func TestNoOpenRedirect(t *testing.T) {
	t.Parallel()
	for _, next := range []string{"//evil.example", "https://evil.example", `/\evil.example`, "javascript:alert(1)", "/\t/evil.example", "",
		"evil.example", "///evil.example", "/%0d%0aX: y\r\n"} {
		if got := local(next); got != "/" && strings.Contains(got, "evil") || strings.ContainsAny(got, "\r\n") {
			t.Errorf("%q leads to %q", next, got)
		}
	}
	if got := local("/mail?q=a%20b"); got != "/mail?q=a%20b" {
		t.Error(got)
	}
}

// The password of an address cannot be tried for ever: the API's limit counts.
func TestSignInIsLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 30 {
		if a := w.post("/login", "email", testAdmin, "password", "wrong"); a.status == http.StatusTooManyRequests {
			a.want(http.StatusTooManyRequests, "Too many wrong credentials")
			return
		}
	}
	t.Error("30 wrong passwords were all tried")
}

func TestGuard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn(w.admin)
	h := w.get("/people").header
	for name, want := range map[string]string{"Content-Security-Policy": "default-src 'none'", "X-Frame-Options": "DENY",
		"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "same-origin"} {
		if !strings.Contains(h.Get(name), want) {
			t.Errorf("%s: %q", name, h.Get(name))
		}
	}
	if csp := h.Get("Content-Security-Policy"); strings.Contains(csp, "unsafe") || !strings.Contains(csp, "frame-ancestors 'none'") {
		t.Error(csp)
	}
	for _, c := range []struct{ name, value string }{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"},
		{"Origin", "https://evil.example"}} {
		headers := []string{"Sec-Fetch-Site", "", c.name, c.value}
		form := map[string][]string{"email": {"x@contoso.it"}, "role": {"admin"}}
		w.do(http.MethodPost, "/people", form, headers...).want(http.StatusForbidden, "Another web site sent this")
		w.do(http.MethodPost, "/logout", form, headers...).want(http.StatusForbidden)
	}
	w.get("/people", "Host", "evil.example").want(http.StatusMisdirectedRequest).without(testOperator)
	w.get("/people", "Host", "mail.contoso.it:8025").to("/login?next=%2Fpeople") // the cookie is of another host
	for _, path := range []string{"/assets/../server.go", "/assets/%2e%2e%2fserver.go", "/assets/", "/assets/style.css", "/nope",
		"/people/x/y/z"} {
		if a := w.get(path); a.status == 200 || strings.Contains(a.body, "package web") {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	// The page takes no other credential than the cookie.
	w.newBrowser()
	w.get("/people", "Authorization", "Bearer x").to("/login?next=%2Fpeople")
}

// Behind a proxy with TLS cookies are for TLS alone.
func TestCookiesByTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *api.Options, p *Options) {
		o.PublicURL, p.PublicURL, o.PublicHost = "https://mail.contoso.it", "https://mail.contoso.it", "mail.contoso.it"
	})
	form := map[string][]string{"email": {testAdmin}, "password": {testPassword}}
	a := w.do(http.MethodPost, "/login", form, "Host", "mail.contoso.it").to("/")
	if c := a.header.Get("Set-Cookie"); !strings.HasPrefix(c, "__Host-") || !strings.Contains(c, "Secure") {
		t.Error(c)
	}
}

func TestAssetsAreServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.get(w.pages.assets.path("style.css"), "Accept-Encoding", "gzip, br").want(200)
	if a.header.Get("Content-Encoding") != "br" || !strings.Contains(a.header.Get("Cache-Control"), "immutable") {
		t.Error(a.header)
	}
	if a := w.get(w.pages.assets.path("page.js"), "Accept-Encoding", "identity"); !strings.Contains(a.body, "postino") {
		t.Error(a.header)
	}
}

// A token that someone else put into the browser is not the one of the person who signs in then: neither
// one that was made up nor that of the other's own session.
func TestSessionIsNotFixed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u, err := url.Parse(w.http.URL)
	w.must(err)
	token := func() string {
		for _, c := range w.browser.Jar.Cookies(u) {
			if c.Name == "postino_session" {
				return c.Value
			}
		}
		return ""
	}
	plant := func(value string) {
		w.newBrowser()
		w.browser.Jar.SetCookies(u, []*http.Cookie{{Name: "postino_session", Value: value, Path: "/"}})
	}
	w.signIn(w.operator)
	for name, planted := range map[string]string{"made up": strings.Repeat("a", 43), "of the other": token()} {
		plant(planted)
		w.post("/login", "email", testAdmin, "password", testPassword).to("/")
		if now := token(); now == "" || now == planted {
			t.Errorf("%s: the token is the same after the sign-in", name)
		}
		w.get("/people").want(http.StatusOK, testOperator)
		plant(planted)
		if a := w.get("/people"); a.status == http.StatusOK {
			t.Errorf("%s: the planted token opens what only an administrator sees", name)
		}
	}
}
