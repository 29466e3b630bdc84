package adapters_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters"
)

// TestConversation: it is bounded, keeps its beginning and its end, and no line of it can
// make another one.
func TestConversation(t *testing.T) {
	t.Parallel()
	var none *adapters.Conversation
	none.Note("x")
	if none.String() != "" || adapters.ConversationIn(t.Context()) != nil {
		t.Error("nil is not empty")
	}
	c := &adapters.Conversation{}
	c.Note("first\r\nC: QUIT\x1b[31m")
	for range 10_000 {
		c.Note(strings.Repeat("è", 1000))
	}
	c.Note("last")
	s := c.String()
	if len(s) > 8<<10 || !strings.HasPrefix(s, "first  C: QUIT [31m\n") || !strings.HasSuffix(s, "\nlast\n") || !strings.Contains(s, "\n… (") {
		t.Errorf("%d bytes: %.60q … %q", len(s), s, s[len(s)-20:])
	}
}

// TestNotedTransport: what is noted of a request has no token, no query and no upload
// address.
func TestNotedTransport(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("request-id", "rid-1")
		w.WriteHeader(http.StatusAccepted)
	}))
	defer server.Close()
	c := &adapters.Conversation{}
	ctx := adapters.WithConversation(context.Background(), c)
	client := http.Client{Transport: adapters.NotedTransport(nil)}
	for _, q := range []struct{ target, token string }{{"/v1.0/users/a/sendMail?secret=q1", "Bearer t1"}, {"/session/p1?authtoken=q2", ""},
		{"/dead", "Bearer t2"}} {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+q.target, strings.NewReader("b1"))
		if err != nil {
			t.Fatal(err)
		}
		if q.token != "" {
			r.Header.Set("Authorization", q.token)
		}
		if q.target == "/dead" {
			r.URL.Host = "127.0.0.1:1"
		}
		res, err := client.Do(r)
		if err == nil {
			err = res.Body.Close()
		}
		if (err != nil) != (q.target == "/dead") {
			t.Fatal(err)
		}
	}
	s := c.String()
	for _, want := range []string{"/v1.0/users/a/sendMail (2 bytes) -> 202 request-id rid-1\n",
		"/… (2 bytes) -> 202", "/dead (2 bytes) -> no answer\n"} {
		if !strings.Contains(s, want) {
			t.Errorf("%q is missing in\n%s", want, s)
		}
	}
	for _, secret := range []string{"t1", "t2", "q1", "q2", "p1", "b1", "Bearer"} {
		if strings.Contains(s, secret) {
			t.Errorf("%q is noted:\n%s", secret, s)
		}
	}
}

// TestReasonNoted: of a refusal the code and the words are noted, without what may be a
// token, and the adapter still reads all of it; of other answers nothing.
func TestReasonNoted(t *testing.T) {
	t.Parallel()
	token := "eyJ0eXAi." + strings.Repeat("Ab1", 30)
	large := strings.Repeat("x", 100_000)
	for body, want := range map[string]string{
		`{"error":{"code":"ErrorSendAsDenied","message":"not\nallowed ` + token + `"},"echo":"b1"}`: "  ErrorSendAsDenied not allowed ***\n",
		`{"error":{"code":403,"status":"PERMISSION_DENIED","message":"no"}}`:                        "  PERMISSION_DENIED no\n",
		`{"error":"invalid_grant"}`:                                 "",
		`<html>` + token:                                            "",
		`{"error":{"code":"A","message":"` + large + `"}}`:          "",
		`{"error":{"code":{"b1":1},"message":"m` + "\u202e" + `"}}`: "  m \n",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(body))
		}))
		c := &adapters.Conversation{}
		r, err := http.NewRequestWithContext(adapters.WithConversation(t.Context(), c), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := adapters.NotedTransport(nil).RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		if err != nil || string(got) != body {
			t.Errorf("%v: %.60q is left of %.60q", err, got, body)
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
		if _, after, _ := strings.Cut(c.String(), "-> 403\n"); after != want {
			t.Errorf("%.60s: %q, want %q", body, after, want)
		}
		server.Close()
	}
}
