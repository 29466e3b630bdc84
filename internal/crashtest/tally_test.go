package crashtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/sandbox"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// received is what the providers have, by token.
func received(sb *sandbox.Sandbox) map[string][]sandbox.Delivery {
	out := map[string][]sandbox.Delivery{}
	for _, d := range sb.Deliveries() {
		out[d.Subject] = append(out[d.Subject], d)
	}
	return out
}

// drained waits until the store has nothing under way any more.
func drained(ctx context.Context, t *testing.T, st store.Store, nodes []*node) {
	t.Helper()
	for {
		s, err := st.Stats(ctx, time.Now())
		if err != nil {
			t.Fatalf("the queue cannot be counted: %v", err)
		}
		if s.States[store.Queued]+s.States[store.Unverified]+s.States[store.Leased] == 0 {
			return
		}
		for _, n := range nodes {
			if err := n.signal(syscall.Signal(0)); err != nil {
				t.Fatalf("node %s ended by itself: %v\n%s", n.name, err, n.tail())
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the queue does not empty: %v", s.States)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// A ledger is what the store says of the messages, by token.
type ledger struct {
	entries map[string][]store.Entry
	unknown map[string]int // attempts to send whose outcome was not known
}

func readLedger(ctx context.Context, t *testing.T, st store.Store) ledger {
	t.Helper()
	l := ledger{map[string][]store.Entry{}, map[string]int{}}
	for after := ""; ; {
		p, err := st.List(ctx, store.ListRequest{After: after, Limit: 500, Oldest: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range p.Entries {
			token := e.Message.Subject
			l.entries[token] = append(l.entries[token], e)
			if e.Delivery.Attempts < 2 {
				continue
			}
			attempts, err := st.Attempts(ctx, e.Delivery.ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range attempts {
				if a.Kind == store.Send && a.Class == adapters.Unknown {
					l.unknown[token]++
				}
			}
		}
		if after = p.Next; after == "" {
			return l
		}
	}
}

// A score is the result of one run.
type score struct {
	lost, damaged, strangers int
	twice                    map[string]int // by provider, copies beyond the first
	unknown                  map[string]int // by provider, sends without an answer
}

// count compares what was acknowledged with what arrived.
func count(t *testing.T, sb *sandbox.Sandbox, c *clients, l ledger) score {
	t.Helper()
	s := score{twice: map[string]int{}, unknown: map[string]int{}}
	got := received(sb)
	bad := func(format string, args ...any) {
		if s.lost+s.damaged+s.strangers < 20 {
			t.Errorf(format, args...)
		}
	}
	for token, acked := range c.known {
		copies := got[token]
		if acked && len(copies) == 0 {
			s.lost++
			state := "not in the store"
			for _, e := range l.entries[token] {
				state = e.Delivery.State.String() + " on " + e.Delivery.Route.Lane
				if e.Delivery.Error != nil {
					state += ": " + e.Delivery.Error.Error()
				}
			}
			bad("%s was acknowledged and did not arrive: %s", token, state)
		}
		if len(l.entries[token]) > 1 {
			bad("%s is in the store %d times", token, len(l.entries[token]))
		}
		for i, d := range copies {
			if i > 0 {
				s.twice[d.Service]++
			}
			if i == 0 && l.unknown[token] > 0 {
				s.unknown[d.Service] += l.unknown[token]
			}
			if !intact(t, sb, d) {
				s.damaged++
				bad("%s arrived damaged", token)
			}
		}
		if n := len(copies); n > 1 {
			marked := false
			for _, e := range l.entries[token] {
				marked = marked || e.Delivery.Duplicate
			}
			if !marked {
				bad("%s arrived %d times at %s and is not marked as a possible duplicate", token, n, copies[0].Service)
			}
			if n-1 > l.unknown[token] {
				bad("%s arrived %d times with %d unknown outcomes", token, n, l.unknown[token])
			}
		}
	}
	for token := range got {
		if _, ours := c.known[token]; !ours {
			s.strangers++
			bad("a message %q arrived that nobody sent", token)
		}
	}
	return s
}

// intact compares the body with the digest in the header.
func intact(t *testing.T, sb *sandbox.Sandbox, d sandbox.Delivery) bool {
	t.Helper()
	r, err := sb.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	m, err := mime.Read(mime.Bytes(raw), mime.Limits{})
	if err != nil {
		return false
	}
	_, body, ok := bytes.Cut(raw, []byte("\r\n\r\n"))
	sum := sha256.Sum256(body)
	return ok && m.Get(bodyDigest) == hex.EncodeToString(sum[:])
}

// slowest logs the story of the delivery that took longest.
func (l ledger) slowest(ctx context.Context, t *testing.T, st store.Store) {
	t.Helper()
	var worst *store.Delivery
	age := func(d *store.Delivery) time.Duration { return d.FinishedAt.Sub(d.CreatedAt) }
	for _, entries := range l.entries {
		for i := range entries {
			if d := &entries[i].Delivery; worst == nil || age(d) > age(worst) {
				worst = d
			}
		}
	}
	if worst == nil {
		return
	}
	t.Logf("the slowest delivery took %v on %s:", age(worst).Round(time.Millisecond), worst.Route.Lane)
	attempts, err := st.Attempts(ctx, worst.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range attempts {
		why := string(a.Verdict)
		if a.Error != nil {
			why += " " + a.Error.Code
		}
		t.Logf("  +%-12v %s by %s: %s %s", a.StartedAt.Sub(worst.CreatedAt).Round(time.Millisecond), a.Kind, a.Node, a.Class, why)
	}
}
