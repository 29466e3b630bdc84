package graph

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

func TestSendMIME(t *testing.T) {
	t.Parallel()
	var got *http.Request
	var body []byte
	a, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("request-id", "rid-1")
		w.WriteHeader(http.StatusAccepted)
	}))
	out := smallOut(t)
	r, err := a.Send(t.Context(), out)
	if err != nil {
		t.Fatal(err)
	}
	view, err := out.Message.ForAPI(out.Addresses())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(mime.NewReader(view))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(raw)
	if r.Route != "mime" || r.RequestID != "rid-1" || r.Status != 202 || r.Bytes != int64(len(raw)) ||
		r.SHA256 != hex.EncodeToString(sum[:]) ||
		r.MessageID != "<it's.42@contoso.it>" || len(r.Recipients) != 1 || r.At.IsZero() {
		t.Errorf("receipt: %+v", r)
	}
	if got.Method != "POST" || got.URL.Path != "/v1.0/users/erp@contoso.it/sendMail" {
		t.Errorf("%s %s", got.Method, got.URL)
	}
	for k, want := range map[string]string{"Content-Type": "text/plain", "Authorization": "Bearer token-0",
		"Client-Request-Id": out.ID, "Content-Encoding": "", "Transfer-Encoding": ""} {
		if got.Header.Get(k) != want {
			t.Errorf("%s: %q, want %q", k, got.Header.Get(k), want)
		}
	}
	if got.ContentLength != int64(len(body)) || string(body) != base64.StdEncoding.EncodeToString(raw) {
		t.Error("the body is not the unwrapped base64 of the API view")
	}
}

func TestMailboxIsEscaped(t *testing.T) {
	t.Parallel()
	var uri string
	a, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		uri = r.RequestURI
		w.WriteHeader(http.StatusAccepted)
	}))
	SettingsOf(a.conn).Mailbox = "a/b#EXT#?%@contoso.it"
	if _, err := a.Send(t.Context(), smallOut(t)); err != nil {
		t.Fatal(err)
	}
	if uri != "/v1.0/users/a%2Fb%23EXT%23%3F%25@contoso.it/sendMail" {
		t.Error(uri)
	}
}

func TestBase64(t *testing.T) {
	t.Parallel()
	raw := bytes.Repeat([]byte("0123456789"), 10_000)
	for _, n := range []int{0, 1, 2, 3, 4, rawBlock - 1, rawBlock, rawBlock + 1, 3*rawBlock - 2, len(raw)} {
		got, err := io.ReadAll(newBase64(bytes.NewReader(raw[:n]), int64(n), nil))
		if err != nil || string(got) != base64.StdEncoding.EncodeToString(raw[:n]) || int64(len(got)) != base64Len(int64(n)) {
			t.Errorf("%d bytes: wrong encoding, %v", n, err)
		}
	}
}

func TestTokenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		until string // the token that is accepted
		calls int32
		class adapters.Class
	}{
		{"a new token helps", "Bearer token-1", 2, adapters.Accepted},
		{"no token helps", "Bearer token-9", 2, adapters.Auth},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			a, tokens := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				_, _ = io.Copy(io.Discard, r.Body)
				if r.Header.Get("Authorization") != c.until {
					w.WriteHeader(http.StatusUnauthorized)
					fmt.Fprint(w, `{"error":{"code":"InvalidAuthenticationToken","message":"expired"}}`)
					return
				}
				w.WriteHeader(http.StatusAccepted)
			}))
			_, err := a.Send(t.Context(), smallOut(t))
			if adapters.ClassOf(err) != c.class || calls.Load() != c.calls || tokens.renewed != 1 {
				t.Errorf("%v after %d calls and %d renewals", err, calls.Load(), tokens.renewed)
			}
		})
	}
}

func TestTokenFailureIsPassedOn(t *testing.T) {
	t.Parallel()
	a, tokens := serve(t, http.NotFoundHandler())
	tokens.err = &adapters.Error{Class: adapters.Auth, ProviderCode: "AADSTS7000222"}
	if _, err := a.Send(t.Context(), smallOut(t)); !errors.Is(err, tokens.err) {
		t.Error(err)
	}
	tokens.err = errors.New("something else")
	_, err := a.Send(t.Context(), smallOut(t))
	_ = wantClass(t, err, adapters.Transient)
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	a, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "17")
		w.Header().Set("request-id", "rid-2")
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(w, `{"error":{"code":"ApplicationThrottled","message":"Application is over its MailboxConcurrency limit."}}`)
	}))
	_, err := a.Send(t.Context(), smallOut(t))
	e := wantClass(t, err, adapters.Throttled)
	if e.RetryAfter != 17*time.Second || e.Scope != adapters.ScopeLane || e.RequestID != "rid-2" || e.Status != 429 {
		t.Errorf("%+v", e)
	}
}

func TestNoRedirectIsFollowed(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	a, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}))
	_, err := a.Send(t.Context(), smallOut(t))
	_ = wantClass(t, err, adapters.Auth)
	if calls.Load() != 1 {
		t.Errorf("%d calls", calls.Load())
	}
}
