package fallback

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

func limit(n int) func(*adapters.Connection) {
	return func(c *adapters.Connection) { c.Limits.Concurrency = &n }
}

// However many send at once, and a probe among them, the lane's concurrency is
// the most connections that the provider ever sees (contracts D4).
func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	k := newSink(t, nil, "PIPELINING")
	a := k.adapter(t, Options{}, limit(3))
	m := bigMessage(t, 10<<10)
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			var err error
			if i%20 == 7 {
				err = a.Probe(t.Context())
			} else {
				_, err = a.Send(t.Context(), outgoing(m, fmt.Sprintf("r%d@example.com", i)))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, most, _, _ := k.counts(); most > 3 {
		t.Errorf("%d connections at once", most)
	}
}

// The same while connections are worn out or expire all the time.
func TestConnectionsAreBoundedWhileTheyEnd(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]Options{"worn out": {MaxMessages: 2}, "expiring": {IdleTimeout: time.Millisecond},
		"not kept": {IdleTimeout: -1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newSink(t, nil, "PIPELINING")
			a := k.adapter(t, opt, limit(2))
			m := bigMessage(t, 100)
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					for range 10 {
						if _, err := a.Send(t.Context(), outgoing(m, "b@example.com")); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			if _, most, _, _ := k.counts(); most > 2 {
				t.Errorf("%d connections at once", most)
			}
		})
	}
}

func TestKeptConnectionExpires(t *testing.T) {
	t.Parallel()
	quit := make(chan struct{}, 1)
	k := newSink(t, func(_ *sinkConn, line string) bool {
		if line == "QUIT" {
			quit <- struct{}{}
		}
		return false
	}, "PIPELINING")
	a := k.adapter(t, Options{IdleTimeout: 30 * time.Millisecond}, nil)
	if _, err := a.Send(t.Context(), outgoing(bigMessage(t, 1000), "b@example.com")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-quit:
	case <-time.After(10 * time.Second):
		t.Fatal("no QUIT")
	}
	a.pool.bye.Wait()
	a.pool.mu.Lock()
	defer a.pool.mu.Unlock()
	if len(a.pool.lanes) != 0 {
		t.Errorf("%d lanes are remembered", len(a.pool.lanes))
	}
}

func TestCloseLetsSendsFinish(t *testing.T) {
	t.Parallel()
	begun, goOn := make(chan struct{}), make(chan struct{})
	k := newSink(t, func(_ *sinkConn, line string) bool {
		if line == "DATA" {
			close(begun)
			<-goOn
		}
		return false
	}, "PIPELINING")
	a := k.adapter(t, Options{}, nil)
	done := make(chan error)
	go func() {
		_, err := a.Send(t.Context(), outgoing(bigMessage(t, 1000), "b@example.com"))
		done <- err
	}()
	<-begun
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	if err := <-done; err != nil {
		t.Errorf("a send in flight: %v", err)
	}
	a.pool.mu.Lock()
	defer a.pool.mu.Unlock()
	if len(a.pool.lanes) != 0 {
		t.Error("a connection was kept after Close")
	}
}

// Without a login, each sender of a "*@domain" connection has a lane of its own.
func TestLanesAreApart(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var users []string
	k := newSink(t, func(c *sinkConn, line string) bool {
		if rest, ok := strings.CutPrefix(line, "AUTH XOAUTH2 "); ok {
			mu.Lock()
			users = append(users, rest)
			mu.Unlock()
			_, _ = c.w.WriteString("235 2.7.0 ok\r\n")
			return true
		}
		return false
	}, "PIPELINING", "AUTH XOAUTH2")
	a := k.adapter(t, Options{Tokens: &tokenSource{tokens: []string{token}}}, func(c *adapters.Connection) {
		c.From, SettingsOf(c).OAuth = "*@example.com", &OAuth{Provider: "entra"}
	})
	for _, from := range []string{"a@example.com", "b@example.com", "a@example.com"} {
		m, err := mime.Read(mime.Bytes([]byte("From: "+from+"\r\nTo: x@example.com\r\nMessage-ID: <1@example.com>\r\n\r\nx\r\n")), mime.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Send(t.Context(), outgoing(m, "x@example.com")); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(users) != 2 || users[0] == users[1] {
		t.Errorf("%d logins for two mailboxes: %v", len(users), users)
	}
	if err := a.Probe(t.Context()); adapters.ClassOf(err) != adapters.Auth {
		t.Errorf("a probe without a mailbox: %v", err)
	}
}
