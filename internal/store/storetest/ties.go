package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/postino-mail/postino/internal/store"
)

// RunTies asks the parts of Run in which many records have the same time. A database
// may put such into another order at each query, when it sorts where it walked an
// index before: drivers have them asked with other plans too.
func RunTies(t *testing.T, h Harness) {
	for name, part := range ties() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			part(t, h)
		})
	}
}

func ties() map[string]func(*testing.T, Harness) {
	return map[string]func(*testing.T, Harness){"claim of one moment": testClaimTies, "purge of one moment": testPurgeTies,
		"pages of one moment": testListTies, "deadlines of one moment": testDeadlineTies, "events of one moment": testEventTies}
}

// submitMany stores n letters of one moment in one transaction each 500, and returns
// their deliveries.
func submitMany(t *testing.T, s store.Store, n int, of func(i int) letter) (out []store.ID) {
	t.Helper()
	var sub store.Submission
	for i := range n {
		l := of(i)
		sub.Messages, sub.Now = append(sub.Messages, l.message()), l.at
		if l.at.IsZero() {
			sub.Now = t0()
		}
		if len(sub.Messages) == 500 || i == n-1 {
			done, err := s.Submit(t.Context(), sub)
			must(t, err)
			for _, m := range done {
				out = append(out, m.Deliveries...)
			}
			sub.Messages = nil
		}
	}
	return out
}

// once checks that what was seen is what there is, each once.
func once(t *testing.T, what string, seen, all []store.ID) {
	t.Helper()
	times := map[store.ID]int{}
	for _, id := range seen {
		if times[id]++; times[id] == 2 {
			t.Errorf("%s: %v came twice", what, id)
		}
	}
	missing := 0
	for _, id := range all {
		if times[id] == 0 {
			missing++
		}
	}
	if missing > 0 || len(times) != len(all) {
		t.Errorf("%s: %d came of %d, %d are missing", what, len(times), len(all), missing)
	}
}

// testClaimTies: what is retried at one moment is claimed once each, also by a claim
// that reads a subqueue in several rounds, since the others of its lane have little.
func testClaimTies(t *testing.T, h Harness) {
	s := h.Open(t)
	const total = 1000
	all := submitMany(t, s, total, func(i int) letter {
		l := letter{held: true}
		switch {
		case i%25 == 0:
			l.client = fmt.Sprint("c", i%4)
		case i%3 == 0:
			l.lane = "lane-2"
		}
		return l
	})
	r, err := s.Act(t.Context(), store.Action{Verb: store.DoRetry, Filter: store.Filter{States: []store.State{store.Held}}, Now: after(5)})
	must(t, err)
	want(t, "retried", r, store.ActionResult{Changed: total})
	var mu sync.Mutex
	var seen []store.ID
	var wg sync.WaitGroup
	for w := range 2 {
		n := register(t, s, fmt.Sprint("n", w), after(5))
		wg.Go(func() {
			for empty := 0; empty < 3; { // the other node may have had the lanes locked
				list, err := s.Claim(t.Context(), store.ClaimRequest{Node: n, Now: after(5), Max: 70})
				if err != nil {
					t.Error(err)
					return
				}
				if len(list) == 0 {
					empty++
				}
				mu.Lock()
				for _, c := range list {
					seen = append(seen, c.Delivery.ID)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	once(t, "claim", seen, all)
}

// testPurgeTies: a round of retention over messages that were received at one moment
// removes all that are done with, in batches smaller than that, and leaves those
// among them that are not.
func testPurgeTies(t *testing.T, h Harness) {
	s := h.Open(t)
	const total = 5000
	all := submitMany(t, s, total, func(i int) letter { return letter{held: true, body: []byte("x")} })
	var open []store.ID
	var done []store.ID
	for i, id := range all {
		if i%50 == 0 {
			open = append(open, id)
		} else {
			done = append(done, id)
		}
	}
	for part := range slices.Chunk(done, 1000) {
		_, err := s.Act(t.Context(), store.Action{Verb: store.DoCancel, Deliveries: part, Now: after(1)})
		must(t, err)
	}
	round := func(r store.PurgeRequest) (sum store.PurgeResult) {
		t.Helper()
		r.Now, r.Max = after(10), 700
		for calls := 0; ; calls++ {
			res, err := s.Purge(t.Context(), r)
			must(t, err)
			if res.Bodies > r.Max || res.Records > r.Max {
				t.Fatalf("more than was asked for: %+v", res)
			}
			sum.Bodies, sum.Records = sum.Bodies+res.Bodies, sum.Records+res.Records
			if r.After = res.Next; !res.More {
				return sum
			}
			if calls > 2*total/r.Max {
				t.Fatalf("the round does not end: %+v", sum)
			}
		}
	}
	// Half of them without their bytes: records go from both halves.
	some := store.PurgeRequest{Now: after(10), Bodies: after(5), Max: len(done) / 2}
	res, err := s.Purge(t.Context(), some)
	must(t, err)
	want(t, "bodies of a part", res.Bodies, len(done)/2)
	want(t, "the others", round(store.PurgeRequest{Bodies: after(5)}).Bodies, len(done)-len(done)/2)
	want(t, "records", round(store.PurgeRequest{Records: after(5)}).Records, len(done))
	want(t, "nothing is left", round(store.PurgeRequest{Records: after(5), Bodies: after(5)}), store.PurgeResult{})
	c, err := s.Count(t.Context(), store.Filter{}, total)
	must(t, err)
	want(t, "kept", c.N, len(open))
	for _, id := range open {
		want(t, "state", delivery(t, s, id).State, store.Held)
	}
}

// testListTies: pages over what was made at one moment have each entry once, in both
// directions and by whatever leads, while the rows change between the pages.
func testListTies(t *testing.T, h Harness) {
	s := h.Open(t)
	const total, page = 108, 11
	all := submitMany(t, s, total, func(i int) letter {
		l := letter{held: true, connection: fmt.Sprint("x", i%12), client: fmt.Sprint("c", i%2)}
		if i%3 == 0 {
			l.tag = "third"
		}
		return l
	})
	index(t, s, 1000)
	var among []string
	for i := range 11 {
		among = append(among, fmt.Sprint("x", i))
	}
	// touch changes a row that is on some page: on PostgreSQL it is another one then.
	touch := func(i int) {
		t.Helper()
		id := all[i*37%total]
		for _, v := range []store.Verb{store.DoCancel, store.DoRetry, store.DoHold} {
			_, err := s.Act(t.Context(), store.Action{Verb: v, Deliveries: []store.ID{id}, Now: after(1)})
			must(t, err)
		}
	}
	for _, c := range []struct {
		name   string
		filter store.Filter
		chosen func(i int) bool
	}{
		{"everything", store.Filter{}, func(int) bool { return true }},
		{"since that moment", store.Filter{Since: t0(), Before: after(1)}, func(int) bool { return true }},
		{"a state", store.Filter{States: []store.State{store.Held}}, func(int) bool { return true }},
		{"a connection", store.Filter{Connection: "x3"}, func(i int) bool { return i%12 == 3 }},
		{"many connections", store.Filter{Among: among}, func(i int) bool { return i%12 != 11 }},
		{"a client", store.Filter{Client: "c1"}, func(i int) bool { return i%2 == 1 }},
		{"words", store.Filter{Match: words("fattura")}, func(int) bool { return true }},
		{"a tag", store.Filter{Tag: "third"}, func(i int) bool { return i%3 == 0 }},
	} {
		var chosen []store.ID
		for i, id := range all {
			if c.chosen(i) {
				chosen = append(chosen, id)
			}
		}
		for _, oldest := range []bool{false, true} {
			var there, back []store.ID
			r := store.ListRequest{Filter: c.filter, Limit: page, Oldest: oldest}
			last := ""
			for i := 0; ; i++ {
				p, err := s.List(t.Context(), r)
				must(t, err)
				for _, e := range p.Entries {
					there = append(there, e.Delivery.ID)
				}
				if p.Next == "" {
					break
				}
				if i == 1 {
					touch(len(chosen))
				}
				r.After, last = p.Next, p.Next
			}
			once(t, c.name, there, chosen)
			for r.After, r.Back = "", last; r.Back != ""; {
				p, err := s.List(t.Context(), r)
				must(t, err)
				for _, e := range slices.Backward(p.Entries) {
					back = append(back, e.Delivery.ID)
				}
				r.Back = p.Prev
			}
			slices.Reverse(back)
			want(t, c.name+", and back", slices.Equal(back, there[:len(back)]) && len(back) >= len(there)-page-1, true)
		}
	}
}

// testDeadlineTies: of what is late since one moment each batch has others, once those
// of the batch before are dealt with.
func testDeadlineTies(t *testing.T, h Harness) {
	s := h.Open(t)
	all := submitMany(t, s, 70, func(int) letter { return letter{next: after(500), expires: after(60)} })
	var seen []store.ID
	for range 10 {
		due, _, err := s.Deadlines(t.Context(), after(61), 20)
		must(t, err)
		if len(due) == 0 {
			break
		}
		for i := range due {
			seen = append(seen, due[i].ID)
			must(t, s.Transition(t.Context(), store.Transition{Delivery: due[i].ID, Epoch: due[i].Epoch, Now: after(61), State: store.Expired}))
		}
	}
	once(t, "deadlines", seen, all)
}

// testEventTies: events of one moment, of one or of several transactions, are read on
// by their numbers, and go by blocks of them.
func testEventTies(t *testing.T, h Harness) {
	s := h.Open(t)
	const total = 300
	for range total / 50 {
		var list []store.NewEvent
		for i := range 50 {
			list = append(list, store.NewEvent{Type: fmt.Sprint("t", i%2), At: t0(), Client: "c"})
		}
		must(t, s.AppendEvents(t.Context(), list...))
	}
	for _, types := range [][]string{nil, {"t1"}} {
		last, n := int64(0), 0
		for {
			list, err := s.Events(t.Context(), last, 7, "c", types)
			must(t, err)
			if len(list) == 0 {
				break
			}
			for _, e := range list {
				if e.Seq <= last {
					t.Fatalf("event %d after %d", e.Seq, last)
				}
				last = e.Seq
			}
			n += len(list)
		}
		want(t, fmt.Sprint("events of ", types), n, total/(1+len(types)))
	}
	r, gone := store.PurgeRequest{Now: after(5), Events: after(1), Max: 3}, 0
	for more := true; more; {
		res, err := s.Purge(t.Context(), r)
		must(t, err)
		gone += res.Events
		more, r.After = res.More, res.Next
	}
	want(t, "removed", gone, total)
}
