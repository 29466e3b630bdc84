package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// An answer that was read counts; after one that was not, the same again is the
// client trying again.
func TestHeard(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.must(w.server.Listen("127.0.0.1:0", nil))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.server.Serve(ctx) }()
	defer func() {
		cancel()
		w.must(<-done)
	}()
	request := func(id, extra string) string {
		body := "From: erp@contoso.it\r\nMessage-ID: <" + id + "@contoso.it>\r\nSubject: Fattura\r\n\r\nciao\r\n"
		return fmt.Sprintf("POST /v1/messages?rcpt=anna@example.com HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+
			"%s\r\nContent-Type: message/rfc822\r\nContent-Length: %d\r\n%s\r\n%s",
			w.key, len(body), extra, body)
	}
	dial := func() *net.TCPConn {
		t.Helper()
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", w.server.Addr())
		w.must(err)
		w.must(c.SetDeadline(time.Now().Add(10 * time.Second)))
		tcp, ok := c.(*net.TCPConn)
		if !ok {
			t.Fatal("not TCP")
		}
		return tcp
	}
	post := func(c net.Conn, r *bufio.Reader, text string) Accepted {
		t.Helper()
		_, err := c.Write([]byte(text))
		w.must(err)
		resp, err := http.ReadResponse(r, nil)
		w.must(err)
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusAccepted {
			t.Fatal(resp.Status)
		}
		var out Accepted
		w.must(json.NewDecoder(resp.Body).Decode(&out))
		return out
	}
	next := func(c *net.TCPConn, r *bufio.Reader) {
		_, err := c.Write([]byte("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"))
		w.must(err)
		resp, err := http.ReadResponse(r, nil)
		w.must(err)
		w.must(resp.Body.Close())
	}
	for _, c := range []struct {
		name  string
		extra string
		end   func(c *net.TCPConn, r *bufio.Reader)
		again bool // another message
	}{
		{"next request", "", next, true},
		{"a proxy's next request", "X-Forwarded-For: 192.0.2.1\r\n", next, false},
		{"closed in order", "", func(c *net.TCPConn, _ *bufio.Reader) { w.must(c.Close()) }, true},
		{"Connection: close", "Connection: close\r\n", func(c *net.TCPConn, _ *bufio.Reader) { w.must(c.Close()) }, true},
		{"reset", "", func(c *net.TCPConn, _ *bufio.Reader) {
			w.must(c.SetLinger(0))
			w.must(c.Close())
		}, false},
		{"with an Idempotency-Key", "Idempotency-Key: k\r\n", func(c *net.TCPConn, _ *bufio.Reader) {
			w.must(c.SetLinger(0))
			w.must(c.Close())
		}, true},
	} {
		conn := dial()
		r := bufio.NewReader(conn)
		first := post(conn, r, request(c.name[:3], c.extra))
		c.end(conn, r)
		// The end of a connection is seen a moment later.
		ok := false
		for end := time.Now().Add(3 * time.Second); !ok && time.Now().Before(end); {
			next := dial()
			second := post(next, bufio.NewReader(next), request(c.name[:3], ""))
			w.must(next.SetLinger(0))
			w.must(next.Close())
			ok = (second.ID != first.ID) == c.again
			if second.ID == first.ID && (second.Connection.Name != "Ufficio" || len(second.Recipients) != 1) {
				t.Errorf("%s: %+v", c.name, second)
			}
		}
		if !ok {
			t.Errorf("%s: the same again is another message: want %v", c.name, c.again)
		}
	}
	page, err := w.store.List(t.Context(), store.ListRequest{Limit: 100})
	w.must(err)
	for _, e := range page.Entries {
		if e.Message.MessageID == "<res@contoso.it>" && e.Message.Resubmitted == 0 {
			t.Error("the record does not show that it came again")
		}
	}
}

// What a proxy got is not known to have been heard, whatever the proxy says of itself.
func TestRelayed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")} })
	for _, c := range []struct {
		addr, field string
		want        bool
	}{
		{"192.0.2.1:5", "", false},
		{"10.0.0.7:5", "", true},
		{"[::ffff:10.0.0.7]:5", "", true},
		{"192.0.2.1:5", "Via", true},
		{"192.0.2.1:5", "forwarded", true},
		{"192.0.2.1:5", "X-Real-IP", true},
		{"@", "", false},
		{"@", "X-Forwarded-For", true},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/messages", nil)
		r.RemoteAddr = c.addr
		if c.field != "" {
			r.Header.Set(c.field, "x")
		}
		if got := w.server.auth.proxies.relayed(r); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
