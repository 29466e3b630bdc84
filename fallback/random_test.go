package fallback

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/mime"
)

// A capricious server answers anything, late, half or never, offers what it
// does not master and hangs up at any octet. It writes down what it did.
type capricious struct {
	mu       sync.Mutex
	rnd      *rand.Rand
	log      []string
	accepted int  // messages with a final 2yz that was written whole
	open     int  // complete messages that were not refused in so many words: each may have been taken
	dots     int  // complete messages that arrived
	forGood  bool // a 5yz stands in the dialogue
	wild     float64
}

func (c *capricious) note(format string, args ...any) {
	c.log = append(c.log, fmt.Sprintf(format, args...))
}

// reply is what stands for want: most often want itself.
func (c *capricious) reply(want string) (text string, hangUp bool) {
	if c.rnd.Float64() >= c.wild {
		return want + "\r\n", false
	}
	texts := []string{"250 ok", "354 go", "421 4.3.2 later", "450 4.2.0 busy", "451 4.7.1 greylisted",
		"452 4.4.5 too many messages in this session", "500 5.5.1 what", "501 5.5.4 parameters",
		"503 5.5.1 bad sequence", "530 5.7.0 authentication required", "550 5.1.1 unknown", "550 5.7.1 rejected", "552 5.3.4 too big",
		"554 5.7.1 spam", "555 5.5.4 unsupported option",
		"hello", "250ok", "250-half", "250-a\r\n550 b", "999 x", "", "\x16\x03\x01"}
	switch c.rnd.IntN(6) {
	case 0:
		return "", true
	case 1:
		return want[:c.rnd.IntN(len(want))], true
	case 2:
		return "", false // silence
	}
	return texts[c.rnd.IntN(len(texts))] + "\r\n", false
}

// serve plays one connection.
func (c *capricious) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	say := func(want string) bool {
		c.mu.Lock()
		text, bye := c.reply(want)
		if len(text) > 3 && text[0] == '5' {
			c.forGood = true
		}
		if i := strings.Index(text, "\r\n5"); i >= 0 {
			c.forGood = true
		}
		c.note("S %q %v", text, bye)
		c.mu.Unlock()
		if _, err := io.WriteString(conn, text); err != nil {
			return false
		}
		return !bye
	}
	if !say("220 mail.example ESMTP") {
		return
	}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		c.mu.Lock()
		c.note("C %q", line)
		c.mu.Unlock()
		verb, _, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		switch verb {
		case "EHLO":
			exts := []string{"PIPELINING", "8BITMIME", "SMTPUTF8", "CHUNKING", "SIZE 1000", "DSN"}
			c.mu.Lock()
			c.rnd.Shuffle(len(exts), func(i, j int) { exts[i], exts[j] = exts[j], exts[i] })
			exts = exts[:c.rnd.IntN(len(exts)+1)]
			c.mu.Unlock()
			b := "250-mail.example\r\n"
			for _, e := range exts {
				b += "250-" + e + "\r\n"
			}
			if !say(b + "250 HELP") {
				return
			}
		case "DATA":
			if !say("354 go") {
				return
			}
			body, err := readDotted(r)
			if err != nil {
				return
			}
			if !c.final(conn, body != "") {
				return
			}
		case "BDAT":
			var n int64
			var last string
			if k, _ := fmt.Sscanf(line, "BDAT %d %s", &n, &last); k == 0 {
				return
			}
			if _, err := io.CopyN(io.Discard, r, n); err != nil {
				return
			}
			if last != "LAST" {
				if !say("250 ok") {
					return
				}
				continue
			}
			if !c.final(conn, true) {
				return
			}
		default:
			if !say("250 2.0.0 ok") || verb == "QUIT" {
				return
			}
		}
	}
}

// final answers a complete message.
func (c *capricious) final(conn net.Conn, message bool) bool {
	c.mu.Lock()
	if message {
		c.dots++
	}
	text, bye := c.reply("250 2.0.0 queued")
	if strings.HasPrefix(text, "250 ") && strings.HasSuffix(text, "\r\n") && message {
		c.accepted++
	}
	refused := strings.HasSuffix(text, "\r\n") && (text[0] == '4' || text[0] == '5')
	if message && !refused {
		c.open++
	}
	if strings.HasPrefix(text, "5") || strings.Contains(text, "\r\n5") {
		c.forGood = true
	}
	c.note("S final %q %v", text, bye)
	c.mu.Unlock()
	_, err := io.WriteString(conn, text)
	return err == nil && !bye
}

// What must hold with any server: nothing it acknowledged counts as not sent,
// nothing is given up for good without a reply for good, an outcome is unknown
// only where the whole message had left, and no message is taken twice.
func TestCapriciousServer(t *testing.T) {
	t.Parallel()
	runs := 600
	if os.Getenv("POSTINO_PEERS") != "" {
		runs = 10_000
	}
	msgs := make([]*mime.Message, 0, 3)
	for _, name := range []string{"plain", "eight", "utf8"} {
		m, err := mime.Read(mime.Bytes([]byte(messages[name])), mime.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		msgs = append(msgs, m)
	}
	seeds := make(chan uint64)
	var wg sync.WaitGroup
	for range 32 { // most of a run is waiting
		wg.Go(func() {
			for seed := range seeds {
				capriciousRun(t, seed, msgs)
			}
		})
	}
	for i := range runs {
		seeds <- uint64(i)
	}
	close(seeds)
	wg.Wait()
}

func capriciousRun(t *testing.T, seed uint64, msgs []*mime.Message) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	sv := &capricious{rnd: rand.New(rand.NewPCG(seed, 2)), wild: []float64{0.03, 0.15, 0.5}[rnd.IntN(3)]}
	var conns sync.WaitGroup
	short := 60 * time.Millisecond
	a, err := New(&adapters.Connection{Name: "x", Provider: adapters.SMTP, From: "a@example.com",
		Settings: &Settings{Host: "127.0.0.1", Port: 25, Encryption: EncryptionNone, Hostname: "client.example"}},
		Options{Chunking: seed%2 == 0, Timeouts: Timeouts{Dial: time.Second, Greeting: short, Command: short, Batch: short, DataInit: short,
			DataBlock: short, DataEnd: short, Liveness: short, Quit: time.Millisecond},
			Dialer: func(context.Context, string, string) (net.Conn, error) {
				client, server := net.Pipe()
				conns.Go(func() { sv.serve(server) })
				return client, nil
			}})
	if err != nil {
		t.Error(err)
		return
	}
	for range 1 + rnd.IntN(4) {
		sv.mu.Lock()
		sv.accepted, sv.open, sv.dots, sv.forGood, sv.log = 0, 0, 0, false, append(sv.log, "--- send")
		sv.mu.Unlock()
		out := adapters.Outgoing{Message: msgs[rnd.IntN(len(msgs))],
			Envelope: mime.Envelope{From: mailboxtest.Of("a@example.com"),
				Recipients: []mime.Recipient{{Address: mailboxtest.Of("b@example.com"), Notify: []mime.Notify{"FAILURE"}}}}}
		if rnd.IntN(2) == 0 {
			out.Envelope.Recipients = append(out.Envelope.Recipients, mime.Recipient{Address: mailboxtest.Of("c@example.com")})
		}
		_, err := a.Send(t.Context(), out)
		e := adapters.AsError(err)
		unknown := err != nil && e.Class == adapters.Unknown
		if unknown { // the server's side may still be about to count what it got
			if err := a.Close(); err != nil {
				t.Error(err)
			}
			conns.Wait()
		}
		sv.mu.Lock()
		switch {
		case err == nil && sv.accepted != 1:
			t.Errorf("seed %d: accepted, and the server took %d\n%s", seed, sv.accepted, strings.Join(sv.log, "\n"))
		case sv.open > 1:
			t.Errorf("seed %d: handed over again %d times without a refusal\n%s", seed, sv.open-1, strings.Join(sv.log, "\n"))
		case err != nil && sv.accepted > 0 && e.Class != adapters.Unknown:
			t.Errorf("seed %d: the server took it, told as %v\n%s", seed, err, strings.Join(sv.log, "\n"))
		case err != nil && e.Class == adapters.Permanent && !sv.forGood && e.Code != "too_large":
			t.Errorf("seed %d: given up without a reply for good: %v\n%s", seed, err, strings.Join(sv.log, "\n"))
		case unknown && sv.dots == 0:
			t.Errorf("seed %d: unknown, and no whole message had left: %v\n%s", seed, err, strings.Join(sv.log, "\n"))
		case err != nil && errors.Is(err, context.Canceled):
			t.Errorf("seed %d: %v", seed, err)
		}
		sv.mu.Unlock()
		if unknown {
			return
		}
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	conns.Wait()
}
