package adapters_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/all"
	"github.com/postino-mail/postino/adapters/gmail"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/tokens/credential"
)

const graphJSON = `{"name":"Ufficio","provider":"graph","from":"erp@contoso.it","graph":{"tenant":"t1","client_id":"c",` +
	`"client_secret":"s3cr3t-value"}}`

func TestParseConnection(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, json, wantErr string }{
		{"graph", graphJSON, ""},
		{"gmail", `{"name":"G","provider":"gmail","from":"a@b.it","gmail":{"service_account_file":"/k.json"}}`, ""},
		{"smtp", `{"name":"S","provider":"smtp","from":"a@b.it","smtp":{"host":"smtp.b.it","port":465,"encryption":"tls","login":"a",` +
			`"password":"p"}}`, ""},
		{"smtp with oauth", `{"name":"S","provider":"smtp","from":"a@b.it","smtp":{"host":"smtp.office365.com","login":"a@b.it",` +
			`"auth":"xoauth2","oauth":{"provider":"entra","tenant":"t","client_id":"c","client_secret":"x"}}}`, ""},
		{"domain sender", `{"name":"D","provider":"graph","from":"*@contoso.it","graph":{"tenant":"t","client_id":"c",` +
			`"managed_identity":false,"client_secret":"x"}}`, ""},
		{"unknown field", `{"name":"x","provider":"smtp","smtp":{"host":"h"},"limit":3}`, "limit: there is no such field"},
		{"two objects", graphJSON + `{}`, "followed by something else"},
		{"no provider object", `{"name":"x","provider":"gmail","from":"a@b.it"}`, "object is missing"},
		{"wrong object", `{"name":"x","provider":"gmail","from":"a@b.it","gmail":{"service_account_file":"f"},"smtp":{"host":"h"}}`,
			"leave this object out"},
		{"unknown provider", `{"name":"x","provider":"yahoo"}`, "none of gmail, graph, smtp"},
		{"two credentials", `{"name":"x","provider":"graph","from":"a@b.it","graph":{"tenant":"t","client_id":"c","client_secret":"s",` +
			`"certificate_file":"f"}}`, "exactly one credential"},
		{"common tenant", `{"name":"x","provider":"graph","from":"a@b.it","graph":{"tenant":"common","client_id":"c","client_secret":"s"}}`,
			"makes no sense"},
		{"tenant with a path", `{"name":"x","provider":"graph","from":"a@b.it","graph":{"tenant":"a/b","client_id":"c","client_secret":"s"}}`,
			"only letters"},
		{"plain http graph", `{"name":"x","provider":"graph","from":"a@b.it","graph":{"tenant":"t","client_id":"c","client_secret":"s",` +
			`"graph_url":"http://example.com"}}`, "only https"},
		{"password in the clear", `{"name":"x","provider":"smtp","smtp":{"host":"smtp.b.it","encryption":"none","login":"a","password":"p"}}`,
			"without encryption is refused"},
		{"password in the clear to loopback", `{"name":"x","provider":"smtp","smtp":{"host":"127.0.0.1","encryption":"none","login":"a",` +
			`"password":"p"}}`, ""},
		{"password in the clear, admin's word",
			`{"name":"x","provider":"smtp","smtp":{"host":"h","encryption":"none","login":"a","password":"p","allow_insecure":true}}`, ""},
		{"host with scheme", `{"name":"x","provider":"smtp","smtp":{"host":"smtp://h"}}`, "without port or scheme"},
		{"negative limit", `{"name":"x","provider":"smtp","limits":{"per_minute":-1},"smtp":{"host":"h"}}`, "0 means no limit"},
		{"header injection in the name", `{"name":"x\nBcc: y@z.it","provider":"smtp","smtp":{"host":"h"}}`, "control characters"},
		{"not JSON", `hello`, "cannot be read"},
		{"nothing", ``, "cannot be read"},
		{"cut short", `{"name":"x","provider`, "cannot be read"},
		{"wrong type", `{"name":"x","provider":"smtp","smtp":{"host":"h","port":"465"}}`,
			"smtp.port: not a value of this kind: a whole number is expected"},
		{"wrong type of a secret", `{"name":"x","provider":"smtp","smtp":{"host":"h","password":123456}}`,
			"smtp.password: not a value of this kind: a text is expected"},
		{"wrong type inside oauth", `{"name":"x","provider":"smtp","smtp":{"host":"h","oauth":{"provider":"entra","tenant":["t"]}}}`,
			"smtp.oauth.tenant: not a value of this kind: a text is expected"},
		{"list instead", `[]`, "an object is expected"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := all.ParseConnection([]byte(c.json))
			switch {
			case c.wantErr == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.wantErr != "" && (err == nil || !strings.Contains(err.Error(), c.wantErr)):
				t.Errorf("error %v, want one with %q", err, c.wantErr)
			}
		})
	}
}

func TestSecretNeverShows(t *testing.T) {
	t.Parallel()
	c, err := all.ParseConnection([]byte(graphJSON))
	if err != nil {
		t.Fatal(err)
	}
	js, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "conn", c, "secret", graph.SettingsOf(c).ClientSecret)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "conn", c, "graph", *graph.SettingsOf(c))
	s := graph.SettingsOf(c).ClientSecret
	shown := string(js) + log.String() + fmt.Sprintf("%v %+v %#v %s %q %x %d", s, *graph.SettingsOf(c), *graph.SettingsOf(c), s, s, s, s)
	if strings.Contains(shown, "s3cr3t") || strings.Contains(shown, fmt.Sprintf("%x", "s3cr3t")) {
		t.Errorf("the secret shows: %s", shown)
	}
	if !strings.Contains(string(js), `"client_secret":"***"`) {
		t.Errorf("a set secret should read back as ***: %s", js)
	}
	if s.Reveal() != "s3cr3t-value" {
		t.Error("Reveal does not reveal")
	}
}

func TestSecretsListsEveryField(t *testing.T) {
	t.Parallel()
	c := &adapters.Connection{Provider: adapters.SMTP, Settings: &fallback.Settings{Password: "a", OAuth: &fallback.OAuth{
		Entra: credential.Entra{ClientSecret: "b", CertificatePassword: "c"}, Google: credential.Google{ServiceAccountJSON: "d"}}}}
	var got []string
	for _, f := range c.Clone().Secrets() {
		got = append(got, f.Path+"="+f.Value.Reveal())
		*f.Value = "gone"
	}
	want := "smtp.password=a smtp.oauth.client_secret=b smtp.oauth.certificate= smtp.oauth.certificate_next= " +
		"smtp.oauth.certificate_password=c smtp.oauth.service_account_json=d"
	if strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if fallback.SettingsOf(c).Password != "a" || fallback.SettingsOf(c).OAuth.ClientSecret != "b" {
		t.Error("Clone shares memory with the original")
	}
}

func TestMailboxAndLane(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, json, from, mailbox, lane string
		allowed                         bool
	}{
		{"own sender", graphJSON, "erp@contoso.it", "erp@contoso.it", "graph:t1:erp@contoso.it", true},
		{"domain folded", graphJSON, "erp@CONTOSO.it", "erp@contoso.it", "graph:t1:erp@contoso.it", true},
		{"stranger", graphJSON, "boss@contoso.it", "erp@contoso.it", "graph:t1:erp@contoso.it", false},
		{"alias", strings.Replace(graphJSON, `"from"`, `"aliases":["*@fabrikam.it"],"from"`, 1), "x@fabrikam.it", "erp@contoso.it",
			"graph:t1:erp@contoso.it", true},
		{"any of the domain", strings.Replace(graphJSON, "erp@", "*@", 1), "anna@contoso.it", "anna@contoso.it", "graph:t1:anna@contoso.it",
			true},
		{"another domain", strings.Replace(graphJSON, "erp@", "*@", 1), "anna@evil.example", "anna@evil.example", "graph:t1:anna@evil.example",
			false},
		{"shared mailbox", strings.Replace(graphJSON, `"tenant"`, `"mailbox":"shared@contoso.it","tenant"`, 1), "erp@contoso.it",
			"shared@contoso.it", "graph:t1:shared@contoso.it", true},
		{"smtp leaves it to the server", `{"name":"S","provider":"smtp","from":"a@b.it","smtp":{"host":"H","login":"u"}}`, "who@c.it", "u",
			"smtp:h:587:u", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn, err := all.ParseConnection([]byte(c.json))
			if err != nil {
				t.Fatal(err)
			}
			if got := conn.Mailbox(mailboxtest.Of(c.from)); got != c.mailbox {
				t.Errorf("mailbox %q, want %q", got, c.mailbox)
			}
			if got := conn.Lane(mailboxtest.Of(c.from)); got != c.lane {
				t.Errorf("lane %q, want %q", got, c.lane)
			}
			if got := conn.AllowsFrom(mailboxtest.Of(c.from)); got != c.allowed {
				t.Errorf("allowed %v, want %v", got, c.allowed)
			}
		})
	}
}

func TestEffectiveLimits(t *testing.T) {
	t.Parallel()
	zero, two := 0, 2
	limits := func(concurrency, perMinute, perDay int) adapters.LaneLimits {
		return adapters.LaneLimits{Concurrency: concurrency, PerMinute: perMinute, RecipientsPerDay: perDay}
	}
	graphs := func(l adapters.Limits) adapters.Connection {
		return adapters.Connection{Provider: adapters.Graph, Limits: l, Settings: new(graph.Settings)}
	}
	smtp := func(host string) adapters.Connection {
		return adapters.Connection{Provider: adapters.SMTP, Settings: &fallback.Settings{Host: host}}
	}
	for _, c := range []struct {
		name string
		conn adapters.Connection
		want adapters.LaneLimits
	}{
		{"graph defaults", graphs(adapters.Limits{}), limits(4, 30, 10000)},
		{"graph without pace", graphs(adapters.Limits{PerMinute: &zero, Concurrency: &two}), limits(2, 0, 10000)},
		{"gmail defaults", adapters.Connection{Provider: adapters.Gmail, Settings: new(gmail.Settings)}, limits(4, 60, 3000)},
		{"office smtp", smtp("smtp.office365.com"), limits(3, 30, 10000)},
		{"any smtp", smtp("smtp.aruba.it"), limits(4, 0, 0)},
	} {
		if got := c.conn.EffectiveLimits(); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func FuzzParseConnection(f *testing.F) {
	f.Add([]byte(graphJSON))
	f.Add([]byte(`{"name":"S","provider":"smtp","smtp":{"host":"h","oauth":{"provider":"google"}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := all.ParseConnection(data)
		if err != nil {
			return
		}
		const sentinel = "5e471ne1-5ecret"
		for _, s := range c.Secrets() {
			*s.Value = sentinel
		}
		if js, err := json.Marshal(c); err != nil || bytes.Contains(js, []byte(sentinel)) {
			t.Errorf("a secret shows (%v): %s", err, js)
		}
		c.Lane(mailboxtest.Of("a@b.it"))
		c.AllowsFrom(mailboxtest.Of("a@b.it"))
	})
}
