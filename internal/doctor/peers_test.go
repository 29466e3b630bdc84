package doctor_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/stages"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/doctor"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/peertest"
	"github.com/postino-mail/postino/tokens/credential"
)

// A plain makes SMTP adapters alone.
type plain struct{ fallback.Options }

func (p plain) Adapter(c *adapters.Connection) (adapters.Adapter, error) {
	return fallback.New(c, p.Options)
}

func (plain) Close() error { return nil }

// A fixed token is what a test has got from the server's own issuer.
type fixed struct{ token string }

func (f fixed) TokenSource(*adapters.Connection, adapters.Audience) (adapters.TokenSource, error) {
	return f, nil
}

func (f fixed) Token(context.Context) (string, error) { return f.token, nil }

func (f fixed) Renew(context.Context, string) (string, error) { return f.token, nil }

// A met is a real server that an administrator meets, and the doctor's answer.
type met struct {
	name   string
	port   int
	change func(*adapters.Connection)
	from   string // another sender
	stage  stages.Name
	status stages.Status
	class  adapters.Class
	code   string
	en, it string
}

func (m met) test(t *testing.T, c *adapters.Connection, opt fallback.Options) {
	if m.change != nil {
		m.change(c)
	}
	opt.Timeouts.Quit = time.Second
	d := doctor.New(doctor.Options{Sender: func() doctor.Sender { return plain{opt} }})
	res := run(t, d, doctor.Test{Connection: stored(c), From: mailboxtest.Of(m.from)})
	s := find(res, m.stage)
	if s.Status != m.status || res.OK != (m.status != stages.Failed) {
		t.Fatalf("%s", shown(res))
	}
	for _, lang := range []struct{ lang, words string }{{"en", m.en}, {"it", m.it}} {
		wantWords(t, s.Message.In(lang.lang)+" / "+s.Hint.In(lang.lang), lang.words)
	}
	if m.status != stages.Failed {
		return
	}
	if e := s.Err; res.Class() != m.class || string(e.Code) != m.code && e.ProviderCode != m.code {
		t.Errorf("class %v, code %q, provider's %q: %v", res.Class(), e.Code, e.ProviderCode, e)
	}
	if s.Hint.IsZero() || s.Hint.In("it") == s.Hint.In("en") {
		t.Errorf("hint %q, %q", s.Hint.In("en"), s.Hint.In("it"))
	}
}

// TestPostfix: what goes wrong with a real server is told at its stage.
func TestPostfix(t *testing.T) {
	p := peertest.New(t, filepath.Join("..", ".."), "postfix-submission.sh", "POSTFIX_DIR")
	const day = 24 * time.Hour
	now := time.Now()
	authority := certificate(t, "authority", now.Add(-100*day), now.Add(100*day), nil)
	roots := x509.NewCertPool()
	roots.AddCert(authority.Leaf)
	ports := peertest.FreePorts(t, 5)
	ended, wrongName, noTLS, noAuth, owned := ports[0], ports[1], ports[2], ports[3], ports[4]
	var more strings.Builder
	service := func(port int, options ...string) {
		fmt.Fprintf(&more, "127.0.0.1:%d inet n - n - - smtpd\n", port)
		for _, o := range options {
			fmt.Fprintf(&more, "  -o %s\n", o)
		}
	}
	for port, name := range map[int]string{ended: "127.0.0.1", wrongName: "mail.example.com"} {
		until := now.Add(50 * day)
		if port == ended {
			until = now.Add(-day)
		}
		cert, key := storeCertificate(t, certificate(t, name, now.Add(-90*day), until, &authority))
		service(port, "smtpd_tls_cert_file="+cert, "smtpd_tls_key_file="+key)
	}
	service(noTLS, "smtpd_tls_security_level=none", "smtpd_tls_auth_only=no")
	service(noAuth, "smtpd_sasl_auth_enable=no")
	service(owned, "smtpd_sender_restrictions=reject_sender_login_mismatch",
		"{ smtpd_sender_login_maps = inline:{ {alice@example.com = alice@example.com} {other@example.com = other@example.com} } }")
	if err := os.WriteFile(filepath.Join(p.Dir, "more.master"), []byte(more.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Start(t)
	own := filepath.Join(p.Dir, "tls.pem")
	for _, m := range []met{
		{name: "in order", port: p.Port, stage: stages.Sender, status: stages.OK, en: "takes mail from alice@example.com",
			it: "accetta posta da alice@example.com"},
		{name: "in order, TLS", port: p.Port, stage: stages.TLS, status: stages.OK, en: "localhost", it: "localhost"},
		{name: "in order, login", port: owned, stage: stages.Authentication, status: stages.OK, en: "accepts the login alice@example.com",
			it: "accetta"},
		{name: "ended", port: ended, stage: stages.TLS, status: stages.Failed, class: transient, code: "tls_expired", en: "has expired",
			it: "scaduto"},
		{name: "wrong name", port: wrongName, stage: stages.TLS, status: stages.Failed, class: transient, code: "tls_wrong_name",
			en: "mail.example.com", it: "mail.example.com"},
		{name: "unknown authority", port: p.Port, change: func(c *adapters.Connection) { fallback.SettingsOf(c).CAFile = "" },
			stage: stages.TLS, status: stages.Failed, class: transient, code: "tls_untrusted", en: "certificate", it: "certificato"},
		{name: "STARTTLS missing", port: noTLS, stage: stages.TLS, status: stages.Failed, class: auth, code: "no_starttls",
			en: "STARTTLS", it: "STARTTLS"},
		{name: "AUTH missing", port: noAuth, stage: stages.Authentication, status: stages.Failed, class: auth, code: "no_auth",
			en: "no authentication", it: "autenticazione"},
		{name: "wrong password", port: p.Port, change: func(c *adapters.Connection) { fallback.SettingsOf(c).Password = "wrong" },
			stage: stages.Authentication, status: stages.Failed, class: auth, code: "535 5.7.8", en: "password", it: "password"},
		{name: "From refused", port: owned, from: "other@example.com", stage: stages.Sender, status: stages.Failed, class: permanent,
			code: "553 5.7.1", en: "other@example.com", it: "other@example.com"},
		{name: "the stand-in recipient refused", port: p.Port, from: "refused@example.com", stage: stages.Sender, status: stages.OK,
			en: "takes mail from refused@example.com", it: "accetta posta da refused@example.com"},
	} {
		t.Run(m.name, func(t *testing.T) {
			m.test(t, &adapters.Connection{Name: "Postfix", Provider: adapters.SMTP, From: "alice@example.com", Settings: &fallback.Settings{
				Host: "127.0.0.1", Port: m.port, Encryption: fallback.EncryptionSTARTTLS, CAFile: own, Login: "alice@example.com",
				Password: "secret"}}, fallback.Options{RootCAs: roots})
		})
	}
}

// TestDovecot: a server that takes tokens alone.
func TestDovecot(t *testing.T) {
	p := peertest.New(t, filepath.Join("..", ".."), "dovecot-submission.sh", "DOVECOT_DIR")
	p.Start(t)
	good, expired := p.Run(t, "token", "alice@example.com"), p.Run(t, "token", "alice@example.com", "-120")
	own := filepath.Join(p.Dir, "tls.pem")
	for _, m := range []struct {
		met
		token string
	}{
		{met{name: "in order", stage: stages.Authentication, status: stages.OK, en: "accepts the login alice@example.com", it: "accetta"}, good},
		{met{name: "token ended", stage: stages.Authentication, status: stages.Failed, class: auth, code: "535 5.7.8", en: "token",
			it: "token"}, expired},
		{met{name: "a password where tokens are wanted", change: func(c *adapters.Connection) {
			s := fallback.SettingsOf(c)
			s.OAuth, s.Password = nil, "secret"
		}, stage: stages.Authentication, status: stages.Failed, class: auth, code: "no_auth_mechanism", en: "XOAUTH2", it: "XOAUTH2"}, ""},
		{met{name: "unknown authority", change: func(c *adapters.Connection) { fallback.SettingsOf(c).CAFile = "" },
			stage: stages.TLS, status: stages.Failed, class: transient, code: "tls_untrusted", en: "certificate", it: "certificato"}, good},
	} {
		t.Run(m.name, func(t *testing.T) {
			m.test(t, &adapters.Connection{Name: "Dovecot", Provider: adapters.SMTP, From: "alice@example.com", Settings: &fallback.Settings{
				Host: "127.0.0.1", Port: p.Port, Encryption: fallback.EncryptionSTARTTLS, CAFile: own, Login: "alice@example.com",
				OAuth: &fallback.OAuth{Provider: "entra", Entra: credential.Entra{Tenant: "t", ClientID: "c", ClientSecret: "s"}}}},
				fallback.Options{RootCAs: x509.NewCertPool(), Tokens: fixed{m.token}})
		})
	}
}
