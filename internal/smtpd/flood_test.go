package smtpd

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/config"
	"github.com/postino-mail/postino/internal/store"
)

// TestFlood: sessions that prove nothing hold no place, whatever they do: at
// least 95 of 100 honest clients are greeted within a second. With
// POSTINO_PEERS=1 there are 1,000 of them.
func TestFlood(t *testing.T) {
	t.Parallel()
	places := 60
	if os.Getenv("POSTINO_PEERS") != "" {
		places = 1000
	}
	// Each comes as far as it can, and keeps the connection.
	for name, attack := range map[string]struct {
		listener config.Listener
		begin    func(p *player) error
	}{
		"BDAT": {config.Listener{}, func(p *player) error {
			return join(p.say("", "220 *"), p.say("EHLO x", "250-*"), p.send("BDAT 60000000\r\n"))
		}},
		"small BDAT, never sent": {config.Listener{}, func(p *player) error {
			return join(p.say("", "220 *"), p.say("EHLO x", "250-*"), p.send("BDAT 60000\r\nx"))
		}},
		"BDAT in a transaction": {config.Listener{}, func(p *player) error { return join(p.start(), p.send("BDAT 60000000\r\nx")) }},
		"DATA":                  {config.Listener{}, func(p *player) error { return join(p.start(), p.say("DATA", "354 *"), p.send("x")) }},
		"a login": {config.Listener{Networks: []string{"127.0.0.1"}, PlaintextAuth: true}, func(p *player) error {
			return join(p.say("", "220 *"), p.say("EHLO x", "250-*"), p.send("AUTH PLAIN AGEAYg==\r\n"))
		}},
		"an AUTH line": {config.Listener{Networks: []string{"127.0.0.1"}, PlaintextAuth: true}, func(p *player) error {
			return join(p.say("", "220 *"), p.say("EHLO x", "250-*"), p.say("AUTH LOGIN", "334 *"))
		}},
		"a handshake": {config.Listener{}, func(p *player) error {
			return join(p.say("", "220 *"), p.say("EHLO x", "250-*"), p.say("STARTTLS", "220 *"), p.send("\x16\x03\x01"))
		}},
		"implicit TLS": {config.Listener{TLS: "implicit"}, func(p *player) error { return p.send("\x16\x03\x01") }},
	} {
		t.Run(name, func(t *testing.T) {
			if places < 1000 { // or there are not enough file descriptors
				t.Parallel()
			}
			attack.listener.MaxConnections = places
			w := newWorld(t, setup{listeners: []config.Listener{attack.listener}, clients: []store.Client{{Name: "a", SecretHash: "s"}},
				limits: Limits{AuthDelay: 10 * time.Second}})
			var held []*player
			defer func() {
				for _, p := range held {
					p.close()
				}
			}()
			for range places {
				p := newPlayer(w)
				held = append(held, p)
				if err := attack.begin(p); err != nil {
					t.Fatal(err)
				}
			}
			const honest = 20
			greeted := 0
			for range honest {
				if greet(w, attack.listener.TLS == "implicit") == nil {
					greeted++
				}
			}
			if greeted*100 < honest*95 {
				t.Errorf("%d of %d honest clients were greeted", greeted, honest)
			}
		})
	}
}

// greet is an honest client that wants to be greeted within a second.
func greet(w *world, implicit bool) error {
	c := w.dial()
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	conn := c
	if implicit {
		conn = tls.Client(c, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the certificate is the server's own
	}
	buf := make([]byte, 100)
	n, err := conn.Read(buf)
	if err == nil && !strings.HasPrefix(string(buf[:n]), "220 ") {
		err = fmt.Errorf("%s", buf[:n])
	}
	return err
}

// join is the first error.
func join(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// w4 is one of the addresses for documentation.
func w4(n byte) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, n}) }

// TestLoginsAtOnce: of guesses that come at once no more are checked than one
// after the other would be.
func TestLoginsAtOnce(t *testing.T) {
	t.Parallel()
	const limit = 5
	var checked atomic.Int32
	w := newWorld(t, setup{listeners: []config.Listener{{Networks: []string{"127.0.0.1"}, PlaintextAuth: true}},
		limits:  Limits{AddrFails: limit},
		clients: []store.Client{{Name: "shop", SecretHash: "s"}},
		options: func(o *Options) {
			o.CheckSecret = func(hash, secret string) bool { checked.Add(1); return hash != "" && hash == secret }
		}})
	var running sync.WaitGroup
	var blocked atomic.Int32
	for i := range 40 {
		p := newPlayer(w)
		if err := join(p.say("", "220 *"), p.say("EHLO x", "250-*")); err != nil {
			t.Fatal(err)
		}
		running.Go(func() {
			defer p.close()
			if err := p.step(step{kind: "!", text: fmt.Sprintf("plain shop guess%d", i)}); err != nil {
				t.Error(err)
			}
			reply, err := p.readReply()
			if err != nil {
				t.Error(err)
			}
			if strings.HasPrefix(reply, "421") {
				blocked.Add(1)
			}
		})
	}
	running.Wait()
	if checked.Load() != limit || blocked.Load() != 40-limit {
		t.Errorf("%d guesses were checked and %d blocked, want %d and %d", checked.Load(), blocked.Load(), limit, 40-limit)
	}
}

// TestSameWork: a name that does not exist costs what one that exists does: one
// secret is checked, and the answer is kept back for the same time.
func TestSameWork(t *testing.T) {
	t.Parallel()
	lim := Limits{AuthDelay: time.Second, AuthBlock: time.Hour, AddrFails: 100, NameFails: 100}
	for _, name := range []string{"shop", "no-such-client", "off"} {
		var checked atomic.Int32
		w := newWorld(t, setup{listeners: []config.Listener{{Networks: []string{"127.0.0.1"}, PlaintextAuth: true}},
			limits:  Limits{AuthDelay: time.Nanosecond},
			clients: []store.Client{{Name: "shop", SecretHash: "s"}, {Name: "off", SecretHash: "s", Disabled: true}},
			options: func(o *Options) { o.CheckSecret = func(string, string) bool { checked.Add(1); return false } }})
		p := newPlayer(w)
		if err := join(p.say("", "220 *"), p.say("EHLO x", "250-*"), p.step(step{kind: "!", text: "plain " + name + " guess"}),
			p.say("", "535 5.7.8 *")); err != nil {
			t.Fatal(err)
		}
		p.close()
		if checked.Load() != 1 {
			t.Errorf("%s: %d secrets were checked", name, checked.Load())
		}
	}
	// A name that is in use is told from one that is not by no delay.
	g := newAuthLimiter(lim)
	now := time.Now()
	here, there := w4(1), w4(2)
	for range 3 {
		g.failed(here, "shop", "x", now)
		g.failed(here, "none", "x", now)
	}
	g.succeeded(there, "shop", now)
	if a, b := g.failed(w4(3), "shop", "x", now), g.failed(w4(4), "none", "x", now); a != b {
		t.Errorf("delays %v and %v", a, b)
	}
}
