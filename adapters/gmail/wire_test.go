package gmail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// stubTokens gives "token-1" and, after each renewal, the next one.
type stubTokens struct {
	mu     sync.Mutex
	n      int
	renews int
	err    error
}

func (s *stubTokens) TokenSource(*adapters.Connection, adapters.Audience) (adapters.TokenSource, error) {
	return s, nil
}

func (s *stubTokens) Token(context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("token-%d", s.n+1), s.err
}

func (s *stubTokens) Renew(_ context.Context, rejected string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.renews++
	if rejected == fmt.Sprintf("token-%d", s.n+1) {
		s.n++
	}
	return fmt.Sprintf("token-%d", s.n+1), s.err
}

type seenRequest struct {
	method, uri   string
	header        http.Header
	contentLength int64
	body          []byte
}

// serve is a server that answers each request with the next handler, the last
// one for ever, and an adapter on it.
func serve(t *testing.T, handlers ...http.HandlerFunc) (*Adapter, *stubTokens, func() []seenRequest) {
	t.Helper()
	var mu sync.Mutex
	var seen []seenRequest
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		seen = append(seen, seenRequest{r.Method, r.URL.RequestURI(), r.Header.Clone(), r.ContentLength, b})
		h := handlers[min(len(seen), len(handlers))-1]
		mu.Unlock()
		h(w, r)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	t.Cleanup(srv.Close)
	tok := &stubTokens{}
	a, err := New(&adapters.Connection{Name: "Negozio", Provider: adapters.Gmail, From: "shop@example.com",
		Gmail: &adapters.GmailSettings{GmailURL: srv.URL, Subject: "shop@example.com"}}, Options{Tokens: tok})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	ga := a.(*Adapter)
	ga.SkipPauses(nil)
	ga.chunk = testChunk
	return ga, tok, func() []seenRequest {
		mu.Lock()
		defer mu.Unlock()
		return append([]seenRequest(nil), seen...)
	}
}

func respond(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

const testChunk int64 = 8 * chunkUnit // three to a message of large

const okBody = `{"id":"19a1","threadId":"19a1","labelIds":["SENT"]}`

func small(t testing.TB) adapters.Outgoing { return message(t, "Ciao", "anna@example.com") }

func message(t testing.TB, content string, rcpts ...string) adapters.Outgoing {
	t.Helper()
	m, err := mime.Read(mime.Bytes([]byte("From: shop@example.com\r\nTo: anna@example.com\r\nSubject: x\r\nDate: Sun, 22 Nov 2026 10:00:00 +0100\r\n"+
		"Message-ID: <m.1@example.com>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n"+content+"\r\n")), mime.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	out := adapters.Outgoing{Message: m, Envelope: mime.Envelope{From: "shop@example.com"}}
	for _, r := range rcpts {
		out.Envelope.Recipients = append(out.Envelope.Recipients, mime.Recipient{Address: r})
	}
	return out
}

func large(t testing.TB) adapters.Outgoing {
	return message(t, strings.Repeat(strings.Repeat("x", 76)+"\r\n", 5_200_000/78), "anna@example.com")
}

func TestMediaRequest(t *testing.T) {
	t.Parallel()
	a, _, seen := serve(t, respond(200, okBody, "X-GUploader-UploadID", "ABg5-xyz"))
	out := message(t, "Ciao", "anna@example.com", "hidden@example.com")
	r, err := a.Send(t.Context(), out)
	if err != nil {
		t.Fatal(err)
	}
	got := seen()[0]
	if got.method != "POST" || got.uri != "/upload/gmail/v1/users/me/messages/send?uploadType=media" || got.header.Get("Content-Type") != "message/rfc822" ||
		got.header.Get("Authorization") != "Bearer token-1" || got.contentLength != int64(len(got.body)) || got.header.Get("Transfer-Encoding") != "" {
		t.Errorf("%+v", got)
	}
	if !strings.Contains(string(got.body), "Bcc: hidden@example.com\r\n") || strings.Index(string(got.body), "Bcc:") > strings.Index(string(got.body), "MIME-Version:") { // contracts C5.4
		t.Errorf("body:\n%s", got.body)
	}
	if r.ProviderID != "19a1" || r.Route != "media" || r.RequestID != "ABg5-xyz" || r.Bytes != int64(len(got.body)) || r.MessageID != "<m.1@example.com>" {
		t.Errorf("%+v", r)
	}
}

func TestRenewsOnceAfter401(t *testing.T) {
	t.Parallel()
	denied := `{"error":{"code":401,"message":"Invalid Credentials","errors":[{"reason":"authError"}],"status":"UNAUTHENTICATED"}}`
	a, _, seen := serve(t, respond(401, denied), respond(200, okBody))
	if _, err := a.Send(t.Context(), small(t)); err != nil || len(seen()) != 2 || seen()[1].header.Get("Authorization") != "Bearer token-2" || string(seen()[0].body) != string(seen()[1].body) {
		t.Errorf("%v after %d requests", err, len(seen()))
	}
	a, tok, again := serve(t, respond(401, denied))
	seen = again
	_, err := a.Send(t.Context(), small(t))
	if e := adapters.AsError(err); e.Class != adapters.Auth || len(seen()) != 2 || tok.renews != 1 {
		t.Errorf("%+v after %d requests", e, len(seen()))
	}
	a, tok, seen = serve(t, respond(200, okBody))
	tok.err = &adapters.Error{Class: adapters.Auth, Code: "AADSTS1"}
	if _, err := a.Send(t.Context(), small(t)); adapters.AsError(err).Code != "AADSTS1" || len(seen()) != 0 {
		t.Errorf("without a token: %v", err)
	}
}

// session answers the start of an upload.
func session(w http.ResponseWriter, r *http.Request) {
	// Another host in the Location must not get the message.
	w.Header().Set("Location", "https://attacker.example"+r.URL.Path+"?uploadType=resumable&upload_id=CAPABILITY")
}

func stands(n int64) http.HandlerFunc {
	if n == 0 {
		return respond(308, "")
	}
	return respond(308, "", "Range", fmt.Sprintf("bytes=0-%d", n-1))
}

func TestResumableRequests(t *testing.T) {
	t.Parallel()
	a, _, seen := serve(t, session, stands(testChunk), stands(2*testChunk), respond(200, okBody))
	r, err := a.Send(t.Context(), large(t))
	if err != nil {
		t.Fatal(err)
	}
	got := seen()
	if h := got[0]; h.uri != "/upload/gmail/v1/users/me/messages/send?uploadType=resumable" || h.header.Get("X-Upload-Content-Type") != "message/rfc822" ||
		h.header.Get("X-Upload-Content-Length") != fmt.Sprint(r.Bytes) || h.contentLength != 0 {
		t.Errorf("start: %+v", h)
	}
	whole := 0
	for i, h := range got[1:] {
		first := int64(i) * testChunk
		want := fmt.Sprintf("bytes %d-%d/%d", first, min(first+testChunk, r.Bytes)-1, r.Bytes)
		if h.method != "PUT" || h.header.Get("Content-Range") != want || h.contentLength != int64(len(h.body)) || h.uri != "/upload/gmail/v1/users/me/messages/send?uploadType=resumable&upload_id=CAPABILITY" {
			t.Errorf("chunk %d: %s %s %q, want %q", i, h.method, h.uri, h.header.Get("Content-Range"), want)
		}
		whole += len(h.body)
	}
	if int64(whole) != r.Bytes || r.Route != "resumable" || r.RequestID != "" {
		t.Errorf("%d bytes in chunks, %+v", whole, r)
	}
}

func TestResumableOdds(t *testing.T) {
	t.Parallel()
	interim200 := respond(200, "", "X-Http-Status-Code-Override", "308", "Range", fmt.Sprintf("bytes=0-%d", testChunk-1)) // contracts C2.4
	for _, c := range []struct {
		name     string
		answers  []http.HandlerFunc
		class    adapters.Class
		requests int
	}{
		{"interim answers as 200", []http.HandlerFunc{session, interim200, stands(2 * testChunk), respond(201, okBody)}, adapters.Accepted, 4},
		{"half a chunk was kept", []http.HandlerFunc{session, stands(chunkUnit), stands(chunkUnit + testChunk), stands(2*testChunk + chunkUnit), respond(200, okBody)}, adapters.Accepted, 5},
		{"503, then asked", []http.HandlerFunc{session, respond(503, ""), stands(0), stands(testChunk), stands(2 * testChunk), respond(200, okBody)}, adapters.Accepted, 6},
		{"the question fails once too", []http.HandlerFunc{session, respond(503, ""), respond(502, ""), stands(testChunk), stands(2 * testChunk), respond(200, okBody)}, adapters.Accepted, 6},
		{"never gets on", []http.HandlerFunc{session, stands(0)}, adapters.Transient, 8},
		{"asks for more than was sent", []http.HandlerFunc{session, stands(3 * testChunk), respond(499, "")}, adapters.Transient, 3},
		{"range is nonsense", []http.HandlerFunc{session, respond(308, "", "Range", "bytes=7-9"), respond(499, "")}, adapters.Transient, 3},
		{"no Location", []http.HandlerFunc{respond(200, "")}, adapters.Transient, 1},
		{"start refused", []http.HandlerFunc{respond(403, `{"error":{"code":403,"errors":[{"reason":"domainPolicy"}]}}`)}, adapters.Auth, 1},
		{"told to wait for hours", []http.HandlerFunc{session, respond(429, "", "Retry-After", "7200"), respond(499, "")}, adapters.Throttled, 3},
		{"last chunk 504, session incomplete, cannot be cancelled", []http.HandlerFunc{session, stands(testChunk), stands(2 * testChunk), respond(504, ""), stands(2 * testChunk), respond(405, "")}, adapters.Unknown, 6},
		{"last chunk 504, session incomplete, cancelled", []http.HandlerFunc{session, stands(testChunk), stands(2 * testChunk), respond(504, ""), stands(2 * testChunk), respond(499, "")}, adapters.Transient, 6},
		{"last chunk 504, session sent it", []http.HandlerFunc{session, stands(testChunk), stands(2 * testChunk), respond(504, ""), respond(200, okBody)}, adapters.Accepted, 5},
		{"last chunk 504, session knows nothing", []http.HandlerFunc{session, stands(testChunk), stands(2 * testChunk), respond(504, ""), respond(410, "")}, adapters.Unknown, 5},
		{"last chunk 308", []http.HandlerFunc{session, stands(testChunk), stands(2 * testChunk), stands(2 * testChunk), stands(2 * testChunk), respond(204, "")}, adapters.Transient, 6},
		{"last chunk 429", []http.HandlerFunc{session, stands(testChunk), stands(2 * testChunk), respond(429, "", "Retry-After", "60")}, adapters.Throttled, 4},
		{"last chunk 200 without a message", []http.HandlerFunc{session, stands(testChunk), stands(2 * testChunk), respond(200, "{}"), respond(200, "{}")}, adapters.Unknown, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, _, seen := serve(t, c.answers...)
			_, err := a.Send(t.Context(), large(t))
			if adapters.ClassOf(err) != c.class || len(seen()) != c.requests {
				t.Errorf("%v (%s) after %d requests", err, adapters.ClassOf(err), len(seen()))
			}
			if err != nil && strings.Contains(fmt.Sprint(err, errors.Unwrap(err)), "CAPABILITY") {
				t.Errorf("the session shows: %v", err)
			}
			last := 0
			for _, r := range seen() {
				if n := len(r.body); n > 0 && strings.HasPrefix(r.header.Get("Content-Range"), fmt.Sprintf("bytes %d-", 2*testChunk)) {
					last++
				}
			}
			if last > 1 {
				t.Errorf("the last chunk went out %d times", last)
			}
		})
	}
}

func TestPausesGrowAndHonourRetryAfter(t *testing.T) {
	t.Parallel()
	a, _, _ := serve(t, session, respond(503, ""), respond(503, ""), respond(503, "", "Retry-After", "20"), respond(503, ""))
	var waits []time.Duration
	a.SkipPauses(func(d time.Duration) { waits = append(waits, d) })
	_, err := a.Send(t.Context(), large(t))
	if e := adapters.AsError(err); e.Class != adapters.Transient || e.Status != 503 {
		t.Errorf("%+v", e)
	}
	if got := fmt.Sprint(waits); got != "[1s 2s 20s 8s 16s]" {
		t.Errorf("waited %s", got)
	}
}

// gated gives its second half only after gone is closed, once armed.
type gated struct {
	mime.Source
	armed atomic.Bool
	gone  chan struct{}
}

func (g *gated) ReadAt(p []byte, off int64) (int, error) {
	if g.armed.Load() && off > g.Size()/2 {
		<-g.gone
	}
	return g.Source.ReadAt(p, off)
}

// A body that broke off on the way was surely not sent; one that was handed
// over whole may have been (design rule 5).
func TestBrokenConnections(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]adapters.Class{"after the whole message": adapters.Unknown, "in the middle": adapters.Transient} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := message(t, strings.Repeat(strings.Repeat("x", 76)+"\r\n", 10_000), "anna@example.com")
			src := &gated{Source: out.Message.Source(), gone: make(chan struct{})}
			m, err := mime.Read(src, mime.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			out.Message = m
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan int)
			go func() {
				n := 0
				defer func() { done <- n }()
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					n++
					src.armed.Store(want == adapters.Transient)
					toRead := src.Size() / 4
					if want == adapters.Unknown {
						toRead = src.Size() // and the request's head: surely past the last byte's hand-over
					}
					_, _ = io.CopyN(io.Discard, conn, toRead)
					_ = conn.(*net.TCPConn).SetLinger(0)
					_ = conn.Close()
					if n == 1 {
						close(src.gone)
					}
				}
			}()
			a, err := New(&adapters.Connection{Provider: adapters.Gmail, From: "shop@example.com", Gmail: &adapters.GmailSettings{GmailURL: "http://" + l.Addr().String()}},
				Options{Tokens: &stubTokens{}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = a.Send(t.Context(), out)
			if e := adapters.AsError(err); e == nil || e.Class != want || e.Code != "connection_lost" {
				t.Errorf("%+v", e)
			}
			_ = l.Close()
			if n := <-done; n != 1 {
				t.Errorf("%d connections: it was sent again", n)
			}
			_ = a.Close()
		})
	}
}

func TestQuietProviderIsGivenUp(t *testing.T) {
	t.Parallel()
	a, _, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	a.quiet = 50 * time.Millisecond
	_, err := a.Send(t.Context(), small(t))
	if e := adapters.AsError(err); e.Class != adapters.Unknown || e.Code != "timeout" {
		t.Errorf("%+v", e)
	}
}

// failingSource breaks in the middle, as a bad disk does.
type failingSource struct {
	mime.Source
	after int64
}

func (f *failingSource) ReadAt(p []byte, off int64) (int, error) {
	if off >= f.after {
		return 0, errors.New("input/output error")
	}
	return f.Source.ReadAt(p[:min(int64(len(p)), f.after-off)], off)
}

func TestUnreadableMessageIsSentToNobody(t *testing.T) {
	t.Parallel()
	a, _, seen := serve(t, respond(200, okBody))
	good := message(t, strings.Repeat("x\r\n", 100_000), "anna@example.com")
	m, err := mime.Read(&failingSource{good.Message.Source(), 100_000}, mime.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	good.Message = m
	_, err = a.Send(t.Context(), good)
	if e := adapters.AsError(err); e.Class != adapters.Transient || e.Code != "message_unreadable" || len(seen()) != 0 {
		t.Errorf("%+v, %d requests", e, len(seen()))
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	a, _, seen := serve(t, respond(200, okBody))
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprintf("r%d@example.com", i)
	}
	other := func(from string) adapters.Outgoing {
		m, err := mime.Read(mime.Bytes([]byte("From: "+from+"\r\nTo: a@example.com\r\n\r\nx")), mime.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return adapters.Outgoing{Message: m, Envelope: mime.Envelope{Recipients: []mime.Recipient{{Address: "a@example.com"}}}}
	}
	for name, c := range map[string]struct {
		out     adapters.Outgoing
		code    string
		noRetry bool
	}{
		"fine":            {message(t, "x", many[:100]...), "", false},
		"too many":        {message(t, "x", many...), "too_many_recipients", false},
		"nobody":          {message(t, "x"), "no_recipients", false},
		"foreign From":    {other("boss@elsewhere.example"), "from_not_allowed", true},
		"own From":        {other("Shop <shop@EXAMPLE.com>"), "", false},
		"one of two From": {other("shop@example.com, boss@elsewhere.example\r\nSender: shop@example.com"), "from_not_allowed", true},
	} {
		for _, err := range []error{a.Check(c.out), func() error { _, err := a.Send(t.Context(), c.out); return err }()} {
			e := adapters.AsError(err)
			if c.code == "" && e == nil {
				continue
			}
			if e == nil || e.Code != c.code || e.Class != adapters.Permanent || e.NoRetry != c.noRetry || e.Remedy.IT == "" {
				t.Errorf("%s: %+v", name, e)
			}
		}
	}
	if n := len(seen()); n != 2 {
		t.Errorf("%d messages went out", n)
	}
	if _, err := New(&adapters.Connection{Provider: adapters.SMTP}, Options{Tokens: &stubTokens{}}); err == nil {
		t.Error("a connection without gmail object passed")
	}
}
