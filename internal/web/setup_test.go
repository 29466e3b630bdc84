package web

import (
	"context"
	"testing"

	"github.com/postino-mail/postino/internal/store"
)

// The first person becomes the administrator by the link that serve prints, once.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	empty := newEmptyWorld(t)
	link, err := empty.people.Setup(ctx)
	empty.must(err)
	at := link.URL("")
	empty.get(at, "Accept-Language", "it").want(200, "Primo avvio", "Indirizzo email", "Crea")
	empty.post(at, "email", "anna@contoso.it", "language", "it", "password", "corta", "again", "corta").want(422, "12", "anna@contoso.it").
		without("corta")
	empty.post(at, "email", "anna@contoso.it", "language", "it", "password", testPassword, "again", "altro").
		want(422, "Non è la stessa password.")
	empty.post(at, "email", "anna@contoso.it", "name", "Anna", "language", "it", "password", testPassword, "again", testPassword).
		to("/connections/new")
	empty.get("/people").want(200, "Persone", "anna@contoso.it", "Amministratore")
	empty.newBrowser()
	empty.get(at).want(410, "has ended", "start the server again")
	empty.post(at, "email", "eva@contoso.it", "password", testPassword, "again", testPassword).want(410)

	// An invited person keeps the address that they were invited with.
	carla, err := w.people.Add(ctx, store.Person{Email: "carla@contoso.it", Role: store.RoleOperator, Language: "it"}, "")
	w.must(err)
	invitation, err := w.people.Invite(ctx, carla.ID)
	w.must(err)
	at = invitation.URL("")
	w.get(at, "Accept-Language", "en").want(200, "Benvenuto", "carla@contoso.it")
	w.post(at, "email", "eva@contoso.it", "name", "Carla", "language", "it", "password", testPassword, "again", testPassword).to("/")
	w.get("/people").want(403)
	if p, err := w.store.Person(ctx, carla.ID); err != nil || p.Email != "carla@contoso.it" || p.Name != "Carla" || p.PasswordHash == "" {
		t.Errorf("%+v, %v", p, err)
	}
	page, err := w.store.AuditEntries(ctx, store.AuditRequest{Limit: 10, AuditFilter: store.AuditFilter{Person: carla.ID}})
	w.must(err)
	for _, e := range page.Entries {
		if e.Actor.Via != store.ViaPage {
			t.Errorf("%s %s via %s", e.Action, e.Kind, e.Actor.Via)
		}
	}
}
