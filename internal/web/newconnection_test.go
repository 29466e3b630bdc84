package web

import (
	"context"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/presets"
	"github.com/postino-mail/postino/mime"
)

// detects proposes two ways for every address.
func detects(o *api.Options, _ *Options) {
	o.Detect = func(_ context.Context, _ []netip.Prefix, address string) (*presets.Detection, error) {
		why := []mime.Text{mime.NewText("test.x", "the tenant <b>contoso</b> was found")}
		return &presets.Detection{Address: address, Proposals: []*presets.Proposal{
			{Rank: 1, Title: "Microsoft 365", Provider: adapters.Graph, Tenant: "contoso.onmicrosoft.com", Credential: "application", Reasons: why},
			{Rank: 2, Title: "mail.contoso.it", Provider: adapters.SMTP, Login: address, Credential: "password",
				Server: presets.Server{Host: "mail.contoso.it", Port: 465, Encryption: "tls"}, PEC: true},
		}}, nil
	}
}

func TestNewConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, detects)
	w.signIn(w.admin)
	w.get("/connections/new").want(200, "New connection", "Sender address", "Find the provider", "Google Workspace")
	a := w.get("/connections/new?address=erp@contoso.it").want(200, "What fits erp@contoso.it", "Use Microsoft 365", "mail.contoso.it:465",
		"The tenant <b>contoso</b> was found").without("<b>contoso")
	links := regexp.MustCompile(`/connections/new\?[^"]*provider=[^"]*from=[^"]*|/connections/new\?[^"]*from=[^"]*provider=[^"]*`).
		FindAllString(a.body, -1)
	if len(links) != 2 {
		t.Fatal(links)
	}
	link := func(i int) string { return strings.ReplaceAll(links[i], "&amp;", "&") }
	w.get(link(1)).want(200, "mail.contoso.it", "465", "erp@contoso.it", "Save", "Test connection")

	form := []string{"provider", "smtp", "name", "Contabilità", "from", "erp@contoso.it", "smtp.host", "mail.contoso.it", "smtp.port", "465",
		"smtp.encryption", "tls", "smtp.login", "erp", "smtp.password", "geheim", "active", "on", "default", "on", "smtp.pec", "on"}
	w.post("/connections/new", append(form, "smtp.source_address", "nowhere")...).want(422, "Contabilità", "another look").without("geheim")
	a = w.post("/connections/new", form...)
	at := a.header.Get("Location")
	w.get(at).want(200, "The connection was created.", "Contabilità", "mail.contoso.it").without("geheim")
	c, err := w.store.ConnectionNamed(context.Background(), "Contabilità")
	w.must(err)
	if s := fallback.SettingsOf(&c.Connection); s.Password.Reveal() != "geheim" || s.Port != 465 || !s.PEC || !c.IsActive() ||
		c.Default != "unrouted" {
		t.Errorf("%+v %+v", c, s)
	}
	w.post("/connections/new", form...).want(409, "Contabilità")
}

// For Microsoft 365 no secret is copied: postino makes the certificate.
func TestNewConnectionWithCertificate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, detects)
	w.signIn(w.admin)
	w.get("/connections/new?provider=graph&from=erp@contoso.it&name=ERP&graph.tenant=contoso.onmicrosoft.com").
		want(200, "First: make the application", "contoso.onmicrosoft.com", "New-MgApplication")
	form := []string{"provider", "graph", "name", "ERP", "from", "erp@contoso.it", "graph.tenant", "contoso.onmicrosoft.com", "active", "on"}
	w.post("/connections/new", form...).want(422, "client")
	a := w.post("/connections/new", append(form, "graph.client_id", "11111111-2222-3333-4444-555555555555")...)
	w.get(a.header.Get("Location")).want(200, "created with a certificate, and is off", "Off", "Thumbprint", "Script for Microsoft Entra",
		"Script for Exchange Online").without("PRIVATE KEY", "Check and use")
	c, err := w.store.ConnectionNamed(context.Background(), "ERP")
	w.must(err)
	if s := graph.SettingsOf(&c.Connection); !strings.Contains(s.Certificate.Reveal(), "PRIVATE KEY") || c.IsActive() {
		t.Errorf("%+v", c)
	}
	// A secret in its place takes the certificate away.
	at := "/connections/" + c.ID
	w.post(at, append(form, "graph.client_id", "11111111-2222-3333-4444-555555555555", "graph.client_secret", "geheim")...).to(at)
	c, err = w.store.Connection(context.Background(), c.ID)
	w.must(err)
	if s := graph.SettingsOf(&c.Connection); s.Certificate != "" || s.ClientSecret.Reveal() != "geheim" {
		t.Errorf("%+v", s)
	}
}

// A connection is tested before it is stored, with and without script.
func TestConnectionTestOnPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn(w.admin)
	form := map[string][]string{"provider": {"smtp"}, "name": {"<script>x"}, "from": {"erp@contoso.it"}, "smtp.host": {"127.0.0.1"},
		"smtp.port": {"1"}, "smtp.encryption": {"none"}}
	w.do(http.MethodPost, "/connections/new/test", form).want(200, "The connection does not work yet.", "connection", "FAILED", "ms",
		"Type passwords and other secrets again").without("<script>x")
	a := w.do(http.MethodPost, "/connections/new/test", form, "Accept", "text/html, text/event-stream").want(200)
	if kind := a.header.Get("Content-Type"); kind != "text/event-stream" || strings.Count(a.body, "data: <ol") < 3 ||
		!strings.Contains(a.body, "The test runs…") || !strings.Contains(a.body, "does not work yet") {
		t.Errorf("%s: %s", kind, a.body)
	}
	form["smtp.port"] = []string{"x"}
	w.do(http.MethodPost, "/connections/new/test", form, "Accept", "text/event-stream").want(200, "This is no whole number")
	w.do(http.MethodPost, "/connections/new/test", form).want(422, "This is no whole number")

	c := w.connection("Contabilità", "erp@contoso.it", w.operator.ID)
	stored, err := w.store.Connection(context.Background(), c.ID)
	w.must(err)
	s := fallback.SettingsOf(&stored.Connection)
	s.Host, s.Port, s.Encryption, s.Login, s.Password = "127.0.0.1", 1, "none", "", ""
	_, err = w.store.PutConnection(context.Background(), time.Now(), stored)
	w.must(err)
	at := "/connections/" + c.ID
	w.get(at + "/test").to(at)
	w.post(at+"/test").want(200, "Test of Contabilità", "FAILED")
	w.get(at+"/send").want(200, "Send a test through Contabilità", testAdmin)
	w.post(at+"/send", "to", "").want(422, "who is to get the message?")
	w.post(at+"/send", "to", "unknown").want(422, "no e-mail address")
}
