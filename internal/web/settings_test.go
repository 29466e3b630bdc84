package web

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/people"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(_ *api.Options, o *Options) {
		o.Facts = []Fact{{Name: text("web.fact_hostname", "Name of this server"), Value: Value("mail.contoso.it")}}
	})
	w.signIn(w.admin)
	w.get("/settings").want(200, "Settings", testAdmin, "mail.contoso.it", "1.2.3", "This one")
	w.post("/settings", "name", "Anna Rossi", "language", "it", "theme", "dark").to("/settings")
	a := w.get("/settings").want(200, "Impostazioni", "Salvato.", "Anna Rossi")
	if !strings.Contains(a.body, `data-theme="dark"`) || !strings.Contains(a.body, `lang="it"`) {
		t.Error("the choice is not kept")
	}
	w.get("/settings?lang=en").want(200, "Settings")
	w.post("/settings", "name", "Anna Rossi", "language", "en", "theme", "").to("/settings")
	if strings.Contains(w.get("/settings").body, "data-theme") {
		t.Error("the theme is still chosen")
	}

	w.post("/settings/password", "present", testPassword, "new", "cinque parole a caso", "again", "altro").want(422, "not the same password")
	w.post("/settings/password", "present", "wrong", "new", "cinque parole a caso", "again", "cinque parole a caso").want(422).
		without("cinque parole")
	w.post("/settings/password", "present", testPassword, "new", "cinque parole a caso", "again", "cinque parole a caso").to("/settings")
	w.get("/settings").want(200, "The password was changed.")

	// Another session of mine ends; that of another person is none of mine.
	other, err := w.people.Begin(context.Background(), w.fresh(w.admin.ID), people.From{Program: "Telefono"})
	w.must(err)
	end := regexp.MustCompile(`/settings/sessions/[^"]+/end`).FindString(w.get("/settings").want(200, "Telefono").body)
	if !strings.Contains(end, other.Session.ID) {
		t.Fatal(end)
	}
	w.post(end).to("/settings")
	w.get("/settings").want(200, "The session was ended.").without("Telefono")
	theirs, err := w.people.Begin(context.Background(), w.operator, people.From{})
	w.must(err)
	w.post("/settings/sessions/" + theirs.Session.ID + "/end").want(404)

	w.post("/settings/passkeys", "passkey_name", "x", "credential", `{"id":"<script>"}`).without("<script>{")
	w.post("/login/passkey", "credential", "nonsense").want(409, "Sign in", "public_url")
	w.signIn(w.operator)
	w.get("/settings").want(200, testOperator).without("mail.contoso.it")

	// Sign out everywhere: no session of mine stays, and those of others do.
	w.signIn(w.fresh(w.admin.ID))
	w.post("/settings/sessions/end").to("/login")
	w.get("/settings").to("/login?next=%2Fsettings")
	for id, want := range map[string]int{w.admin.ID: 0, w.operator.ID: 2} {
		if list, err := w.store.Sessions(context.Background(), id); err != nil || len(list) != want {
			t.Errorf("%d sessions, want %d: %v", len(list), want, err)
		}
	}
}
