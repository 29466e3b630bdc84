package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/store"
)

// A connection comes without a credential and gets a certificate; its script is
// there before the application is.
func TestConnectionWithCertificate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	doc := map[string]any{"name": "ERP", "provider": "graph", "from": "nuovo@own.example", "graph": map[string]any{"tenant": "contoso.it"}}
	admin := w.signIn(w.person("a@own.example", store.RoleAdmin).Email)
	a := w.want(w.as(admin, "POST", "/v1/connections/script?for=entra", doc), http.StatusOK)
	if !strings.Contains(string(a.body), "New-MgApplication") {
		t.Errorf("%s", a.body)
	}
	op := w.signIn(w.person("op@own.example", store.RoleOperator).Email)
	w.want(w.as(op, "POST", "/v1/connections/certificate", doc), http.StatusUnprocessableEntity) // no client id
	graph := doc["graph"].(map[string]any)
	graph["client_id"] = "11111111-2222-3333-4444-555555555555"
	graph["client_secret"] = "geheim"
	a = w.want(w.as(op, "POST", "/v1/connections/certificate", doc), http.StatusUnprocessableEntity)
	if !strings.Contains(string(a.body), "has a credential already") || strings.Contains(string(a.body), "geheim") {
		t.Errorf("%s", a.body)
	}
	delete(graph, "client_secret")
	graph["authority_url"] = "https://login.evil.example"
	w.want(w.as(op, "POST", "/v1/connections/certificate", doc), http.StatusForbidden)
	delete(graph, "authority_url")
	a = w.want(w.as(op, "POST", "/v1/connections/certificate", doc), http.StatusCreated)
	if s := string(a.body); !strings.Contains(s, `"active":false`) || strings.Contains(s, "PRIVATE KEY") {
		t.Error(s)
	}
}
