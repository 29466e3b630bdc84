package adapters_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/gmail"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/mime"
	"github.com/postino-mail/postino/tokens"
)

const badFrom = "erp@contoso.example"

// A badWorld is one sandbox with a router; its clock and its trust may be wrong.
type badWorld struct {
	*sandbox.Sandbox
	router *adapters.Router
	cache  *tokens.Cache
	client *http.Client
}

func newBadWorld(t *testing.T, skew, tlsSkew time.Duration) *badWorld {
	t.Helper()
	clock := func() time.Time { return time.Now().Add(skew) }
	sb, err := sandbox.Start(sandbox.Options{AnyMailbox: true, Dir: t.TempDir(), Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	local := func() time.Time { return time.Now().Add(tlsSkew) }
	w := &badWorld{Sandbox: sb, client: &http.Client{Transport: &http.Transport{DisableCompression: true,
		TLSClientConfig: &tls.Config{RootCAs: sb.CertPool(), MinVersion: tls.VersionTLS12, Time: local}}}}
	w.cache = tokens.NewCache(tokens.Options{HTTPClient: w.client, Now: local})
	w.router = adapters.NewRouter(map[adapters.Provider]adapters.Factory{
		adapters.Graph: graph.Factory(graph.Options{Tokens: w.cache, HTTPClient: w.client, Now: local}),
		adapters.Gmail: gmail.Factory(gmail.Options{Tokens: w.cache, HTTPClient: w.client, Now: local}),
		adapters.SMTP:  fallback.Factory(fallback.Options{Tokens: w.cache, RootCAs: sb.CertPool(), Now: local}),
	})
	return w
}

func (w *badWorld) close(t *testing.T) {
	t.Helper()
	if err := errors.Join(w.router.Close(), w.cache.Close(), w.Close()); err != nil {
		t.Error(err)
	}
	w.client.CloseIdleConnections()
}

// withAttachment is a message of about size bytes with one attachment.
func withAttachment(t *testing.T, size int) *mime.Message {
	t.Helper()
	m, err := mime.Build(&mime.Draft{From: mime.Address{Address: mailboxtest.Of(badFrom)},
		To:      []mime.Address{{Address: mailboxtest.Of("anna@example.com")}},
		Subject: "Prova", Text: "Ciao", Attachments: []mime.Attachment{{Filename: "a.bin", Open: func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(bytes.Repeat([]byte("0123456789"), size/14))), nil
		}}}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func parsed(t *testing.T, raw string) *mime.Message {
	t.Helper()
	m, err := mime.Read(mime.Bytes([]byte(strings.ReplaceAll(raw, "\n", "\r\n"))), mime.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A badCase is one thing that goes wrong, on every route that can meet it.
type badCase struct {
	name    string
	only    adapters.Provider // empty: all
	skew    time.Duration     // of the providers' clocks
	tlsSkew time.Duration     // of this machine's, where it judges certificates
	change  func(*badWorld, *adapters.Connection)
	fault   func(adapters.Provider) []sandbox.Fault
	message func(*testing.T) *mime.Message // nil: a small one
	rcpts   int
	class   adapters.Class
	code    string // part of it; empty: any
}

func faultAt(f sandbox.Fault) func(adapters.Provider) []sandbox.Fault {
	return func(p adapters.Provider) (out []sandbox.Fault) {
		ops := map[adapters.Provider][]string{adapters.Graph: {"sendMail", "create"}, adapters.Gmail: {"send", "start"},
			adapters.SMTP: {"connect"}}
		for _, op := range ops[p] {
			g := f
			g.Service, g.Op = string(p), op
			if p == adapters.SMTP && g.Body != "" {
				g.Reply, g.Body, g.Status = g.Body, "", 0
			}
			out = append(out, g)
		}
		return out
	}
}

func badCases() []badCase {
	big := func(t *testing.T) *mime.Message { return withAttachment(t, 6_000_000) }
	issuer := func(f sandbox.Fault) func(adapters.Provider) []sandbox.Fault {
		return func(adapters.Provider) []sandbox.Fault {
			g, e := f, f
			g.Service, e.Service = "google", "entra"
			g.Op, e.Op = "token", "token"
			return []sandbox.Fault{g, e}
		}
	}
	const html = "<html><body>Welcome to the hotel's network</body></html>"
	return []badCase{
		{name: "no From", message: func(t *testing.T) *mime.Message { return parsed(t, "To: a@example.com\nSubject: x\n\nx\n") },
			class: adapters.Permanent},
		{name: "two From without Sender", message: func(t *testing.T) *mime.Message {
			return parsed(t, "From: "+badFrom+", erp2@contoso.example\nTo: a@example.com\n\nx\n")
		}, class: adapters.Permanent},
		{name: "no recipient", rcpts: -1, class: adapters.Permanent},
		{name: "10,000 recipients", only: adapters.Graph, rcpts: 10_000, class: adapters.Permanent, code: "too_many_recipients"},
		{name: "10,000 recipients", only: adapters.Gmail, rcpts: 10_000, class: adapters.Permanent, code: "too_many_recipients"},
		{name: "broken base64 in a large attachment", only: adapters.Graph, message: func(t *testing.T) *mime.Message {
			return parsed(t, "From: "+badFrom+
				"\nTo: anna@example.com\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: application/pdf\n"+
				"Content-Disposition: attachment; filename=a.pdf\nContent-Transfer-Encoding: base64\n\n"+
				strings.Repeat(strings.Repeat("QUJD", 19)+"\n", 50_000)+"Q=Q=Q\n--b--\n")
		}, class: adapters.Permanent},
		{name: "wrong tenant", only: adapters.Graph, change: func(_ *badWorld, c *adapters.Connection) {
			graph.SettingsOf(c).Tenant = sandbox.OtherTenantID
		}, class: adapters.Auth, code: "AADSTS700016"},
		{name: "no such tenant", only: adapters.Graph, change: func(_ *badWorld, c *adapters.Connection) {
			graph.SettingsOf(c).Tenant = "nowhere.example"
		}, class: adapters.Auth, code: "AADSTS9000"},
		{name: "expired secret", only: adapters.Graph, change: func(_ *badWorld, c *adapters.Connection) {
			graph.SettingsOf(c).ClientSecret = sandbox.ExpiredSecret
		}, class: adapters.Auth, code: "AADSTS7000222"},
		{name: "wrong password", only: adapters.SMTP, change: func(_ *badWorld, c *adapters.Connection) {
			fallback.SettingsOf(c).Password = "wrong-password-value"
		}, class: adapters.Auth, code: "535"},
		{name: "unknown subject", only: adapters.Gmail, change: func(_ *badWorld, c *adapters.Connection) {
			gmail.SettingsOf(c).Subject = "unknown@contoso.example"
		}, class: adapters.Auth},
		{name: "wrong host", change: func(_ *badWorld, c *adapters.Connection) {
			switch c.Provider {
			case adapters.Graph:
				graph.SettingsOf(c).GraphURL = "https://graph.invalid"
			case adapters.Gmail:
				gmail.SettingsOf(c).GmailURL = "https://gmail.invalid"
			case adapters.SMTP:
				fallback.SettingsOf(c).Host = "smtp.invalid"
			}
		}, class: adapters.Transient, code: "dns_"},
		{name: "expired certificate", tlsSkew: 3 * 365 * 24 * time.Hour, class: adapters.Transient, code: "tls_expired"},
		{name: "clock far behind", tlsSkew: -2 * time.Hour, class: adapters.Transient, code: "tls_not_yet_valid"},
		{name: "clock an hour behind", only: adapters.Gmail, skew: time.Hour, class: adapters.Auth},
		{name: "clock an hour ahead", only: adapters.Gmail, skew: -time.Hour, class: adapters.Auth},
		{name: "clock an hour behind, certificate", only: adapters.Graph, skew: time.Hour, change: certificate, class: adapters.Auth,
			code: "AADSTS700024"},
		{name: "clock an hour ahead, certificate", only: adapters.Graph, skew: -time.Hour, change: certificate, class: adapters.Auth,
			code: "AADSTS700024"},
		{name: "HTML", fault: faultAt(sandbox.Fault{Status: 200, Body: html})},
		{name: "HTML with 403", fault: faultAt(sandbox.Fault{Status: 403, Body: html})},
		{name: "HTML to a large message", message: big, fault: faultAt(sandbox.Fault{Status: 200, Body: html})},
		{name: "garbage", fault: faultAt(sandbox.Fault{Status: 500, Body: "\x00\xff{]"})},
		{name: "nothing", fault: faultAt(sandbox.Fault{Reset: true})},
		{name: "nothing to a large message", message: big, fault: faultAt(sandbox.Fault{Reset: true})},
		{name: "token: HTML", fault: issuer(sandbox.Fault{Status: 200, Body: html})},
		{name: "token: garbage", fault: issuer(sandbox.Fault{Status: 400, Body: "\x00\xff{]"})},
		{name: "token: nothing", fault: issuer(sandbox.Fault{Reset: true}), class: adapters.Transient},
	}
}

func certificate(w *badWorld, c *adapters.Connection) {
	c.Settings = w.GraphCertificateConnection(badFrom).Settings
}

// TestBadInput: whatever is wrong returns one clear error of the right class,
// delivers nothing that was not asked for, leaves no draft and no goroutine,
// and shows no secret. Not parallel: it counts goroutines.
func TestBadInput(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("cases", func(t *testing.T) {
		for _, c := range badCases() {
			for _, p := range []adapters.Provider{adapters.Graph, adapters.Gmail, adapters.SMTP} {
				if c.only != "" && c.only != p || p == adapters.SMTP && strings.HasPrefix(c.name, "token: ") {
					continue
				}
				t.Run(c.name+"/"+string(p), func(t *testing.T) {
					t.Parallel()
					c.run(t, p)
				})
			}
		}
	})
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > before {
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines before, %d after:\n%s", before, n, buf[:runtime.Stack(buf, true)])
	}
}

func (c badCase) run(t *testing.T, p adapters.Provider) {
	w := newBadWorld(t, c.skew, c.tlsSkew)
	defer w.close(t)
	conn := map[adapters.Provider]func(string) *adapters.Connection{
		adapters.Graph: w.GraphConnection, adapters.Gmail: w.GmailConnection, adapters.SMTP: w.SMTPConnection,
	}[p](badFrom)
	conn.Aliases = []string{"erp2@contoso.example"}
	if c.change != nil {
		c.change(w, conn)
	}
	if c.fault != nil {
		for _, f := range c.fault(p) {
			w.Inject(f)
		}
	}
	make := c.message
	if make == nil {
		make = func(t *testing.T) *mime.Message { return withAttachment(t, 1000) }
	}
	m := make(t)
	rcpts := []string{"anna@example.com"}
	if c.rcpts != 0 {
		rcpts = nil
	}
	for i := range max(c.rcpts, 0) {
		rcpts = append(rcpts, fmt.Sprintf("user%d@example.com", i))
	}
	out := outgoing(m, badFrom, rcpts...)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err := w.router.Send(ctx, conn, out)
	checkError(t, err, c.class, c.code, conn)
	if n := len(w.Deliveries()); n != 0 {
		t.Errorf("%d messages delivered", n)
	}
	if c.skew != 0 || c.tlsSkew != 0 || c.change != nil || c.rcpts != 0 {
		return // no one could have left anything
	}
	w.ClearFaults()
	w.cache.Forget(conn)
	w.noDraft(ctx, t, conn, out)
}

// noDraft asks the provider whether something lies in the mailbox.
func (w *badWorld) noDraft(ctx context.Context, t *testing.T, conn *adapters.Connection, out adapters.Outgoing) {
	t.Helper()
	a, err := w.router.Adapter(conn)
	if err != nil {
		t.Fatal(err)
	}
	v, ok := a.(adapters.Verifier)
	if !ok || out.Message.MessageID() == "" {
		return
	}
	if verdict, _, err := v.Verify(ctx, adapters.VerifyRequest{Outgoing: out}); verdict != adapters.NotSent || err != nil {
		t.Errorf("something was left: %s, %v", verdict, err)
	}
}

// checkError: one *adapters.Error in two languages with a hint, without a secret.
func checkError(t *testing.T, err error, class adapters.Class, code string, conn *adapters.Connection) {
	t.Helper()
	var e *adapters.Error
	if !errors.As(err, &e) {
		t.Fatalf("%T %v is no *adapters.Error", err, err)
	}
	t.Logf("%s %s: %s -> %s", e.Class, e.Code, e.Message.String(), e.Hint.String())
	if class != "" && e.Class != class || !strings.Contains(e.ShownCode(), code) {
		t.Errorf("class %s code %q, want %s %q", e.Class, e.Code, class, code)
	}
	if e.Message.String() == "" || e.Message.In("it") == "" || e.Message.String() == e.Message.In("it") || e.Hint.String() == "" ||
		e.Hint.In("it") == "" {
		t.Errorf("sentences: %+v %+v", e.Message, e.Hint)
	}
	shown, _ := json.Marshal(e)
	all := string(shown) + err.Error()
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		all += "\n" + cause.Error()
	}
	for _, f := range conn.Secrets() {
		if s := f.Value.Reveal(); s != "" && strings.Contains(all, s) {
			t.Errorf("%s shows in %s", f.Path, strings.ReplaceAll(all, s, "[SECRET]"))
		}
	}
	// A page instead of an API's answer stays away; of an SMTP answer that is none, what came is said.
	if conn.Provider != adapters.SMTP && strings.Contains(e.Error()+string(shown), "hotel") {
		t.Errorf("the provider's body shows: %s", shown)
	}
}
