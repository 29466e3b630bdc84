package gmail

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/mime"
	"github.com/postino-mail/postino/tokens/credential"
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
		Settings: &Settings{Google: credential.Google{Subject: "shop@example.com"}, GmailURL: srv.URL}}, Options{Tokens: tok})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	a.SkipPauses(nil)
	a.chunk = testChunk
	return a, tok, func() []seenRequest {
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
	m, err := mime.Read(mime.Bytes([]byte("From: shop@example.com\r\nTo: anna@example.com\r\nSubject: x\r\nDate: Sun, 22 Nov 2026 10:00:00 "+
		"+0100\r\n"+
		"Message-ID: <m.1@example.com>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n"+content+"\r\n")), mime.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	out := adapters.Outgoing{Message: m, Envelope: mime.Envelope{From: mailboxtest.Of("shop@example.com")}}
	for _, r := range rcpts {
		out.Envelope.Recipients = append(out.Envelope.Recipients, mime.Recipient{Address: mailboxtest.Of(r)})
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
	if got.method != "POST" || got.uri != "/upload/gmail/v1/users/me/messages/send?uploadType=media" ||
		got.header.Get("Content-Type") != "message/rfc822" ||
		got.header.Get("Authorization") != "Bearer token-1" || got.contentLength != int64(len(got.body)) ||
		got.header.Get("Transfer-Encoding") != "" {
		t.Errorf("%+v", got)
	}
	// contracts C5.4
	if !strings.Contains(string(got.body), "Bcc: hidden@example.com\r\n") ||
		strings.Index(string(got.body), "Bcc:") > strings.Index(string(got.body), "MIME-Version:") {
		t.Errorf("body:\n%s", got.body)
	}
	if r.ProviderID != "19a1" || r.Route != "media" || r.RequestID != "ABg5-xyz" || r.Bytes != int64(len(got.body)) ||
		r.MessageID != "<m.1@example.com>" {
		t.Errorf("%+v", r)
	}
}

func TestRenewsOnceAfter401(t *testing.T) {
	t.Parallel()
	denied := `{"error":{"code":401,"message":"Invalid Credentials","errors":[{"reason":"authError"}],"status":"UNAUTHENTICATED"}}`
	a, _, seen := serve(t, respond(401, denied), respond(200, okBody))
	if _, err := a.Send(t.Context(), small(t)); err != nil || len(seen()) != 2 || seen()[1].header.Get("Authorization") != "Bearer token-2" ||
		string(seen()[0].body) != string(seen()[1].body) {
		t.Errorf("%v after %d requests", err, len(seen()))
	}
	a, tok, again := serve(t, respond(401, denied))
	seen = again
	_, err := a.Send(t.Context(), small(t))
	if e := adapters.AsError(err); e.Class != adapters.Auth || len(seen()) != 2 || tok.renews != 1 {
		t.Errorf("%+v after %d requests", e, len(seen()))
	}
	a, tok, seen = serve(t, respond(200, okBody))
	tok.err = &adapters.Error{Class: adapters.Auth, ProviderCode: "AADSTS1"}
	if _, err := a.Send(t.Context(), small(t)); adapters.AsError(err).ProviderCode != "AADSTS1" || len(seen()) != 0 {
		t.Errorf("without a token: %v", err)
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
		return adapters.Outgoing{Message: m,
			Envelope: mime.Envelope{Recipients: []mime.Recipient{{Address: mailboxtest.Of("a@example.com")}}}}
	}
	for name, c := range map[string]struct {
		out     adapters.Outgoing
		code    string
		noRetry bool
	}{
		"fine":            {message(t, "x", many[:100]...), "", false},
		"too many":        {message(t, "x", many...), "too_many_recipients", false},
		"no recipient":    {message(t, "x"), "no_recipients", false},
		"foreign From":    {other("boss@elsewhere.example"), "sender_not_allowed", true},
		"own From":        {other("Shop <shop@EXAMPLE.com>"), "", false},
		"one of two From": {other("shop@example.com, boss@elsewhere.example\r\nSender: shop@example.com"), "sender_not_allowed", true},
	} {
		for _, err := range []error{a.Check(c.out), func() error { _, err := a.Send(t.Context(), c.out); return err }()} {
			e := adapters.AsError(err)
			if c.code == "" && e == nil {
				continue
			}
			if e == nil || string(e.Code) != c.code || e.Class != adapters.Permanent || e.NoRetry != c.noRetry || e.Hint.In("it") == "" {
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
