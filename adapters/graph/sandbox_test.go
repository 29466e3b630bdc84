package graph_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/adaptertest"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/sandboxtest"
	"github.com/postino-mail/postino/mime"
)

const from = "erp@contoso.example"

// start returns a sandbox and an adapter on it with real tokens.
func start(t testing.TB, change func(*adapters.Connection)) (*sandbox.Sandbox, *graph.Adapter) {
	t.Helper()
	sb, a := sandboxtest.Start(t, func(sb *sandbox.Sandbox) *adapters.Connection {
		conn := sb.GraphConnection(from)
		if change != nil {
			change(conn)
		}
		return conn
	}, func(c *adapters.Connection, tokens adapters.TokenSources, client *http.Client) (adapters.Adapter, error) {
		return graph.New(c, graph.Options{Tokens: tokens, HTTPClient: client})
	})
	return sb, a.(*graph.Adapter)
}

func TestConformance(t *testing.T) { // alone: it measures the heap
	adaptertest.Suite{
		Open: open, TellsRetry: true, GarbageClass: adapters.Unknown, TooLarge: graph.MaxSize + 1, Verifies: true, HidesTo: true,
	}.Run(t)
}

func open(t testing.TB, l adapters.Limits) *adaptertest.Provider {
	sb, a := start(t, func(c *adapters.Connection) { c.Limits = l })
	// Token and connection are there before anything is timed.
	if err := a.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	return sandboxtest.Conform(t, sb, a, sandboxtest.Provider{Service: "graph", Op: "sendMail", From: from,
		Secrets:   []string{sandbox.ClientSecret},
		Permanent: sandbox.Fault{Status: 400, Code: "ErrorInvalidRecipients"},
		Transient: sandbox.Fault{Status: 423, Code: "ErrorMailboxMoveInProgress"},
		Throttled: sandbox.Fault{Status: 429, RetryAfter: adaptertest.RetryAfter},
		SendAs:    sandbox.Fault{Status: 403, Code: "ErrorSendAsDenied"}})
}

// withFile is a message with exactly size octets in its API view, or more than
// 100 MB without holding them.
func withFile(t testing.TB, size int64) adapters.Outgoing {
	t.Helper()
	head := strings.ReplaceAll("From: Perché Srl <"+from+">\nTo: anna@example.com\nBcc: hidden@example.com\nSubject: Disegni\n"+
		"Date: Sun, 22 Nov 2026 10:00:00 +0100\nMessage-ID: <large.1@contoso.example>\nIn-Reply-To: <before@example.com>\nMIME-Version: 1.0\n"+
		"Content-Type: multipart/mixed; boundary=M\n\n--M\nContent-Type: multipart/alternative; boundary=A\n\n--A\nContent-Type: "+
		"text/plain\n\nCiao\n"+
		"--A\nContent-Type: text/html\n\n<p>Ciao</p>\n--A--\n--M\nContent-Type: application/zip\nContent-Disposition: attachment; "+
		"filename=dwg.zip\n"+
		"Content-Transfer-Encoding: base64\n\n", "\n", "\r\n")
	const tail = "\r\n--M--\r\n"
	body := size - int64(len(head)+len(tail))
	pad := strings.Repeat(" ", int(body%78)) // octets that are no base64 and decode to nothing
	m, err := mime.Read(mime.Join(mime.Bytes([]byte(head)), adaptertest.Base64Lines(body/78*78), mime.Bytes([]byte(pad+tail))), mime.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return adapters.Outgoing{Message: m, ID: "4a4e7a52-2c3e-4c7b-9f0e-000000000002", Envelope: mime.Envelope{From: mailboxtest.Of(from),
		Recipients: []mime.Recipient{{Address: mailboxtest.Of("anna@example.com")}, {Address: mailboxtest.Of("hidden@example.com")}}}}
}

// TestBoundary: the route changes between 3,000,000 and 3,000,001 octets
// (contracts F26), and the same people get the same file on both.
func TestBoundary(t *testing.T) {
	t.Parallel()
	sb, a := start(t, nil)
	base := withFile(t, 2_000_000)
	view, err := base.Message.ForAPI(base.Addresses())
	if err != nil {
		t.Fatal(err)
	}
	grown := view.Size() - 2_000_000 // the view's header differs from the stored one
	for i, c := range []struct {
		size  int64
		route string
	}{{graph.MIMECeiling - 1, "mime"}, {graph.MIMECeiling, "mime"}, {graph.MIMECeiling + 1, "draft"}, {20_000_000, "draft"}} {
		if c.size > 4_000_000 && testing.Short() {
			continue
		}
		out := withFile(t, c.size-grown)
		r, err := a.Send(t.Context(), out)
		if err != nil {
			t.Fatalf("%d: %v", c.size, err)
		}
		d := sb.Deliveries()[i]
		if r.Bytes != c.size || d.Route != c.route || !slices.Equal(d.Recipients, []string{"anna@example.com", "hidden@example.com"}) {
			t.Errorf("%d octets: %+v, %+v", c.size, r, d)
		}
		if (r.SHA256 == d.SHA256) != (c.route == "mime") || (len(r.Lost) > 0) != (c.route == "draft") {
			t.Errorf("%d octets: evidence %+v", c.size, r)
		}
		checkShown(t, out.Message, sandboxtest.Read(t, sb.OpenShown, d))
	}
}

// checkShown compares what a recipient sees with what was sent.
func checkShown(t *testing.T, sent *mime.Message, shown []byte) {
	t.Helper()
	m, err := mime.Read(mime.Bytes(shown), mime.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if m.Get("In-Reply-To") != "<before@example.com>" || bytes.Contains(shown, []byte("hidden@")) {
		t.Errorf("header:\n%s", m.Head())
	}
	if got, want := parts(t, m), parts(t, sent); got != want {
		t.Errorf("a recipient sees\n%s\nsent was\n%s", got, want)
	}
}

// parts lists the leaves with the hashes of their content.
func parts(t *testing.T, m *mime.Message) string {
	root, err := m.Structure()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	root.Walk(false, func(p *mime.Part) bool {
		if len(p.Parts) == 0 {
			h := sha256.New()
			if _, err := io.Copy(h, m.Open(p)); err != nil {
				t.Error(err)
			}
			out = append(out, fmt.Sprintf("%s %s %x", p.MediaType, p.Filename, h.Sum(nil)[:8]))
		}
		return true
	})
	return strings.Join(out, "\n")
}

func TestLargeOverSandbox(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		size  int64
		fault sandbox.Fault
		set   func(*sandbox.Switches)
		class adapters.Class
		sent  int
		left  int // drafts
	}{
		{name: "chunk lost on the way", fault: sandbox.Fault{Service: "upload", Op: "chunk", Times: 1, Reset: true}, sent: 1},
		{name: "chunk kept, answer lost", size: 6_000_000, fault: sandbox.Fault{Service: "upload", Op: "chunk", Times: 1, After: true,
			Reset: true}, sent: 1},
		// The session ends with the last chunk: no one can ask it. Nothing was sent, so the whole is tried again.
		{name: "last chunk kept, answer lost", fault: sandbox.Fault{Service: "upload", Op: "chunk", Times: 1, After: true, Reset: true},
			class: adapters.Transient},
		{name: "chunk 503", fault: sandbox.Fault{Service: "upload", Op: "chunk", Times: 1, Status: 503}, sent: 1},
		{name: "no Mail.ReadWrite", set: func(s *sandbox.Switches) { s.GraphMailRead = false }, class: adapters.Permanent},
		{name: "creation lost", fault: sandbox.Fault{Service: "graph", Op: "create", Times: 1, After: true, Reset: true},
			class: adapters.Transient},
		{name: "session refused", fault: sandbox.Fault{Service: "graph", Op: "createUploadSession", Status: 500}, class: adapters.Transient},
		{name: "send refused", fault: sandbox.Fault{Service: "graph", Op: "send", Status: 403, Code: "ErrorSendAsDenied"},
			class: adapters.Permanent},
		{name: "send lost", fault: sandbox.Fault{Service: "graph", Op: "send", After: true, Reset: true}, class: adapters.Unknown, sent: 1},
		{name: "send 504 though sent", fault: sandbox.Fault{Service: "graph", Op: "send", After: true, Status: 504}, class: adapters.Unknown,
			sent: 1},
		{name: "send lost before", fault: sandbox.Fault{Service: "graph", Op: "send", Reset: true}, class: adapters.Unknown, left: 1},
		{name: "decimal megabytes", set: func(s *sandbox.Switches) { s.GraphBodyLimit = 4_000_000 }, sent: 1},
		{name: "another Message-ID", set: func(s *sandbox.Switches) { s.GraphKeepMessageID = false }, sent: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			sb, a := start(t, nil)
			if c.set != nil {
				sb.Configure(c.set)
			}
			if c.fault.Service != "" {
				sb.Inject(c.fault)
			}
			out := withFile(t, max(c.size, 4_500_000))
			r, err := a.Send(t.Context(), out)
			if c.class == "" {
				c.class = adapters.Accepted
			}
			if adapters.ClassOf(err) != c.class || len(sb.Deliveries()) != c.sent {
				t.Fatalf("%v (%s), delivered %d times", err, adapters.ClassOf(err), len(sb.Deliveries()))
			}
			if c.class == adapters.Accepted {
				if d := sb.Deliveries()[0]; d.MessageID != r.MessageID {
					t.Errorf("the receipt says %s, delivered was %s", r.MessageID, d.MessageID)
				}
			}
			sb.ClearFaults()
			sb.Configure(func(s *sandbox.Switches) { s.GraphMailRead = true })
			checkVerdict(t, a, out, err, c.sent, c.left)
		})
	}
}

// checkVerdict asks what became of the message.
func checkVerdict(t *testing.T, a *graph.Adapter, out adapters.Outgoing, err error, sent, left int) {
	t.Helper()
	id := ""
	if e := adapters.AsError(err); e != nil {
		id = e.ProviderID
	}
	want := adapters.NotSent // which a draft that was left would spoil
	switch {
	case adapters.AsError(err) != nil && adapters.AsError(err).Status == 403 && adapters.AsError(err).TooLarge:
		want = adapters.CannotTell // the token was made without Mail.ReadWrite
	case sent > 0:
		want = adapters.Sent
	case left > 0:
		want = adapters.InProgress
	}
	got, r, verr := a.Verify(t.Context(), adapters.VerifyRequest{Outgoing: out, ProviderID: id})
	if got == want && verr == nil && (got != adapters.Sent || r.ProviderID != "") {
		return
	}
	if err == nil && got == adapters.CannotTell { // another Message-ID: what lies there is alike in subject and date (contracts B6.7)
		return
	}
	t.Errorf("verdict %s, %v; want %s", got, verr, want)
}

// TestSettling: after 202 a message lies in Drafts for a while (contracts B1.8).
func TestSettling(t *testing.T) {
	t.Parallel()
	sb, a := start(t, nil)
	sb.Configure(func(s *sandbox.Switches) { s.GraphSettle = time.Hour })
	sb.Inject(sandbox.Fault{Service: "graph", Op: "sendMail", After: true, Status: 504})
	out := withFile(t, 100_000)
	_, err := a.Send(t.Context(), out)
	if adapters.ClassOf(err) != adapters.Unknown {
		t.Fatal(err)
	}
	if got, _, err := a.Verify(t.Context(), adapters.VerifyRequest{Outgoing: out}); got != adapters.InProgress || err != nil {
		t.Errorf("%s, %v", got, err)
	}
	sb.Configure(func(s *sandbox.Switches) { s.GraphMailRead = false })
	if got, _, err := a.Verify(t.Context(), adapters.VerifyRequest{Outgoing: out}); got != adapters.CannotTell || err != nil {
		t.Errorf("without permission: %s, %v", got, err)
	}
}

func TestProbeOverSandbox(t *testing.T) {
	t.Parallel()
	for mailbox, want := range map[string]adapters.Class{
		from: adapters.Accepted, "blocked@contoso.example": adapters.Auth, "nomailbox@contoso.example": adapters.Permanent,
	} {
		sb, a := start(t, func(c *adapters.Connection) { graph.SettingsOf(c).Mailbox = mailbox })
		if err := a.Probe(t.Context()); adapters.ClassOf(err) != want {
			t.Errorf("%s: %v", mailbox, err)
		}
		if len(sb.Deliveries()) != 0 {
			t.Error("a probe sent something")
		}
	}
	_, a := start(t, func(c *adapters.Connection) { graph.SettingsOf(c).ClientSecret = "wrong" })
	if err := a.Probe(t.Context()); adapters.ClassOf(err) != adapters.Auth {
		t.Errorf("wrong secret: %v", err)
	}
}

// BenchmarkSend10KB is one small message after the other, against the sandbox
// in the same process.
func BenchmarkSend10KB(b *testing.B) {
	_, a := start(b, nil)
	out := withFile(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Send(context.Background(), out); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSend100MB prints how far the heap grows, the sandbox's included.
func BenchmarkSend100MB(b *testing.B) {
	_, a := start(b, nil)
	out := withFile(b, 100_000_000)
	b.SetBytes(100_000_000)
	var peak uint64
	for b.Loop() {
		stop, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-stop:
					return
				case <-tick.C:
					var ms runtime.MemStats
					runtime.ReadMemStats(&ms)
					peak = max(peak, ms.HeapInuse)
				}
			}
		}()
		_, err := a.Send(context.Background(), out)
		close(stop)
		<-done
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(peak)/(1<<20), "peak-heap-MB")
}
