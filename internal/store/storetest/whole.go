package storetest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/store"
)

// testReopen closes the store in the middle of everything.
func testReopen(t *testing.T, h Harness) {
	s := h.Open(t)
	n := register(t, s, "n", t0())
	mid, did := submit(t, s, letter{})
	big, _ := submit(t, s, letter{lane: "l2", body: make([]byte, 150_000)})
	c, err := s.PutConnection(t.Context(), t0(), smtpConnection("Ufficio"))
	must(t, err)
	var got store.Claimed
	for _, x := range claim(t, s, n, t0(), 2) {
		if x.Delivery.ID == did {
			got = x
		}
	}
	s = h.Reopen(t, s)
	want(t, "message", len(readAll(t, s, mid)) > 0, true)
	want(t, "large message", len(readAll(t, s, big)) > 150_000, true)
	back, err := s.Connection(t.Context(), c.ID)
	must(t, err)
	want(t, "secret", fallback.SettingsOf(&back.Connection).Password.Reveal(), "segreto-1")
	want(t, "lease", delivery(t, s, did).State, store.Sending)
	must(t, s.Heartbeat(t.Context(), n, after(1), after(16)))
	must(t, accept(t, s, got, after(1)))
	removed, err := s.Sweep(t.Context(), 0)
	must(t, err)
	want(t, "swept", removed, 0)
	want(t, "after the sweep", len(readAll(t, s, big)) > 150_000, true)
}

// testTwoProcesses has a command work on the store beside the server.
func testTwoProcesses(t *testing.T, h Harness) {
	s := h.Open(t)
	cmd := h.Second(t, s)
	n := register(t, s, "n", t0())
	_, id := submit(t, s, letter{held: true})
	p, err := cmd.List(t.Context(), store.ListRequest{})
	must(t, err)
	want(t, "the command sees it", len(p.Entries), 1)
	// What the command releases wakes the server within about a second.
	cc := woken(t, "released by a command", s, n, after(1), func() {
		_, err := cmd.Act(t.Context(), store.Action{Verb: store.DoRelease, Deliveries: []store.ID{id}, Now: after(1)})
		must(t, err)
	})
	want(t, "claimed", len(cc), 1)
	for range 20 { // they write at the same time
		_, cid := submit(t, cmd, letter{lane: "l2"})
		_, sid := submit(t, s, letter{lane: "l2"})
		want(t, "seen by the other", delivery(t, s, cid).State, store.Queued)
		want(t, "seen by the command", delivery(t, cmd, sid).State, store.Queued)
	}
	want(t, "all", len(claim(t, s, n, after(2), 99)), 40)
	must(t, cmd.Close())
	must(t, accept(t, s, cc[0], after(2)))
}

// testModel does a long random sequence of everything, and asks at every step
// what must always hold: no lane above its limits, nothing lost, the counts of
// lanes right, everything done in the end.
func testModel(t *testing.T, h Harness) {
	s := h.Open(t)
	rnd := rand.New(rand.NewPCG(7, 7))
	limits := map[string]adapters.LaneLimits{"a": {Concurrency: 2}, "b": {PerMinute: 6}, "c": {Concurrency: 3, RecipientsPerDay: 400}, "d": {}}
	now, next := t0(), 0.0
	tick := func(max float64) { next += rnd.Float64() * max; now = after(next) }
	names := []string{"n0", "n1"}
	nodes := map[string]store.Node{}
	for _, name := range names {
		nodes[name] = register(t, s, name, now)
	}
	held := []store.Claimed{}
	all := map[store.ID]bool{}
	check := func(step int) {
		t.Helper()
		out := map[string]int{}
		for _, c := range held {
			out[c.Delivery.Route.Lane]++
		}
		for key, lim := range limits {
			l, err := s.Lane(t.Context(), key)
			if err != nil {
				continue
			}
			if l.InFlight != out[key] {
				t.Fatalf("step %d: lane %s says %d in flight, there are %d", step, key, l.InFlight, out[key])
			}
			if lim.Concurrency > 0 && l.InFlight > lim.Concurrency {
				t.Fatalf("step %d: lane %s has %d in flight", step, key, l.InFlight)
			}
		}
	}
	for step := range 250 {
		tick(2)
		switch r := rnd.IntN(10); {
		case r < 3:
			key := string("abcd"[rnd.IntN(4)])
			_, id := submit(t, s, letter{lane: key, client: fmt.Sprint("c", rnd.IntN(3)), connection: fmt.Sprint("x", rnd.IntN(2)),
				limits: limits[key], at: now,
				next: now.Add(time.Duration(rnd.IntN(10)) * time.Second), to: many(1+rnd.IntN(3), "p%d@example.com")})
			all[id] = true
		case r < 6:
			held = append(held, claim(t, s, nodes[names[rnd.IntN(2)]], now, 1+rnd.IntN(5))...)
		case r < 8 && len(held) > 0:
			i := rnd.IntN(len(held))
			c := held[i]
			held = append(held[:i], held[i+1:]...)
			f := accepted(c, now)
			switch rnd.IntN(4) {
			case 0:
				f = failed(c, adapters.Transient, now, now.Add(3*time.Second))
			case 1:
				f = failed(c, adapters.Unknown, now, now.Add(time.Second))
				f.Transition.State, f.Transition.Progress.UnknownSince = store.Unverified, now
			}
			must(t, s.Finish(t.Context(), f))
		case r == 8 && len(held) > 0:
			must(t, s.Release(t.Context(), now, []store.Lease{held[0].Lease}))
			held = held[1:]
		case r == 9 && step%7 == 0:
			name := names[rnd.IntN(2)]
			var err error
			nodes[name], _, err = s.Register(t.Context(), name, now, now.Add(time.Hour))
			must(t, err)
			var on []store.Claimed
			for _, c := range held {
				if c.Lease.Node != name {
					on = append(on, c)
				}
			}
			held = on
		default:
			for id := range all { // a person does something to one of them
				_, err := s.Act(t.Context(), store.Action{Verb: []store.Verb{store.DoHold, store.DoRelease, store.DoRetry}[rnd.IntN(3)],
					Deliveries: []store.ID{id}, Now: now})
				must(t, err)
				break
			}
		}
		check(step)
	}
	for _, c := range held {
		must(t, accept(t, s, c, now))
	}
	_, err := s.Act(t.Context(), store.Action{Verb: store.DoRelease, Filter: store.Filter{States: []store.State{store.Held}}, Now: now})
	must(t, err)
	for quiet := time.Second; ; {
		cc := claim(t, s, nodes["n0"], now, 50)
		for _, c := range cc {
			must(t, accept(t, s, c, now))
		}
		if len(cc) > 0 {
			quiet = time.Second
			continue
		}
		st, err := s.Stats(t.Context(), now)
		must(t, err)
		if st.States[store.Sent] == int64(len(all)) {
			break
		}
		if quiet > 48*time.Hour { // longer than every limit holds anything back
			t.Fatalf("nothing can be claimed any more of %v", st.States)
		}
		now = now.Add(quiet)
		quiet *= 2
	}
	st, err := s.Stats(t.Context(), now)
	must(t, err)
	want(t, "nothing else", len(st.States), 1)
}
