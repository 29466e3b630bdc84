package web

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/postino-mail/postino/fallback"
)

func TestConnectionList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn(w.admin)
	w.get("/connections").want(200, "Connections", "New connection", "Connect the first one")
	for i := range 60 {
		w.connection(fmt.Sprintf("Filiale %02d", i), fmt.Sprintf("f%02d@contoso.it", i), "")
	}
	evil := w.connection(`<script>alert("x")</script>`, "evil@contoso.it", w.operator.ID)
	w.get("/connections").want(200, "More than 50 connections", "Next page", `<script>alert("x")</script>`).
		without("<script>alert", "f55@contoso.it", "geheim")
	w.get("/connections?q=f55@").want(200, "One connection", "f55@contoso.it").without("f54@")
	w.get("/connections?q=f55@&lang=it").want(200, "Connessioni", "Nuova connessione", "Una connessione", "Nome connessione")
	w.get("/connections?q=unknown").want(200, "No connection fits this search.")
	w.get("/connections?after=Filiale+48").want(200, "f55@contoso.it", "First page").without("f10@contoso.it")
	w.get("/connections?sender=f07@contoso.it").want(200, "Takes it:", "Filiale 07", "Why not another one")
	w.get("/connections?sender=unknown").want(422)
	w.signIn(w.operator)
	w.get("/connections").want(200, "One connection", "evil@contoso.it").without("f55@contoso.it", "/connections/addresses")
	w.get("/connections/addresses").want(http.StatusForbidden)
	w.get("/connections/"+evil.ID).want(200, `<script>alert("x")</script>`).without("<script>alert", "geheim")
}

// Another's connections do not exist for an operator.
func TestConnectionsOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connection("Contabilità", "erp@contoso.it", "")
	w.signIn(w.operator)
	for _, path := range []string{"", "/disable", "/delete", "/duplicate", "/test", "/send"} {
		w.get("/connections/" + c.ID + path).want(http.StatusNotFound).without("erp@contoso.it")
	}
	for _, path := range []string{"", "/disable", "/enable", "/default", "/delete", "/duplicate", "/resume", "/test", "/send",
		"/certificate"} {
		w.post("/connections/"+c.ID+path, "name", "x", "to", "x@contoso.it").want(http.StatusNotFound)
		w.do(http.MethodPost, "/connections/"+c.ID+path, map[string][]string{"name": {"x"}}, "Sec-Fetch-Site", "cross-site").
			want(http.StatusForbidden)
	}
}

func TestConnectionEdit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn(w.admin)
	c := w.connection("Contabilità", "erp@contoso.it", "")
	at := "/connections/" + c.ID
	w.get(at+"?lang=it").want(200, "Nome connessione", "Email mittente", "Server", "Porta", "Crittografia", "SMTP Login",
		"SMTP Password", "Attivo", "Utilizza come mittente predefinito", "Verifica connessione", "Salva", "Duplica", "Disattiva", "Elimina",
		"Invia prova", "smtp.contoso.it").without("geheim")
	stored := func() *fallback.Settings {
		t.Helper()
		got, err := w.store.Connection(context.Background(), c.ID)
		w.must(err)
		c = got
		return fallback.SettingsOf(&got.Connection)
	}
	form := func(pairs ...string) []string {
		return append([]string{"name", "Contabilità", "from", "erp@contoso.it", "smtp.host", "smtp.contoso.it", "smtp.login", "erp",
			"active", "on", "revision", strconv.FormatInt(c.Revision, 10)}, pairs...)
	}

	w.post(at, form("default", "on", "display_name", "Ufficio", "aliases", "a@contoso.it\r\nb@contoso.it\r\n",
		"limits.per_minute", "7")...).to(at)
	if s := stored(); s.Password.Reveal() != "geheim" || c.DisplayName != "Ufficio" || len(c.Aliases) != 2 || *c.Limits.PerMinute != 7 ||
		c.Default != "unrouted" || !c.IsActive() {
		t.Errorf("%+v %+v", c, s)
	}
	w.get(at).want(200, "Saved.", "Ufficio", "b@contoso.it")

	// What is emptied is removed; a number that is none stands beside its field.
	w.post(at, form("limits.per_minute", "seven", "display_name", "Amministrazione")...).want(422, "This is no whole number",
		"Amministrazione")
	w.post(at, form()...).to(at)
	if stored(); c.DisplayName != "" || len(c.Aliases) != 0 || c.Limits.PerMinute != nil || c.IsDefault() {
		t.Errorf("%+v", c)
	}

	// A password does not follow its connection elsewhere.
	moved := form()
	moved[5] = "smtp.fabrikam.it"
	w.post(at, moved...).want(422, "give smtp.password again", "smtp.fabrikam.it")
	if s := stored(); s.Host != "smtp.contoso.it" {
		t.Error(s.Host)
	}
	w.post(at, append(moved, "smtp.password", " nuova parola ")...).to(at)
	if s := stored(); s.Host != "smtp.fabrikam.it" || s.Password.Reveal() != " nuova parola " {
		t.Errorf("%+v %q", s, s.Password.Reveal())
	}

	// Someone else has changed it meanwhile.
	old := form()
	old[len(old)-1] = "1"
	w.post(at, append(old, "display_name", "Altro", "smtp.password", "segreta")...).want(409, "Altro", "changed by someone else").
		without("segreta")
}

func TestConnectionActions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn(w.admin)
	c := w.connection("Contabilità", "erp@contoso.it", "")
	other := w.connection("Ordini", "ordini@contoso.it", "")
	at := "/connections/" + c.ID
	w.post(at + "/default").to(at)
	w.get(at).want(200, "The connection is the default now.")
	w.get(at+"/disable").want(200, "Disable Contabilità?", "It is the default", "You can switch it on again")
	w.post(at + "/disable").to(at)
	w.get(at).want(200, "Its mail waits.", "Off", "Enable")
	w.post(at + "/enable").to(at)
	w.get(at+"/duplicate").want(200, "Contabilità (copy)")
	w.post(at+"/duplicate", "name", "Ordini").want(409, "Ordini")
	a := w.post(at+"/duplicate", "name", "Contabilità 2")
	w.get(a.header.Get("Location")).want(200, "Contabilità 2", "Off", "The copy was created.")
	w.get(at+"/delete").want(200, "Delete Contabilità?", "This cannot be undone.", "Ordini")
	w.post(at+"/delete", "move_to", other.ID).to("/connections")
	w.get("/connections").want(200, "Removed.", "Ordini", "Contabilità 2")
	w.get(at).want(404)
}
