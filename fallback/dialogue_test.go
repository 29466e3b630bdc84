package fallback

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/mime"
)

func TestMain(m *testing.M) { os.Exit(checkLeaks(m)) }

// TestDialogues plays every script of testdata.
func TestDialogues(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.script")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	ca := newAuthority(t)
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".script"), func(t *testing.T) {
			t.Parallel()
			playScript(t, loadScript(t, f), ca)
		})
	}
}

const (
	password = "pa55-Wörd,sehr=geheim"
	token    = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.c2hvcnQ.sig"
)

var messages = map[string]string{
	"plain": "From: a@example.com\r\nTo: b@example.com\r\nBcc: hidden@example.com\r\nSubject: test\r\nMessage-ID: " +
		"<1@example.com>\r\nDate: Sun, 22 Nov 2026 12:00:00 +0000\r\n\r\n.\r\n..two\r\nthree\r\n",
	"eight": "From: a@example.com\r\nTo: b@example.com\r\nSubject: test\r\nMessage-ID: <1@example.com>\r\nMIME-Version: " +
		"1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nperché\r\n",
	"utf8": "From: a@example.com\r\nTo: =?utf-8?q?x?= <b@example.com>\r\nSubject: perché\r\nMessage-ID: " +
		"<1@example.com>\r\n\r\nciao\r\n",
	"utf8-address": "From: a@example.com\r\nTo: jürgen@example.com\r\nSubject: test\r\nMessage-ID: <1@example.com>\r\n\r\nciao\r\n",
	"eight-signed": "From: a@example.com\r\nTo: b@example.com\r\nSubject: test\r\nMessage-ID: <1@example.com>\r\nMIME-Version: " +
		"1.0\r\nContent-Type: multipart/signed; protocol=\"application/pgp-signature\"; micalg=pgp-sha256; " +
		"boundary=x\r\n\r\n--x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: " +
		"8bit\r\n\r\nperché\r\n--x\r\nContent-Type: application/pgp-signature\r\n\r\nAAAA\r\n--x--\r\n",
	"lf": "From: a@example.com\r\nTo: b@example.com\r\nSubject: test\r\nMessage-ID: <1@example.com>\r\n\r\none\r\ntwo\n.\r\nMAIL " +
		"FROM:<smuggler@example.com>\r\n",
	"no-lf": "From: a@example.com\r\nTo: b@example.com\r\nSubject: test\r\nMessage-ID: <1@example.com>\r\n\r\nno line end",
}

// A player is the client side of a script.
type player struct {
	t        *testing.T
	conn     *adapters.Connection
	opt      Options
	out      adapters.Outgoing
	clock    atomic.Int64
	wants    []string
	rcpts    map[string]string // address to wanted result
	queue    string
	has      string
	wantHint string
	arrives  string
	probe    bool
	cert     string
	body     string
	source   tokenSource
}

func playScript(t *testing.T, sc *script, ca *authority) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	zero := 0
	p := &player{t: t, rcpts: map[string]string{}, cert: "good", body: messages["plain"],
		conn: &adapters.Connection{Name: "test", Provider: adapters.SMTP, From: "a@example.com",
			Limits: adapters.Limits{Concurrency: &zero},
			Settings: &Settings{Host: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).Port, Encryption: EncryptionNone,
				Hostname: "client.example"}}}
	p.opt = Options{RootCAs: ca.pool(), Now: p.now, Tokens: &p.source,
		Timeouts: Timeouts{Liveness: 5 * time.Second, Quit: 200 * time.Millisecond}}
	p.out.Envelope = mime.Envelope{From: mailboxtest.Of("a@example.com")}
	for _, kv := range sc.settings {
		p.set(kv[0], kv[1])
	}
	if len(p.out.Envelope.Recipients) == 0 {
		p.out.Envelope.Recipients = []mime.Recipient{{Address: mailboxtest.Of("b@example.com")}}
	}
	var log bytes.Buffer
	p.opt.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if p.out.Message, err = mime.Read(mime.Bytes([]byte(p.body)), mime.Limits{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	want := p.arriving()
	if !strings.HasSuffix(want, "\n") {
		want += "\r\n"
	}
	sv := &scripted{script: sc, ln: ln, body: want, tls: ca.server(t, p.cert), cancel: cancel, done: make(chan error, 1)}
	go sv.serve()
	a, err := New(p.conn, p.opt)
	if err != nil {
		t.Fatal(err)
	}
	p.play(ctx, a)
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	_ = ln.Close() // a connection that was never made must not be waited for
	if err := <-sv.done; err != nil {
		t.Error(err)
	}
	if strings.Contains(log.String(), password) || strings.Contains(log.String(), token) {
		t.Errorf("a secret in the log: %s", log.String())
	}
}

// arriving is the message as the server must get it.
func (p *player) arriving() string {
	var b bytes.Buffer
	switch p.arrives {
	case "":
		return strings.Replace(p.body, "Bcc: hidden@example.com\r\n", "", 1)
	case "seven-bit":
		write, err := p.out.Message.SevenBit()
		if err == nil {
			err = write(&b)
		}
		if err != nil {
			p.t.Fatal(err)
		}
	case "ascii-header":
		src, err := p.out.Message.ASCIIHeader()
		if err != nil {
			p.t.Fatal(err)
		}
		if _, err := b.ReadFrom(mime.NewReader(src)); err != nil {
			p.t.Fatal(err)
		}
		if strings.Contains(b.String(), "perché") {
			p.t.Fatal("the header is not in ASCII")
		}
	}
	return b.String()
}

func (p *player) now() time.Time { return time.Now().Add(time.Duration(p.clock.Load())) }

func (p *player) set(key, value string) {
	s := SettingsOf(p.conn)
	switch key {
	case "encryption":
		s.Encryption = Encryption(value)
	case "login":
		s.Login, s.Password = value, password
	case "auth":
		s.Auth = value
	case "oauth":
		s.Login, s.OAuth = "a@example.com", &OAuth{Provider: value}
		p.source.tokens = []string{token}
	case "tokens":
		p.source.tokens = strings.Fields(value)
	case "long-token":
		p.source.tokens = []string{strings.Repeat("t", 600)}
	case "cert":
		p.cert = value
	case "untrusted":
		p.opt.RootCAs = newAuthority(p.t).pool()
	case "message":
		p.body = messages[value]
	case "from":
		p.out.Envelope.From = mailboxtest.Of(strings.Trim(value, "<>"))
	case "ret":
		p.out.Envelope.Ret = mime.Ret(value)
	case "envid":
		p.out.Envelope.EnvID = value
	case "rcpt":
		value, result, _ := strings.Cut(value, " => ")
		f := strings.Fields(value)
		r := mime.Recipient{Address: mailboxtest.Of(f[0])}
		for _, o := range f[1:] {
			if n, ok := strings.CutPrefix(o, "notify="); ok {
				for w := range strings.SplitSeq(n, ",") {
					r.Notify = append(r.Notify, mime.Notify(w))
				}
			}
			if n, ok := strings.CutPrefix(o, "orcpt="); ok {
				r.ORcpt = n
			}
		}
		p.rcpts[r.Address.String()] = result
		p.out.Envelope.Recipients = append(p.out.Envelope.Recipients, r)
	case "pec":
		s.PEC = true
	case "without":
		s.Without = strings.Fields(value)
	case "batch-timeout":
		p.opt.Timeouts.Batch, _ = time.ParseDuration(value)
	case "hint":
		p.wantHint = value
	case "chunking":
		p.opt.Chunking = true
	case "probe":
		p.probe = true
	case "max-messages":
		p.opt.MaxMessages, _ = strconv.Atoi(value)
	case "want", "clock":
		p.wants = append(p.wants, key+" "+value)
	case "queue":
		p.queue = value
	case "arrives":
		p.arrives = value
	case "says":
		p.has = value
	default:
		p.t.Fatalf("no such setting: %s", key)
	}
}

// play does one Send for each "> want", the clock put forward by "> clock" in between.
func (p *player) play(ctx context.Context, a adapters.Adapter) {
	for i, w := range p.wants {
		kind, rest, _ := strings.Cut(w, " ")
		if kind == "clock" {
			d, err := time.ParseDuration(rest)
			if err != nil {
				p.t.Fatal(err)
			}
			p.clock.Add(int64(d))
			continue
		}
		if p.probe {
			p.check(i, rest, adapters.Receipt{}, a.Probe(ctx))
			continue
		}
		rec, err := a.Send(ctx, p.out)
		p.check(i, rest, rec, err)
	}
	if len(p.wants) == 0 {
		p.t.Fatal("the script wants nothing")
	}
}

func (p *player) check(i int, want string, rec adapters.Receipt, err error) {
	t := p.t
	got := describe(err)
	if got != want {
		t.Errorf("send %d: %q (%v), want %q", i+1, got, err, want)
	}
	if e := adapters.AsError(err); e != nil {
		shown := fmt.Sprintf("%v %+v", e, e.Message)
		for c := err; c != nil; c = errors.Unwrap(c) {
			shown += c.Error()
		}
		js, _ := json.Marshal(e)
		for _, secret := range append([]string{password}, p.source.tokens...) {
			if strings.Contains(shown+string(js), secret) {
				t.Errorf("a secret shows in %s", shown)
			}
		}
		if e.Message.String() == "" || e.Message.In("it") == "" || e.Hint.String() == "" || e.Hint.In("it") == "" {
			t.Errorf("a text is missing: %+v", e)
		}
		if p.has != "" && !strings.Contains(e.Message.String(), p.has) {
			t.Errorf("message %q lacks %q", e.Message.String(), p.has)
		}
		if p.wantHint != "" && (!strings.Contains(e.Hint.String(), p.wantHint) ||
			!strings.Contains(e.Hint.In("it"), strings.TrimPrefix(p.wantHint[strings.LastIndex(p.wantHint, " ")+1:], " "))) {
			t.Errorf("hint %q lacks %q", e.Hint.String(), p.wantHint)
		}
	} else if !p.probe {
		if rec.Route != "smtp" || rec.Status != 250 || len(rec.SHA256) != 64 || rec.MessageID != "<1@example.com>" || rec.ProviderID != p.queue {
			t.Errorf("receipt %+v, want queue id %q", rec, p.queue)
		}
		if p.arrives == "" && rec.Bytes != p.out.Message.ForSMTP().Size() {
			t.Errorf("%d bytes, view has %d", rec.Bytes, p.out.Message.ForSMTP().Size())
		}
	}
	for _, r := range rec.Recipients {
		if w := p.rcpts[r.Address.String()]; w != "" && (r.Err == nil && w != "accepted" || r.Err != nil && describe(r.Err) != w) {
			t.Errorf("recipient %s: %v, want %s", r.Address, r.Err, w)
		}
	}
}

// describe is an outcome in the words of the scripts.
func describe(err error) string {
	e := adapters.AsError(err)
	if e == nil {
		return "accepted"
	}
	s := string(e.Class) + " " + e.ShownCode()
	if e.Scope != adapters.ScopeMessage {
		s += " scope=" + string(e.Scope)
	}
	if e.RetryAfter != 0 {
		s += " after=" + e.RetryAfter.String()
	}
	if e.NoRetry {
		s += " noretry"
	}
	if e.TooLarge {
		s += " toolarge"
	}
	return s
}

// A tokenSource returns its first token, and the next ones when that is refused.
type tokenSource struct {
	mu     sync.Mutex
	tokens []string
	at     int
}

func (s *tokenSource) TokenSource(*adapters.Connection, adapters.Audience) (adapters.TokenSource, error) {
	return s, nil
}

func (s *tokenSource) Token(context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens[s.at], nil
}

func (s *tokenSource) Renew(_ context.Context, rejected string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens[s.at] == rejected && s.at+1 < len(s.tokens) {
		s.at++
	}
	return s.tokens[s.at], nil
}
