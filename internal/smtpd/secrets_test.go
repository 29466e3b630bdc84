package smtpd

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/postino-mail/postino/internal/config"
	"github.com/postino-mail/postino/internal/store"
)

// TestRevoked: a login that is taken away ends with the next MAIL.
func TestRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{listeners: []config.Listener{{Networks: []string{"127.0.0.1"}, PlaintextAuth: true, Auth: "required"}},
		clients: []store.Client{{Name: "erp", SecretHash: "s"}}, limits: Limits{IdleCommands: 1 << 30}})
	p := newPlayer(w)
	defer p.close()
	if err := errors.Join(p.say("", "220 *"), p.say("EHLO pc", "250-*"), p.step(step{kind: "!", text: "plain erp s"}),
		p.say("", "235 *")); err != nil {
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
				return true // even so, no one without a hash gets in
			}
		}})
	for _, name := range []string{"off", "nobody", "net"} {
		p := newPlayer(w)
		if err := errors.Join(p.say("", "220 *"), p.say("EHLO pc", "250-*"), p.step(step{kind: "!", text: "plain " + name + " s"}),
			p.say("", "535 *")); err != nil {
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
	w := newWorld(t, setup{log: &b, listeners: []config.Listener{{Networks: []string{"127.0.0.1"}, PlaintextAuth: true}},
		clients: []store.Client{{Name: "erp", SecretHash: "hunter2"}}})
	for _, s := range []string{"erp hunter2", "erp hunter3", "nobody hunter2"} {
		p := newPlayer(w)
		if err := errors.Join(p.say("", "220 *"), p.say("EHLO pc", "250-*"), p.step(step{kind: "!", text: "plain " + s}),
			p.say("", "*")); err != nil {
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

// A client that another process has just added, or has just given another
// secret, is not refused for good by the copy that this one has.
func TestFreshClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{listeners: []config.Listener{{Networks: []string{"127.0.0.1"}, PlaintextAuth: true, Auth: "required"}},
		clients: []store.Client{{Name: "old", SecretHash: "one"}}})
	login := func(name, secret string) string {
		c := w.dial()
		defer c.Close()
		return dialogue(t, c, "EHLO x", "AUTH PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00"+name+"\x00"+secret)))
	}
	if got := login("new", "s"); !strings.HasPrefix(got, "535") {
		t.Fatalf("before: %q", got)
	}
	if _, err := w.store.PutClient(t.Context(), store.Client{Name: "new", SecretHash: "s"}); err != nil {
		t.Fatal(err)
	}
	if got := login("new", "s"); !strings.HasPrefix(got, "235") {
		t.Errorf("a client that was just added: %q", got)
	}
	old, err := w.store.ClientNamed(t.Context(), "old")
	if err != nil {
		t.Fatal(err)
	}
	old.SecretHash = "two"
	if _, err := w.store.PutClient(t.Context(), *old); err != nil {
		t.Fatal(err)
	}
	if got := login("old", "two"); !strings.HasPrefix(got, "235") {
		t.Errorf("a secret that was just changed: %q", got)
	}
}

// dialogue says the lines one by one and gives the last reply.
func dialogue(t *testing.T, c net.Conn, lines ...string) (last string) {
	t.Helper()
	r := bufio.NewReader(c)
	read := func() {
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if len(line) > 3 && line[3] != '-' {
				last = line
				return
			}
		}
	}
	read()
	for _, l := range lines {
		if _, err := c.Write([]byte(l + "\r\n")); err != nil {
			t.Fatal(err)
		}
		read()
	}
	return last
}
