package tokens

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/gmail"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/tokens/credential"
)

func serviceAccount(t testing.TB, change func(map[string]string)) []byte {
	t.Helper()
	key := map[string]string{"type": "service_account", "client_email": "relay@project.iam.gserviceaccount.com", "private_key_id": "kid-1",
		"private_key": string(pemOf(t, testKey())), "token_uri": "https://oauth2.googleapis.com/token", "client_id": "1234567890"}
	if change != nil {
		change(key)
	}
	data, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (f *fakeIssuer) gmail(t testing.TB) *adapters.Connection {
	return &adapters.Connection{Name: "Negozio", Provider: adapters.Gmail, From: "Shop@example.com",
		Settings: &gmail.Settings{Google: credential.Google{
			ServiceAccountJSON: adapters.Secret(serviceAccount(t, nil)), TokenURL: f.URL + "/token"}}}
}

func TestGoogleAssertion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		audience adapters.Audience
		scope    string
		subject  string
		change   func(*adapters.Connection)
	}{
		{adapters.AudienceGmailSend, "https://www.googleapis.com/auth/gmail.send", "Shop@example.com", func(*adapters.Connection) {}},
		{adapters.AudienceGmailRead, "https://www.googleapis.com/auth/gmail.readonly", "box@example.com", func(c *adapters.Connection) {
			gmail.SettingsOf(c).Subject = "box@example.com"
		}},
		{adapters.AudienceGmailSMTP, "https://mail.google.com/", "login@example.com", func(c *adapters.Connection) {
			c.Provider, c.Settings = adapters.SMTP, &fallback.Settings{Host: "smtp.gmail.com", Login: "login@example.com",
				OAuth: &fallback.OAuth{Provider: "google", Google: gmail.SettingsOf(c).Google}}
		}},
		{adapters.AudienceGmailSMTP, "https://mail.google.com/", "Shop@example.com", func(c *adapters.Connection) {
			c.Provider, c.Settings = adapters.SMTP,
				&fallback.Settings{Host: "smtp.gmail.com", OAuth: &fallback.OAuth{Provider: "google", Google: gmail.SettingsOf(c).Google}}
		}},
	} {
		f := newFakeIssuer(t)
		cache, _ := newTestCache(t, f, Options{})
		conn := f.gmail(t)
		c.change(conn)
		mustToken(t, sourceOf(t, cache, conn, c.audience))
		form := f.form(0)
		var header struct{ Alg, Typ, Kid string }
		var claims struct {
			Iss, Scope, Aud, Sub string
			Iat, Exp             int64
		}
		claimsOf(t, form["assertion"], &header, &claims)
		if form["grant_type"] != "urn:ietf:params:oauth:grant-type:jwt-bearer" || header.Alg != "RS256" || header.Kid != "kid-1" ||
			claims.Iss != "relay@project.iam.gserviceaccount.com" || claims.Scope != c.scope || claims.Sub != c.subject ||
			claims.Aud != f.URL+"/token" || claims.Exp-claims.Iat > 3600 {
			t.Errorf("%s: form %v header %+v claims %+v", c.audience, form["grant_type"], header, claims)
		}
	}
}

func TestServiceAccountKeysThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key  []byte
		code string
	}{
		"not JSON":        {[]byte("{"), "service_account_key"},
		"user credential": {serviceAccount(t, func(m map[string]string) { m["type"] = "authorized_user" }), "service_account_key"},
		"no email":        {serviceAccount(t, func(m map[string]string) { delete(m, "client_email") }), "service_account_key"},
		"no key":          {serviceAccount(t, func(m map[string]string) { delete(m, "private_key") }), "service_account_key"},
		"broken key": {serviceAccount(t, func(m map[string]string) {
			m["private_key"] = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
		}), "service_account_key"},
		"foreign host": {serviceAccount(t, func(m map[string]string) { m["token_uri"] = "https://evil.example/token" }), "token_uri"},
		"plain http":   {serviceAccount(t, func(m map[string]string) { m["token_uri"] = "http://oauth2.googleapis.com/token" }), "token_uri"},
		"user in URL": {serviceAccount(t, func(m map[string]string) { m["token_uri"] = "https://oauth2.googleapis.com@evil.example/token" }),
			"token_uri"},
		"suffix": {serviceAccount(t, func(m map[string]string) { m["token_uri"] = "https://oauth2.googleapis.com.evil.example/token" }),
			"token_uri"},
		"metadata": {serviceAccount(t, func(m map[string]string) { m["token_uri"] = "http://169.254.169.254/token" }), "token_uri"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeIssuer(t)
			cache, _ := newTestCache(t, f, Options{HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				t.Errorf("asked %s", r.URL)
				return nil, io.EOF
			})}})
			conn := f.gmail(t)
			gmail.SettingsOf(conn).ServiceAccountJSON, gmail.SettingsOf(conn).TokenURL = adapters.Secret(c.key), ""
			_, err := sourceOf(t, cache, conn, adapters.AudienceGmailSend).Token(context.Background())
			e := adapters.AsError(err)
			if e.Class != adapters.Auth || e.ShownCode() != c.code || e.Hint.In("it") == "" {
				t.Errorf("%+v", e)
			}
			if strings.Contains(e.Error(), "PRIVATE KEY") {
				t.Error("the key shows")
			}
		})
	}
	if _, err := googleConfig(serviceAccount(t, nil), "", "s"); err != nil {
		t.Errorf("Google's own token_uri: %v", err)
	}
	if _, err := wantOf(&adapters.Connection{Provider: adapters.Gmail, From: "*@example.com",
		Settings: &gmail.Settings{Google: credential.Google{ServiceAccountFile: "x"}}},
		adapters.AudienceGmailSend); adapters.AsError(err).Code != "no_subject" {
		t.Errorf("%v", err)
	}
}
