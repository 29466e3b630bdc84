package api

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/people"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/vault"
	"github.com/postino-mail/postino/internal/view"
)

const goodPassword = "quattro parole a caso"

// person adds a person with goodPassword.
func (w *world) person(email string, role store.Role) *store.Person {
	w.t.Helper()
	p, err := w.server.opt.People.Add(context.Background(), store.Person{Email: email, Role: role}, goodPassword)
	w.must(err)
	return p
}

// signIn returns the cookie of a session.
func (w *world) signIn(email string) string {
	w.t.Helper()
	in, err := w.server.opt.People.SignIn(context.Background(), email, goodPassword, people.From{Address: "192.0.2.1", Program: "Firefox"})
	w.must(err)
	return cookieName + "=" + in.Token.Reveal()
}

// operator adds an operator and returns the cookie of a session and an API key of
// theirs.
func (w *world) operator(email string) (cookie, key string) {
	w.t.Helper()
	key = w.personsKey(w.person(email, store.RoleOperator))
	return w.signIn(email), key
}

// personsKey adds a key of a person.
func (w *world) personsKey(p *store.Person) string {
	w.t.Helper()
	k := vault.NewKey("pk_")
	_, err := w.store.PutAPIKey(context.Background(), store.APIKey{Person: p.ID, Name: "laptop", Hash: vault.HashKey(k),
		CreatedAt: time.Now()})
	w.must(err)
	return k.Reveal()
}

func smtpTo(name, from, owner string) *gateway.Connection {
	return &gateway.Connection{Policy: gateway.Policy{Owner: owner}, Connection: adapters.Connection{Name: name, Provider: adapters.SMTP,
		From: from, Settings: &fallback.Settings{Host: "smtp.example.com", Login: "l", Password: "segreto"}}}
}

func (w *world) connection(name, from, owner string) *gateway.Connection {
	w.t.Helper()
	c, err := w.store.PutConnection(context.Background(), time.Now(), smtpTo(name, from, owner))
	w.must(err)
	w.server.connections.Invalidate()
	return c
}

// othersConnection is one of no operator.
func (w *world) othersConnection() string {
	w.t.Helper()
	c, err := w.store.ConnectionNamed(context.Background(), "Ufficio")
	w.must(err)
	return c.ID
}

// as sends a request with the cookie of a session.
func (w *world) as(cookie, method, path string, body any, headers ...string) answer {
	w.t.Helper()
	return w.do("", method, path, body, append([]string{"Cookie", cookie}, headers...)...)
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.person("anna@contoso.it", store.RoleAdmin)
	in := map[string]any{"email": "Anna@contoso.it", "password": goodPassword}
	a := w.want(w.do("", "POST", "/v1/sign-in", in), http.StatusOK)
	set := a.header.Get("Set-Cookie")
	for _, must := range []string{cookieName + "=ps_", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=604800"} {
		if !strings.Contains(set, must) {
			t.Errorf("the cookie has no %s: %s", must, set)
		}
	}
	if strings.Contains(set, "Secure") {
		t.Errorf("without TLS a browser would not send it back: %s", set)
	}
	cookie, _, _ := strings.Cut(set, ";")
	var me view.Person
	w.want(w.as(cookie, "GET", "/v1/me", nil), http.StatusOK).into(t, &me)
	if me.Email != "anna@contoso.it" || !me.HasPassword {
		t.Errorf("me: %+v", me)
	}
	w.want(w.as(cookie, "GET", "/v1/people", nil), http.StatusOK)
	w.want(w.do(w.admin, "GET", "/v1/me", nil), http.StatusForbidden) // a program is no person

	// Another site has a browser change nothing, and signs no one in.
	for _, h := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}} {
		w.want(w.as(cookie, "POST", "/v1/people", map[string]any{"email": "e@x.it", "role": "admin"}, h...), http.StatusForbidden)
		w.want(w.do("", "POST", "/v1/sign-in", in, h...), http.StatusForbidden)
	}
	// Wrong ones, known and unknown, look the same.
	for _, email := range []string{"anna@contoso.it", "nobody@contoso.it"} {
		a := w.want(w.do("", "POST", "/v1/sign-in", map[string]any{"email": email, "password": "wrong password"}), http.StatusUnauthorized)
		if a.header.Get("Set-Cookie") != "" || a.header.Get("WWW-Authenticate") != "" {
			t.Errorf("%s: %v", email, a.header)
		}
	}
	// Another password ends the session and begins one.
	change := map[string]any{"present": goodPassword, "new": "cinque parole a caso qui"}
	wrong := map[string]any{"present": "wrong", "new": "cinque parole a caso qui"}
	w.want(w.as(cookie, "PUT", "/v1/me/password", wrong), http.StatusUnauthorized)
	a = w.want(w.as(cookie, "PUT", "/v1/me/password", change), http.StatusOK)
	w.want(w.as(cookie, "GET", "/v1/me", nil), http.StatusUnauthorized)
	cookie, _, _ = strings.Cut(a.header.Get("Set-Cookie"), ";")
	var list SessionList
	w.want(w.as(cookie, "GET", "/v1/me/sessions", nil), http.StatusOK).into(t, &list)
	if len(list.Items) != 1 || !list.Items[0].Current {
		t.Errorf("sessions: %+v", list.Items)
	}
	w.want(w.as(cookie, "POST", "/v1/sign-out", nil), http.StatusNoContent)
	w.want(w.as(cookie, "GET", "/v1/me", nil), http.StatusUnauthorized)
}

// Over TLS, told by a proxy that is trusted, the cookie is for TLS alone.
func TestCookieBehindTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.PublicURL = "https://mail.example.com" })
	w.person("anna@contoso.it", store.RoleAdmin)
	a := w.want(w.do("", "POST", "/v1/sign-in", map[string]any{"email": "anna@contoso.it", "password": goodPassword},
		"Origin", "https://mail.example.com"), http.StatusOK)
	set := a.header.Get("Set-Cookie")
	if !strings.HasPrefix(set, "__Host-postino_session=ps_") || !strings.Contains(set, "Secure") {
		t.Errorf("cookie: %s", set)
	}
	cookie, _, _ := strings.Cut(set, ";")
	w.want(w.as(cookie, "GET", "/v1/me", nil), http.StatusOK)
	w.want(w.as(strings.TrimPrefix(cookie, "__Host-"), "GET", "/v1/me", nil), http.StatusUnauthorized)
}

// A key of a person has at most their rights, and ends with them.
func TestKeyOfAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.person("anna@contoso.it", store.RoleAdmin)
	bruno := w.person("bruno@contoso.it", store.RoleAdmin)
	var made view.Key
	body := map[string]any{"name": "laptop", "person": "bruno@contoso.it"}
	w.want(w.do(w.admin, "POST", "/v1/keys", body), http.StatusCreated).into(t, &made)
	var narrow view.Key
	w.want(w.do(w.admin, "POST", "/v1/keys", map[string]any{"name": "reader", "person": bruno.ID, "scopes": []string{"connections:read"}}),
		http.StatusCreated).into(t, &narrow)
	w.want(w.do(made.Key, "GET", "/v1/people", nil), http.StatusOK)
	w.want(w.do(narrow.Key, "GET", "/v1/connections", nil), http.StatusOK)
	w.want(w.do(narrow.Key, "GET", "/v1/people", nil), http.StatusForbidden)
	w.want(w.do(made.Key, "GET", "/v1/me", nil), http.StatusOK)
	w.want(w.do(made.Key, "PATCH", "/v1/me", map[string]any{"name": "x"}), http.StatusForbidden)
	w.want(w.do(made.Key, "DELETE", "/v1/me/sessions/x", nil), http.StatusForbidden)
	w.want(w.do(narrow.Key, "GET", "/v1/me", nil), http.StatusForbidden)
	w.want(w.do(narrow.Key, "POST", "/v1/sign-out", nil), http.StatusForbidden)
	for _, of := range []string{"person", "client"} {
		given := map[string]any{"name": "none", of: map[string]string{"person": bruno.ID, "client": "erp"}[of], "scopes": []string{}}
		w.want(w.do(w.admin, "POST", "/v1/keys", given), http.StatusUnprocessableEntity)
	}
	w.want(w.do(made.Key, "PUT", "/v1/me/password", map[string]any{"present": goodPassword, "new": "cinque parole a caso"}),
		http.StatusForbidden)
	w.want(w.do(w.admin, "PATCH", "/v1/people/bruno@contoso.it", map[string]any{"role": "operator"}), http.StatusOK)
	w.want(w.do(made.Key, "GET", "/v1/people", nil), http.StatusForbidden)
	var conns ConnectionList
	w.want(w.do(narrow.Key, "GET", "/v1/connections", nil), http.StatusOK).into(t, &conns)
	if len(conns.Items) != 0 {
		t.Errorf("an operator's key sees %d connections of others", len(conns.Items))
	}
	w.want(w.do(w.admin, "PATCH", "/v1/people/"+bruno.ID, map[string]any{"disabled": true}), http.StatusOK)
	w.want(w.do(made.Key, "GET", "/v1/me", nil), http.StatusUnauthorized)
	w.want(w.do(w.admin, "DELETE", "/v1/people/"+bruno.ID, nil), http.StatusNoContent)
	w.want(w.do(narrow.Key, "GET", "/v1/me", nil), http.StatusUnauthorized)
	w.want(w.do(w.admin, "DELETE", "/v1/people/anna@contoso.it", nil), http.StatusConflict) // the last administrator
}

// Who is disabled reads no further event of a stream that is open.
func TestStreamEndsWithItsPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.person("anna@contoso.it", store.RoleAdmin)
	p := w.person("op@contoso.it", store.RoleOperator)
	cookie := w.signIn("op@contoso.it")
	w.connection("Mia", "mia@own.example", p.ID)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.http.URL+"/v1/events/stream?after=0", nil)
	w.must(err)
	r.Header.Set("Cookie", cookie)
	res, err := http.DefaultClient.Do(r)
	w.must(err)
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	send := func(from string) {
		t.Helper()
		w.want(w.do(w.admin, "POST", "/v1/messages", map[string]any{"from": from, "to": []string{"x@example.org"}, "subject": "s", "text": "t"}),
			http.StatusAccepted)
	}
	send("a@contoso.it") // another's
	send("mia@own.example")
	seen := ""
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "data:") {
	}
	if seen = lines.Text(); !strings.Contains(seen, "mia@own.example") && !strings.Contains(seen, "Mia") {
		t.Errorf("the first event is %s", seen)
	}
	w.want(w.do(w.admin, "PATCH", "/v1/people/"+p.ID, map[string]any{"disabled": true}), http.StatusOK)
	send("mia@own.example")
	for lines.Scan() { // it ends by itself
		if strings.HasPrefix(lines.Text(), "data:") {
			t.Errorf("an event after the end: %s", lines.Text())
		}
	}
}
