package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOIDC(t *testing.T) {
	t.Parallel()
	const tenant = "https://login.microsoftonline.com/6f0d3c3a-5b1e-4e44-9d1c-2f6c1b7a9e10/v2.0"
	full := OIDC{Issuer: tenant, ClientID: "c", ClientSecret: "s", CreateRole: "operator",
		Domains: []string{"Contoso.IT", "m\u00fcller.example"}}
	for _, c := range []struct {
		change func(*HTTP)
		want   string // part of the error; empty: none
	}{
		{func(*HTTP) {}, ""},
		{func(h *HTTP) { h.OIDC.Issuer = "https://accounts.google.com" }, ""},
		{func(h *HTTP) { h.OIDC.CreateRole, h.OIDC.Domains = "", nil }, ""},
		{func(h *HTTP) { h.OIDC.ClientSecret, h.OIDC.ClientSecretFile = "", "secret" }, ""},
		{func(h *HTTP) { h.PublicURL = "" }, "needs public_url"},
		{func(h *HTTP) { h.OIDC.Issuer = "" }, "no issuer"},
		{func(h *HTTP) { h.OIDC.Issuer = "http://sso.contoso.it" }, "https://"},
		{func(h *HTTP) { h.OIDC.Issuer = "https://user@sso.contoso.it" }, "https://"},
		{func(h *HTTP) { h.OIDC.Issuer = "https://login.microsoftonline.com/common/v2.0" }, "one tenant"},
		{func(h *HTTP) { h.OIDC.Issuer = "https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0" }, "one tenant"},
		{func(h *HTTP) {
			h.OIDC.Issuer = "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"
		}, "one tenant"},
		{func(h *HTTP) { h.OIDC.Issuer = strings.TrimSuffix(tenant, "/v2.0") }, "one tenant"},
		{func(h *HTTP) { h.OIDC.ClientID = "" }, "client_id"},
		{func(h *HTTP) { h.OIDC.ClientSecret = "" }, "client_secret"},
		{func(h *HTTP) { h.OIDC.ClientSecretFile = "secret" }, "client_secret"},
		{func(h *HTTP) { h.OIDC.CreateRole = "" }, "go together"},
		{func(h *HTTP) { h.OIDC.Domains = nil }, "go together"},
		{func(h *HTTP) { h.OIDC.CreateRole = "owner" }, "neither admin nor operator"},
		{func(h *HTTP) { h.OIDC.Domains = []string{"*.contoso.it"} }, "no domain"},
		{func(h *HTTP) { h.OIDC.Domains = []string{"x@contoso.it"} }, "no domain"},
		{func(h *HTTP) { h.OIDC.Domains = []string{""} }, "no domain"},
	} {
		h := HTTP{PublicURL: "https://mail.contoso.it", OIDC: full}
		c.change(&h)
		err := h.validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", h.OIDC, err, c.want)
		}
	}
	h := HTTP{PublicURL: "https://mail.contoso.it", OIDC: full}
	h.OIDC.Domains = []string{"Contoso.IT", "m\u00fcller.example"}
	if err := h.validate(); err != nil || strings.Join(h.OIDC.Domains, " ") != "contoso.it xn--mller-kva.example" {
		t.Errorf("%q, %v", h.OIDC.Domains, err)
	}
	for issuer, want := range map[string]string{tenant: "Microsoft", "https://accounts.google.com": "Google",
		"https://sso.contoso.it/x": "sso.contoso.it", "": ""} {
		if got := (&OIDC{Issuer: issuer}).ShownName(); got != want {
			t.Errorf("%s is called %q", issuer, got)
		}
	}
}

func TestOIDCSecret(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret")
	o := OIDC{ClientSecretFile: file}
	if _, err := o.Secret(); err == nil {
		t.Error("no file")
	}
	for content, want := range map[string]string{"geheim\n": "geheim", " \n": ""} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := o.Secret(); got.Reveal() != want || (err == nil) != (want != "") {
			t.Errorf("%q: %v", content, err)
		}
	}
}
