package crashtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/smtp"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// clients submit over SMTP until so many messages were acknowledged.
type clients struct {
	nodes   []*node
	senders []string
	want    int64
	spooled bool          // some messages are large enough for the spool
	pause   time.Duration // at most, after each message

	acked atomic.Int64
	tries atomic.Int64
	mu    sync.Mutex
	known map[string]bool // token of every try: was it acknowledged?
	said  map[string]int  // refusals by their text
	codes map[int]int     // and by their code
}

// run is one client. Every try is a message of its own, so that a try without
// an answer, which the server may have taken or not, is told from the next one.
func (c *clients) run(ctx context.Context, rng *rand.Rand) {
	var conn *smtp.Client
	defer func() {
		if conn != nil {
			_ = conn.Close()
		}
	}()
	for ctx.Err() == nil && c.acked.Load() < c.want {
		if conn == nil {
			var err error
			if conn, err = smtp.Dial(c.nodes[rng.IntN(len(c.nodes))].smtp); err != nil {
				conn = nil
				select { // the node is down
				case <-ctx.Done():
				case <-time.After(20 * time.Millisecond):
				}
				continue
			}
		}
		token := fmt.Sprintf("m%06d", c.tries.Add(1))
		c.mu.Lock()
		c.known[token] = false
		c.mu.Unlock()
		if err := c.one(conn, rng, token); err != nil {
			c.mu.Lock()
			c.said[shape(err)]++
			if code := replyCode(err); code != 0 {
				c.codes[code]++
			}
			c.mu.Unlock()
			_ = conn.Close()
			conn = nil
			continue
		}
		c.mu.Lock()
		c.known[token] = true
		c.mu.Unlock()
		c.acked.Add(1)
		if c.pause > 0 {
			<-time.After(time.Duration(rng.Int64N(int64(c.pause))))
		}
	}
}

// refused is how often a server said no.
func (c *clients) refused() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.codes {
		n += k
	}
	return n
}

func (c *clients) one(conn *smtp.Client, rng *rand.Rand, token string) error {
	from := c.senders[rng.IntN(len(c.senders))]
	if err := conn.Mail(from); err != nil {
		return err
	}
	if err := conn.Rcpt("anna@example.com"); err != nil {
		return err
	}
	w, err := conn.Data()
	if err != nil {
		return err
	}
	size := 1 + rng.IntN(150)
	if c.spooled && rng.IntN(10) == 0 {
		size = 1500 + rng.IntN(2000) // 100 to 240 KB: a spool file
	}
	if _, err := w.Write(message(from, token, size)); err != nil {
		return err
	}
	return w.Close()
}

const bodyDigest = "X-Body-Digest"

// message has lines of 70 octets, and the digest of its body in its header.
func message(from, token string, lines int) []byte {
	var body bytes.Buffer
	for i := range lines {
		fmt.Fprintf(&body, "%s %06d %s\r\n", token, i, strings.Repeat("x", 54))
	}
	sum := sha256.Sum256(body.Bytes())
	return fmt.Appendf(nil, "From: <%s>\r\nTo: <anna@example.com>\r\nSubject: %s\r\nMessage-ID: <%s@crash.example>\r\nDate: %s\r\n%s: %s\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n%s",
		from, token, token, time.Now().Format(time.RFC1123Z), bodyDigest, hex.EncodeToString(sum[:]), body.Bytes())
}

// shape is an error without its numbers and addresses.
func shape(err error) string {
	return strings.Join(strings.FieldsFunc(strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return '#'
		}
		return r
	}, err.Error()), func(r rune) bool { return r == '#' }), "#")
}
