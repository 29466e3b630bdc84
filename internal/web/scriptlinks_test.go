package web

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/store"
)

// A link shows the scripts to who has no account, without a secret, until it is revoked or
// who made it is disabled; it opens nothing else.
func TestScriptLinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	linked := regexp.MustCompile(`/scripts/(pl_[^"]+)"`)
	settings := []string{"provider", "graph", "graph.tenant", "contoso.it", "name", evil, "from", "erp@contoso.it",
		"graph.client_secret", "geheim"}
	w.post("/connections/new/link", settings...).to("/login")
	w.signIn(w.admin)
	w.get("/connections/new?provider=graph&graph.tenant=contoso.it&name=ERP").want(200, "Make a link for the administrator")
	w.get("/connections/links").want(200, "You have no link that is good")
	w.post("/connections/new/link", settings[:2]...).want(422)
	mine := w.connection("Ufficio", "*@contoso.it", "")
	w.post("/connections/" + mine.ID + "/link").want(422) // SMTP with a password has no script
	made := func() string {
		a := w.post("/connections/new/link", settings...).want(200, "shown this once").without("geheim", "<script>alert")
		found := linked.FindStringSubmatch(a.body)
		if found == nil {
			t.Fatal(a.text())
		}
		return found[1]
	}
	first, second := made(), made()
	w.get("/connections/links").want(200, "2 links").without(first, second, "<script>alert")
	w.get("/audit").want(200, "script_links").without(first, "geheim")

	w.newBrowser()
	a := w.get("/scripts/"+first).want(200, "Script for Microsoft Entra", "$tenant = 'contoso.it'", "The link is good until").
		without("geheim", "<script>alert", "/logout", `aria-label="Main"`)
	if a.header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%v", a.header)
	}
	w.get("/scripts/"+first, "Accept-Language", "it").want(200, "Hai ricevuto questo link", "postino: l'applicazione")
	w.get("/setup/" + first).want(410)
	w.get("/scripts/"+first+"x").want(410, "Ask who sent it to you")
	for _, at := range []string{"/mail", "/connections/links"} {
		if a := w.get(at); a.status != 303 {
			t.Errorf("%s: %d", at, a.status)
		}
	}

	all, err := w.people.ScriptLinks(context.Background(), w.admin.ID)
	w.must(err)
	w.signIn(w.operator)
	w.post("/connections/links/revoke", "link", all[0].ID).to("/connections/links")
	w.get("/scripts/" + first).want(200)
	w.post("/connections/" + mine.ID + "/link").want(404) // another's
	w.newBrowser()
	w.signIn(w.admin)
	w.post("/connections/links/revoke", "link", all[0].ID).to("/connections/links")
	w.get("/scripts/" + first).want(410)
	for range maxLinks - 1 {
		made()
	}
	w.post("/connections/new/link", settings...).want(422, "revoke one first")
	w.get("/scripts/" + second).want(200)
	w.person("carla@contoso.it", store.RoleAdmin)
	_, err = w.people.Change(context.Background(), w.admin.ID, func(p *store.Person) error { p.Disabled = true; return nil })
	w.must(err)
	if a := w.get("/scripts/" + second).want(410); strings.Contains(a.body, "contoso.it") {
		t.Error(a.text())
	}
}

// maxLinks is how many a person may have.
const maxLinks = 20
