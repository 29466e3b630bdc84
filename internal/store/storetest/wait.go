package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

// While a claim waits the store's clock goes on in real time. A claim that
// must be woken waits a minute; it was woken when it needs less than soon, which
// a slow machine does not reach by being slow.
const (
	long  = time.Minute
	soon  = 15 * time.Second
	brief = 25 * time.Millisecond
)

type claimed struct {
	cc   []store.Claimed
	err  error
	took time.Duration
}

// waiting begins a claim that waits. It returns the result once.
func waiting(ctx context.Context, s store.Store, r store.ClaimRequest) <-chan claimed {
	out := make(chan claimed, 1)
	start := time.Now()
	go func() {
		cc, err := s.Claim(ctx, r)
		out <- claimed{cc, err, time.Since(start)}
	}()
	return out
}

// woken returns what a claim gets that waits while change happens. Should it
// begin to wait only after the change, it must get the same.
func woken(t *testing.T, what string, s store.Store, n store.Node, at time.Time, change func()) []store.Claimed {
	t.Helper()
	res := waiting(t.Context(), s, store.ClaimRequest{Node: n, Now: at, Max: 10, Wait: long})
	<-time.After(brief) // it waits by now, most likely
	change()
	r := <-res
	if r.err != nil || r.took > soon {
		t.Errorf("%s: after %v: %v", what, r.took, r.err)
	}
	return r.cc
}

func testWait(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	n := register(t, s, "n", t0())
	never, resume := store.Never(), t0()
	one := adapters.LaneLimits{Concurrency: 1}
	act := func(v store.Verb, id store.ID) error {
		_, err := s.Act(ctx, store.Action{Verb: v, Deliveries: []store.ID{id}, Now: t0()})
		return err
	}
	off := false
	conn, err := s.PutConnection(ctx, t0(), smtpConnection("Ufficio"))
	must(t, err)
	conn.Active = &off
	conn, err = s.PutConnection(ctx, t0(), conn)
	must(t, err)
	for _, c := range []struct {
		name    string
		prepare func(l letter) func() error // gives what makes the letter's lane ready
	}{
		{"there already", func(l letter) func() error { submit(t, s, l); return func() error { return nil } }},
		{"submission", func(l letter) func() error { return func() error { submit(t, s, l); return nil } }},
		{"finish frees the slot", func(l letter) func() error {
			l.limits = one
			submit(t, s, l)
			submit(t, s, l)
			first := claim(t, s, n, t0(), 10)[0]
			return func() error { return accept(t, s, first, t0()) }
		}},
		{"release of a lease", func(l letter) func() error {
			submit(t, s, l)
			first := claim(t, s, n, t0(), 10)[0]
			return func() error { return s.Release(ctx, t0(), []store.Lease{first.Lease}) }
		}},
		{"finish to be tried again", func(l letter) func() error {
			submit(t, s, l)
			first := claim(t, s, n, t0(), 10)[0]
			return func() error { return s.Finish(ctx, failed(first, adapters.Transient, t0(), t0())) }
		}},
		{"another node died", func(l letter) func() error {
			submit(t, s, l)
			claim(t, s, register(t, s, "x", t0()), t0(), 10)
			must(t, s.Heartbeat(ctx, n, t0(), after(1000)))
			return func() error { _, err := s.Reap(ctx, after(20)); return err }
		}},
		{"settle", func(l letter) func() error {
			l.next = after(3600)
			_, id := submit(t, s, l)
			return func() error {
				return s.Transition(ctx, store.Transition{Delivery: id, Now: t0(), State: store.Queued, NextAt: t0()})
			}
		}},
		{"retry", func(l letter) func() error {
			l.next = after(3600)
			_, id := submit(t, s, l)
			return func() error { return act(store.DoRetry, id) }
		}},
		{"release", func(l letter) func() error {
			l.held = true
			_, id := submit(t, s, l)
			return func() error { return act(store.DoRelease, id) }
		}},
		{"lane resumed", func(l letter) func() error {
			submit(t, s, l)
			must(t, s.ChangeLane(ctx, t0(), l.lane, store.LaneChange{PauseUntil: &never}))
			return func() error {
				return s.ChangeLane(ctx, t0(), l.lane, store.LaneChange{PauseUntil: &resume, Shorten: true})
			}
		}},
		{"more slots", func(l letter) func() error {
			l.limits = one
			submit(t, s, l)
			submit(t, s, l)
			claim(t, s, n, t0(), 10)
			return func() error {
				return s.ChangeLane(ctx, t0(), l.lane, store.LaneChange{Limits: &adapters.LaneLimits{Concurrency: 2}})
			}
		}},
		{"connection resumed", func(l letter) func() error {
			l.connection = "paused"
			submit(t, s, l)
			must(t, s.ChangeConnection(ctx, t0(), "paused", store.ConnectionChange{PauseUntil: &never}))
			return func() error {
				return s.ChangeConnection(ctx, t0(), "paused", store.ConnectionChange{PauseUntil: &resume})
			}
		}},
		{"connection active again", func(l letter) func() error {
			l.connection = conn.ID
			submit(t, s, l)
			return func() error {
				conn.Active = nil
				_, err := s.PutConnection(ctx, t0(), conn)
				return err
			}
		}},
	} {
		change := c.prepare(letter{lane: c.name})
		cc := woken(t, c.name, s, n, after(30), func() { must(t, change()) })
		if len(cc) != 1 || cc[0].Delivery.Route.Lane != c.name {
			t.Fatalf("%s: %d claimed", c.name, len(cc))
		}
		must(t, accept(t, s, cc[0], after(31)))
	}
}

// testWaitClock has claims wait for moments.
func testWaitClock(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	n := register(t, s, "n", t0())
	until := t0().Add(brief)
	for _, c := range []struct {
		name    string
		prepare func(l letter)
	}{
		{"due", func(l letter) { l.next = until; submit(t, s, l) }},
		{"pause of a lane", func(l letter) {
			submit(t, s, l)
			must(t, s.ChangeLane(ctx, t0(), l.lane, store.LaneChange{PauseUntil: &until}))
		}},
		{"pause of a connection", func(l letter) {
			l.connection = "paused"
			submit(t, s, l)
			must(t, s.ChangeConnection(ctx, t0(), "paused", store.ConnectionChange{PauseUntil: &until}))
		}},
		{"cap", func(l letter) {
			l.limits.Concurrency = 2
			submit(t, s, l)
			submit(t, s, l)
			must(t, s.ChangeLane(ctx, t0(), l.lane, store.LaneChange{Cap: 1, CapUntil: until}))
			want(t, "capped", len(claim(t, s, n, t0(), 10)), 1)
		}},
	} {
		c.prepare(letter{lane: c.name})
		r := <-waiting(ctx, s, store.ClaimRequest{Node: n, Now: t0(), Max: 10, Wait: long})
		must(t, r.err)
		if len(r.cc) != 1 || r.took < brief || r.took > soon {
			t.Fatalf("%s: %d claimed after %v, not 1 after %v", c.name, len(r.cc), r.took, brief)
		}
		// The attempt began when the wait was over.
		if at := r.cc[0].Delivery.Since; at.Before(until) || at.After(until.Add(r.took)) {
			t.Errorf("%s: the attempt begins at %v, want about %v", c.name, at, until)
		}
		must(t, accept(t, s, r.cc[0], after(1)))
	}
	// Nothing: neither due, nor with room.
	submit(t, s, letter{next: after(100)})
	never := store.Never()
	must(t, s.ChangeLane(ctx, t0(), "never", store.LaneChange{PauseUntil: &never}))
	submit(t, s, letter{lane: "never"})
	r := <-waiting(ctx, s, store.ClaimRequest{Node: n, Now: after(2), Max: 10, Wait: brief})
	if r.err != nil || len(r.cc) > 0 || r.took < brief {
		t.Errorf("an idle claim gives %d, %v after %v", len(r.cc), r.err, r.took)
	}
	// The caller gives up.
	giving, up := context.WithCancelCause(ctx)
	res := waiting(giving, s, store.ClaimRequest{Node: n, Now: after(2), Max: 10, Wait: long})
	<-time.After(brief)
	up(errors.New("enough"))
	r = <-res
	wantErr(t, "given up", r.err, context.Canceled)
	if r.took > soon {
		t.Errorf("giving up took %v", r.took)
	}
	r = <-waiting(giving, s, store.ClaimRequest{Node: n, Now: after(2), Max: 10, Wait: long})
	wantErr(t, "given up before", r.err, context.Canceled)
}

// testWaitEnds has claims end that wait for nothing.
func testWaitEnds(t *testing.T, h Harness) {
	s := h.Open(t)
	n := register(t, s, "n", t0())
	r := store.ClaimRequest{Node: n, Now: t0(), Max: 10, Wait: long}
	res := waiting(t.Context(), s, r)
	<-time.After(brief)
	other := register(t, s, "n", after(1)) // a newer process of the name
	submit(t, s, letter{})                 // at the latest then the earlier one sees it
	got := <-res
	wantErr(t, "the earlier process", got.err, store.ErrNodeLost)
	want(t, "nothing for the earlier process", len(got.cc), 0)
	want(t, "but for the newer one", len(claim(t, s, other, after(1), 10)), 1)
	r.Node = other
	res = waiting(t.Context(), s, r)
	<-time.After(brief)
	must(t, s.Close())
	got = <-res
	wantErr(t, "the store is closed", got.err, store.ErrUnavailable)
	if got.took > soon {
		t.Errorf("the claim ended after %v", got.took)
	}
}

// testWaitTogether has several nodes wait for the same mail, through this
// process and another one: each piece goes to one of them.
func testWaitTogether(t *testing.T, h Harness) {
	s := h.Open(t)
	stores := []store.Store{s, s, h.Second(t, s)}
	const total = 60
	start := time.Now()
	clock := func() time.Time { return after(1).Add(time.Since(start)) } // one for all, as it goes on in the claims
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var mu sync.Mutex
	seen := map[store.ID]int{}
	var wg sync.WaitGroup
	for i, own := range stores {
		n := register(t, own, fmt.Sprint("n", i), t0())
		wg.Go(func() {
			for {
				cc, err := own.Claim(ctx, store.ClaimRequest{Node: n, Now: clock(), Max: 2, Wait: long})
				for _, c := range cc {
					if err := accept(t, own, c, clock()); err != nil {
						t.Error(err)
					}
				}
				mu.Lock()
				for _, c := range cc {
					seen[c.Delivery.ID]++
				}
				if len(seen) == total {
					stop()
				}
				mu.Unlock()
				if err != nil || t.Failed() {
					if !errors.Is(err, context.Canceled) {
						t.Error("a claim that waits:", err)
					}
					stop()
					return
				}
			}
		})
	}
	for i := range total {
		submit(t, s, letter{lane: fmt.Sprint("lane-", i%5), limits: adapters.LaneLimits{Concurrency: 1}})
	}
	wg.Wait()
	want(t, "seen", len(seen), total)
	for id, n := range seen {
		if n != 1 {
			t.Errorf("delivery %s was claimed %d times", id, n)
		}
	}
	// One change wakes all who wait, not one of them.
	var all []<-chan claimed
	for i := range 4 {
		n := register(t, s, fmt.Sprint("m", i), t0())
		all = append(all, waiting(t.Context(), s, store.ClaimRequest{Node: n, Now: clock(), Max: 1, Wait: long}))
	}
	<-time.After(brief)
	var sub store.Submission
	sub.Now = clock()
	for i := range all {
		sub.Messages = append(sub.Messages, letter{lane: fmt.Sprint("x", i), at: sub.Now}.message())
	}
	_, err := s.Submit(t.Context(), sub)
	must(t, err)
	for i, c := range all {
		r := <-c
		if r.err != nil || len(r.cc) != 1 || r.took > soon {
			t.Errorf("claim %d of those that wait gives %d, %v after %v", i, len(r.cc), r.err, r.took)
		}
	}
}
