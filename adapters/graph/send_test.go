package graph

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
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
	if r.Route != "mime" || r.RequestID != "rid-1" || r.Status != 202 || r.Bytes != int64(len(raw)) || r.SHA256 != hex.EncodeToString(sum[:]) ||
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
	a.conn.Graph.Mailbox = "a/b#EXT#?%@contoso.it"
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
	tokens.err = &adapters.Error{Class: adapters.Auth, Code: "AADSTS7000222"}
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

// hangUp reads the request and resets the connection.
func hangUp(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	panic(http.ErrAbortHandler)
}

func TestLostAnswerIsUnknownAndNotRepeated(t *testing.T) {
	t.Parallel()
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("http2=%v", h2), func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if calls.Add(1) == 1 { // so that the second request meets a kept connection
					_, _ = io.Copy(io.Discard, r.Body)
					w.WriteHeader(http.StatusAccepted)
					return
				}
				hangUp(w, r)
			}))
			srv.EnableHTTP2 = h2
			srv.Config.ErrorLog = nil
			srv.StartTLS()
			t.Cleanup(srv.Close)
			a, _ := adapterOn(t, srv.URL, srv.Client())
			if _, err := a.Send(t.Context(), smallOut(t)); err != nil {
				t.Fatal(err)
			}
			_, err := a.Send(t.Context(), smallOut(t))
			_ = wantClass(t, err, adapters.Unknown)
			if calls.Load() != 2 {
				t.Errorf("sent %d times", calls.Load()-1)
			}
		})
	}
}

// TestDeadKeptConnection: the server closes a kept connection; the next
// message is sent once over a new one, or is Unknown when its bytes went into
// the dead one. Never twice.
func TestDeadKeptConnection(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		calls.Add(1)
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(srv.Close)
	a, _ := adapterOn(t, srv.URL, srv.Client())
	sent := int32(0)
	for range 20 {
		if _, err := a.Send(t.Context(), smallOut(t)); err == nil {
			sent++
		} else if c := adapters.ClassOf(err); c != adapters.Unknown && c != adapters.Transient {
			t.Errorf("%v", err)
		}
		srv.CloseClientConnections()
	}
	if calls.Load() != sent {
		t.Errorf("%d receipts, %d requests taken", sent, calls.Load())
	}
	if sent < 10 {
		t.Errorf("only %d of 20 got through", sent)
	}
}

func TestIncompleteRequestIsTransient(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_ = c.(*net.TCPConn).SetReadBuffer(64 << 10)
			_, _ = io.CopyN(io.Discard, c, 100_000) // less than the request
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}
	}()
	// Small buffers: the kernel must not take the whole request by itself.
	a, _ := adapterOn(t, "http://"+ln.Addr().String(), &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, addr)
			if err == nil {
				err = c.(*net.TCPConn).SetWriteBuffer(64 << 10)
			}
			return c, err
		}}})
	big := message(t, small+strings.Repeat("x\n", 1_000_000-1000))
	_, err = a.Send(t.Context(), outgoing(big, "anna@example.com"))
	_ = wantClass(t, err, adapters.Transient)
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	tls := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(tls.Close)
	for code, url := range map[string]string{
		"connection_refused": "http://127.0.0.1:1",
		"dns_not_found":      "http://graph.invalid",
		"tls_untrusted":      tls.URL,
	} {
		a, _ := adapterOn(t, url, &http.Client{Transport: &http.Transport{}})
		_, err := a.Send(t.Context(), smallOut(t))
		e := wantClass(t, err, adapters.Transient)
		if e.Code != code || e.Scope != adapters.ScopeConnection {
			t.Errorf("%s: code %s scope %s: %v", url, e.Code, e.Scope, e.Err)
		}
		for cause := err; cause != nil; cause = errors.Unwrap(cause) {
			if strings.Contains(cause.Error(), "/v1.0/") {
				t.Errorf("an error shows the URL: %v", cause)
			}
		}
	}
}

// TestQuiet: a provider that takes the message and says nothing.
func TestQuiet(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	a, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-release
	}))
	t.Cleanup(func() { close(release) })
	a.quiet = 50 * time.Millisecond
	_, err := a.Send(t.Context(), smallOut(t))
	_ = wantClass(t, err, adapters.Unknown)
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	taken, release := make(chan struct{}), make(chan struct{})
	a, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(taken)
		<-release
	}))
	t.Cleanup(func() { close(release) })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-taken; cancel() }()
	_, err := a.Send(ctx, smallOut(t))
	_ = wantClass(t, err, adapters.Unknown)
	_, err = a.Send(ctx, smallOut(t))
	_ = wantClass(t, err, adapters.Transient)
}

// failingSource breaks while it is read.
type failingSource struct{ mime.Source }

func (f failingSource) ReadAt(p []byte, off int64) (int, error) {
	if off > 40_000 {
		return 0, errors.New("disk error")
	}
	return f.Source.ReadAt(p, off)
}

func TestUnreadableMessage(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	a, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n, _ := io.Copy(io.Discard, r.Body); n == r.ContentLength {
			calls.Add(1)
		}
	}))
	raw := strings.ReplaceAll(small, "\n", "\r\n") + strings.Repeat("x\r\n", 100_000)
	m, err := mime.Read(failingSource{mime.Bytes([]byte(raw))}, mime.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Send(t.Context(), outgoing(m, "anna@example.com"))
	if e := wantClass(t, err, adapters.Transient); e.Code != "unreadable" || calls.Load() != 0 {
		t.Errorf("%+v after %d whole requests", e, calls.Load())
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	a, _ := adapterOn(t, "http://127.0.0.1:1", http.DefaultClient)
	many := make([]string, MaxRecipients+1)
	for i := range many {
		many[i] = fmt.Sprintf("r%d@example.com", i)
	}
	from := func(h string) *mime.Message {
		return message(t, strings.Replace(small, "From: ERP <erp@contoso.it>", h, 1))
	}
	for _, c := range []struct {
		name string
		out  adapters.Outgoing
		code string
	}{
		{"fine", smallOut(t), ""},
		{"an alias", outgoing(from("From: info@contoso.it"), "anna@example.com"), ""},
		{"501 recipients: the tenant decides", outgoing(message(t, small), many[:501]...), ""},
		{"1,000 recipients", outgoing(message(t, small), many[:MaxRecipients]...), ""},
		{"1,001 recipients", outgoing(message(t, small), many...), "too_many_recipients"},
		{"nobody", outgoing(message(t, small)), "no_recipients"},
		{"a stranger's From", outgoing(from("From: ceo@contoso.it"), "anna@example.com"), "sender_not_allowed"},
		{"two authors with Sender", outgoing(from("From: erp@contoso.it, info@contoso.it\nSender: erp@contoso.it"), "anna@example.com"), ""},
		{"two authors, one not allowed", outgoing(from("From: erp@contoso.it, ceo@contoso.it\nSender: erp@contoso.it"), "anna@example.com"), "sender_not_allowed"},
		{"two authors without Sender", outgoing(from("From: erp@contoso.it, info@contoso.it"), "anna@example.com"), "no_sender"},
	} {
		err := a.Check(c.out)
		if c.code == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if e := wantClass(t, err, adapters.Permanent); e.Code != c.code {
			t.Errorf("%s: %v", c.name, e)
		}
	}
}

func TestClouds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ cloud, url, want string }{
		{"", "", "https://graph.microsoft.com/v1.0"},
		{"gcchigh", "", "https://graph.microsoft.us/v1.0"},
		{"dod", "", "https://dod-graph.microsoft.us/v1.0"},
		{"china", "", "https://microsoftgraph.chinacloudapi.cn/v1.0"},
		{"china", "https://127.0.0.1:8443/graph/", "https://127.0.0.1:8443/graph/v1.0"},
	} {
		if got := baseURL(&adapters.GraphSettings{Cloud: c.cloud, GraphURL: c.url}); got != c.want {
			t.Errorf("%s %s: %s", c.cloud, c.url, got)
		}
	}
}
