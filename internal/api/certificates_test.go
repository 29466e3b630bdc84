package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/view"
)

// A certificate takes over by API once a token has proven it, and its key is in
// no answer.
func TestCertificates(t *testing.T) {
	t.Parallel()
	uploaded := false
	w := newWorld(t, func(o *Options) {
		o.ProveToken = func(context.Context, *adapters.Connection) error {
			if !uploaded {
				return &adapters.Error{Class: adapters.Auth, ProviderCode: "AADSTS700027", Err: errors.New("no")}
			}
			return nil
		}
	})
	key := w.addKey("", ScopeConnectionsWrite)
	w.want(w.do(key, "POST", "/v1/connections", map[string]any{"name": "Rotazione", "provider": "graph", "from": "erp@contoso.it",
		"graph": map[string]any{"tenant": "contoso.it", "client_id": "11111111-2222-4333-8444-555555555555", "client_secret": "segreto-1"}}),
		http.StatusCreated)
	const path = "/v1/connections/Rotazione/certificate"
	var all strings.Builder
	ask := func(method, url string, body any, status int) answer {
		a := w.want(w.do(key, method, url, body), status)
		all.Write(a.body)
		return a
	}
	ask("POST", path+"/activate", map[string]any{}, http.StatusUnprocessableEntity)
	ask("POST", path, map[string]any{"days": 5000}, http.StatusUnprocessableEntity)
	var made view.Certificate
	ask("POST", path, map[string]any{"days": 30}, http.StatusCreated).into(t, &made)
	if made.State != "waiting" || len(made.Thumbprint) != 40 || !strings.HasPrefix(made.PEM, "-----BEGIN CERTIFICATE-----") {
		t.Errorf("%+v", made)
	}
	ask("POST", path+"/activate", map[string]any{}, http.StatusUnprocessableEntity)
	var list CertificateList
	ask("GET", path, nil, http.StatusOK).into(t, &list)
	if len(list.Items) != 1 || list.Items[0] != made {
		t.Errorf("%+v", list)
	}
	var script Script
	ask("GET", "/v1/connections/Rotazione/script?for=entra", nil, http.StatusOK).into(t, &script)
	if !strings.Contains(script.Script, "$tenant = 'contoso.it'") {
		t.Error(script.Script)
	}
	ask("GET", "/v1/connections/Rotazione/script?for=google", nil, http.StatusUnprocessableEntity)
	uploaded = true
	ask("POST", path+"/activate", map[string]any{}, http.StatusOK)
	ask("GET", path, nil, http.StatusOK).into(t, &list)
	if len(list.Items) != 1 || list.Items[0].State != "in_use" || list.Items[0].Thumbprint != made.Thumbprint {
		t.Errorf("%+v", list)
	}
	for _, secret := range []string{"PRIVATE", "segreto-1"} {
		if strings.Contains(all.String(), secret) {
			t.Errorf("%s was shown", secret)
		}
	}
}
