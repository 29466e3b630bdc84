package web

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/store"
)

func TestPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn(w.admin)
	w.get("/people").want(200, "People", testAdmin, testOperator, "Administrator", "2 people")
	w.get("/people", "Accept-Language", "it").want(200, "Persone", "Amministratore", "2 persone")

	// One that cannot be is shown again with what was typed.
	w.post("/people", "email", "carla", "name", "Carla", "role", "operator").want(422, "One field needs another look", "Carla", "carla")
	w.post("/people", "email", testOperator, "role", "operator").want(409, "Another person has this address.")
	a := w.post("/people", "email", "carla@contoso.it", "name", `<script>alert("x")</script>`, "role", "operator", "language", "it").
		want(200, "This link is shown this once", "/setup/").without("<script>alert")
	link := regexp.MustCompile(`/setup/[A-Za-z0-9_-]+`).FindString(a.body)
	if link == "" {
		t.Fatal("no link is shown")
	}

	carla, err := w.store.PersonByEmail(context.Background(), "carla@contoso.it")
	w.must(err)
	at := "/people/" + carla.ID
	w.get(at).want(200, "Has no password yet").without(link)
	w.post(at, "email", "carla@contoso.it", "name", "Carla Verdi", "role", "admin", "revision", "1").to(at)
	w.get(at).want(200, "Saved.", "Carla Verdi", "Administrator")
	if strings.Contains(w.get(at).body, "Saved.") {
		t.Error("the notice is shown twice")
	}
	// Someone else has changed the person meanwhile: nothing is lost, nothing overwritten.
	w.post(at, "email", "carla@contoso.it", "name", "Carla Neri", "role", "admin", "revision", "1").want(409, "Carla Neri",
		"changed by someone else")

	w.get(at+"/remove").want(200, "Delete carla@contoso.it?", "This cannot be undone.")
	w.post(at + "/remove").to("/people")
	w.get("/people").want(200, "Removed.").without("carla@")
	w.get(at).want(404, "Not found")
	w.post("/people/"+w.admin.ID+"/remove").want(409, "last active administrator")
}

// What is an administrator's is refused an operator, by the API's word.
func TestPeopleAreForAdministrators(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn(w.operator)
	for _, path := range []string{"/people", "/people/new", "/people/" + w.admin.ID, "/people/" + w.admin.ID + "/remove"} {
		w.get(path).want(http.StatusForbidden).without(testAdmin)
	}
	w.post("/people", "email", "x@contoso.it", "role", "admin").want(http.StatusForbidden)
	w.post("/people/"+w.operator.ID, "email", testOperator, "role", "admin", "revision", "1").want(http.StatusForbidden)
	p, err := w.store.Person(context.Background(), w.operator.ID)
	w.must(err)
	if p.Role != store.RoleOperator {
		t.Error("an operator has become", p.Role)
	}
	w.get("/").want(200).without(`href="/people"`)
}

// What is done on the page is in the audit trail as done there.
func TestTrailNamesThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn(w.admin)
	w.post("/people", "email", "carla@contoso.it", "role", "operator").want(200)
	page, err := w.store.AuditEntries(context.Background(), store.AuditRequest{Limit: 10, AuditFilter: store.AuditFilter{Kind: "person"}})
	w.must(err)
	if e := page.Entries[0]; e.Actor.Via != store.ViaPage || e.Actor.Person != w.admin.ID {
		t.Errorf("%+v", e.Actor)
	}
}
