package fallback

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/peertest"
	"github.com/postino-mail/postino/mime"
	"github.com/postino-mail/postino/tokens/credential"
)

// A peer is a real server.
type peer struct{ *peertest.Peer }

func startPeer(t *testing.T, script, dirVar string) *peer {
	t.Helper()
	p := peertest.New(t, "..", script, dirVar)
	p.Start(t)
	return &peer{p}
}

// arrived waits for the message with this subject at the far end.
func (p *peer) arrived(t *testing.T, subject string) string {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond) //nolint:forbidigo // a real server sends no signal
		files, err := filepath.Glob(filepath.Join(p.Dir, "sink", "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err == nil && strings.Contains(string(b), "Subject: "+subject+"\n") && strings.Contains(string(b), "\nlast line\n") {
				return string(b)
			}
		}
	}
	t.Fatalf("%q never arrived", subject)
	return ""
}

func (p *peer) connection(port int, enc Encryption) *adapters.Connection {
	return &adapters.Connection{Name: "peer", Provider: adapters.SMTP, From: "alice@example.com", Settings: &Settings{
		Host: "127.0.0.1", Port: port, Encryption: enc, Hostname: "client.example", CAFile: filepath.Join(p.Dir, "tls.pem")}}
}

func peerMessage(t *testing.T, subject string) *mime.Message {
	t.Helper()
	m, err := mime.Read(mime.Bytes([]byte("From: alice@example.com\r\nTo: bob@example.com\r\nBcc: hidden@example.com\r\nSubject: "+subject+
		"\r\nMessage-ID: <"+subject+
		"@example.com>\r\nDate: Sun, 22 Nov 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; "+
		"charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"+
		".\r\n..perché\r\n"+strings.Repeat("x", 900)+"\r\nlast line\r\n")), mime.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func mustSend(t *testing.T, p *peer, c *adapters.Connection, opt Options, subject string, rcpts ...string) adapters.Receipt {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	a, err := New(c, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	out := outgoing(peerMessage(t, subject), rcpts...)
	out.Envelope.From = mailboxtest.Of("alice@example.com")
	out.Envelope.EnvID = "env+1"
	out.Envelope.Recipients[0].Notify = []mime.Notify{"FAILURE"}
	rec, err := a.Send(t.Context(), out)
	if err != nil {
		t.Fatalf("%s: %v (%v)", subject, err, errors.Unwrap(err))
	}
	got := p.arrived(t, subject)
	_, want, _ := strings.Cut(string(readAll(t, out.Message.ForSMTP())), "\r\n\r\n")
	if !strings.Contains(got, strings.ReplaceAll(want, "\r\n", "\n")) {
		t.Errorf("%s: the body changed on its way:\n%s", subject, got)
	}
	if strings.Contains(got, "hidden@") {
		t.Errorf("%s: Bcc arrived", subject)
	}
	return rec
}

func readAll(t *testing.T, s mime.Source) []byte {
	t.Helper()
	b := make([]byte, s.Size())
	if _, err := s.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPostfix(t *testing.T) {
	p := startPeer(t, "postfix-submission.sh", "POSTFIX_DIR")
	login := func(c *adapters.Connection, auth string) *adapters.Connection {
		SettingsOf(c).Login, SettingsOf(c).Password, SettingsOf(c).Auth = "alice@example.com", "secret", auth
		return c
	}
	for _, auth := range []string{"auto", "plain", "login", "cram-md5", "scram-sha-1", "scram-sha-256"} {
		rec := mustSend(t, p, login(p.connection(p.Port, EncryptionSTARTTLS), auth), Options{}, "starttls-"+auth, "bob@example.com")
		if rec.ProviderID == "" || !strings.Contains(rec.Reply, rec.ProviderID) {
			t.Errorf("%+v", rec)
		}
	}
	mustSend(t, p, login(p.connection(p.TLS, EncryptionTLS), "auto"), Options{}, "implicit-tls", "bob@example.com")
	mustSend(t, p, login(p.connection(p.TLS, EncryptionTLS), "auto"), Options{Chunking: true}, "bdat", "bob@example.com")
	rec := mustSend(t, p, login(p.connection(p.Port, EncryptionSTARTTLS), "auto"), Options{}, "partly", "bob@example.com",
		"refused@example.com", "later@example.com")
	if r := rec.Recipients; r[0].Err != nil || describe(r[1].Err) != "permanent 550 5.1.1" || describe(r[2].Err) != "transient 450 4.2.0" {
		t.Errorf("%+v", rec.Recipients)
	}
	many := make([]string, 350) // more than one window of pipelined commands
	for i := range many {
		many[i] = fmt.Sprintf("r%d@example.com", i)
	}
	mustSend(t, p, login(p.connection(p.Port, EncryptionSTARTTLS), "auto"), Options{}, "many", many...)

	// What is refused, on one kept connection with what is accepted.
	a, err := New(login(p.connection(p.Port, EncryptionSTARTTLS), "auto"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := a.Send(t.Context(), outgoing(peerMessage(t, "refused"), "refused@example.com")); describe(err) != "permanent 550 5.1.1" {
			t.Errorf("%v", err)
		}
		if _, err := a.Send(t.Context(), outgoing(peerMessage(t, "kept"), "bob@example.com")); err != nil {
			t.Errorf("%v", err)
		}
	}
	if a.MaxSize() != 200000000 {
		t.Errorf("MaxSize %d", a.MaxSize())
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	bad := login(p.connection(p.Port, EncryptionSTARTTLS), "auto")
	SettingsOf(bad).Password = "wrong"
	probe(t, bad, Options{}, "auth 535 5.7.8 scope=connection")
	probe(t, p.connection(p.Port, EncryptionSTARTTLS), Options{}, "accepted")
	plain := p.connection(p.TLS, EncryptionTLS)
	SettingsOf(plain).CAFile = ""
	probe(t, plain, Options{}, "transient tls_untrusted scope=connection")
	probe(t, p.connection(p.Port, EncryptionTLS), Options{}, "transient tls_plaintext_port scope=connection")
	probe(t, p.connection(p.TLS, EncryptionSTARTTLS), Options{Timeouts: Timeouts{Greeting: time.Second}},
		"transient tls_port scope=connection")
}

func probe(t *testing.T, c *adapters.Connection, opt Options, want string) {
	t.Helper()
	a, err := New(c, opt)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Probe(t.Context()); describe(err) != want {
		t.Errorf("%v, want %s", err, want)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

func TestDovecotSubmission(t *testing.T) {
	p := startPeer(t, "dovecot-submission.sh", "DOVECOT_DIR")
	conn := func(auth string) *adapters.Connection {
		c := p.connection(p.Port, EncryptionSTARTTLS)
		SettingsOf(c).Login, SettingsOf(c).Auth = "alice@example.com", auth
		SettingsOf(c).OAuth = &OAuth{Provider: "entra", Entra: credential.Entra{Tenant: "t", ClientID: "c",
			ClientSecret: "s"}}
		return c
	}
	good, expired := p.Run(t, "token", "alice@example.com"), p.Run(t, "token", "alice@example.com", "-120")
	for _, auth := range []string{"auto", "xoauth2", "oauthbearer"} {
		mustSend(t, p, conn(auth), Options{Tokens: &tokenSource{tokens: []string{good}}}, "token-"+auth, "bob@example.com")
		mustSend(t, p, conn(auth), Options{Tokens: &tokenSource{tokens: []string{expired, good}}}, "renewed-"+auth, "bob@example.com")
		probe(t, conn(auth), Options{Tokens: &tokenSource{tokens: []string{expired}}}, "auth 535 5.7.8 scope=connection")
	}
}
