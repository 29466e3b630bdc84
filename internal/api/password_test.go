package api

import (
	"net/http"
	"strings"
	"testing"
)

// A login without a password is refused by every call that would make a connection use
// it; switched off it may wait for one, and auth none needs none.
func TestLoginWithoutPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	const smtp = `"provider":"smtp","from":"a@contoso.it","smtp":{"host":"smtp.example.com","login":"a@contoso.it"`
	post := func(path, body string, status int) (p Problem) {
		t.Helper()
		r := w.do(w.admin, "POST", path, strings.NewReader(body), "Content-Type", "application/json")
		if w.want(r, status); status == http.StatusUnprocessableEntity {
			w.want(r, status).into(t, &p)
		}
		return p
	}
	if p := post("/v1/connections", `{"name":"one",`+smtp+`}}`, http.StatusUnprocessableEntity); p.Field != "smtp.password" {
		t.Errorf("%+v", p)
	}
	post("/v1/connections", `{"name":"none",`+smtp+`,"auth":"none"}}`, http.StatusCreated)
	post("/v1/connections", `{"name":"with",`+smtp+`,"password":"parola segreta"}}`, http.StatusCreated)
	var off struct{ ID string }
	w.want(w.do(w.admin, "POST", "/v1/connections", strings.NewReader(`{"name":"off","active":false,`+smtp+`}}`), "Content-Type",
		"application/json"), http.StatusCreated).into(t, &off)
	patch := func(body string, status int) {
		t.Helper()
		w.want(w.do(w.admin, "PATCH", "/v1/connections/"+off.ID, strings.NewReader(body), "Content-Type", "application/json"), status)
	}
	patch(`{"display_name":"Ufficio"}`, http.StatusOK)
	patch(`{"active":true}`, http.StatusUnprocessableEntity)
	patch(`{"active":true,"smtp":{"password":"parola segreta"}}`, http.StatusOK)
	patch(`{"smtp":{"password":null}}`, http.StatusUnprocessableEntity)
	patch(`{"smtp":{"login":null,"password":null}}`, http.StatusOK)
	doc := `{"connections":[{"name":"two",` + smtp + `}}]}`
	if p := post("/v1/connections/plan", doc, http.StatusUnprocessableEntity); !strings.Contains(p.Detail, "has no password") {
		t.Errorf("%+v", p)
	}
	post("/v1/connections/apply", doc, http.StatusUnprocessableEntity)
	post("/v1/connections/import", `{"content":"[{\"name\":\"two\",`+strings.ReplaceAll(smtp, `"`, `\"`)+`}}]"}`,
		http.StatusUnprocessableEntity)
}
