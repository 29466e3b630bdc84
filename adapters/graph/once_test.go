package graph

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"golang.org/x/net/http2"
)

// resetServer speaks HTTP/2 and ends every request with PROTOCOL_ERROR, which
// net/http answers by repeating a request without body.
func resetServer(t *testing.T) (url string, client *http.Client, seen *atomic.Int32) {
	t.Helper()
	cert := httptest.NewTLSServer(nil)
	t.Cleanup(cert.Close)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: cert.TLS.Certificates, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	seen = new(atomic.Int32)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go serveResets(c, seen)
		}
	}()
	client = cert.Client()
	client.Transport.(*http.Transport).ForceAttemptHTTP2 = true
	return "https://" + ln.Addr().String(), client, seen
}

func serveResets(c net.Conn, seen *atomic.Int32) {
	defer c.Close()
	if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	f := http2.NewFramer(c, c)
	if f.WriteSettings() != nil {
		return
	}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return
		}
		if h, ok := frame.(*http2.HeadersFrame); ok {
			seen.Add(1)
			if f.WriteRSTStream(h.StreamID, http2.ErrCodeProtocol) != nil {
				return
			}
		}
	}
}

// TestTransportNeverRepeats: /send has no body, so that net/http would send it
// again by itself.
func TestTransportNeverRepeats(t *testing.T) {
	t.Parallel()
	url, client, seen := resetServer(t)
	a, _ := adapterOn(t, url, client)
	_, err := a.do(t.Context(), &request{op: "send", method: http.MethodPost, url: url + "/send", sends: true, want: []int{202}})
	_ = wantClass(t, err, adapters.Unknown)
	if n := seen.Load(); n != 1 {
		t.Errorf("the request went out %d times", n)
	}
}

// TestNothingIsLeft: no goroutine and no connection stay behind, however a
// request ends. Not parallel: it counts goroutines.
func TestNothingIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	hang := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("client-request-id") {
		case "early": // answers before it has read the body
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		case "hang":
			_, _ = io.Copy(io.Discard, r.Body)
			<-hang
		case "reset":
			panic(http.ErrAbortHandler)
		case "long": // more than is read of it
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusBadRequest)
			for range 100 {
				fmt.Fprintf(w, "%10000d", 1)
			}
		default:
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusAccepted)
		}
	}))
	client := &http.Client{Transport: newTransport(nil)}
	a, _ := adapterOn(t, srv.URL, client)
	a.end = client.CloseIdleConnections
	for _, c := range []struct {
		id    string
		class adapters.Class
	}{{"fine", adapters.Accepted}, {"early", adapters.Permanent}, {"reset", ""}, {"long", adapters.Auth}, {"hang", adapters.Unknown}} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if c.id == "hang" {
			cancel()
			ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
		}
		out := smallOut(t)
		out.ID = c.id
		_, err := a.Send(ctx, out)
		cancel()
		if got := adapters.ClassOf(err); got != c.class && c.class != "" {
			t.Errorf("%s: %s, %v", c.id, got, err)
		}
	}
	close(hang)
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	srv.Close()
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > before {
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines before, %d after:\n%s", before, n, buf[:runtime.Stack(buf, true)])
	}
}
