package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
)

// Three nodes share one database. The cap of each lane holds over all of them
// at every moment, nothing is given out twice, and what a node had that died
// goes to the others to be verified.
func TestThreeNodes(t *testing.T) {
	t.Parallel()
	first := open(t, Options{})
	nodes := []*Store{first}
	for range 2 {
		nodes = append(nodes, open(t, Options{URL: first.opt.URL}))
	}
	const total, lanes, limit = 150, 3, 4
	var subs sync.WaitGroup
	for i := range total {
		subs.Go(func() {
			now := time.Now()
			m := benchMessage(fmt.Sprint("lane-", i%lanes), []byte("x"), now)
			m.Deliveries[0].Route.Limits = adapters.LaneLimits{Concurrency: limit}
			if _, err := nodes[i%3].Submit(t.Context(), store.Submission{Now: now, Messages: []store.NewMessage{m}}); err != nil {
				t.Error(err)
			}
		})
	}
	subs.Wait()
	var mu sync.Mutex
	out, sends, kinds := map[string]int{}, map[store.ID]int{}, map[store.Kind]int{}
	var left atomic.Int64
	left.Store(total)
	var died sync.Once
	dead := make(chan struct{})
	now := time.Now()
	var wg sync.WaitGroup
	for i, s := range nodes {
		n, _, err := s.Register(t.Context(), fmt.Sprint("n", i), now, now.Add(15*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for left.Load() > 0 && !t.Failed() {
				cc, err := s.Claim(t.Context(), store.ClaimRequest{Node: n, Now: time.Now(), Max: 5})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, c := range cc {
					kinds[c.Delivery.Kind]++
					if c.Delivery.Kind == store.Send {
						sends[c.Delivery.ID]++
					}
					if l := c.Delivery.Route.Lane; true {
						if out[l]++; out[l] > limit {
							t.Errorf("%d in flight in lane %s", out[l], l)
						}
					}
				}
				mu.Unlock()
				if i == 0 && len(cc) > 0 && left.Load() < total/2 { // as if it were killed
					mu.Lock()
					for _, c := range cc { // what it had is no longer on its way
						out[c.Delivery.Route.Lane]--
					}
					mu.Unlock()
					died.Do(func() { close(dead) })
					return
				}
				for _, c := range cc {
					mu.Lock()
					out[c.Delivery.Route.Lane]--
					mu.Unlock()
					if err := s.Finish(t.Context(), benchFinish(c, time.Now())); err != nil {
						t.Error(err)
					}
					left.Add(-1)
				}
				if len(cc) == 0 {
					pause.For(t.Context(), time.Millisecond)
				}
			}
		})
	}
	wg.Go(func() { // the others live on; the dead one's heartbeat runs out
		<-dead
		late := time.Now().Add(20 * time.Second)
		for _, s := range nodes[1:] {
			for i := 1; i < 3; i++ {
				if err := s.Heartbeat(t.Context(), store.Node{Name: fmt.Sprint("n", i), Incarnation: 1}, late, late.Add(time.Hour)); err != nil {
					t.Error(err)
				}
			}
		}
		n, err := nodes[1].Reap(t.Context(), late)
		if err != nil || n == 0 {
			t.Errorf("reaped %d, %v", n, err)
		}
		// What was reaped is due at that moment: bring it back to now.
		p, err := nodes[2].List(t.Context(), store.ListRequest{Filter: store.Filter{States: []store.State{store.Unverified}}, Limit: 100})
		if err != nil {
			t.Error(err)
		}
		for _, e := range p.Entries {
			d := e.Delivery
			st := store.Transition{Delivery: d.ID, Epoch: d.Epoch, Now: time.Now(), State: store.Unverified, NextAt: time.Now(),
				Progress: d.Progress}
			if err := nodes[2].Transition(t.Context(), st); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	if len(sends) != total {
		t.Errorf("%d of %d were claimed to be sent", len(sends), total)
	}
	for id, n := range sends {
		if n != 1 {
			t.Errorf("delivery %s was claimed %d times to be sent", id, n)
		}
	}
	if kinds[store.Verify] == 0 {
		t.Error("nothing of the dead node was verified")
	}
	st, err := first.Stats(t.Context(), time.Now())
	if err != nil || st.States[store.Sent] != total {
		t.Errorf("in the end: %v, %v", st.States, err)
	}
}

// Nodes that start at the same moment on an empty database wait for each
// other; so do those that keep a value first.
func TestStartTogether(t *testing.T) {
	t.Parallel()
	u := schema(t)
	var wg sync.WaitGroup
	for range 4 {
		dir := t.TempDir()
		wg.Go(func() {
			s, err := Open(context.WithoutCancel(t.Context()), Options{URL: u, Dir: dir})
			if err != nil {
				t.Error(err)
				return
			}
			if err := errors.Join(s.Ping(t.Context()), s.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// Another node's submission wakes this one's claim without a poll.
func TestNotifierWakesOtherNodes(t *testing.T) {
	t.Parallel()
	a := open(t, Options{})
	b := open(t, Options{URL: a.opt.URL})
	n := node(t, b, "n")
	for i := range 5 {
		woken := make(chan error, 1)
		go func() {
			cc, err := b.Claim(t.Context(), store.ClaimRequest{Node: n, Now: time.Now(), Max: 1, Wait: time.Minute})
			if err == nil && len(cc) != 1 {
				err = errTest
			}
			woken <- err
		}()
		until(t, "the claim waits", func() bool { return waits(b) })
		start := time.Now()
		if _, err := send(t, a, fmt.Sprint("l", i), []byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := <-woken; err != nil {
			t.Fatal(err)
		}
		t.Logf("woken after %v", time.Since(start))
	}
}

// waits reports that a claim of s has asked to be woken.
func waits(s *Store) bool {
	return s.Changed.Awaited() && s.pool.Stat().AcquiredConns() == 0
}

// Claims that wait hold no connection: many more than the pool has, and the
// rest works.
func TestManyWait(t *testing.T) {
	t.Parallel()
	s := open(t, Options{URL: schema(t) + "&pool_max_conns=4"})
	n := node(t, s, "n")
	const waiting = 24
	got := make(chan store.ID, waiting)
	var wg sync.WaitGroup
	for range waiting {
		wg.Go(func() {
			cc, err := s.Claim(t.Context(), store.ClaimRequest{Node: n, Now: time.Now(), Max: 1, Wait: time.Minute})
			if err != nil || len(cc) != 1 {
				t.Errorf("%d claimed, %v", len(cc), err)
				return
			}
			got <- cc[0].Delivery.ID
		})
	}
	until(t, "the claims wait", func() bool { return waits(s) })
	for i := range waiting {
		if _, err := send(t, s, fmt.Sprint("l", i%3), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	close(got)
	seen := map[store.ID]bool{}
	for id := range got {
		seen[id] = true
	}
	if len(seen) != waiting {
		t.Errorf("%d of %d claimed", len(seen), waiting)
	}
}

// A URL that cannot be used says what to do, and never the password.
func TestOpenErrors(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"postgres://u:geheim@127.0.0.1:1/x?sslmode=disable", "postgres://u:geheim@[::1/x", "nonsense://geheim"} {
		_, err := Open(t.Context(), Options{URL: u, Dir: t.TempDir()})
		if err == nil {
			t.Errorf("%q was opened", u)
			continue
		}
		if s := err.Error(); len(s) == 0 || strings.Contains(s, "u:geheim") || strings.Contains(s, ":geheim@") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

// An edit on one node reaches the caches of the others at once, and they read
// what changed alone.
func TestEditIsHeard(t *testing.T) {
	t.Parallel()
	a := open(t, Options{})
	b := open(t, Options{URL: a.opt.URL})
	heard := make(chan struct{}, 16)
	b.OnChange(func() { heard <- struct{}{} })
	await := func(what string) {
		t.Helper()
		select {
		case <-heard:
		case <-time.After(10 * time.Second):
			t.Errorf("%s was not heard of", what)
		}
	}
	c, err := a.PutConnection(t.Context(), time.Now(),
		&gateway.Connection{Connection: adapters.Connection{Name: "x", Provider: adapters.SMTP, Settings: &fallback.Settings{Host: "h"}}})
	if err != nil {
		t.Fatal(err)
	}
	await("a connection")
	revs, err := b.ConnectionRevisions(t.Context())
	if err != nil || len(revs) != 1 || revs[c.ID] != c.Revision {
		t.Errorf("revisions: %v, %v", revs, err)
	}
	some, err := b.ConnectionsByID(t.Context(), []string{c.ID, "none"})
	if err != nil || len(some) != 1 || some[0].Name != "x" {
		t.Errorf("by id: %v, %v", some, err)
	}
	k, err := a.PutClient(t.Context(), store.Client{Name: "erp"})
	if err != nil {
		t.Fatal(err)
	}
	await("a client")
	if err := a.DeleteClient(t.Context(), k.ID); err != nil {
		t.Fatal(err)
	}
	await("the end of a client")
	if err := a.DeleteConnection(t.Context(), time.Now(), c.ID); err != nil {
		t.Fatal(err)
	}
	await("the end of a connection")
}
