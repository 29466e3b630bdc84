package gmail

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// stalled returns its second half only after gone is closed, once armed.
type stalled struct {
	mime.Source
	armed atomic.Bool
	gone  chan struct{}
}

func (g *stalled) ReadAt(p []byte, off int64) (int, error) {
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
			src := &stalled{Source: out.Message.Source(), gone: make(chan struct{})}
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
			transport := newTransport(nil)
			transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				c, err := new(net.Dialer).DialContext(ctx, network, addr)
				src.armed.Store(want == adapters.Transient) // not at Accept: the kernel takes bytes before it returns
				return c, err
			}
			a, err := New(&adapters.Connection{Provider: adapters.Gmail, From: "shop@example.com",
				Settings: &Settings{GmailURL: "http://" + l.Addr().String()}},
				Options{Tokens: &stubTokens{}, HTTPClient: &http.Client{Transport: transport}})
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

func TestUnreadableMessageIsNotSent(t *testing.T) {
	t.Parallel()
	a, _, seen := serve(t, respond(200, okBody))
	good := message(t, strings.Repeat("x\r\n", 100_000), "anna@example.com")
	m, err := mime.Read(&failingSource{good.Message.Source(), 100_000}, mime.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	good.Message = m
	_, err = a.Send(t.Context(), good)
	if e := adapters.AsError(err); e.Class != adapters.Transient || e.Code != "unreadable" || len(seen()) != 0 {
		t.Errorf("%+v, %d requests", e, len(seen()))
	}
}
