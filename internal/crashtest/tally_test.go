//go:build unix

package crashtest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/internal/store"
)

// received is what the providers have, by token.
func received(sb *sandbox.Sandbox) map[string][]sandbox.Delivery {
	out := map[string][]sandbox.Delivery{}
	for _, d := range sb.Deliveries() {
		out[d.Subject] = append(out[d.Subject], d)
	}
	return out
}

// drained waits until neither the maildrop nor the store has anything under way.
func (w *world) drained(ctx context.Context, t *testing.T) {
	t.Helper()
	for {
		left := w.dropped(t) // before the store, into which it goes
		s, err := w.store.Stats(ctx, time.Now())
		if err != nil {
			t.Fatalf("the queue cannot be counted: %v", err)
		}
		if left+s.States[store.Queued]+s.States[store.Unverified]+s.States[store.Sending] == 0 {
			return
		}
		for _, n := range w.nodes {
			if err := n.signal(syscall.Signal(0)); err != nil {
				t.Fatalf("node %s ended by itself: %v\n%s", n.name, err, n.tail())
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the queue does not empty: %d files, %v", left, s.States)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// dropped is how many messages wait in the maildrop.
func (w *world) dropped(t *testing.T) (n int64) {
	t.Helper()
	for _, dir := range []string{w.maildrop(), filepath.Join(w.maildrop(), "work")} {
		entries, err := os.ReadDir(dir)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !e.IsDir() {
				n++
			}
		}
	}
	return n
}

// A ledger is what the store says of the messages, by token.
type ledger struct {
	entries map[string][]store.Entry
	unknown map[string]int // attempts to send with an unknown outcome
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
			for i, a := range attempts {
				// What a node that was stopped beyond its lease said of its attempt later,
				// was not known when the next one began.
				late := i+1 < len(attempts) && a.EndedAt.After(attempts[i+1].StartedAt)
				if a.Kind == store.Send && (a.Class == adapters.Unknown || late) {
					l.unknown[token]++
				}
			}
		}
		if after = p.Next; after == "" {
			return l
		}
	}
}

// story is what the store knows of a token.
func (l ledger) story(token string) string {
	out := "not in the store"
	for _, e := range l.entries[token] {
		out = fmt.Sprintf("%s on %s by %s, %d attempts", e.Delivery.State, e.Delivery.Route.Lane, e.Message.EntryPoint, e.Delivery.Attempts)
		if e.Delivery.Error != nil {
			out += ": " + e.Delivery.Error.Error()
		}
	}
	return out
}

// A score is the result of one run at one provider.
type score struct {
	acked, spooled, large int
	entryPoints           map[string]int // of what was acknowledged
	lost, corrupt         int
	twice                 int // copies beyond the first
	unknown               int // sends without an answer
}

// A tally is the result of one run.
type tally struct {
	by        map[string]*score // provider
	strangers int
}

func (y tally) of(provider string) *score {
	if y.by[provider] == nil {
		y.by[provider] = &score{entryPoints: map[string]int{}}
	}
	return y.by[provider]
}

// count compares what was acknowledged with what arrived. Whatever must never
// be is an error of the test, with its story.
func count(t *testing.T, sb *sandbox.Sandbox, c *clients, l ledger) tally {
	t.Helper()
	y := tally{by: map[string]*score{}}
	got := received(sb)
	told := 0
	bad := func(format string, args ...any) {
		if told++; told < 20 {
			t.Errorf(format, args...)
		}
	}
	for _, token := range slices.Sorted(maps.Keys(c.known)) {
		sent, copies := c.known[token], got[token]
		s := y.of(sent.provider)
		if sent.acked {
			s.acked++
			s.entryPoints[sent.entryPoint]++
			switch sent.size {
			case large:
				s.large++
			case spooled:
				s.spooled++
			}
		}
		if sent.acked && len(copies) == 0 {
			s.lost++
			bad("%s was acknowledged by %s and did not arrive: %s", token, sent.entryPoint, l.story(token))
		}
		if n := len(l.entries[token]); n > 1 {
			bad("%s by %s is in the store %d times", token, sent.entryPoint, n)
		}
		for _, d := range copies {
			if d.Service != sent.provider {
				bad("%s went to %s, not to %s", token, d.Service, sent.provider)
			}
			if err := intact(sb, d); err != nil {
				s.corrupt++
				bad("%s arrived corrupt at %s over %s: %v", token, d.Service, d.Route, err)
			}
		}
		if len(copies) > 0 {
			s.unknown += l.unknown[token]
		}
		if n := len(copies); n > 1 {
			s.twice += n - 1
			if entries := l.entries[token]; len(entries) == 1 && !entries[0].Delivery.Duplicate {
				bad("%s arrived %d times at %s and is not marked as a possible duplicate", token, n, sent.provider)
			}
			if n-1 > l.unknown[token] {
				bad("%s arrived %d times at %s with %d unknown outcomes: %s", token, n, sent.provider, l.unknown[token], l.story(token))
			}
		}
	}
	for token := range got {
		if c.known[token] == nil {
			y.strangers++
			bad("a message %q arrived that no one sent", token)
		}
	}
	return y
}

// judge fails the test where a promise of the product is broken: nothing
// acknowledged is lost; nothing is doubled at a provider that can be asked,
// and elsewhere no more than answers were lost.
func (y tally) judge(t *testing.T) {
	t.Helper()
	for provider, s := range y.by {
		if s.lost > 0 || s.corrupt > 0 {
			t.Errorf("%s: %d messages lost, %d corrupt", provider, s.lost, s.corrupt)
		}
		if allowed := map[string]int{"smtp": s.unknown}[provider]; s.twice > allowed {
			t.Errorf("%s: %d messages doubled, at most %d may be", provider, s.twice, allowed)
		}
	}
	if y.strangers > 0 {
		t.Errorf("%d messages arrived that no one sent", y.strangers)
	}
}

// report is one line a provider.
func (y tally) report(t *testing.T, kills int) {
	t.Helper()
	for _, provider := range slices.Sorted(maps.Keys(y.by)) {
		s := y.by[provider]
		t.Logf("%-5s  %d acknowledged (%d by SMTP, %d by HTTP, %d by sendmail; %d in spool files, %d over 3 MB), %d kills, %d lost, %d "+
			"corrupt, %d duplicated, %d lost replies",
			provider, s.acked, s.entryPoints[entrySMTP], s.entryPoints[entryAPI], s.entryPoints[entrySendmail],
			s.spooled, s.large, kills, s.lost, s.corrupt, s.twice, s.unknown)
	}
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
	if worst != nil {
		t.Logf("the slowest delivery took %v on %s:%s", age(worst).Round(time.Millisecond), worst.Route.Lane, attempts(ctx, t, st, worst))
	}
}

// attempts are the lines of a delivery's ledger.
func attempts(ctx context.Context, t *testing.T, st store.Store, d *store.Delivery) string {
	t.Helper()
	list, err := st.Attempts(ctx, d.ID)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, a := range list {
		why := string(a.Verdict)
		if a.Error != nil {
			why += " " + a.Error.ShownCode()
		}
		fmt.Fprintf(&b, "\n  %s +%-10v %s by %s: %s %s", a.StartedAt.Local().Format("15:04:05.000"),
			a.EndedAt.Sub(a.StartedAt).Round(time.Millisecond), a.Kind, a.Node, a.Class, why)
	}
	return b.String()
}

// twins logs how messages came to be doubled at a provider where none may be.
func (l ledger) twins(ctx context.Context, t *testing.T, sb *sandbox.Sandbox, st store.Store) {
	t.Helper()
	for token, copies := range received(sb) {
		if len(copies) < 2 || copies[0].Service == "smtp" {
			continue
		}
		var b strings.Builder
		for _, d := range copies {
			fmt.Fprintf(&b, "\n  %s arrived over %s", d.At.Local().Format("15:04:05.000"), d.Route)
		}
		for i := range l.entries[token] {
			b.WriteString(attempts(ctx, t, st, &l.entries[token][i].Delivery))
		}
		t.Logf("%s at %s:%s", token, copies[0].Service, &b)
	}
}
