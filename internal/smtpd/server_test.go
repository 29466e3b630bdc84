package smtpd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/config"
)

func newPlayer(w *world) *player {
	p := &player{t: w.t, w: w}
	p.connect()
	return p
}

// say sends and expects; "" sends or expects nothing.
func (p *player) say(send, want string) error {
	if send != "" {
		if err := p.send(send + "\r\n"); err != nil {
			return err
		}
	}
	if want == "" {
		return nil
	}
	return p.step(step{kind: "S:", text: want})
}

// start comes as far as RCPT.
func (p *player) start() error {
	return errors.Join(p.say("", "220 *"), p.say("EHLO pc", "250-*"), p.say("MAIL FROM:<erp@contoso.it>", "250 *"),
		p.say("RCPT TO:<a@x.it>", "250 *"))
}

const smallMessage = "From: erp@contoso.it\r\nTo: a@x.it\r\nSubject: x\r\n\r\nciao\r\n."

func (p *player) whole() error {
	return errors.Join(p.start(), p.say("DATA", "354 *"), p.say(smallMessage, "250 2.0.0 *"))
}

// TestSlowloris: a thousand connections that say half a word stop no one.
func TestSlowloris(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{listeners: []config.Listener{{MaxConnections: 200}}})
	var held []net.Conn
	defer func() {
		for _, c := range held {
			c.Close()
		}
	}()
	for i := range 1000 {
		c := w.dial()
		held = append(held, c)
		if i%2 == 0 {
			if _, err := io.WriteString(c, "EHL"); err != nil {
				t.Fatal(err)
			}
		}
		if i%250 == 249 {
			// No one is sent away who has not been greeted yet: in the moment of the
			// rush the answer may be "try again later".
			for try := 1; ; try++ {
				p := newPlayer(w)
				err := p.whole()
				p.close()
				if err == nil {
					break
				}
				if try == 50 || !strings.Contains(err.Error(), "421 4.7.0") {
					t.Fatalf("after %d: %v", i+1, err)
				}
				<-time.After(100 * time.Millisecond)
			}
		}
	}
	if n := len(w.store.messages()); n != 4 {
		t.Errorf("%d messages were taken, want 4", n)
	}
	// The first of them made room and was told why.
	if text, err := io.ReadAll(held[0]); err != nil && !errors.Is(err, syscall.ECONNRESET) ||
		!bytes.Contains(text, []byte("421 4.7.0 closing a connection that brings nothing")) {
		t.Errorf("it was told %q, %v", text, err)
	}
}

// TestConnLimiter: who leaves for whom.
func TestConnLimiter(t *testing.T) {
	t.Parallel()
	srv := &Server{opt: Options{Log: slog.New(slog.DiscardHandler)}}
	make1 := func(c *connLimiter, addr string, proven bool, doing activity, ago time.Duration) *session {
		a, b := net.Pipe()
		t.Cleanup(func() { a.Close(); b.Close() })
		n := newSession(srv, nil, a, netip.MustParseAddr(addr))
		n.trusted, n.activity, n.since = proven, doing, time.Now().Add(-ago)
		if !c.admit(n) {
			t.Fatalf("%s did not get in", addr)
		}
		return n
	}
	gone := func(n *session) bool { n.mu.Lock(); defer n.mu.Unlock(); return n.closeReason == closeForRoom }
	t.Run("what is missed least goes first, and what is somebody's work never", func(t *testing.T) {
		c := newConnLimiter(6, 9)
		work := make1(c, "192.0.2.1", true, receiving, time.Hour)
		order := []*session{
			make1(c, "192.0.2.4", false, waiting, 2*time.Minute),
			make1(c, "192.0.2.3", false, waiting, time.Minute),
			make1(c, "192.0.2.5", false, working, time.Hour), // TLS, BDAT, a login
			make1(c, "192.0.2.2", true, waiting, time.Hour),
			make1(c, "192.0.2.6", false, receiving, time.Minute),
		}
		for i := range order {
			make1(c, "192.0.2.7", true, receiving, 0)
			for j, n := range order {
				if gone(n) != (j <= i) {
					t.Fatalf("step %d: %s gone: %v", i, n.remote, gone(n))
				}
			}
		}
		if gone(work) || c.admit(newSession(srv, nil, nil, netip.MustParseAddr("192.0.2.9"))) {
			t.Error("where all do somebody's work no one gets in")
		}
		c.remove(order[0])
		c.remove(work)
		make1(c, "192.0.2.10", false, waiting, 0)
	})
	t.Run("of two that bring a message the slower goes", func(t *testing.T) {
		c := newConnLimiter(2, 9)
		fast := make1(c, "192.0.2.1", false, receiving, time.Hour)
		slow := make1(c, "192.0.2.2", false, receiving, time.Minute)
		fast.octets = 1 << 30
		make1(c, "192.0.2.3", false, waiting, 0)
		if !gone(slow) || gone(fast) {
			t.Error("the wrong one left")
		}
	})
	t.Run("an address takes only its own places", func(t *testing.T) {
		c := newConnLimiter(9, 2)
		other := make1(c, "192.0.2.1", false, waiting, time.Hour)
		first := make1(c, "192.0.2.2", false, waiting, time.Minute)
		make1(c, "192.0.2.2", false, waiting, time.Second)
		make1(c, "192.0.2.2", false, working, 0)
		if !gone(first) || gone(other) {
			t.Error("the wrong one left")
		}
		for range 5 {
			make1(c, "127.0.0.1", false, working, 0)
		}
	})
}

// TestManySessions: 500 idle and 100 active sessions cost little memory.
func TestManySessions(t *testing.T) {
	if testing.Short() {
		t.Skip("opens 600 connections")
	}
	w := newWorld(t, setup{})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var players []*player
	defer func() {
		for _, p := range players {
			p.close()
		}
	}()
	for range 500 {
		p := newPlayer(w)
		players = append(players, p)
		if err := errors.Join(p.say("", "220 *"), p.say("EHLO pc", "250-*")); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		p := newPlayer(w)
		players = append(players, p)
		if err := errors.Join(p.start(), p.say("DATA", "354 *"),
			p.send("From: erp@contoso.it\r\n\r\n"+strings.Repeat("x\r\n", 20000))); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range players[500:] {
		if err := p.say(".", "250 2.0.0 *"); err != nil {
			t.Fatal(err)
		}
		if err := p.start1(); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	used := int64(after.HeapInuse+after.StackInuse) - int64(before.HeapInuse+before.StackInuse)
	t.Logf("600 sessions, both ends and the store: %d MB", used>>20)
	if used > 60<<20 {
		t.Errorf("600 sessions use %d MB", used>>20)
	}
}

// start1 begins another transaction.
func (p *player) start1() error {
	return errors.Join(p.say("MAIL FROM:<erp@contoso.it>", "250 *"), p.say("RCPT TO:<a@x.it>", "250 *"))
}

// TestStop: who waits is told 421 at once, what is under way is finished.
func TestStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	idle, middle, storing := newPlayer(w), newPlayer(w), newPlayer(w)
	defer idle.close()
	defer middle.close()
	defer storing.close()
	if err := errors.Join(idle.say("", "220 *"), middle.start(), middle.say("DATA", "354 *"), storing.start(),
		storing.say("DATA", "354 *")); err != nil {
		t.Fatal(err)
	}
	hold, in := make(chan struct{}), make(chan struct{})
	w.store.mu.Lock()
	w.store.hold, w.store.in = hold, in
	w.store.mu.Unlock()
	if err := storing.say(smallMessage, ""); err != nil {
		t.Fatal(err)
	}
	<-in
	w.store.mu.Lock()
	w.store.hold = nil
	w.store.mu.Unlock()
	w.stop()
	if err := idle.say("", "421 4.3.2 *"); err != nil {
		t.Error(err)
	}
	if err := idle.eof(); err != nil {
		t.Error(err)
	}
	if _, err := new(net.Dialer).DialContext(t.Context(), "tcp", w.addr()); err == nil {
		t.Error("a new connection was taken")
	}
	close(hold)
	for _, err := range []error{storing.say("", "250 2.0.0 *"), storing.say("", "421 4.3.2 *"), middle.say(smallMessage, "250 2.0.0 *"),
		middle.say("", "421 4.3.2 *")} {
		if err != nil {
			t.Error(err)
		}
	}
	w.shut()
	if n := len(w.store.messages()); n != 2 {
		t.Errorf("%d messages", n)
	}
}

// TestStopGrace: a message that does not come to its end does not keep the
// server from ending, and is not taken.
func TestStopGrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{limits: Limits{Grace: 50 * time.Millisecond}})
	p := newPlayer(w)
	defer p.close()
	if err := errors.Join(p.start(), p.say("DATA", "354 *"), p.send("From: erp@contoso.it\r\n")); err != nil {
		t.Fatal(err)
	}
	w.shut()
	if n := len(w.store.messages()); n != 0 {
		t.Errorf("%d messages", n)
	}
	if left, err := os.ReadDir(w.store.SpoolDir()); err != nil || len(left) > 1 { // the store's lock
		t.Errorf("left in the spool: %v %v", left, err)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	o := w.server.opt
	for _, c := range []struct {
		name, want string
		change     func(*Options)
	}{
		{"open relay", "anyone could send", func(o *Options) { o.Listeners = []config.Listener{{Address: "0.0.0.0:0", Auth: "off"}} }},
		{"address in use", "address already in use", func(o *Options) { o.Listeners = []config.Listener{{Address: w.addr()}} }},
		{"no such certificate", "certificate cannot be read", func(o *Options) {
			o.Listeners = []config.Listener{{Address: "127.0.0.1:0", CertFile: "/nowhere.pem", KeyFile: "/nowhere.key"}}
		}},
		{"no folder for a certificate", "no folder", func(o *Options) {
			o.Listeners, o.DataDir = []config.Listener{{Address: "127.0.0.1:0"}}, ""
		}},
		{"nothing to submit to", "are needed", func(o *Options) { o.Submit = nil }},
	} {
		x := o
		c.change(&x)
		if _, err := New(x); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

// TestRepliesLeaveTogether: a pipelined group is answered in one write.
func TestRepliesLeaveTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	mine, theirs := net.Pipe() // its writes arrive one by one
	defer mine.Close()
	n := newSession(w.server, w.server.listeners[0], theirs, netip.MustParseAddr("127.0.0.1"))
	go n.run()
	buf := make([]byte, 4096)
	for _, x := range []struct{ send, want string }{
		{"", "220 "}, {"EHLO pc\r\n", "250-"},
		{"MAIL FROM:<erp@contoso.it>\r\nRCPT TO:<a@x.it>\r\nRCPT TO:<b@x.it>\r\nDATA\r\n",
			"250 2.1.0 ok\r\n250 2.1.5 ok\r\n250 2.1.5 ok\r\n354 end data with <CR><LF>.<CR><LF>\r\n"},
	} {
		if x.send != "" {
			if _, err := io.WriteString(mine, x.send); err != nil {
				t.Fatal(err)
			}
		}
		k, err := mine.Read(buf)
		if err != nil || !strings.HasPrefix(string(buf[:k]), x.want) {
			t.Fatalf("one read gave %q, %v", buf[:k], err)
		}
	}
}

// TestServeEndsOnItsOwn when a listener does.
func TestServeEndsOnItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	o := w.server.opt
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(context.Background()) }()
	if err := s.listeners[0].Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err == nil {
		t.Error("Serve ended without an error")
	}
}
