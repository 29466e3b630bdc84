package web

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// A looked screen is looked at in both languages and themes, on a desktop and on a
// phone (looks), by axe-core, and as a picture.
type looked struct {
	name string // of the pictures
	path string
	who  string       // admin, operator or no one
	fill func(*world) // a new server for this screen and those after it
}

// screenList are the screens. Each engineer of a screen enters it here.
func screenList() []looked {
	return []looked{
		{name: "login", path: "/login"},
		{name: "setup", path: "/setup/{token}"},
		{name: "overview-empty", path: "/", who: "admin"},
		{name: "overview", path: "/", who: "admin", fill: fillOverview},
		{name: "connections", path: "/connections", who: "admin"},
		{name: "connection", path: "/connections/{connection}", who: "admin"},
		{name: "connection-new", path: "/connections/new", who: "admin"},
		{name: "connection-smtp", path: "/connections/new?provider=smtp", who: "admin"},
		{name: "audit", path: "/audit", who: "admin"},
		{name: "settings", path: "/settings", who: "admin"},
		{name: "help", path: "/help", who: "operator"},
		{name: "guide", path: "/help/people", who: "operator"},
		{name: "people", path: "/people", who: "admin"},
		{name: "people-new", path: "/people/new", who: "admin"},
		{name: "person", path: "/people/{operator}", who: "admin"},
		{name: "person-remove", path: "/people/{operator}/remove", who: "admin"},
		{name: "mail-empty", path: "/mail", who: "admin"},
		{name: "mail", path: "/mail", who: "admin", fill: fillMail},
		{name: "overview-mail", path: "/", who: "admin"},
		{name: "mail-refused", path: "/mail?q=form:x", who: "admin"},
		{name: "mail-bulk", path: "/mail/bulk?action=cancel&q=offerta", who: "admin"},
		{name: "message", path: "/mail/{message}", who: "admin"},
		{name: "resend", path: "/mail/{message}/resend", who: "admin"},
		{name: "held", path: "/held", who: "admin"},
		{name: "clients", path: "/clients", who: "admin"},
		{name: "client", path: "/clients/{client}", who: "admin"},
		{name: "client-new", path: "/clients/new", who: "admin"},
		{name: "webhooks", path: "/webhooks", who: "admin"},
		{name: "webhook", path: "/webhooks/{webhook}", who: "admin"},
		{name: "not-found", path: "/nope", who: "admin"},
		{name: "forbidden", path: "/people", who: "operator"},
	}
}

// fillOverview has a connection that works, one with a very long name, and one whose
// secret was refused.
func fillOverview(w *world) {
	ctx := context.Background()
	w.connection("Ufficio", "*@contoso.it", "")
	w.connection("Casella condivisa del reparto acquisti e forniture della sede di Reggio nell'Emilia", "acquisti@contoso.it", "")
	refused := w.connection("Magazzino", "magazzino@contoso.it", "")
	w.made = map[string]string{"connection": refused.ID}
	w.must(w.store.ChangeConnection(ctx, time.Now(), refused.ID, store.ConnectionChange{PauseUntil: new(store.Never()),
		Error: &adapters.Error{Class: adapters.Auth, Code: "535 5.7.139", Message: mime.Text{English: "the server refused the login"},
			Hint: mime.Text{English: "check login and password, then test the connection"}}}))
}

// looks are four of the eight ways a screen can look: each pair of language, theme
// and size is among them.
var looks = [...]struct {
	lang, theme, size string
	width, height     int64
}{
	{"it", "light", "desktop", 1280, 800},
	{"it", "dark", "phone", 390, 844},
	{"en", "light", "phone", 390, 844},
	{"en", "dark", "desktop", 1280, 800},
}

func TestLook(t *testing.T) {
	c := newChrome(t)
	w := newWorld(t)
	for _, s := range screenList() {
		if s.fill != nil {
			w = newWorld(t)
			s.fill(w)
		}
		t.Run(s.name, func(t *testing.T) {
			b := c.tab(t, w, map[string]*store.Person{"admin": w.admin, "operator": w.operator}[s.who])
			path := strings.NewReplacer("{operator}", w.operator.ID, "{admin}", w.admin.ID, "{token}", w.invitation(),
				"{message}", w.made["message"], "{client}", w.made["client"], "{connection}", w.made["connection"],
				"{webhook}", w.made["webhook"]).Replace(s.path)
			for i, l := range looks {
				name := fmt.Sprintf("%s-%s-%s-%s", s.name, l.lang, l.theme, l.size)
				b.look(l.lang, l.theme, l.width, l.height)
				b.open(path)
				if i < 2 { // axe-core takes longer than all else: each theme and each size once
					b.check(name)
				}
				b.fits(name)
				b.shot(name)
			}
			b.look("it", "light", 320, 640) // WCAG 2.2 criterion 1.4.10, also 200 % of 640
			b.open(path)
			b.fits(s.name + " at 320 px")
		})
	}
}

// The first screen is small.
func TestWeight(t *testing.T) {
	c := newChrome(t)
	w := newWorld(t)
	b := c.tab(t, w, w.admin)
	requests, kilobytes := b.weight("/")
	t.Logf("%d requests, %.1f kB: %s", len(requests), kilobytes, strings.Join(requests, " "))
	if len(requests) > 8 || kilobytes > 45 {
		t.Errorf("%d requests with %.1f kB, at most 8 with 45 kB", len(requests), kilobytes)
	}
	for _, r := range requests {
		if !strings.HasPrefix(r, w.http.URL) {
			t.Errorf("%s is of another host", r)
		}
	}
}

// People are added with and without script, and sign in and out.
func TestPeopleInBrowser(t *testing.T) {
	c := newChrome(t)
	for _, script := range []bool{true, false} {
		t.Run(fmt.Sprintf("script=%v", script), func(t *testing.T) {
			w := newWorld(t)
			b := c.tab(t, w, nil)
			b.look("it", "light", 1280, 800)
			if !script {
				b.withoutScript()
			}
			b.open("/people")
			b.fill("Indirizzo email", testAdmin)
			b.fill("Password", testPassword)
			b.press("Accedi")
			b.sees("Persone", testOperator)
			b.press("Nuova persona")
			b.fill("Indirizzo email", "carla@contoso.it")
			b.fill("Ruolo", "Amministratore")
			b.press("Crea")
			b.sees("Questo link si vede solo ora")
			b.press("Esci")
			b.sees("Sei uscito.")
		})
	}
}
