package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

func testFinish(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	n := register(t, s, "n", t0())
	_, id := submit(t, s, letter{to: []string{"a@example.com", "b@example.com"}})
	c := claim(t, s, n, t0(), 1)[0]
	must(t, s.Finish(ctx, failed(c, adapters.Transient, after(1), after(60))))
	d := delivery(t, s, id)
	want(t, "state", d.State, store.Queued)
	want(t, "next", d.NextAt, after(60))
	want(t, "class", d.Class, adapters.Transient)
	want(t, "code", d.Error.ProviderCode, "ErrorServerBusy")
	want(t, "retry after", d.Error.RetryAfter, 30*time.Second)
	want(t, "Italian", d.Error.Message.In("it"), store.CorruptRecord().Message.In("it"))
	want(t, "failures", d.Failures, 1)
	want(t, "slot", lane(t, s).InFlight, 0)
	want(t, "not before", len(claim(t, s, n, after(59), 1)), 0)
	wantErr(t, "the same lease again", s.Finish(ctx, failed(c, adapters.Transient, after(1), after(60))), store.ErrLeaseLost)
	// One of two accepted; the lane pauses; an event tells.
	c = claim(t, s, n, after(60), 1)[0]
	want(t, "attempt no", c.Lease.No, 2)
	until := after(300)
	f := failed(c, adapters.Throttled, after(61), after(120))
	f.Transition.Recipients = c.Delivery.Recipients
	f.Transition.Recipients[0].State = store.RecipientSent
	f.Transition.Recipients[1].Error = &adapters.Error{Class: adapters.Transient, ProviderCode: "450"}
	f.Transition.Lane = &store.LaneChange{PauseUntil: &until}
	f.Transition.Events = []store.NewEvent{{Type: "delivery.delayed", At: after(61), Delivery: id}}
	must(t, s.Finish(ctx, f))
	d = delivery(t, s, id)
	want(t, "pending", d.Pending()[0].Address.String(), "b@example.com")
	want(t, "recipient's word", d.Recipients[1].Error.ProviderCode, "450")
	want(t, "the lane is paused", len(claim(t, s, n, after(200), 1)), 0)
	ev, err := s.Events(ctx, 0, 10, "", nil)
	must(t, err)
	want(t, "events", len(ev), 1)
	// Over to the second connection of the chain.
	c = claim(t, s, n, after(300), 1)[0]
	want(t, "recipients that are asked for", len(c.Delivery.Pending()), 1)
	f = failed(c, adapters.Transient, after(301), after(301))
	f.Transition.Route = &store.Route{Connection: "conn-2", Position: 1, Lane: "lane-2", Limits: adapters.LaneLimits{Concurrency: 1}}
	must(t, s.Finish(ctx, f))
	c = claim(t, s, n, after(302), 1)[0]
	want(t, "new route", c.Delivery.Route.Connection+c.Delivery.Route.Lane, "conn-2lane-2")
	want(t, "position", c.Delivery.Route.Position, 1)
	must(t, accept(t, s, c, after(303)))
	d = delivery(t, s, id)
	want(t, "done", d.State, store.Sent)
	want(t, "finished", d.FinishedAt, after(303))
	want(t, "evidence", d.ProviderID, "AAMk")
	at, err := s.Attempts(ctx, id)
	must(t, err)
	want(t, "attempts", len(at), 4)
	want(t, "first", at[0].Class, adapters.Transient)
	want(t, "first ended", at[0].EndedAt, after(1))
	want(t, "third on", at[2].Connection+at[2].Lane, "conn-1lane-1")
	want(t, "fourth on", at[3].Connection+at[3].Lane, "conn-2lane-2")
	want(t, "fourth asked for", at[3].Recipients, 1)
	want(t, "receipt", at[3].Receipt.ProviderID, "AAMk")
	want(t, "nothing more", len(claim(t, s, n, after(1e6), 9)), 0)
	// An unknown outcome comes back to be verified, not to be sent.
	_, id = submit(t, s, letter{lane: "u"})
	c = claim(t, s, n, after(400), 1)[0]
	f = failed(c, adapters.Unknown, after(401), after(410))
	f.Transition.State, f.Transition.Progress.UnknownSince = store.Unverified, after(400)
	must(t, s.Finish(ctx, f))
	c = claim(t, s, n, after(410), 1)[0]
	want(t, "kind", c.Delivery.Kind, store.Verify)
	want(t, "since", c.Delivery.UnknownSince, after(400))
	f = accepted(c, after(411))
	f.Outcome.Verdict = adapters.Sent
	must(t, s.Finish(ctx, f))
	at, err = s.Attempts(ctx, id)
	must(t, err)
	want(t, "ledger of the verification", string(at[1].Kind)+string(at[1].Verdict), "verifysent")
	// A step that makes no sense.
	submit(t, s, letter{lane: "v"})
	c = claim(t, s, n, after(420), 1)[0]
	f = accepted(c, after(420))
	f.Transition.State = store.Sending
	if s.Finish(ctx, f) == nil {
		t.Error("a step to leased was taken")
	}
	wantErr(t, "no such delivery", s.Finish(ctx, accepted(store.Claimed{Lease: store.Lease{Delivery: store.NewID(), Epoch: 1}}, after(1))),
		store.ErrNotFound)
}

func testLeases(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	a, b := register(t, s, "a", t0()), register(t, s, "b", t0())
	_, id := submit(t, s, letter{limits: adapters.LaneLimits{Concurrency: 1}})
	claim(t, s, a, t0(), 1)
	must(t, s.Heartbeat(ctx, a, after(10), after(25)))
	must(t, s.Heartbeat(ctx, b, after(10), after(25)))
	n, err := s.Reap(ctx, after(20))
	must(t, err)
	want(t, "no one died", n, 0)
	must(t, s.Heartbeat(ctx, b, after(20), after(35)))
	n, err = s.Reap(ctx, after(26))
	must(t, err)
	want(t, "reaped", n, 1)
	d := delivery(t, s, id)
	want(t, "state", d.State, store.Unverified)
	want(t, "class", d.Class, adapters.Unknown)
	want(t, "unknown since", d.UnknownSince, t0())
	want(t, "call ended", d.CallEnded, after(26))
	want(t, "due at once", d.NextAt, after(26))
	at, err := s.Attempts(ctx, id)
	must(t, err)
	want(t, "ledger", at[0].Class, adapters.Unknown)
	want(t, "ended", at[0].EndedAt, after(26))
	want(t, "slot", lane(t, s).InFlight, 0)
	wantErr(t, "the dead node's heartbeat", s.Heartbeat(ctx, a, after(26), after(40)), store.ErrNodeLost)
	_, err = s.Claim(ctx, store.ClaimRequest{Node: a, Now: after(26), Max: 1})
	wantErr(t, "the dead node's claim", err, store.ErrNodeLost)
	c := claim(t, s, b, after(26), 1)[0]
	want(t, "to be verified", c.Delivery.Kind, store.Verify)
	want(t, "epoch grew", c.Lease.Epoch > 1, true)
	// A verification that dies stays one, with its first moment.
	n, err = s.Reap(ctx, after(36))
	must(t, err)
	want(t, "reaped", n, 1)
	want(t, "unknown since then", delivery(t, s, id).UnknownSince, t0())
	want(t, "call ended then", delivery(t, s, id).CallEnded, after(26))
	// It comes back under its name and works on.
	a = register(t, s, "a", after(40))
	c = claim(t, s, a, after(40), 1)[0]
	must(t, s.Leave(ctx, a, after(41)))
	want(t, "left without finishing", delivery(t, s, id).State, store.Unverified)
	wantErr(t, "after leaving", s.Heartbeat(ctx, a, after(42), after(50)), store.ErrNodeLost)
	_ = c
}

// testLateNode is a node that was stopped for longer than its lease.
func testLateNode(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	a := register(t, s, "a", t0())
	_, id1 := submit(t, s, letter{})
	_, id2 := submit(t, s, letter{lane: "l2"})
	cc := claim(t, s, a, t0(), 2)
	if cc[0].Delivery.ID != id1 {
		cc[0], cc[1] = cc[1], cc[0]
	}
	b := register(t, s, "b", after(100))
	_, err := s.Reap(ctx, after(100))
	must(t, err)
	// No one has it yet: the late word is better than none.
	must(t, accept(t, s, cc[0], after(101)))
	d := delivery(t, s, id1)
	want(t, "state", d.State, store.Sent)
	at, err := s.Attempts(ctx, id1)
	must(t, err)
	want(t, "one line", len(at), 1)
	want(t, "that says", at[0].Class, adapters.Accepted)
	want(t, "slots", lane(t, s).InFlight, 0)
	// Someone has it: the late word goes into the ledger and nowhere else.
	got := claim(t, s, b, after(102), 5)
	want(t, "taken over", len(got), 1)
	wantErr(t, "late", accept(t, s, cc[1], after(103)), store.ErrLeaseLost)
	d = delivery(t, s, id2)
	want(t, "still the other's", d.State, store.Sending)
	want(t, "owner", d.Node, "b")
	at, err = s.Attempts(ctx, id2)
	must(t, err)
	want(t, "lines", len(at), 2)
	want(t, "the late one", at[0].Class, adapters.Accepted)
	want(t, "the running one", at[1].EndedAt.IsZero(), true)
	must(t, accept(t, s, got[0], after(104)))
	wantErr(t, "release of what is lost is nothing", s.Release(ctx, after(104), []store.Lease{cc[1].Lease}), nil)
	want(t, "done", delivery(t, s, id2).State, store.Sent)
}

func testRelease(t *testing.T, h Harness) {
	s := h.Open(t)
	n := register(t, s, "n", t0())
	_, id := submit(t, s, letter{limits: adapters.LaneLimits{Concurrency: 1, PerMinute: 1, RecipientsPerDay: 1}})
	c := claim(t, s, n, t0(), 1)[0]
	must(t, s.Release(t.Context(), after(1), []store.Lease{c.Lease, {Delivery: store.NewID(), Epoch: 1}}))
	d := delivery(t, s, id)
	want(t, "state", d.State, store.Queued)
	want(t, "next", d.NextAt, t0())
	want(t, "attempts", d.Attempts, 0)
	at, err := s.Attempts(t.Context(), id)
	must(t, err)
	want(t, "ledger", len(at), 0)
	want(t, "budget", lane(t, s).UsedToday(after(1)), 0)
	wantErr(t, "finish of what was given back", accept(t, s, c, after(1)), store.ErrLeaseLost)
	cc := claim(t, s, n, after(2), 1)
	want(t, "claimed again", len(cc), 1)
	want(t, "attempt", cc[0].Lease.No, 1)
	want(t, "other epoch", cc[0].Lease.Epoch > c.Lease.Epoch, true)
}

func testRestart(t *testing.T, h Harness) {
	s := h.Open(t)
	old := register(t, s, "n", t0())
	for range 3 {
		submit(t, s, letter{limits: adapters.LaneLimits{Concurrency: 3}})
	}
	claim(t, s, old, t0(), 3)
	s = h.Reopen(t, s)
	n, reaped, err := s.Register(t.Context(), "n", after(1), after(16))
	must(t, err)
	want(t, "taken back at once", reaped, 3)
	want(t, "to be verified at once", len(claim(t, s, n, after(1), 5)), 3)
	wantErr(t, "the earlier process", s.Heartbeat(t.Context(), old, after(2), after(17)), store.ErrNodeLost)
	// A name that left comes back with another incarnation.
	must(t, s.Leave(t.Context(), n, after(3)))
	m := register(t, s, "n", after(4))
	want(t, "incarnation", m.Incarnation > n.Incarnation, true)
	wantErr(t, "the one that left", s.Heartbeat(t.Context(), n, after(5), after(20)), store.ErrNodeLost)
}

func testSettle(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	n := register(t, s, "n", t0())
	_, id := submit(t, s, letter{next: after(10), warn: after(4)})
	notice := letter{lane: "back", notification: true, at: after(5)}.message()
	step := store.Transition{Delivery: id, Epoch: 0, Now: after(5), State: store.Queued, NextAt: after(10), Warned: true,
		Messages: []store.NewMessage{notice}}
	must(t, s.Transition(ctx, step))
	m, err := s.Message(ctx, notice.ID)
	must(t, err)
	want(t, "notification", m.Notification, true)
	want(t, "warned", delivery(t, s, id).WarnAt.IsZero(), true)
	// The same again: the epoch is another one, and no second notification is stored.
	again := letter{lane: "back", notification: true, at: after(5)}.message()
	step.Messages = []store.NewMessage{again}
	wantErr(t, "twice", s.Transition(ctx, step), store.ErrConflict)
	_, err = s.Message(ctx, again.ID)
	wantErr(t, "its notification", err, store.ErrNotFound)
	// Expired while it waited.
	step = store.Transition{Delivery: id, Epoch: delivery(t, s, id).Epoch, Now: after(9), State: store.Expired}
	must(t, s.Transition(ctx, step))
	want(t, "state", delivery(t, s, id).State, store.Expired)
	want(t, "finished", delivery(t, s, id).FinishedAt, after(9))
	step.Epoch++
	wantErr(t, "final", s.Transition(ctx, step), store.ErrConflict)
	// A failing attempt and its notification are one transaction, also when the
	// body is large.
	_, id = submit(t, s, letter{lane: "l2"})
	var c store.Claimed
	for _, x := range claim(t, s, n, after(20), 5) {
		if x.Delivery.ID == id {
			c = x
		}
	}
	f := accepted(c, after(21))
	f.Transition.State = store.Failed
	big := letter{lane: "back", notification: true, body: make([]byte, 100_000), at: after(21)}.message()
	f.Transition.Messages = []store.NewMessage{big}
	must(t, s.Finish(ctx, f))
	want(t, "the notification's bytes", len(readAll(t, s, big.ID)), len(big.Head)+100_000)
	late := letter{lane: "back", body: make([]byte, 100_000), at: after(21)}.message()
	f.Transition.Messages = []store.NewMessage{late}
	wantErr(t, "twice", s.Finish(ctx, f), store.ErrLeaseLost)
	_, err = s.Message(ctx, late.ID)
	wantErr(t, "its notification", err, store.ErrNotFound)
}

// testFailOver moves what waits to another connection, as the outbox does when
// the first one is paused.
func testFailOver(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	n := register(t, s, "n", t0())
	_, a := submit(t, s, letter{})
	c := claim(t, s, n, t0(), 1)[0]
	_, b := submit(t, s, letter{limits: adapters.LaneLimits{Concurrency: 1}})
	must(t, s.Finish(ctx, failed(c, adapters.Transient, after(1), after(50))))
	d := delivery(t, s, a)
	want(t, "failures", d.Failures, 1)
	move := func(id store.ID, epoch int64) store.Transition {
		w := delivery(t, s, id).Progress
		w.Failures, w.Origin = 0, "conn-1"
		return store.Transition{Delivery: id, Epoch: epoch, Now: after(2), State: store.Queued, NextAt: after(2), Progress: w,
			Route: &store.Route{Connection: "conn-2", Position: 1, Lane: "lane-2", Limits: adapters.LaneLimits{Concurrency: 3}}}
	}
	wantErr(t, "another epoch", s.Transition(ctx, move(a, 7)), store.ErrConflict)
	must(t, s.Transition(ctx, move(a, d.Epoch)))
	d = delivery(t, s, a)
	want(t, "failures on the new route", d.Failures, 0)
	want(t, "why it came here", d.Class, adapters.Transient)
	want(t, "origin", d.Origin, "conn-1")
	cc := claim(t, s, n, after(2), 5)
	want(t, "claimed", len(cc), 2)
	for _, c := range cc {
		key, lim := "lane-1", 1
		if c.Delivery.ID == a {
			key, lim = "lane-2", 3
		}
		want(t, "lane", c.Delivery.Route.Lane, key)
		l, err := s.Lane(ctx, key)
		must(t, err)
		want(t, "in flight", l.InFlight, 1)
		want(t, "left", l.Queued, 0)
		want(t, "limits", l.Limits.Concurrency, lim)
	}
	wantErr(t, "on its way", s.Transition(ctx, move(b, cc[0].Lease.Epoch)), store.ErrConflict)
	wantErr(t, "not there", s.Transition(ctx, store.Transition{Delivery: store.NewID(), Now: after(2), State: store.Held}), store.ErrNotFound)
}

func testDeadlines(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	n := register(t, s, "n", t0())
	ask := func(now float64) ([]store.Delivery, time.Time) {
		t.Helper()
		due, next, err := s.Deadlines(ctx, after(now), 10)
		must(t, err)
		return due, next
	}
	due, next := ask(0)
	want(t, "nothing", len(due) == 0 && next.IsZero(), true)
	never := store.Never()
	must(t, s.ChangeLane(ctx, t0(), "lane-1", store.LaneChange{PauseUntil: &never}))
	_, a := submit(t, s, letter{warn: after(10), expires: after(100)})
	_, b := submit(t, s, letter{warn: after(5), expires: after(50), held: true})
	submit(t, s, letter{lane: "l2", warn: after(1)})
	claim(t, s, n, t0(), 5) // what is on its way has no deadline
	due, next = ask(4)
	want(t, "none yet", len(due), 0)
	want(t, "next", next, after(5))
	due, next = ask(10)
	want(t, "both", len(due), 2)
	want(t, "most overdue first", due[0].ID, b)
	want(t, "nothing after", next.IsZero(), true)
	for _, d := range due {
		must(t, s.Transition(ctx, store.Transition{Delivery: d.ID, Epoch: d.Epoch, Now: after(10), State: d.State, NextAt: d.NextAt,
			Warned: true}))
	}
	due, next = ask(11)
	want(t, "warned", len(due), 0)
	want(t, "the first end", next, after(100))
	due, _ = ask(100)
	want(t, "expired", len(due), 1) // what somebody holds has no end
	want(t, "it", due[0].ID, a)
	// Let go, it gets a new one; held again, none.
	act := func(v store.Verb, at float64, end time.Time) {
		t.Helper()
		_, err := s.Act(ctx, store.Action{Verb: v, Deliveries: []store.ID{b}, Now: after(at), ExpiresAt: end})
		must(t, err)
	}
	act(store.DoRelease, 110, after(150))
	due, _ = ask(150)
	want(t, "expired after a release", len(due), 2)
	want(t, "the later one", due[1].ID, b)
	act(store.DoHold, 160, time.Time{})
	due, _ = ask(1e6)
	want(t, "expired though held", len(due), 1)
	act(store.DoRelease, 170, time.Time{})
	want(t, "end where no one says", delivery(t, s, b).ExpiresAt, after(170).Add(72*time.Hour))
	// One that may have been sent is shown until its sender was told of that.
	n = register(t, s, "n", after(200))
	_, u := submit(t, s, letter{lane: "l3", next: after(200), warn: after(300), expires: after(400)})
	want(t, "claimed", len(claim(t, s, n, after(201), 5)), 2) // with the one that the first process had
	register(t, s, "n", after(210))                           // its process died
	is := func(d store.Delivery) bool { return d.ID == u }
	for _, told := range []bool{false, true} {
		due, _ = ask(300)
		want(t, "shown", slices.ContainsFunc(due, is), true)
		d := delivery(t, s, u)
		word := d.Progress
		word.SenderNotified = told
		must(t, s.Transition(ctx, store.Transition{Delivery: u, Epoch: d.Epoch, Now: after(300), State: d.State, NextAt: d.NextAt,
			Progress: word, Warned: told}))
	}
	due, _ = ask(1e6)
	want(t, "shown again", slices.ContainsFunc(due, is), false)
}
