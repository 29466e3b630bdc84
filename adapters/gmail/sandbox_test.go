package gmail_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/adaptertest"
	"github.com/postino-mail/postino/adapters/gmail"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/sandboxtest"
	"github.com/postino-mail/postino/mime"
)

const from = "shop@contoso.example"

// start returns a sandbox and an adapter on it with real tokens.
func start(t testing.TB, change func(*adapters.Connection)) (*sandbox.Sandbox, *gmail.Adapter) {
	t.Helper()
	sb, a := sandboxtest.Start(t, func(sb *sandbox.Sandbox) *adapters.Connection {
		conn := sb.GmailConnection(from)
		if change != nil {
			change(conn)
		}
		return conn
	}, func(c *adapters.Connection, tokens adapters.TokenSources, client *http.Client) (adapters.Adapter, error) {
		return gmail.New(c, gmail.Options{Tokens: tokens, HTTPClient: client})
	})
	a.(*gmail.Adapter).SkipPauses(nil)
	return sb, a.(*gmail.Adapter)
}

func TestConformance(t *testing.T) { // alone: it measures the heap
	adaptertest.Suite{
		Open: open, TellsRetry: true, GarbageClass: adapters.Unknown, TooLarge: gmail.MaxSize + 1, Verifies: true, HidesTo: true,
	}.Run(t)
}

func open(t testing.TB, l adapters.Limits) *adaptertest.Provider {
	var secret string
	sb, a := start(t, func(c *adapters.Connection) {
		c.Limits = l
		secret = gmail.SettingsOf(c).ServiceAccountJSON.Reveal()
	})
	_, key, _ := strings.Cut(secret, "BEGIN PRIVATE KEY-----\\n")
	return sandboxtest.Conform(t, sb, a, sandboxtest.Provider{Service: "gmail", Op: "send", From: from, Secrets: []string{key[:60], "ya29."},
		Permanent: sandbox.Fault{Status: 400, Code: "invalidArgument", Message: "Invalid To header"},
		Transient: sandbox.Fault{Service: "google", Op: "token", Status: 503},
		Throttled: sandbox.Fault{Status: 429, Code: "rateLimitExceeded", RetryAfter: adaptertest.RetryAfter},
		SendAs:    sandbox.Fault{Status: 400, Code: "invalidArgument", Message: "Invalid From header"}})
}

// sized is a message with exactly size octets in its API view.
func sized(t testing.TB, size int64) adapters.Outgoing {
	t.Helper()
	of := func(size int64) adapters.Outgoing {
		head := strings.ReplaceAll("From: Negozio <"+from+">\nTo: anna@example.com\nBcc: hidden@example.com\nSubject: Ordine\n"+
			"Date: Sun, 22 Nov 2026 10:00:00 +0100\nMessage-ID: <order.1@contoso.example>\nMIME-Version: 1.0\nContent-Type: text/plain\n\n", "\n",
			"\r\n")
		m, err := mime.Read(mime.Join(mime.Bytes([]byte(head)), adaptertest.Base64Lines(size-int64(len(head)))), mime.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return adapters.Outgoing{Message: m, ID: "4a4e7a52-2c3e-4c7b-9f0e-000000000003", Envelope: mime.Envelope{From: mailboxtest.Of(from),
			Recipients: []mime.Recipient{{Address: mailboxtest.Of("anna@example.com")}, {Address: mailboxtest.Of("hidden@example.com")}}}}
	}
	base := of(10_000)
	view, err := base.Message.ForAPI(base.Addresses())
	if err != nil {
		t.Fatal(err)
	}
	return of(size - (view.Size() - 10_000)) // the view's header differs from the stored one
}

// TestBoundary: the route changes above 5,000,000 octets, and the largest
// message passes (contracts C1.2, C1.6, F26).
func TestBoundary(t *testing.T) {
	t.Parallel()
	sb, a := start(t, nil)
	for i, c := range []struct {
		size  int64
		route string
	}{{1000, "media"}, {5_000_000, "media"}, {5_000_001, "resumable"}, {16 << 20, "resumable"}, {gmail.MaxSize, "resumable"}} {
		out := sized(t, c.size)
		r, err := a.Send(t.Context(), out)
		if err != nil {
			t.Fatalf("%d: %v", c.size, err)
		}
		d := sb.Deliveries()[i]
		if r.Bytes != c.size || d.Size != c.size || d.Route != c.route || r.Route != c.route || r.SHA256 != d.SHA256 || r.ProviderID == "" ||
			r.Status != 200 ||
			!slices.Equal(d.Recipients, []string{"anna@example.com", "hidden@example.com"}) || len(r.Recipients) != 2 {
			t.Errorf("%d octets: %+v, %+v", c.size, r, d)
		}
	}
	if n := sb.Counters()["google.token"]; n != 1 {
		t.Errorf("%d token requests for 5 messages", n)
	}
	out := sized(t, gmail.MaxSize+1)
	if e := adapters.AsError(a.Check(out)); e == nil || !e.TooLarge {
		t.Errorf("%+v", e)
	}
}

func TestFaultsOfUploads(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		fault sandbox.Fault
		class adapters.Class
		sent  int
	}{
		{name: "start 503", fault: sandbox.Fault{Op: "start", Status: 503}, class: adapters.Transient},
		{name: "start lost", fault: sandbox.Fault{Op: "start", After: true, Reset: true}, class: adapters.Transient},
		{name: "start over quota", fault: sandbox.Fault{Op: "start", Status: 429, Code: "mailSendingLimit", RetryAfter: 3 * time.Hour},
			class: adapters.Throttled},
		{name: "chunk lost on the way", fault: sandbox.Fault{Op: "chunk", Times: 1, Reset: true}, sent: 1},
		{name: "chunk kept, answer lost", fault: sandbox.Fault{Op: "chunk", Times: 1, After: true, Reset: true}, sent: 1},
		{name: "chunk 503", fault: sandbox.Fault{Op: "chunk", Times: 1, Status: 503}, sent: 1},
		{name: "chunk refused", fault: sandbox.Fault{Op: "chunk", Status: 403, Code: "domainPolicy"}, class: adapters.Auth},
		{name: "session gone", fault: sandbox.Fault{Op: "chunk", Status: 410, Body: "gone"}, class: adapters.Transient},
		{name: "last chunk refused", fault: sandbox.Fault{Op: "send", Status: 400, Code: "invalidArgument", Message: "Invalid To header"},
			class: adapters.Permanent},
		{name: "sent, answer lost: the session tells", fault: sandbox.Fault{Op: "send", Times: 1, After: true, Reset: true}, sent: 1},
		{name: "sent, 504: the session tells", fault: sandbox.Fault{Op: "send", Times: 1, After: true, Status: 504}, sent: 1},
		{name: "sent, garbage: the session tells", fault: sandbox.Fault{Op: "send", Times: 1, After: true, Status: 200, Body: "<html>"}, sent: 1},
		{name: "not sent, 503: cancelled", fault: sandbox.Fault{Op: "send", Times: 1, Status: 503}, class: adapters.Transient},
		{name: "not sent, reset: cancelled", fault: sandbox.Fault{Op: "send", Times: 1, Reset: true}, class: adapters.Transient},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			sb, a := start(t, nil)
			c.fault.Service = "gmail"
			sb.Inject(c.fault)
			out := sized(t, 10_000_000)
			r, err := a.Send(t.Context(), out)
			if c.class == "" {
				c.class = adapters.Accepted
			}
			if adapters.ClassOf(err) != c.class || len(sb.Deliveries()) != c.sent {
				t.Fatalf("%v (%s), delivered %d times; %v", err, adapters.ClassOf(err), len(sb.Deliveries()), sb.Counters())
			}
			if c.class == adapters.Accepted && r.SHA256 != sb.Deliveries()[0].SHA256 {
				t.Error("what arrived differs from what was sent")
			}
			if n := sb.Counters()["gmail.send"]; n > 1 {
				t.Errorf("the sending chunk went out %d times", n)
			}
			if e := adapters.AsError(err); c.class == adapters.Throttled && (e.RetryAfter < 2*time.Hour || e.Code != adapters.CodeSendingLimit) {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestVerifyOverSandbox(t *testing.T) {
	t.Parallel()
	sb, a := start(t, nil)
	sb.Inject(sandbox.Fault{Service: "gmail", Op: "send", After: true, Status: 504, Times: 1})
	out := sized(t, 2000)
	ask := adapters.VerifyRequest{Outgoing: out}
	if got, _, err := a.Verify(t.Context(), ask); got != adapters.NotSent || err != nil {
		t.Errorf("before: %s, %v", got, err)
	}
	if _, err := a.Send(t.Context(), out); adapters.ClassOf(err) != adapters.Unknown {
		t.Fatal(err)
	}
	got, r, err := a.Verify(t.Context(), ask)
	if got != adapters.Sent || err != nil || r.ProviderID == "" || len(r.Recipients) != 2 {
		t.Errorf("after: %s, %+v, %v", got, r, err)
	}
	sb.Inject(sandbox.Fault{Service: "gmail", Op: "search", Status: 429, Times: 1})
	if got, _, err := a.Verify(t.Context(), ask); got != adapters.CannotTell || adapters.ClassOf(err) != adapters.Throttled {
		t.Errorf("throttled: %s, %v", got, err)
	}
	sb.Inject(sandbox.Fault{Service: "gmail", Op: "search", Status: 200, Body: "<html>", Times: 1})
	if got, _, err := a.Verify(t.Context(), ask); got != adapters.CannotTell || adapters.ClassOf(err) != adapters.Transient {
		t.Errorf("garbage: %s, %v", got, err)
	}
	sb.Inject(sandbox.Fault{Service: "gmail", Op: "search", Status: 401, Times: 1})
	if got, _, err := a.Verify(t.Context(), ask); got != adapters.Sent || err != nil {
		t.Errorf("after a renewal: %s, %v", got, err)
	}
}

func TestVerifyWithoutScopeCannotTell(t *testing.T) {
	t.Parallel()
	sb, a := start(t, nil)
	sb.Configure(func(s *sandbox.Switches) { s.GmailReadScope = false })
	out := sized(t, 2000)
	if _, err := a.Send(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	if got, _, err := a.Verify(t.Context(), adapters.VerifyRequest{Outgoing: out}); got != adapters.CannotTell || err != nil {
		t.Errorf("%s, %v", got, err)
	}
}

func TestProbeOverSandbox(t *testing.T) {
	t.Parallel()
	for subject, want := range map[string]adapters.Class{
		from: adapters.Accepted, "unknown@contoso.example": adapters.Auth,
	} {
		sb, a := start(t, func(c *adapters.Connection) { gmail.SettingsOf(c).Subject = subject })
		if err := a.Probe(t.Context()); adapters.ClassOf(err) != want {
			t.Errorf("%s: %v", subject, err)
		}
		if len(sb.Deliveries()) != 0 {
			t.Error("a probe sent something")
		}
	}
	_, a := start(t, func(c *adapters.Connection) { c.From, gmail.SettingsOf(c).Subject = "*@contoso.example", "" })
	if err := a.Probe(t.Context()); adapters.AsError(err) == nil || adapters.AsError(err).Code != "no_subject" {
		t.Errorf("a whole domain: %v", err)
	}
}

// TestWholeDomain: a connection for a domain acts for each sender's mailbox.
func TestWholeDomain(t *testing.T) {
	t.Parallel()
	sb, a := start(t, func(c *adapters.Connection) { c.From, gmail.SettingsOf(c).Subject = "*@contoso.example", "" })
	for i, who := range []string{"anna@contoso.example", "bruno@contoso.example", "anna@contoso.example"} {
		m, err := mime.Build(&mime.Draft{From: mime.Address{Address: mailboxtest.Of(who)},
			To:      []mime.Address{{Address: mailboxtest.Of("x@example.com")}},
			Subject: "x", Text: fmt.Sprint(i)})
		if err != nil {
			t.Fatal(err)
		}
		out := adapters.Outgoing{Message: m, Envelope: mime.Envelope{From: mailboxtest.Of(who),
			Recipients: []mime.Recipient{{Address: mailboxtest.Of("x@example.com")}}}}
		if _, err := a.Send(t.Context(), out); err != nil {
			t.Fatal(err)
		}
		if d := sb.Deliveries()[i]; d.Mailbox != who {
			t.Errorf("left through %s", d.Mailbox)
		}
	}
	if n := sb.Counters()["google.token"]; n != 2 {
		t.Errorf("%d token requests for 2 mailboxes", n)
	}
}

// BenchmarkSend10KB is one small message after the other, against the sandbox
// in the same process.
func BenchmarkSend10KB(b *testing.B) {
	_, a := start(b, nil)
	out := sized(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Send(context.Background(), out); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSend36MB is the largest message in chunks.
func BenchmarkSend36MB(b *testing.B) {
	_, a := start(b, nil)
	out := sized(b, gmail.MaxSize)
	b.SetBytes(gmail.MaxSize)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Send(context.Background(), out); err != nil {
			b.Fatal(err)
		}
	}
}
