package smtpd

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// A script is one file of testdata. It begins with settings ("> key value"):
//
//	> listener tls="starttls"; auth="off"   as in a configuration file
//	> limits command=200ms errors=3
//	> client erp secret [network]
//	> postmaster ADDRESS          as in a configuration file
//	> max 1000                      most bytes of a message
//	> fails                         the store is out of order
//	> want N                        messages taken in the end
//	> rcpt JSON                     mime.Recipient of the last one, in order
//	> envelope from envid ret       of the last one
//	> has TEXT                      Go-quoted, in the last one; has-not likewise
//
// Then the dialogue, as the client sees it:
//
//	C: text         is sent with CR LF
//	S: pattern      a whole reply; * stands for anything. "250-..." is compared with
//	                its lines joined by "|", "250 ..." with their texts joined so
//	S! pattern      the last reply must not be like this
//	! raw "..."     is sent as it is
//	! lines a b c   are sent in one write, each with CR LF; words joined by _
//	! times N text  the line is sent N times
//	! octets N      so many octets in lines
//	! plain name secret, ! b64 text
//	! raw-times N x is sent N times in one
//	! tls [1.0]     handshake; ! tls-fails the same
//	! eof           the server must have closed without another word; ! eof-tls
//	                the same inside a handshake
//	! connection    another one
type script struct {
	setup    setup
	want     int
	rcpts    []string
	envelope string
	has      []string
	hasNot   []string
	steps    []step
}

func loadScript(t *testing.T, file string) *script {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sc := &script{want: -1}
	for i, line := range strings.Split(string(data), "\n") {
		at := fmt.Sprintf("%s:%d", filepath.Base(file), i+1)
		kind, text, _ := strings.Cut(line, " ")
		switch kind {
		case "", "#":
		case ">":
			if err := sc.setting(text); err != nil {
				t.Fatalf("%s: %v", at, err)
			}
		case "C:", "S:", "S!", "!":
			sc.steps = append(sc.steps, step{at, kind, text})
		default:
			t.Fatalf("%s: what is %q?", at, line)
		}
	}
	if sc.want < 0 {
		t.Fatalf("%s: no '> want'", file)
	}
	return sc
}

func (sc *script) setting(text string) (err error) {
	key, v, _ := strings.Cut(text, " ")
	switch key {
	case "listener":
		sc.setup.listeners = append(sc.setup.listeners, listenerOf(strings.ReplaceAll(v, "; ", "\n"), &err))
	case "limits":
		for w := range strings.FieldsSeq(v) {
			k, v, _ := strings.Cut(w, "=")
			err = errors.Join(err, setLimit(&sc.setup.limits, k, v))
		}
	case "client":
		f := strings.Fields(v)
		c := store.Client{Name: f[0]}
		if len(f) > 1 && f[1] != "-" {
			c.SecretHash = f[1]
		}
		if len(f) > 2 {
			c.Networks = []netip.Prefix{netip.MustParsePrefix(f[2])}
		}
		if len(f) > 3 {
			c.Senders = f[3:]
		}
		sc.setup.clients = append(sc.setup.clients, c)
	case "max":
		sc.setup.max, err = strconv.ParseInt(v, 10, 64)
	case "postmaster":
		sc.setup.options = func(o *Options) { o.Postmaster = mailboxtest.Of(v) }
	case "fails":
		sc.setup.fail = store.ErrUnavailable
	case "want":
		sc.want, err = strconv.Atoi(v)
	case "rcpt":
		sc.rcpts = append(sc.rcpts, v)
	case "envelope":
		sc.envelope = v
	case "has", "has-not":
		var s string
		if s, err = strconv.Unquote(v); key == "has" {
			sc.has = append(sc.has, s)
		} else {
			sc.hasNot = append(sc.hasNot, s)
		}
	default:
		err = fmt.Errorf("no such setting: %q", key)
	}
	return err
}

func setLimit(l *Limits, k, v string) (err error) {
	d, derr := time.ParseDuration(v)
	n, nerr := strconv.Atoi(v)
	switch k {
	case "command":
		l.Command, err = d, derr
	case "handshake":
		l.Handshake, err = d, derr
	case "data":
		l.Data, err = d, derr
	case "session":
		l.Session, err = d, derr
	case "slow":
		l.SlowStart, err = d, derr
	case "errors":
		l.Errors, err = n, nerr
	case "idle":
		l.IdleCommands, err = n, nerr
	case "authfails":
		l.AuthFails, err = n, nerr
	case "addrfails":
		l.AddrFails, err = n, nerr
	case "namefails":
		l.NameFails, err = n, nerr
	default:
		err = fmt.Errorf("no such limit: %q", k)
	}
	return err
}

func TestDialogues(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.script")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".script"), func(t *testing.T) {
			t.Parallel()
			sc := loadScript(t, f)
			w := newWorld(t, sc.setup)
			p := &player{t: t, w: w}
			defer p.close()
			p.connect()
			for _, st := range sc.steps {
				if err := p.step(st); err != nil {
					t.Fatalf("%s: %s %s: %v", st.at, st.kind, st.text, err)
				}
			}
			p.close()
			w.shut() // what is under way is over then
			sc.check(t, w)
		})
	}
}

func (sc *script) check(t *testing.T, w *world) {
	t.Helper()
	got := w.store.messages()
	if len(got) != sc.want {
		t.Fatalf("%d messages were taken, want %d", len(got), sc.want)
	}
	if len(got) == 0 {
		return
	}
	last := got[len(got)-1]
	var rcpts []string
	for _, r := range last.Envelope.Recipients {
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		rcpts = append(rcpts, string(b))
	}
	if sc.rcpts != nil && !slices.Equal(rcpts, sc.rcpts) {
		t.Errorf("recipients %s, want %s", rcpts, sc.rcpts)
	}
	if e := envelopeText(last.Envelope); sc.envelope != "" && e != sc.envelope {
		t.Errorf("envelope %q, want %q", e, sc.envelope)
	}
	for _, h := range sc.has {
		if !strings.Contains(last.raw, h) {
			t.Errorf("the message has no %q: %q", h, last.raw)
		}
	}
	for _, h := range sc.hasNot {
		if strings.Contains(last.raw, h) {
			t.Errorf("the message has %q: %q", h, last.raw)
		}
	}
}

func envelopeText(e mime.Envelope) string {
	return strings.TrimSpace(e.From.String() + " " + e.EnvID + " " + string(e.Ret))
}
