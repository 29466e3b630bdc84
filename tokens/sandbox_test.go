package tokens_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/tokens"
)

// The sandbox checks assertions as strictly as the real services are known to
// (contracts G): every kind of credential gets its token there.
func TestEveryCredentialOverSandbox(t *testing.T) {
	t.Parallel()
	sb := start(t)
	const from = "erp@contoso.example"
	for _, c := range []struct {
		name     string
		conn     *adapters.Connection
		audience adapters.Audience
	}{
		{"secret", sb.GraphConnection(from), adapters.AudienceGraph},
		{"certificate", sb.GraphCertificateConnection(from), adapters.AudienceGraph},
		{"federated", sb.GraphFederatedConnection(from), adapters.AudienceGraph},
		{"SMTP of Microsoft", sb.SMTPOAuthConnection(from, "entra"), adapters.AudienceOutlookSMTP},
		{"Gmail send", sb.GmailConnection(from), adapters.AudienceGmailSend},
		{"Gmail read", sb.GmailConnection(from), adapters.AudienceGmailRead},
		{"SMTP of Google", sb.SMTPOAuthConnection(from, "google"), adapters.AudienceGmailSMTP},
	} {
		cache := newCache(t, sb)
		s, err := cache.TokenSource(c.conn, c.audience)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		tok, err := s.Token(t.Context())
		if err != nil || tok == "" {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if again, err := s.Token(t.Context()); err != nil || again != tok {
			t.Errorf("%s: fetched again, %v", c.name, err)
		}
		renewed, err := s.Renew(t.Context(), tok)
		if err != nil || renewed == tok {
			t.Errorf("%s: not renewed, %v", c.name, err)
		}
	}
}

func TestWrongCredentialsOverSandbox(t *testing.T) {
	t.Parallel()
	sb := start(t)
	const from = "erp@contoso.example"
	for _, c := range []struct {
		name     string
		conn     *adapters.Connection
		change   func(*adapters.Connection)
		audience adapters.Audience
		code     string
	}{
		{"wrong secret", sb.GraphConnection(from),
			func(c *adapters.Connection) { graph.SettingsOf(c).ClientSecret = "wrong" }, adapters.AudienceGraph,
			"AADSTS7000215"},
		{"unknown user", sb.GmailConnection("unknown@contoso.example"), func(*adapters.Connection) {}, adapters.AudienceGmailSend,
			"invalid_grant"},
		{"scope not delegated", sb.GmailConnection(from), func(*adapters.Connection) {
			sb.Configure(func(s *sandbox.Switches) { s.GmailReadScope = false })
		}, adapters.AudienceGmailRead, "unauthorized_client"},
	} {
		c.change(c.conn)
		s, err := newCache(t, sb).TokenSource(c.conn, c.audience)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Token(t.Context())
		e := adapters.AsError(err)
		if e == nil || e.Class != adapters.Auth || e.ShownCode() != c.code || e.Hint.In("it") == "" || strings.Contains(err.Error(), "wrong\"") {
			t.Errorf("%s: %+v", c.name, e)
		}
	}
}

func TestSandboxFaultsBecomeClasses(t *testing.T) {
	t.Parallel()
	for class, f := range map[adapters.Class]sandbox.Fault{
		adapters.Transient: {Service: "entra", Op: "token", Status: 503},
		adapters.Throttled: {Service: "entra", Op: "token", Status: 429, RetryAfter: 40 * time.Second},
	} {
		sb := start(t)
		sb.Inject(f)
		s, err := newCache(t, sb).TokenSource(sb.GraphConnection("erp@contoso.example"), adapters.AudienceGraph)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Token(context.Background())
		if e := adapters.AsError(err); e == nil || e.Class != class || e.RetryAfter != f.RetryAfter {
			t.Errorf("want %s: %+v", class, e)
		}
	}
}

func start(t *testing.T) *sandbox.Sandbox {
	t.Helper()
	sb, err := sandbox.Start(sandbox.Options{AnyMailbox: true, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	return sb
}

func newCache(t *testing.T, sb *sandbox.Sandbox) *tokens.Cache {
	t.Helper()
	c := tokens.NewCache(tokens.Options{HTTPClient: sb.HTTPClient()})
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}
