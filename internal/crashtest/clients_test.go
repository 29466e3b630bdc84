//go:build unix

package crashtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/smtp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postino-mail/postino/adapters"
)

// clients submit until so many messages were acknowledged.
type clients struct {
	nodes   []*node
	senders []string
	drop    string          // maildrop
	key     adapters.Secret // of the API
	want    int64
	mixed   bool          // all entry points and all sizes, not only small and spooled over SMTP
	pause   time.Duration // at most, after each message
	again   bool          // send the same again after every broken session, as mail programs do

	acked   atomic.Int64
	tries   atomic.Int64
	repeats atomic.Int64 // of requests with the same Idempotency-Key
	resent  atomic.Int64 // messages sent again after a broken session
	mu      sync.Mutex
	known   map[string]*try // by token
	said    map[string]int  // refusals by their text
	codes   map[int]int     // and by their code
}

// A try is a message of its own, so that a try without an answer, which the
// server may have taken or not, is told from the next one.
type try struct {
	provider   string
	entryPoint string
	size       size
	acked      bool
}

// A client submits one message after the other.
type client struct {
	*clients
	rng  *rand.Rand
	conn *smtp.Client // open SMTP session; may be nil
}

func (c *clients) run(ctx context.Context, rng *rand.Rand) {
	one := &client{clients: c, rng: rng}
	defer one.close()
	for ctx.Err() == nil && c.acked.Load() < c.want {
		wait := 20 * time.Millisecond
		if one.submit(ctx) {
			if wait = 0; c.pause > 0 {
				wait = time.Duration(rng.Int64N(int64(c.pause)))
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

func (c *client) node() *node { return c.nodes[c.rng.IntN(len(c.nodes))] }

// submit tries one message and reports whether it was acknowledged.
func (c *client) submit(ctx context.Context) bool {
	t := &try{entryPoint: entrySMTP, size: sizeOf(c.rng)}
	if c.mixed {
		t.entryPoint = entryPointOf(c.rng)
	} else {
		t.size = min(t.size, spooled)
	}
	from := c.senders[c.rng.IntN(len(c.senders))]
	if t.size == large && c.rng.IntN(2) == 0 { // Graph alone has a way of its own for large mail: it gets more of it
		from = c.senders[0]
	}
	t.provider = providerOf(from)
	token := fmt.Sprintf("m%06d", c.tries.Add(1))
	c.mu.Lock()
	c.known[token] = t
	c.mu.Unlock()
	raw := letter(c.rng, from, token, t.size)
	err := c.over(ctx, t.entryPoint, from, token, raw)
	for entryPoint := t.entryPoint; c.again && err != nil && replyCode(err) == 0 && !errors.Is(err, errRefused) && ctx.Err() == nil; {
		if !errors.Is(err, errNoServer) {
			c.resent.Add(1)
		}
		if t.entryPoint == entrySMTP { // whoever cannot get through tries the other entry point
			entryPoint = []string{entrySMTP, entrySMTP, entryAPI}[c.rng.IntN(3)]
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
		err = c.over(ctx, entryPoint, from, token, raw)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		t.acked = true
		c.acked.Add(1)
		return true
	}
	if errors.Is(err, errNoServer) {
		delete(c.known, token)
		return false
	}
	c.said[shape(err)]++
	if code := replyCode(err); code != 0 {
		c.codes[code]++
	}
	return false
}

func (c *client) over(ctx context.Context, entryPoint, from, token string, raw []byte) error {
	switch entryPoint {
	case entryAPI:
		return c.overHTTP(ctx, from, token, raw)
	case entrySendmail:
		return c.bySendmail(ctx, from, raw)
	}
	return c.overSMTP(from, raw)
}

// providerOf tells it by the sender: graph0@crash.example sends through graph.
func providerOf(from string) string {
	local, _, _ := strings.Cut(from, "@")
	return strings.TrimRight(local, "0123456789")
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

// shape is an error without its numbers and addresses.
func shape(err error) string {
	return strings.Join(strings.FieldsFunc(strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return '#'
		}
		return r
	}, err.Error()), func(r rune) bool { return r == '#' }), "#")
}
