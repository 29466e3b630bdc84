package web

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// A looked screen is looked at in both languages and themes, on a desktop and on a
// phone (looks), by axe-core, and as a picture.
type looked struct {
	name  string // of the pictures
	path  string
	who   string       // admin, operator or no one
	press string       // CSS selector of a button that is pressed there; empty: none
	waits string       // CSS selector of what then appears without another page
	fill  func(*world) // a new server for this screen and those after it
}

// screenList are the screens. Each engineer of a screen enters it here.
func screenList() []looked {
	return []looked{
		{name: "login", path: "/login"},
		{name: "setup", path: "/setup/{token}"},
		{name: "setup-ended", path: "/setup/nope"},
		{name: "overview-empty", path: "/", who: "admin"},
		{name: "connections-empty", path: "/connections", who: "operator"},
		{name: "overview", path: "/", who: "admin", fill: fillOverview},
		{name: "connections", path: "/connections?sender=acquisti@contoso.it", who: "admin"},
		{name: "connections-none", path: "/connections?q=nessuna", who: "admin"},
		{name: "connection", path: "/connections/{connection}", who: "admin"},
		{name: "connection-test", path: "/connections/{connection}", who: "admin", press: "form[action$='/test'] button",
			waits: "#stages li.failed"},
		{name: "connection-delete", path: "/connections/{connection}/delete", who: "admin"},
		{name: "connection-disable", path: "/connections/{connection}/disable", who: "admin"},
		{name: "connection-duplicate", path: "/connections/{connection}/duplicate", who: "admin"},
		{name: "connection-send", path: "/connections/{connection}/send", who: "admin"},
		{name: "connection-addresses", path: "/connections/addresses", who: "admin"},
		{name: "connection-new", path: "/connections/new", who: "admin"},
		{name: "connection-found", path: "/connections/new?address=erp@contoso.it", who: "admin"},
		{name: "connection-smtp", path: "/connections/new?provider=smtp", who: "admin"},
		{name: "connection-graph", path: "/connections/new?provider=graph&graph.tenant=contoso.it&name=ERP&from=erp@contoso.it", who: "admin"},
		{name: "script-link", path: "/connections/new?provider=graph&graph.tenant=contoso.it&name=ERP&from=erp@contoso.it", who: "admin",
			press: "button[formaction='/connections/new/link']"},
		{name: "connection-gmail", path: "/connections/new?provider=gmail", who: "admin"},
		{name: "audit", path: "/audit", who: "admin"},
		{name: "audit-none", path: "/audit?person=no@example.com", who: "admin"},
		{name: "settings", path: "/settings", who: "admin"},
		{name: "help", path: "/help", who: "operator"},
		{name: "guide", path: "/help/people", who: "operator"},
		{name: "reference", path: "/help/reference", who: "operator"},
		{name: "operation", path: "/help/reference/send-message", who: "operator"},
		{name: "people", path: "/people", who: "admin"},
		{name: "people-new", path: "/people/new", who: "admin"},
		{name: "person", path: "/people/{operator}", who: "admin"},
		{name: "person-link", path: "/people/{operator}", who: "admin", press: "form[action$='/invite'] button"},
		{name: "person-remove", path: "/people/{operator}/remove", who: "admin"},
		{name: "mail-empty", path: "/mail", who: "admin"},
		{name: "held-empty", path: "/held", who: "admin"},
		{name: "clients-empty", path: "/clients", who: "admin"},
		{name: "webhooks-empty", path: "/webhooks", who: "admin"},
		{name: "mail", path: "/mail", who: "admin", fill: fillMail},
		{name: "mail-found", path: "/mail?q=offerta", who: "admin"},
		{name: "mail-none", path: "/mail?q=niente", who: "admin"},
		{name: "overview-mail", path: "/", who: "admin"},
		{name: "mail-refused", path: "/mail?q=form:x", who: "admin"},
		{name: "mail-bulk", path: "/mail/bulk?action=cancel&q=offerta", who: "admin"},
		{name: "message", path: "/mail/{message}", who: "admin"},
		{name: "message-unknown", path: "/mail/{unknown}", who: "admin"},
		{name: "message-cancel", path: "/mail/{message}/confirm/cancel", who: "admin"},
		{name: "resend", path: "/mail/{message}/resend", who: "admin"},
		{name: "held", path: "/held", who: "admin"},
		{name: "clients", path: "/clients", who: "admin"},
		{name: "client", path: "/clients/{client}", who: "admin"},
		{name: "client-secret", path: "/clients/{client}/rotate", who: "admin", press: "form.card .danger"},
		{name: "client-new", path: "/clients/new", who: "admin"},
		{name: "webhooks", path: "/webhooks", who: "admin"},
		{name: "webhook", path: "/webhooks/{webhook}", who: "admin"},
		{name: "webhook-secret", path: "/webhooks/{webhook}/rotate", who: "admin", press: "form.card .danger"},
		{name: "not-found", path: "/nope", who: "admin"},
		{name: "forbidden", path: "/people", who: "operator"},
		{name: "provider-login", path: "/login?next=/mail", fill: fillProvider},
		{name: "provider-refused", path: "/login/oidc/callback?error=access_denied"},
		{name: "provider-settings", path: "/settings", who: "operator"},
		{name: "provider-settings-refused", path: "/login/oidc/callback?error=access_denied", who: "operator"},
		{name: "provider-settings-linked", path: "/settings", who: "admin"},
		{name: "provider-person", path: "/people/{admin}", who: "admin"},
	}
}

// fillProvider has an identity provider, at which the administrator has an account.
func fillProvider(w *world) {
	w.pages.opt.Provider = Provider{Name: "Contoso SSO", Issuer: "https://sso.contoso.it/realms/contoso"}
	w.admin.Account = store.Account{Issuer: w.pages.opt.Provider.Issuer, Subject: "8f3c2f0e-1d5b-4a52-9f2e-6c7d1f0a9b3e"}
	_, err := w.store.PutPerson(context.Background(), *w.admin)
	w.must(err)
}

// fillOverview has a connection that works, one with a very long name, and one with
// a refused secret.
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

func lookFlow(t *testing.T, c *chrome) {
	quick := func(_ *api.Options, o *Options) { o.UndoTime = time.Millisecond }
	w := newWorld(t, quick, detects)
	for n, s := range screenList() {
		if s.fill != nil {
			w = newWorld(t, quick, detects)
			s.fill(w)
		}
		if strings.Contains(s.path, "{token}") {
			w.made["token"] = w.invitation()
		}
		names := []string{"{operator}", w.operator.ID, "{admin}", w.admin.ID}
		for name, value := range w.made {
			names = append(names, "{"+name+"}", value)
		}
		s.path = strings.NewReplacer(names...).Replace(s.path)
		w := w
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			c.tabOf(t, w, map[string]*store.Person{"admin": w.admin, "operator": w.operator}[s.who]).lookAt(s, n%2 == 0)
		})
	}
}

// lookAt looks at a screen in every way; axe-core, which takes longer than all else,
// reads it in both languages and both themes, on a desktop or on a phone.
func (b *tab) lookAt(s looked, desktop bool) {
	open := func() {
		b.open(s.path)
		if s.waits != "" {
			b.tapOn(s.press)
			b.until(s.waits+" appears", func() bool { return eval[bool](b, `!!document.querySelector(`+quoted(s.waits)+`)`) })
		} else if s.press != "" {
			b.pressOn(s.press)
		}
	}
	for i, l := range looks {
		name := fmt.Sprintf("%s-%s-%s-%s", s.name, l.lang, l.theme, l.size)
		b.look(l.lang, l.theme, l.width, l.height)
		if i == 0 || l.lang != looks[i-1].lang { // a language is the server's, the rest is not
			open()
		}
		if (l.size == "desktop") == desktop {
			b.check(name)
		}
		b.fits(name)
		b.shot(name)
	}
	b.look("en", "light", 640, 400) // a desktop at 200 % (WCAG 2.2 criterion 1.4.4)
	b.fits(s.name + " at 200 %")
	b.look("en", "light", 320, 640) // criterion 1.4.10
	b.fits(s.name + " at 320 px")
}

// The first screen is small.
func weightFlow(t *testing.T, c *chrome) {
	w := newWorld(t)
	b := c.tabOf(t, w, w.admin)
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
