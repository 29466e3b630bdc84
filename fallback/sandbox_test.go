package fallback_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/adaptertest"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/sandboxtest"
	"github.com/postino-mail/postino/mime"
	"github.com/postino-mail/postino/tokens"
)

const sandboxFrom = "erp@contoso.example"

func startSandbox(t testing.TB) *sandbox.Sandbox {
	t.Helper()
	sb, err := sandbox.Start(sandbox.Options{AnyMailbox: true, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
		if v := sb.SMTPViolations(); len(v) > 0 {
			t.Errorf("against the protocol: %q", v)
		}
	})
	return sb
}

func adapterOn(t testing.TB, c *adapters.Connection, opt fallback.Options) adapters.Adapter {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	opt.Timeouts.Quit = 200 * time.Millisecond
	a, err := fallback.New(c, opt)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestConformance(t *testing.T) { // alone: it measures the heap
	for name, chunking := range map[string]bool{"data": false, "bdat": true} {
		t.Run(name, func(t *testing.T) {
			if chunking && fallback.RaceEnabled {
				t.Skip("100 MB twice with the race detector: once is enough")
			}
			adaptertest.Suite{
				Open:    func(t testing.TB, l adapters.Limits) *adaptertest.Provider { return openProvider(t, l, chunking) },
				Partial: true, GarbageClass: adapters.Unknown,
			}.Run(t)
		})
	}
}

func openProvider(t testing.TB, l adapters.Limits, chunking bool) *adaptertest.Provider {
	sb := startSandbox(t)
	c := sb.SMTPConnection(sandboxFrom)
	c.Limits = l
	a := adapterOn(t, c, fallback.Options{Chunking: chunking})
	return sandboxtest.Conform(t, sb, a, sandboxtest.Provider{
		Service: "smtp", From: sandboxFrom, Secrets: []string{fallback.SettingsOf(c).Password.Reveal()},
		Permanent: sandbox.Fault{Service: "smtp", Op: "rcpt", Reply: "550 5.1.1 No such user here"},
		Transient: sandbox.Fault{Service: "smtp", Op: "dot", Reply: "451 4.3.0 Queue full"},
		Throttled: sandbox.Fault{Service: "smtp", Op: "mail", Reply: "451 4.7.500 Server busy. Please try again later"},
		Auth:      sandbox.Fault{Service: "smtp", Op: "auth", Reply: "535 5.7.3 Authentication unsuccessful"},
		SendAs: sandbox.Fault{Service: "smtp", Op: "dot",
			Reply: "554 5.2.252 SendAsDenied; not allowed to send as; STOREDRV.Submission.Exception:SendAsDeniedException"},
		Lost:    sandbox.Fault{Service: "smtp", Op: "dot", After: true, Reset: true},
		Garbage: sandbox.Fault{Service: "smtp", Op: "dot", Body: "<html>Welcome to the hotel's network\r\n"},
		Hang:    sandbox.Fault{Service: "smtp", Op: "dot", After: true, Delay: time.Hour, Reset: true},
	})
}

func invoice(t testing.TB, subject string) *mime.Message {
	t.Helper()
	m, err := mime.Build(&mime.Draft{From: mime.Address{Name: "Perché Srl", Address: mailboxtest.Of(sandboxFrom)},
		To:      []mime.Address{{Name: "Società Anna", Address: mailboxtest.Of("anna@example.com")}},
		Subject: subject, Text: "Così è.\n.\n..due punti\n", HTML: "<p>Così è</p>"})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func to(m *mime.Message, rcpts ...string) adapters.Outgoing {
	out := adapters.Outgoing{Message: m, Envelope: mime.Envelope{From: mailboxtest.Of(sandboxFrom)}}
	for _, r := range rcpts {
		out.Envelope.Recipients = append(out.Envelope.Recipients, mime.Recipient{Address: mailboxtest.Of(r)})
	}
	return out
}

// Real tokens from the fake authorities, in both mechanisms and both styles of
// refusing; a revoked one is renewed once.
func TestOAuthOnSandbox(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"entra", "google"} {
		for _, auth := range []string{"auto", "xoauth2", "oauthbearer"} {
			t.Run(provider+" "+auth, func(t *testing.T) {
				t.Parallel()
				sb := startSandbox(t)
				cache := tokens.NewCache(tokens.Options{HTTPClient: sb.HTTPClient()})
				defer func() {
					if err := cache.Close(); err != nil {
						t.Error(err)
					}
				}()
				c := sb.SMTPOAuthConnection(sandboxFrom, provider)
				fallback.SettingsOf(c).Auth = auth
				a := adapterOn(t, c, fallback.Options{Tokens: cache})
				defer func() {
					if err := a.Close(); err != nil {
						t.Error(err)
					}
				}()
				sb.Inject(sandbox.Fault{Service: "smtp", Op: "auth", Times: 1, Reply: "535 5.7.3 Authentication unsuccessful"})
				rec, err := a.Send(t.Context(), to(invoice(t, "token"), "anna@example.com"))
				if err != nil || rec.Status != 250 || len(sb.Deliveries()) != 1 {
					t.Fatalf("%+v, %v", rec, err)
				}
				if n := sb.Counters()["smtp.auth"]; n != 2 {
					t.Errorf("AUTH %d times, want the refused one and one more", n)
				}
			})
		}
	}
}

func TestSandboxWithoutExtensions(t *testing.T) {
	t.Parallel()
	for _, hide := range [][]string{{"PIPELINING"}, {"8BITMIME", "SMTPUTF8"}, {"SMTPUTF8"}, {"SIZE", "DSN", "CHUNKING"},
		{"PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "SIZE", "CHUNKING", "ENHANCEDSTATUSCODES"}} {
		t.Run(strings.Join(hide, "+"), func(t *testing.T) {
			t.Parallel()
			sb := startSandbox(t)
			sb.Configure(func(s *sandbox.Switches) { s.SMTPHide = hide })
			a := adapterOn(t, sb.SMTPConnection(sandboxFrom), fallback.Options{})
			defer func() { _ = a.Close() }()
			eight, err := mime.Read(mime.Bytes([]byte("From: "+sandboxFrom+"\r\nTo: anna@example.com\r\nSubject: Perché\r\nMessage-ID: "+
				"<8@contoso.example>\r\nDate: Sun, 22 Nov 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; "+
				"charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nPerché no\r\n")), mime.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			out := to(eight, "anna@example.com", "x+550@example.com", "y+450@example.com")
			for i := range 2 {
				rec, err := a.Send(t.Context(), out)
				if err != nil {
					t.Fatal(err)
				}
				r := rec.Recipients
				if r[0].Err != nil || r[1].Err == nil || r[1].Err.Class != adapters.Permanent || r[2].Err == nil ||
					r[2].Err.Class != adapters.Transient {
					t.Errorf("%+v", r)
				}
				d := sb.Deliveries()
				if len(d) != i+1 || d[i].SHA256 != rec.SHA256 || d[i].Size != rec.Bytes {
					t.Fatalf("delivered %+v, receipt %+v", d, rec)
				}
			}
			if d := sb.Deliveries(); d[0].SHA256 != d[1].SHA256 {
				t.Error("the second attempt sent other bytes")
			}
		})
	}
}

func TestSandboxSizeAndStyle(t *testing.T) {
	t.Parallel()
	sb := startSandbox(t)
	sb.Configure(func(s *sandbox.Switches) { s.SMTPSize, s.SMTPStyle, s.SMTPConcurrency = 5000, "exchange", 1 })
	a := adapterOn(t, sb.SMTPConnection(sandboxFrom), fallback.Options{})
	defer func() { _ = a.Close() }()
	small := to(invoice(t, "small"), "anna@example.com")
	if _, err := a.Send(t.Context(), small); err != nil || a.MaxSize() != 5000 {
		t.Fatalf("%v, size %d", err, a.MaxSize())
	}
	large := invoice(t, strings.Repeat("large ", 10))
	for _, err := range []error{a.Check(small), a.Probe(t.Context())} {
		if err != nil {
			t.Error(err)
		}
	}
	if m := large; m.Size() <= 5000 {
		var err error
		if large, err = mime.Read(mime.Join(m.Source(), mime.Bytes([]byte(strings.Repeat("x\r\n", 2000)))), mime.Limits{}); err != nil {
			t.Fatal(err)
		}
	}
	if e := adapters.AsError(a.Check(to(large, "anna@example.com"))); e == nil || !e.TooLarge {
		t.Errorf("Check: %v", e)
	}
	other := adapterOn(t, sb.SMTPConnection(sandboxFrom), fallback.Options{}) // while a holds the only place
	defer func() { _ = other.Close() }()
	if _, err := a.Send(t.Context(), small); err != nil {
		t.Error(err)
	}
	if _, err := other.Send(t.Context(), small); adapters.ClassOf(err) != adapters.Throttled {
		t.Errorf("a second connection: %v", err)
	}
	stranger := small
	stranger.Envelope.From = mailboxtest.Of("somebody@contoso.example")
	if _, err := a.Send(t.Context(), stranger); err == nil || !adapters.AsError(err).NoRetry {
		t.Errorf("send as somebody else: %v", err)
	}
}

func TestCancelledContextIsTransient(t *testing.T) {
	t.Parallel()
	sb := startSandbox(t)
	a := adapterOn(t, sb.SMTPConnection(sandboxFrom), fallback.Options{})
	defer func() { _ = a.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Send(ctx, to(invoice(t, "never"), "anna@example.com")); adapters.ClassOf(err) != adapters.Transient ||
		len(sb.Deliveries()) != 0 {
		t.Errorf("%v", err)
	}
}
