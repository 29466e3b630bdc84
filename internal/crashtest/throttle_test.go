//go:build unix

package crashtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/internal/app"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/mailboxtest"
)

// Twenty thousand messages for one mailbox that the provider throttles do not
// slow down twenty others: the time from the end of a message at the listener to
// its arrival at the provider is the same with and without them.
func TestThrottledLane(t *testing.T) {
	scale(t)
	const others, flood = 20, 20_000
	w := newWorld(t, app.Storage{Data: filepath.Join(t.TempDir(), "data")}, 1)
	const slow = "throttled@crash.example"
	w.sandbox.Inject(sandbox.Fault{Service: "graph", Op: "sendMail", Match: slow, Probability: .5, Status: 429, Code: "ApplicationThrottled",
		RetryAfter: time.Second})
	w.sandbox.Configure(func(s *sandbox.Switches) { s.GraphLatency = 20 * time.Millisecond })
	senders := []string{slow}
	for i := range others {
		senders = append(senders, fmt.Sprintf("lane%d@crash.example", i))
	}
	for _, from := range senders {
		c := w.sandbox.GraphConnection(from)
		c.Name = from
		none, four, pace := 0, 4, 120
		c.Limits = adapters.Limits{Concurrency: &four, PerMinute: &none, RecipientsPerDay: &none}
		if from == slow {
			c.Limits.PerMinute = &pace
		}
		if _, err := w.store.PutConnection(t.Context(), time.Now(), &gateway.Connection{Connection: *c}); err != nil {
			t.Fatal(err)
		}
	}
	<-time.After(1500 * time.Millisecond) // the server looks for new connections once a second

	const span = 20 * time.Second
	steady := func(story string) (all []time.Duration) {
		all = w.latencies(t, senders[1:], span)
		t.Logf("%-28s %d messages of %d lanes: p50 %v, p99 %v, longest %v", story+":", len(all), others, at(all, .5), at(all, .99),
			all[len(all)-1])
		return all
	}
	before := steady("nothing else queued")
	var flooding sync.WaitGroup
	begin := time.Now()
	for i := range 8 {
		flooding.Go(func() { w.flood(t, slow, i, flood/8) })
	}
	during := w.latencies(t, senders[1:], 5*time.Second)
	flooding.Wait()
	t.Logf("%d messages for the throttled lane were taken in %v; the others meanwhile: p50 %v, p99 %v", flood,
		time.Since(begin).Round(time.Millisecond), at(during, .5), at(during, .99))
	after := steady("thousands wait in one lane")
	s, err := w.store.Stats(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	lane, err := w.store.Lane(t.Context(), w.laneOf(t, slow))
	if err != nil {
		t.Fatal(err)
	}
	arrived := 0
	for _, d := range w.sandbox.Deliveries() {
		if d.Mailbox == slow {
			arrived++
		}
	}
	t.Logf("the throttled lane: %d arrived, %d wait, paused until %v; all: %v", arrived, lane.Queued, lane.PausedUntil.Format(time.TimeOnly),
		s.States)
	if lane.Queued < flood/2 || arrived == 0 {
		t.Errorf("the throttled lane has %d waiting and %d arrived: this measures nothing", lane.Queued, arrived)
	}
	for _, q := range []float64{.5, .99} {
		if b, a := at(before, q), at(after, q); a > 2*b+10*time.Millisecond {
			t.Errorf("the others' latency at %v rose from %v to %v", q, b, a)
		}
	}
	w.stop(t)
}

func (w *world) laneOf(t *testing.T, name string) string {
	t.Helper()
	c, err := w.store.ConnectionNamed(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return c.Lane(mailboxtest.Of(name))
}

// flood submits n messages as fast as one session does.
func (w *world) flood(t *testing.T, from string, who, n int) {
	one := &client{clients: w.clients(n), rng: rand.New(rand.NewPCG(2, uint64(who)))}
	defer one.close()
	for i := range n {
		if err := one.overSMTP(from, message(from, fmt.Sprintf("flood %d %d", who, i), 5)); err != nil {
			t.Errorf("flood: %v", err)
			return
		}
	}
}

// latencies has every sender submit ten messages a second, each in a session
// of its own, and gives the times until they arrived, in order of length.
func (w *world) latencies(t *testing.T, senders []string, span time.Duration) []time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	var mu sync.Mutex
	ended := map[string]time.Time{}
	run := fmt.Sprintf("steady %d ", time.Now().UnixNano())
	known := len(w.sandbox.Deliveries())
	var submitting sync.WaitGroup
	for i, from := range senders {
		submitting.Go(func() {
			one := &client{clients: w.clients(1), rng: rand.New(rand.NewPCG(3, uint64(i)))}
			defer one.close()
			for k := 0; ctx.Err() == nil; k++ {
				token := fmt.Sprint(run, i, " ", k)
				raw := message(from, token, 5)
				at := time.Now()
				if err := one.overSMTP(from, raw); err != nil {
					t.Errorf("%s: %v", from, err)
					return
				}
				mu.Lock()
				ended[token] = at
				mu.Unlock()
				select {
				case <-ctx.Done():
				case <-time.After(time.Duration(one.rng.Int64N(int64(200 * time.Millisecond)))):
				}
			}
		})
	}
	submitting.Wait()
	var out []time.Duration
	for deadline := time.Now().Add(30 * time.Second); len(out) < len(ended); {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d messages arrived", len(out), len(ended))
		}
		<-time.After(20 * time.Millisecond)
		out = out[:0]
		for _, d := range w.sandbox.DeliveriesSince(known) {
			if strings.HasPrefix(d.Subject, run) {
				out = append(out, d.At.Sub(ended[d.Subject]))
			}
		}
	}
	slices.Sort(out)
	return out
}

// at is the value below which so many of the sorted times lie.
func at(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))].Round(100 * time.Microsecond)
}
