package smtpd

import (
	"bytes"
	"errors"
	"fmt"
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
