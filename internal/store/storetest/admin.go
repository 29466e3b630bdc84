package storetest

import (
	"fmt"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

func testList(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	n := register(t, s, "n", t0())
	var ids []store.ID
	for i := range 25 {
		_, id := submit(t, s, letter{lane: fmt.Sprint("l", i%2), client: fmt.Sprint("c", i%3), connection: fmt.Sprint("x", i%5),
			at: after(float64(i)),
			to: []string{fmt.Sprintf("Person%02d@example.com", i)}, tag: map[bool]string{true: "t"}[i == 7], held: i%10 == 9})
		ids = append(ids, id)
	}
	for _, c := range claim(t, s, n, after(0), 1) {
		must(t, accept(t, s, c, after(0)))
	}
	claim(t, s, n, after(1), 1)
	all := func(r store.ListRequest) (out []store.ID) {
		t.Helper()
		seen := map[store.ID]bool{}
		for range 100 {
			p, err := s.List(ctx, r)
			must(t, err)
			for _, e := range p.Entries {
				if seen[e.Delivery.ID] || e.Message.ID != e.Delivery.Message || e.Message.Subject == "" {
					t.Errorf("entry %s is there twice or without its message", e.Delivery.ID)
				}
				seen[e.Delivery.ID] = true
				out = append(out, e.Delivery.ID)
			}
			if p.Next == "" {
				return out
			}
			r.After = p.Next
		}
		t.Error("the pages have no end")
		return out
	}
	newest := all(store.ListRequest{Limit: 7})
	want(t, "all", len(newest), 25)
	want(t, "newest first", newest[0], ids[24])
	oldest := all(store.ListRequest{Limit: 5, Oldest: true})
	want(t, "oldest first", fmt.Sprint(oldest), fmt.Sprint(ids))
	for _, c := range []struct {
		name string
		f    store.Filter
		n    int
	}{
		{"held", store.Filter{States: []store.State{store.Held}}, 2},
		{"sent", store.Filter{States: []store.State{store.Sent}}, 1},
		{"on the way", store.Filter{States: []store.State{store.Sending}}, 1},
		{"queued", store.Filter{States: []store.State{store.Queued}}, 21},
		{"queued or held", store.Filter{States: []store.State{store.Queued, store.Held}}, 23},
		{"queued or sent", store.Filter{States: []store.State{store.Queued, store.Sent}}, 22},
		{"failed", store.Filter{States: []store.State{store.Failed}}, 0},
		{"lane", store.Filter{Lane: "l1"}, 12},
		{"client", store.Filter{Client: "c0"}, 9},
		{"connection", store.Filter{Connection: "x1"}, 5},
		{"connection and client", store.Filter{Connection: "x1", Client: "c1"}, 2},
		{"tag", store.Filter{Tag: "t"}, 1},
		{"message id", store.Filter{MessageID: "<1@contoso.it>"}, 25},
		{"other message id", store.Filter{MessageID: "<2@contoso.it>"}, 0},
		{"from", store.Filter{From: "ERP@CONTOSO.it"}, 25},
		{"other from", store.Filter{From: "x@contoso.it"}, 0},
		{"recipient", store.Filter{Recipient: "person03@"}, 1},
		{"part of a recipient", store.Filter{Recipient: "PERSON1"}, 10},
		{"not in other fields", store.Filter{Recipient: "FAILURE"}, 0},
		{"no pattern", store.Filter{Recipient: "person%"}, 0},
		{"since", store.Filter{Since: after(20)}, 5},
		{"before", store.Filter{Before: after(20)}, 20},
		{"message", store.Filter{Message: delivery(t, s, ids[4]).Message}, 1},
	} {
		want(t, c.name, len(all(store.ListRequest{Filter: c.f, Limit: 4})), c.n)
	}
	if _, err := s.List(ctx, store.ListRequest{After: "!"}); err == nil {
		t.Error("a mark that is none was taken")
	}
	ds, err := s.Deliveries(ctx, delivery(t, s, ids[4]).Message)
	must(t, err)
	want(t, "of a message", len(ds), 1)
	ds, err = s.Deliveries(ctx, store.NewID())
	must(t, err)
	want(t, "of no message", len(ds), 0)
}

func testAct(t *testing.T, h Harness) {
	s := h.Open(t)
	n := register(t, s, "n", t0())
	act := func(v store.Verb, now float64, ids ...store.ID) store.ActionResult {
		t.Helper()
		r, err := s.Act(t.Context(), store.Action{Verb: v, Deliveries: ids, Now: after(now), ExpiresAt: after(1e5)})
		must(t, err)
		return r
	}
	_, a := submit(t, s, letter{next: after(1000)})
	want(t, "retry", act(store.DoRetry, 1, a).Changed, 1)
	c := claim(t, s, n, after(1), 1)[0]
	for _, v := range []store.Verb{store.DoRetry, store.DoCancel, store.DoHold, store.DoRelease} {
		want(t, "nothing happens to what is on its way: "+string(v), act(v, 2, a), store.ActionResult{Skipped: 1})
	}
	f := accepted(c, after(3))
	f.Transition.State = store.Failed
	for i := range f.Transition.Recipients {
		f.Transition.Recipients[i].State = store.RecipientFailed
	}
	must(t, s.Finish(t.Context(), f))
	want(t, "cancel of a failed one", act(store.DoCancel, 4, a).Skipped, 1)
	want(t, "retry of a failed one", act(store.DoRetry, 4, a).Changed, 1)
	d := delivery(t, s, a)
	want(t, "queued", d.State, store.Queued)
	want(t, "pending again", len(d.Pending()), 1)
	want(t, "new end", d.ExpiresAt, after(1e5))
	want(t, "not finished", d.FinishedAt.IsZero(), true)
	want(t, "hold", act(store.DoHold, 5, a).Changed, 1)
	want(t, "held is not claimed", len(claim(t, s, n, after(1e4), 9)), 0)
	want(t, "hold twice", act(store.DoHold, 5, a).Skipped, 1)
	want(t, "release", act(store.DoRelease, 6, a).Changed, 1)
	c = claim(t, s, n, after(6), 9)[0]
	want(t, "kind", c.Delivery.Kind, store.Send)
	// An unknown outcome that is held stays one.
	f = failed(c, adapters.Unknown, after(7), after(7))
	f.Transition.State, f.Transition.Progress.UnknownSince = store.Held, after(6)
	must(t, s.Finish(t.Context(), f))
	want(t, "release", act(store.DoRelease, 8, a).Changed, 1)
	c = claim(t, s, n, after(8), 9)[0]
	want(t, "kind", c.Delivery.Kind, store.Verify)
	f = failed(c, adapters.Unknown, after(9), after(9))
	f.Transition.State, f.Transition.Progress.UnknownSince = store.Held, after(6)
	must(t, s.Finish(t.Context(), f))
	want(t, "a person decides to send again", act(store.DoRetry, 10, a).Changed, 1)
	c = claim(t, s, n, after(10), 9)[0]
	want(t, "kind", c.Delivery.Kind, store.Send)
	want(t, "marked", c.Delivery.Duplicate, true)
	must(t, accept(t, s, c, after(11)))
	want(t, "retry of a sent one", act(store.DoRetry, 12, a).Skipped, 1)
	// Many, by a filter, and cancelled for good.
	for i := range 12 {
		submit(t, s, letter{lane: "many", client: fmt.Sprint("c", i%2)})
	}
	r, err := s.Act(t.Context(), store.Action{Verb: store.DoCancel, Filter: store.Filter{Client: "c1", States: []store.State{store.Queued}},
		Now: after(13), Max: 4})
	must(t, err)
	want(t, "stopped", r, store.ActionResult{Changed: 4, More: true, Next: r.Next})
	want(t, "and says where", r.Next != "", true)
	r, err = s.Act(t.Context(), store.Action{Verb: store.DoCancel, Filter: store.Filter{Client: "c1", States: []store.State{store.Queued}},
		Now: after(13)})
	must(t, err)
	want(t, "the rest", r, store.ActionResult{Changed: 2})
	want(t, "left", len(claim(t, s, n, after(14), 99)), 6)
	p, err := s.List(t.Context(), store.ListRequest{Filter: store.Filter{States: []store.State{store.Cancelled}}})
	must(t, err)
	want(t, "cancelled", len(p.Entries), 6)
	want(t, "recipient", p.Entries[0].Delivery.Recipients[0].State, store.RecipientCanceled)
	_, b := submit(t, s, letter{})
	_, err = s.Act(t.Context(), store.Action{Verb: store.DoCancel, Deliveries: []store.ID{b, store.NewID()}, Now: after(15)})
	wantErr(t, "one that is not there", err, store.ErrNotFound)
	want(t, "then nothing changes", delivery(t, s, b).State, store.Queued)
	if _, err := s.Act(t.Context(), store.Action{Verb: "shred", Deliveries: []store.ID{b}, Now: after(15)}); err == nil {
		t.Error("an unknown verb was taken")
	}
	// What has another state meanwhile than the one that was asked for stays.
	_, moved := submit(t, s, letter{lane: "moved"})
	only, err := s.Act(t.Context(), store.Action{Verb: store.DoHold, Deliveries: []store.ID{moved},
		Filter: store.Filter{States: []store.State{store.Unverified}}, Now: after(90)})
	must(t, err)
	want(t, "in another state", only, store.ActionResult{Skipped: 1})
	only, err = s.Act(t.Context(), store.Action{Verb: store.DoCancel, Deliveries: []store.ID{moved},
		Filter: store.Filter{States: []store.State{store.Unverified, store.Queued}}, Now: after(91)})
	must(t, err)
	want(t, "in one of the states", only, store.ActionResult{Changed: 1})
	// An id that is named twice counts once, whatever is done to it.
	_, x := submit(t, s, letter{lane: "twice"})
	_, y := submit(t, s, letter{lane: "twice"})
	for _, v := range []store.Verb{store.DoHold, store.DoRelease, store.DoRetry, store.DoHold} {
		r, err := s.Act(t.Context(), store.Action{Verb: v, Deliveries: []store.ID{x, x}, Now: after(100)})
		must(t, err)
		want(t, string(v)+" twice", r, store.ActionResult{Changed: 1})
	}
	l, err := s.Lane(t.Context(), "twice")
	must(t, err)
	want(t, "queued beside it", l.Queued, 1)
	twice := claim(t, s, register(t, s, "twice", after(100)), after(101), 50)
	found := false
	for _, c := range twice {
		found = found || c.Delivery.ID == y
	}
	want(t, "the other one is claimed", found, true)
}

// testResent: a message that was made of another one says so for good.
func testResent(t *testing.T, h Harness) {
	s := h.Open(t)
	first, _ := submit(t, s, letter{})
	m := letter{at: after(1)}.message()
	m.ResentOf = first
	_, err := s.Submit(t.Context(), store.Submission{Now: after(1), Messages: []store.NewMessage{m}})
	must(t, err)
	n := register(t, s, "n", after(1))
	for range 2 {
		for _, c := range claim(t, s, n, after(1), 9) {
			want(t, "claimed", c.Message.ResentOf == first, c.Message.ID == m.ID)
		}
		got, err := s.Message(t.Context(), m.ID)
		must(t, err)
		want(t, "the record", got.ResentOf, first)
		got, err = s.Message(t.Context(), first)
		must(t, err)
		want(t, "the record of the first", got.ResentOf, store.ID{})
		s = h.Reopen(t, s)
		n = register(t, s, "n", after(2))
	}
}

func testStats(t *testing.T, h Harness) {
	s := h.Open(t)
	n := register(t, s, "n", t0())
	st, err := s.Stats(t.Context(), t0())
	must(t, err)
	want(t, "empty", len(st.States), 0)
	for i := range 6 {
		submit(t, s, letter{lane: fmt.Sprint("l", i%3), next: after(float64(i)), held: i == 5})
	}
	cc := claim(t, s, n, after(2), 9)
	want(t, "claimed", len(cc), 3)
	must(t, accept(t, s, cc[0], after(2)))
	f := accepted(cc[1], after(2))
	f.Transition.State = store.Failed
	must(t, s.Finish(t.Context(), f))
	never := store.Never()
	must(t, s.ChangeLane(t.Context(), after(2), "l0", store.LaneChange{PauseUntil: &never}))
	st, err = s.Stats(t.Context(), after(10))
	must(t, err)
	want(t, "states", fmt.Sprint(st.States),
		fmt.Sprint(map[store.State]int64{store.Queued: 2, store.Sending: 1, store.Held: 1, store.Sent: 1, store.Failed: 1}))
	want(t, "oldest", st.OldestDue, after(3))
	want(t, "lanes", st.Lanes, 3)
	want(t, "paused", st.Paused, 1)
	want(t, "bytes", st.BodyBytes > 0, true)
	ll, err := s.Lanes(t.Context(), "l0", 10)
	must(t, err)
	want(t, "lanes after the first", len(ll), 2)
	want(t, "queued", ll[0].Queued, 1)
	want(t, "next", ll[0].NextAt, after(4))
	_, err = s.Lane(t.Context(), "none")
	wantErr(t, "no lane", err, store.ErrNotFound)
}
