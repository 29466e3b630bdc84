package graph

import (
	"context"
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
		if string(e.Code) != code || e.Scope != adapters.ScopeConnection {
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
