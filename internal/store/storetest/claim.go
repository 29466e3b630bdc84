package storetest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
)

func testClaim(t *testing.T, h Harness) {
	s := h.Open(t)
	n := register(t, s, "n", t0())
	want(t, "nothing there", len(claim(t, s, n, t0(), 10)), 0)
	mid, did := submit(t, s, letter{})
	_, later := submit(t, s, letter{next: after(10)})
	submit(t, s, letter{held: true})
	got := claim(t, s, n, t0(), 10)
	want(t, "claimed", len(got), 1)
	c := got[0]
	want(t, "delivery", c.Delivery.ID, did)
	want(t, "message", c.Message.ID, mid)
	want(t, "subject", c.Message.Subject, "Fattura è pronta")
	want(t, "lease", fmt.Sprint(c.Lease), fmt.Sprint(store.Lease{Delivery: did, Epoch: 1, No: 1, Node: "n"}))
	want(t, "kind", c.Delivery.Kind, store.Send)
	// The attempt is written down.
	at, err := s.Attempts(t.Context(), did)
	must(t, err)
	want(t, "attempts", len(at), 1)
	want(t, "attempt", fmt.Sprint(at[0].No, at[0].Kind, at[0].Connection, at[0].Lane, at[0].Node, at[0].Epoch, at[0].StartedAt,
		at[0].EndedAt.IsZero(), at[0].Recipients),
		fmt.Sprint(1, store.Send, "conn-1", "lane-1", "n", 1, t0(), true, 1))
	d := delivery(t, s, did)
	want(t, "state", d.State, store.Sending)
	want(t, "owner", d.Node, "n")
	want(t, "in flight", lane(t, s).InFlight, 1)
	want(t, "queued", lane(t, s).Queued, 1)
	want(t, "not again", len(claim(t, s, n, after(9), 10)), 0)
	got = claim(t, s, n, after(10), 10)
	want(t, "the later one", got[0].Delivery.ID, later)
	_, err = s.Claim(t.Context(), store.ClaimRequest{Node: store.Node{Name: "n", Incarnation: n.Incarnation + 1}, Now: after(10), Max: 1})
	wantErr(t, "a node that is not registered", err, store.ErrNodeLost)
	_, err = s.Claim(t.Context(), store.ClaimRequest{Node: store.Node{Name: "x", Incarnation: 1}, Now: after(10), Max: 1})
	wantErr(t, "a node that never was", err, store.ErrNodeLost)
	// In the order in which they are due, not in which they came.
	_, c2 := submit(t, s, letter{lane: "order", next: after(32)})
	_, c1 := submit(t, s, letter{lane: "order", next: after(31)})
	got = claim(t, s, n, after(40), 1)
	want(t, "first due", got[0].Delivery.ID, c1)
	got = claim(t, s, n, after(40), 1)
	want(t, "second due", got[0].Delivery.ID, c2)
}

// testClaimRace has several nodes claim and finish at once: everything is done
// once.
func testClaimRace(t *testing.T, h Harness) {
	s := h.Open(t)
	const total = 120
	for i := range total {
		submit(t, s, letter{lane: fmt.Sprint("lane-", i%7), client: fmt.Sprint("c", i%3), limits: adapters.LaneLimits{Concurrency: 4}})
	}
	var mu sync.Mutex
	seen := map[store.ID]int{}
	inFlight, peak := map[string]int{}, 0
	var wg sync.WaitGroup
	for w := range 4 {
		n := register(t, s, fmt.Sprint("n", w), t0())
		wg.Go(func() {
			for {
				cc, err := s.Claim(t.Context(), store.ClaimRequest{Node: n, Now: t0(), Max: 5})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, c := range cc {
					seen[c.Delivery.ID]++
					inFlight[c.Delivery.Route.Lane]++
					peak = max(peak, inFlight[c.Delivery.Route.Lane])
				}
				done := len(seen) == total
				mu.Unlock()
				for _, c := range cc {
					mu.Lock()
					inFlight[c.Delivery.Route.Lane]--
					mu.Unlock()
					if err := accept(t, s, c, t0()); err != nil {
						t.Error(err)
					}
				}
				if done {
					return
				}
			}
		})
	}
	wg.Wait()
	want(t, "seen", len(seen), total)
	for id, n := range seen {
		if n != 1 {
			t.Errorf("delivery %s was claimed %d times", id, n)
		}
	}
	if peak > 4 {
		t.Errorf("%d in flight in a lane of 4", peak)
	}
	st, err := s.Stats(t.Context(), t0())
	must(t, err)
	want(t, "done", st.States[store.Sent], total)
}

func testConcurrency(t *testing.T, h Harness) {
	s := h.Open(t)
	a, b := register(t, s, "a", t0()), register(t, s, "b", t0())
	for range 10 {
		submit(t, s, letter{limits: adapters.LaneLimits{Concurrency: 4}})
	}
	first := claim(t, s, a, t0(), 3)
	want(t, "first node", len(first), 3)
	want(t, "second node gets the rest of the slots", len(claim(t, s, b, t0(), 10)), 1)
	want(t, "full", len(claim(t, s, a, after(1), 10)), 0)
	must(t, accept(t, s, first[0], after(1)))
	want(t, "one is free again", len(claim(t, s, b, after(1), 10)), 1)
	// A cap lowers it for a while, and is no reason to sleep longer than it lasts.
	must(t, s.ChangeLane(t.Context(), after(1), "lane-1", store.LaneChange{Cap: 1, CapUntil: after(60)}))
	must(t, accept(t, s, first[1], after(1)))
	must(t, accept(t, s, first[2], after(1)))
	want(t, "capped", len(claim(t, s, a, after(2), 10)), 0)
	want(t, "still", len(claim(t, s, a, after(59.9), 10)), 0)
	want(t, "cap over", len(claim(t, s, a, after(60), 10)), 2)
	// Lowering and raising the limits themselves.
	must(t, s.ChangeLane(t.Context(), after(61), "lane-1", store.LaneChange{Limits: &adapters.LaneLimits{}}))
	want(t, "no limit", len(claim(t, s, a, after(61), 10)), 3)
}

func testPace(t *testing.T, h Harness) {
	s := h.Open(t)
	n := register(t, s, "n", t0())
	for range 12 {
		submit(t, s, letter{limits: adapters.LaneLimits{PerMinute: 5}})
	}
	want(t, "first minute", len(claim(t, s, n, t0(), 100)), 5)
	want(t, "later in it", len(claim(t, s, n, after(30), 100)), 0)
	s = h.Reopen(t, s) // the count is durable
	n = register(t, s, "m", after(59))
	want(t, "after a restart", len(claim(t, s, n, after(59), 100)), 0)
	want(t, "second minute", len(claim(t, s, n, after(62), 100)), 5)
	// A failed attempt is an attempt: the provider has counted it.
	want(t, "third", len(claim(t, s, n, after(90), 100)), 0)
	want(t, "rest", len(claim(t, s, n, after(124), 100)), 2)
}

// testEditedLimits has a node submit that has not read an edit yet: the limits
// of before must not come back with its mail.
func testEditedLimits(t *testing.T, h Harness) {
	s := h.Open(t)
	n := register(t, s, "n", t0())
	perMinute := func(c *gateway.Connection, limit int) *gateway.Connection {
		c.Limits.PerMinute, c.Limits.Concurrency = &limit, new(int)
		c, err := s.PutConnection(t.Context(), t0(), c)
		must(t, err)
		return c
	}
	mail := func(c *gateway.Connection) {
		m := letter{}.message()
		m.Deliveries[0].Route = store.RouteTo(c, c.FromMailbox(), 0)
		_, err := s.Submit(t.Context(), store.Submission{Now: t0(), Messages: []store.NewMessage{m}})
		must(t, err)
	}
	before := perMinute(smtpConnection("Ufficio"), 20)
	mail(before)
	want(t, "before the edit", len(claim(t, s, n, t0(), 100)), 1)
	edited := perMinute(before.Clone(), 2)
	mail(before)
	mail(before)
	want(t, "of a node that has not read the edit", len(claim(t, s, n, t0(), 100)), 1)
	s = h.Reopen(t, s)
	n = register(t, s, "m", after(1))
	mail(before)
	want(t, "after a restart", len(claim(t, s, n, after(1), 100)), 0)
	edited = perMinute(edited, 4)
	want(t, "raised", len(claim(t, s, n, after(1), 100)), 2)
	mail(edited)
	want(t, "of a node that has read it", len(claim(t, s, n, after(1), 100)), 0)
	// Another connection to the same mailbox: the limits of the last mail hold.
	other := perMinute(smtpConnection("Altra"), 30)
	mail(other)
	want(t, "another connection's limits", len(claim(t, s, n, after(1), 100)), 2)
}

func testBudget(t *testing.T, h Harness) {
	s := h.Open(t)
	n := register(t, s, "n", t0())
	lim := adapters.LaneLimits{RecipientsPerDay: 100} // what is for more than five lets others pass
	submit(t, s, letter{limits: lim, to: many(94, "a%d@example.com")})
	submit(t, s, letter{limits: lim, to: many(3, "b%d@example.com"), next: after(1)})
	submit(t, s, letter{limits: lim, to: many(5, "c%d@example.com"), next: after(2)})
	submit(t, s, letter{limits: lim, to: many(1, "d%d@example.com"), next: after(3)})
	got := claim(t, s, n, after(4), 10)
	want(t, "what fits, in order", len(got), 2)
	want(t, "used", lane(t, s).UsedToday(after(4)), 97)
	want(t, "spent for a day", len(claim(t, s, n, after(24*3600), 10)), 0)
	// The refused ones are given back: one of three.
	f := accepted(got[1], after(5))
	f.NotSent = 1
	must(t, s.Finish(t.Context(), f))
	want(t, "given back", lane(t, s).UsedToday(after(5)), 96)
	want(t, "still too little for the next in line", len(claim(t, s, n, after(6), 10)), 0)
	f = accepted(got[0], after(5))
	f.NotSent = 1
	must(t, s.Finish(t.Context(), f))
	got = claim(t, s, n, after(7), 10)
	want(t, "the next in line", len(got), 1)
	want(t, "the one with five", got[0].Delivery.CountPending(), 5)
	// When who is first in line and does not fit goes away, the others go on.
	for _, v := range []store.Verb{store.DoHold, store.DoCancel} {
		name := "l " + string(v)
		submit(t, s, letter{lane: name, limits: lim, to: many(96, "a%d@example.com")})
		_, large := submit(t, s, letter{lane: name, limits: lim, to: many(5, "b%d@example.com"), next: after(1)})
		_, fits := submit(t, s, letter{lane: name, limits: lim, to: many(4, "c%d@example.com"), next: after(2)})
		want(t, "the first", len(claim(t, s, n, after(8), 10)), 1)
		want(t, "no room for the second", len(claim(t, s, n, after(9), 10)), 0)
		_, err := s.Act(t.Context(), store.Action{Verb: v, Deliveries: []store.ID{large}, Now: after(10)})
		must(t, err)
		got = claim(t, s, n, after(11), 10)
		want(t, "the third after "+string(v), len(got), 1)
		want(t, "it", got[0].Delivery.ID, fits)
	}
	// The same when its connection is paused.
	submit(t, s, letter{lane: "shared", connection: "conn-9", limits: lim, to: many(98, "a%d@example.com")})
	submit(t, s, letter{lane: "shared", connection: "conn-9", limits: lim, to: many(5, "b%d@example.com"), next: after(1)})
	_, fits := submit(t, s, letter{lane: "shared", connection: "conn-2", limits: lim, next: after(2)})
	want(t, "the first", len(claim(t, s, n, after(8), 10)), 1)
	want(t, "no room for the second", len(claim(t, s, n, after(9), 10)), 0)
	until := after(1e6)
	must(t, s.ChangeConnection(t.Context(), after(10), "conn-9", store.ConnectionChange{PauseUntil: &until}))
	got = claim(t, s, n, after(11), 10)
	want(t, "another connection's", len(got), 1)
	want(t, "it", got[0].Delivery.ID, fits)
	// Larger than the whole budget: when nothing was used.
	submit(t, s, letter{lane: "l2", limits: lim, to: many(101, "e%d@example.com")})
	got = claim(t, s, n, after(8), 10)
	want(t, "larger than the budget", len(got), 1)
	submit(t, s, letter{lane: "l2", limits: lim})
	want(t, "then nothing", len(claim(t, s, n, after(9), 10)), 0)
	want(t, "a day later", len(claim(t, s, n, after(25*3600), 10)), 2)
}

func testWaiting(t *testing.T, h Harness) {
	s := h.Open(t)
	n := register(t, s, "n", t0())
	show := func() string {
		ww, err := s.Waiting(t.Context())
		must(t, err)
		var out []string
		for _, w := range ww {
			out = append(out, fmt.Sprintf("%s in %s: %d from %d, limit %d", w.Connection, w.Lane.Key, w.Lane.Queued,
				w.Lane.NextAt.Sub(t0())/time.Second, w.Lane.Limits.RecipientsPerDay))
		}
		slices.Sort(out)
		return strings.Join(out, "; ")
	}
	want(t, "nothing", show(), "")
	lim := adapters.LaneLimits{RecipientsPerDay: 10}
	submit(t, s, letter{limits: lim, client: "one"})
	submit(t, s, letter{limits: lim, client: "two", next: after(5)})
	submit(t, s, letter{connection: "conn-2", limits: lim, next: after(7)})
	submit(t, s, letter{connection: "conn-2", lane: "lane-2", next: after(9)})
	submit(t, s, letter{connection: "conn-3", limits: lim, held: true})
	want(t, "all", show(), "conn-1 in lane-1: 2 from 0, limit 10; conn-2 in lane-1: 1 from 7, limit 10; conn-2 in lane-2: 1 from 9, limit 0")
	claim(t, s, n, after(6), 10)
	want(t, "when some are on their way", show(), "conn-2 in lane-1: 1 from 7, limit 10; conn-2 in lane-2: 1 from 9, limit 0")
}

func testFairness(t *testing.T, h Harness) {
	s := h.Open(t)
	n := register(t, s, "n", t0())
	// One lane is full of one client's mail; others come later.
	for i := range 60 {
		submit(t, s, letter{lane: "big", client: "bulk", at: after(float64(i) / 100)})
	}
	_, other := submit(t, s, letter{lane: "big", client: "small", at: after(1)})
	lanes := map[store.ID]bool{}
	for i := range 5 {
		_, id := submit(t, s, letter{lane: fmt.Sprint("small-", i), at: after(1.5)})
		lanes[id] = true
	}
	got := claim(t, s, n, after(2), 12)
	want(t, "claimed", len(got), 12)
	found := map[store.ID]bool{}
	for _, c := range got {
		found[c.Delivery.ID] = true
	}
	for id := range lanes {
		want(t, "another lane's mail is among the first", found[id], true)
	}
	want(t, "another client's mail is among the first", found[other], true)
	// One by one, at one and the same moment: the lanes take turns.
	for i := range 20 {
		submit(t, s, letter{lane: fmt.Sprint("turn-", i%4), at: after(3)})
	}
	count := map[string]int{}
	for range 12 {
		for _, c := range claim(t, s, n, after(3), 1) {
			count[c.Delivery.Route.Lane]++
		}
	}
	for _, l := range []string{"turn-0", "turn-1", "turn-2", "turn-3"} {
		if count[l] < 2 {
			t.Errorf("lane %s was served %d times of 12 with 5 lanes: %v", l, count[l], count)
		}
	}
	// And everything comes to an end.
	rest := 0
	for {
		cc := claim(t, s, n, after(4), 7)
		rest += len(cc)
		if len(cc) == 0 {
			break
		}
	}
	want(t, "all are claimed in the end", rest, 60+1+5+20-12-12)
}

func testPause(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	n := register(t, s, "n", t0())
	until := after(100)
	submit(t, s, letter{})
	must(t, s.ChangeLane(ctx, t0(), "lane-1", store.LaneChange{PauseUntil: &until, Reason: store.CorruptRecord().Message}))
	sooner := after(50)
	must(t, s.ChangeLane(ctx, t0(), "lane-1", store.LaneChange{PauseUntil: &sooner}))
	want(t, "the longer pause stays", lane(t, s).PausedUntil, until)
	want(t, "reason", lane(t, s).Reason.In("it"), store.CorruptRecord().Message.In("it"))
	submit(t, s, letter{client: "late"})
	want(t, "paused", len(claim(t, s, n, after(99), 10)), 0)
	want(t, "over", len(claim(t, s, n, after(100), 1)), 1)
	resume := t0()
	never := store.Never()
	must(t, s.ChangeLane(ctx, after(100), "lane-1", store.LaneChange{PauseUntil: &never}))
	want(t, "until somebody resumes", len(claim(t, s, n, after(1e6), 10)), 0)
	must(t, s.ChangeLane(ctx, after(100), "lane-1", store.LaneChange{PauseUntil: &resume, Shorten: true}))
	want(t, "resumed", len(claim(t, s, n, after(100), 10)), 1)
	// A lane can be paused before its first message.
	must(t, s.ChangeLane(ctx, t0(), "new", store.LaneChange{PauseUntil: &until}))
	submit(t, s, letter{lane: "new", limits: adapters.LaneLimits{Concurrency: 2}})
	want(t, "paused from the start", len(claim(t, s, n, after(99), 10)), 0)
	want(t, "then", len(claim(t, s, n, after(101), 10)), 1)
	// A connection: the others of its lane go on.
	submit(t, s, letter{lane: "shared", connection: "x"})
	submit(t, s, letter{lane: "shared", connection: "y"})
	must(t, s.ChangeConnection(ctx, after(200),
		"x", store.ConnectionChange{PauseUntil: &never, Error: &adapters.Error{Class: adapters.Auth, ProviderCode: "AADSTS7000222"}}))
	submit(t, s, letter{lane: "other", connection: "x"})
	got := claim(t, s, n, after(200), 10)
	want(t, "of the connection that is not paused", len(got), 1)
	want(t, "connection", got[0].Delivery.Route.Connection, "y")
	st, err := s.ConnectionState(ctx, "x")
	must(t, err)
	want(t, "why", st.Error.ProviderCode, "AADSTS7000222")
	must(t, s.ChangeConnection(ctx, after(201), "x", store.ConnectionChange{PauseUntil: &resume}))
	want(t, "resumed connection", len(claim(t, s, n, after(201), 10)), 2)
}
