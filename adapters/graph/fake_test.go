package graph

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/mime"
	"github.com/postino-mail/postino/tokens/credential"
)

const erp = "erp@contoso.it"

// fakeTokens returns token-0 and, after each renewal, the next one.
type fakeTokens struct {
	mu      sync.Mutex
	n       int
	renewed int
	err     error
}

func (f *fakeTokens) TokenSource(*adapters.Connection, adapters.Audience) (adapters.TokenSource, error) {
	return f, nil
}

func (f *fakeTokens) Token(ctx context.Context) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return fmt.Sprintf("token-%d", f.n), f.err
}

func (f *fakeTokens) Renew(_ context.Context, rejected string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if rejected == fmt.Sprintf("token-%d", f.n) {
		f.n++
		f.renewed++
	}
	return fmt.Sprintf("token-%d", f.n), f.err
}

// connection is one to a fake at url.
func connection(url string) *adapters.Connection {
	return &adapters.Connection{Name: "Ufficio", Provider: adapters.Graph, From: erp, Aliases: []string{"info@contoso.it"},
		Settings: &Settings{Entra: credential.Entra{Tenant: "contoso.it", ClientID: "c", ClientSecret: "s"}, GraphURL: url}}
}

// serve starts h and returns an adapter on it with pauses that take no time.
func serve(t testing.TB, h http.Handler) (*Adapter, *fakeTokens) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return adapterOn(t, srv.URL, srv.Client())
}

func adapterOn(t testing.TB, url string, client *http.Client) (*Adapter, *fakeTokens) {
	t.Helper()
	tokens := new(fakeTokens)
	a, err := New(connection(url), Options{Tokens: tokens, HTTPClient: client,
		Now: func() time.Time { return time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC) }})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	a.wait = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	t.Cleanup(func() { _ = a.Close() })
	return a, tokens
}

// message reads raw, with LF as line ends for the reader's eyes.
func message(t testing.TB, raw string) *mime.Message {
	t.Helper()
	m, err := mime.Read(mime.Bytes([]byte(strings.ReplaceAll(raw, "\n", "\r\n"))), mime.Limits{})
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	return m
}

const small = "From: ERP <erp@contoso.it>\nTo: Anna <anna@example.com>\nSubject: Fattura 42\n" +
	"Date: Sun, 22 Nov 2026 10:00:00 +0100\nMessage-ID: <it's.42@contoso.it>\nMIME-Version: 1.0\n\nCiao.\n"

func outgoing(m *mime.Message, rcpts ...string) adapters.Outgoing {
	out := adapters.Outgoing{Message: m, Envelope: mime.Envelope{From: mailboxtest.Of(erp)}, ID: "4a4e7a52-2c3e-4c7b-9f0e-000000000001"}
	for _, r := range rcpts {
		out.Envelope.Recipients = append(out.Envelope.Recipients, mime.Recipient{Address: mailboxtest.Of(r)})
	}
	return out
}

func smallOut(t testing.TB) adapters.Outgoing {
	return outgoing(message(t, small), "anna@example.com")
}

// wantClass fails the test unless err is of the class.
func wantClass(t testing.TB, err error, want adapters.Class) *adapters.Error {
	t.Helper()
	e := adapters.AsError(err)
	if e == nil || e.Class != want {
		t.Fatalf("got %v (%s), want class %s", err, adapters.ClassOf(err), want)
	}
	if e.Message.String() == "" || e.Message.In("it") == "" || e.Hint.String() == "" || e.Hint.In("it") == "" || e.Enhanced == "" ||
		e.Code == "" {
		t.Errorf("the error leaves something unsaid: %+v", e)
	}
	return e
}
