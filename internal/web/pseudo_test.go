package web

import (
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"unicode"

	"golang.org/x/net/html"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/locale"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// data are words that come from no catalogue: addresses, names of things, values of
// this test, and technical words that are the same in every language.
var data = regexp.MustCompile(`\S+@\S+|\bhttps?://\S+|\b[\w-]+(\.[\w*-]+)+(:\d+)?|/[\w/{}.-]+|\b[0-9a-z]{26}\b|` +
	`Casella condivisa del reparto .* Reggio nell'Emilia|Fatture non partite .* primo gennaio|\b[0-9a-f]{8}-[0-9a-f-]{27}\b|` +
	`\b(Ufficio|Magazzino|Offerta( in sospeso)?|Lungo|erp|ERP|negozio|Offerte|Contoso SSO|Anna Rossi|test|smtp|admin|operator)\b|` +
	`form:|from:|"x"|application/pdf|\bL…|\.pdf\b|` +
	`\b(SMTP|API|IMAP|TLS|STARTTLS|HTML|JSON|CSV|SHA-256|Message-ID|Tenant|Login|Password|Email|Bcc|Cc|URL|ID|Id|PEC|DNS|HTTP|OIDC|IP)\b|` +
	`\b(Microsoft 365|Google Workspace|Microsoft|Google|postino|Italiano|English|GCC High|DoD|21Vianet)\b|\b(B|kB|MB|GB|ms|s|UTC)\b|` +
	`\b(PLAIN|LOGIN|CRAM-MD5|SCRAM-SHA-1|SCRAM-SHA-256|XOAUTH2|OAUTHBEARER)\b|https://|^[jk]$`)

// kept are texts that this test has stored: the store has them in the languages that
// there are, and this is none.
var kept = regexp.MustCompile(`(?i)the server refused the login|check login and password, then test the connection|` +
	`postino stopped, or lost its store, while this message was being sent|the tenant <b>contoso</b> was found|` +
	`nothing now: the provider is asked whether the message went out before anything is sent again`)

// TestPseudoLanguage shows every screen, with its hints, empty states and errors, in a
// language in which each text of the catalogue is in brackets: what a reader meets
// outside of them did not come from there.
func TestPseudoLanguage(t *testing.T) {
	t.Parallel()
	w := pseudoWorld(t)
	for _, s := range screenList() {
		if s.fill != nil {
			w = pseudoWorld(t)
			s.fill(w)
		}
		switch s.name {
		case "help", "guide", "operation", "reference": // documents of their own, in their own languages
			continue
		}
		if strings.Contains(s.path, "{token}") {
			w.made["token"] = w.invitation()
		}
		names := []string{"{operator}", w.operator.ID, "{admin}", w.admin.ID}
		for name, value := range w.made {
			names = append(names, "{"+name+"}", value)
		}
		s.path = strings.NewReplacer(names...).Replace(s.path)
		w.newBrowser()
		if p := map[string]*store.Person{"admin": w.admin, "operator": w.operator}[s.who]; p != nil {
			w.signIn(p)
		}
		w.get(s.path, "Accept-Language", locale.Pseudo).inBrackets(s.name)
	}
	w.newBrowser()
	w.signIn(w.admin)
	for _, form := range [][]string{{"/connections/new"}, {"/clients"}, {"/webhooks", "url", "x"}, {"/people", "email", "x"},
		{"/connections/new", "provider", "smtp"}, {"/connections/new", "provider", "graph", "from", "x"},
		{"/connections/new", "provider", "gmail"},
		{"/settings/password", "password", "x"}, {"/mail/bulk", "action", "x"}} {
		f := url.Values{}
		for i := 1; i+1 < len(form); i += 2 {
			f.Set(form[i], form[i+1])
		}
		w.do(http.MethodPost, form[0], f, "Accept-Language", locale.Pseudo).inBrackets("POST " + strings.Join(form, " "))
	}
}

func pseudoWorld(t *testing.T) *world {
	w := newWorld(t, detects, func(_ *api.Options, o *Options) { o.UndoTime = 1 })
	w.pages.screens.languages[locale.Pseudo] = sync.OnceValues(func() (map[string]*template.Template, error) {
		return parse(templates, functions(w.pages.assets, func(t mime.Text) string { return t.In(locale.Pseudo) }))
	})
	return w
}

// inBrackets checks that all that a reader sees or hears comes from the catalogue.
func (a shown) inBrackets(name string) {
	a.t.Helper()
	if a.body == "" {
		return
	}
	doc, err := html.Parse(strings.NewReader(a.body))
	if err != nil {
		a.t.Fatal(err)
	}
	check := func(where, s string) {
		rest, err := locale.Outside(s)
		if err != nil {
			a.t.Errorf("%s: %s: %v", name, where, err)
			return
		}
		if rest = data.ReplaceAllString(kept.ReplaceAllString(rest, ""), ""); strings.ContainsFunc(rest, unicode.IsLetter) {
			a.t.Errorf("%s: %s: %q", name, where, strings.Join(strings.Fields(s), " "))
		}
	}
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		switch n.Data {
		case "script", "style", "code", "pre", "textarea":
			return
		}
		if n.Type == html.TextNode {
			check("in <"+n.Parent.Data+">", n.Data)
		}
		for _, at := range n.Attr {
			switch at.Key {
			case "aria-label", "title", "alt", "placeholder", "data-label", "data-copied":
				check(at.Key+" of <"+n.Data+">", at.Val)
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(doc)
}
