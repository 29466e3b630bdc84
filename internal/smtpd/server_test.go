package smtpd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/config"
	"github.com/postino-mail/postino/internal/store"
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
	return errors.Join(p.say("", "220 *"), p.say("EHLO pc", "250-*"), p.say("MAIL FROM:<erp@contoso.it>", "250 *"), p.say("RCPT TO:<a@x.it>", "250 *"))
}

const smallMessage = "From: erp@contoso.it\r\nTo: a@x.it\r\nSubject: x\r\n\r\nciao\r\n."

func (p *player) whole() error {
	return errors.Join(p.start(), p.say("DATA", "354 *"), p.say(smallMessage, "250 2.0.0 *"))
}

// TestSlowloris: a thousand connections that say half a word stop nobody.
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
			// Nobody is sent away who has not been greeted yet: in the moment of the
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
	if text, err := io.ReadAll(held[0]); err != nil && !errors.Is(err, syscall.ECONNRESET) || !bytes.Contains(text, []byte("421 4.7.0 closing an idle connection")) {
		t.Errorf("it was told %q, %v", text, err)
	}
}

// TestCrowd: who leaves for whom.
func TestCrowd(t *testing.T) {
	t.Parallel()
	srv := &Server{}
	make1 := func(c *crowd, addr string, useful, waiting bool, ago time.Duration) *session {
		a, b := net.Pipe()
		t.Cleanup(func() { a.Close(); b.Close() })
		n := &session{srv: srv, raw: a, conn: a, remote: netip.MustParseAddr(addr), useful: useful, waiting: waiting, since: time.Now().Add(-ago)}
		if !c.join(n) {
			t.Fatalf("%s did not get in", addr)
		}
		return n
	}
	gone := func(n *session) bool { n.mu.Lock(); defer n.mu.Unlock(); return n.why == byeCrowded }
	t.Run("the one that never brought a message, and was idle for longest", func(t *testing.T) {
		c := newCrowd(4, 9)
		busy := make1(c, "192.0.2.1", false, false, time.Hour)
		worker := make1(c, "192.0.2.2", true, true, time.Hour)
		young := make1(c, "192.0.2.3", false, true, time.Minute)
		old := make1(c, "192.0.2.4", false, true, 2*time.Minute)
		make1(c, "192.0.2.5", false, true, 0)
		if !gone(old) || gone(young) || gone(worker) || gone(busy) {
			t.Error("the wrong one left")
		}
		make1(c, "192.0.2.6", false, false, 0)
		if !gone(young) {
			t.Error("the next one is the younger")
		}
		make1(c, "192.0.2.7", false, false, 0)
		make1(c, "192.0.2.8", false, false, 0)
		if !gone(worker) || gone(busy) {
			t.Error("the idle one that had worked leaves before the busy one")
		}
		if c.join(&session{srv: srv, remote: netip.MustParseAddr("192.0.2.9")}) {
			t.Error("where all are busy nobody gets in")
		}
		c.leave(old)
		c.leave(busy)
		make1(c, "192.0.2.10", false, false, 0)
	})
	t.Run("an address takes only its own places", func(t *testing.T) {
		c := newCrowd(9, 2)
		other := make1(c, "192.0.2.1", false, true, time.Hour)
		first := make1(c, "192.0.2.2", false, true, time.Minute)
		make1(c, "192.0.2.2", false, true, time.Second)
		make1(c, "192.0.2.2", false, false, 0)
		if !gone(first) || gone(other) {
			t.Error("the wrong one left")
		}
		for range 5 {
			make1(c, "127.0.0.1", false, false, 0)
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
		if err := errors.Join(p.start(), p.say("DATA", "354 *"), p.send("From: erp@contoso.it\r\n\r\n"+strings.Repeat("x\r\n", 20000))); err != nil {
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
	if err := errors.Join(idle.say("", "220 *"), middle.start(), middle.say("DATA", "354 *"), storing.start(), storing.say("DATA", "354 *")); err != nil {
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
	for _, err := range []error{storing.say("", "250 2.0.0 *"), storing.say("", "421 4.3.2 *"), middle.say(smallMessage, "250 2.0.0 *"), middle.say("", "421 4.3.2 *")} {
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

// TestRevoked: a login that is taken away ends with the next MAIL.
func TestRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{listeners: []config.Listener{{Networks: []string{"127.0.0.1"}, PlaintextAuth: true, Auth: "required"}},
		clients: []store.Client{{Name: "erp", SecretHash: "s"}}, limits: Limits{Idle: 1 << 30}})
	p := newPlayer(w)
	defer p.close()
	if err := errors.Join(p.say("", "220 *"), p.say("EHLO pc", "250-*"), p.step(step{kind: "!", text: "plain erp s"}), p.say("", "235 *")); err != nil {
		t.Fatal(err)
	}
	c, err := w.store.ClientNamed(t.Context(), "erp")
	if err != nil {
		t.Fatal(err)
	}
	c.Disabled = true
	if _, err := w.store.PutClient(t.Context(), *c); err != nil {
		t.Fatal(err)
	}
	// The registry looks at the store once a second.
	for {
		if err := p.say("MAIL FROM:<erp@contoso.it>", "*"); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(p.reply, "421") {
			break
		}
		if err := p.say("RSET", "250 *"); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(p.reply, "4.7.0 this login is no longer valid") {
		t.Errorf("reply %q", p.reply)
	}
}

// TestUnknownNameCostsTheSame: CheckSecret is asked for names that do not exist
// and for disabled ones too, without a hash.
func TestUnknownNameCostsTheSame(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var hashes []string
	w := newWorld(t, setup{listeners: []config.Listener{{Networks: []string{"127.0.0.1"}, PlaintextAuth: true}},
		clients: []store.Client{{Name: "off", SecretHash: "s", Disabled: true}, {Name: "erp", SecretHash: "s"}, {Name: "net"}},
		options: func(o *Options) {
			o.CheckSecret = func(hash, _ string) bool {
				mu.Lock()
				defer mu.Unlock()
				hashes = append(hashes, hash)
				return true // even so, nobody without a hash gets in
			}
		}})
	for _, name := range []string{"off", "nobody", "net"} {
		p := newPlayer(w)
		if err := errors.Join(p.say("", "220 *"), p.say("EHLO pc", "250-*"), p.step(step{kind: "!", text: "plain " + name + " s"}), p.say("", "535 *")); err != nil {
			t.Error(err)
		}
		p.close()
	}
	if fmt.Sprintf("%q", hashes) != `["" "" ""]` {
		t.Errorf("asked with %q", hashes)
	}
}

// TestNothingSecretIsLogged, of what a client sends.
func TestNothingSecretIsLogged(t *testing.T) {
	t.Parallel()
	var b lockedBuffer
	w := newWorld(t, setup{log: &b, listeners: []config.Listener{{Networks: []string{"127.0.0.1"}, PlaintextAuth: true}}, clients: []store.Client{{Name: "erp", SecretHash: "hunter2"}}})
	for _, s := range []string{"erp hunter2", "erp hunter3", "nobody hunter2"} {
		p := newPlayer(w)
		if err := errors.Join(p.say("", "220 *"), p.say("EHLO pc", "250-*"), p.step(step{kind: "!", text: "plain " + s}), p.say("", "*")); err != nil {
			t.Error(err)
		}
		p.close()
	}
	w.shut()
	for _, s := range []string{"hunter", "aHVudGVy"} {
		if strings.Contains(b.String(), s) {
			t.Errorf("the log has %q:\n%s", s, b.String())
		}
	}
	if !strings.Contains(b.String(), "SMTP login failed") {
		t.Errorf("failures are not logged:\n%s", b.String())
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// fingerprintOf is of the certificate that the server shows.
func fingerprintOf(t *testing.T, w *world) string {
	t.Helper()
	d := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // the certificate is compared by its digest
	c, err := d.DialContext(t.Context(), "tcp", w.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sum := sha256.Sum256(c.(*tls.Conn).ConnectionState().PeerCertificates[0].Raw)
	return hex.EncodeToString(sum[:])
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	var b lockedBuffer
	w := newWorld(t, setup{listeners: []config.Listener{{TLS: "implicit"}}, log: &b})
	first := w.server.Fingerprints()[0]
	if got := fingerprintOf(t, w); got != first || !strings.Contains(b.String(), first) {
		t.Errorf("shown %s, told %s; log:\n%s", got, first, b.String())
	}
	cert, key := filepath.Join(w.data, selfCert), filepath.Join(w.data, selfKey)
	if info, err := os.Stat(key); err != nil || info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		t.Errorf("key file %v %v", info.Mode(), err)
	}
	if again, err := newCertificates("", "", w.data, "gw", w.server.opt.Log); err != nil || again.fingerprint() != first {
		t.Errorf("the certificate does not survive a restart: %v", err)
	}
	// A broken file leaves the old one in place, another replaces it.
	if err := os.WriteFile(cert, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.server.Reload(); err == nil {
		t.Error("a broken certificate was read")
	}
	if got := fingerprintOf(t, w); got != first {
		t.Error("a broken file replaced the certificate")
	}
	if err := errors.Join(os.Remove(cert), makeMissing(cert, key, "x")); err == nil {
		t.Error("a certificate was made for a key that was there")
	}
	if err := errors.Join(os.Remove(key), makeMissing(cert, key, "other.contoso.it"), w.server.Reload()); err != nil {
		t.Fatal(err)
	}
	if got := fingerprintOf(t, w); got == first || got != w.server.Fingerprints()[0] {
		t.Error("the new certificate is not in use")
	}
}

// TestCertificateFileChanges: a renewed file is used without a word.
func TestCertificateFileChanges(t *testing.T) {
	t.Parallel()
	dir, other := t.TempDir(), t.TempDir()
	log := slog.New(slog.DiscardHandler)
	c, err := newCertificates("", "", dir, "gw", log)
	if err != nil {
		t.Fatal(err)
	}
	first := c.fingerprint()
	if _, err := newCertificates("", "", other, "gw", log); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour)
	for _, f := range []string{selfKey, selfCert} {
		if err := errors.Join(os.Rename(filepath.Join(other, f), filepath.Join(dir, f)), os.Chtimes(filepath.Join(dir, f), later, later)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.get(nil); err != nil || c.fingerprint() == first {
		t.Errorf("the new file is not in use: %v", err)
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
		{"open relay", "anybody could send", func(o *Options) { o.Listeners = []config.Listener{{Address: "0.0.0.0:0", Auth: "off"}} }},
		{"address in use", "address already in use", func(o *Options) { o.Listeners = []config.Listener{{Address: w.addr()}} }},
		{"no such certificate", "certificate cannot be read", func(o *Options) {
			o.Listeners = []config.Listener{{Address: "127.0.0.1:0", CertFile: "/nowhere.pem", KeyFile: "/nowhere.key"}}
		}},
		{"no folder for a certificate", "no folder", func(o *Options) { o.Listeners, o.DataDir = []config.Listener{{Address: "127.0.0.1:0"}}, "" }},
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
		{"MAIL FROM:<erp@contoso.it>\r\nRCPT TO:<a@x.it>\r\nRCPT TO:<b@x.it>\r\nDATA\r\n", "250 2.1.0 ok\r\n250 2.1.5 ok\r\n250 2.1.5 ok\r\n354 end data with <CR><LF>.<CR><LF>\r\n"},
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
