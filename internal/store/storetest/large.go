package storetest

import (
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

// testLarge has a message that is too large for what is left of the day let others
// pass, for a time, and be the next of all then.
func testLarge(t *testing.T, h Harness) {
	s := h.Open(t)
	n := register(t, s, "n", t0())
	lim := adapters.LaneLimits{RecipientsPerDay: 100}
	hour := func(h float64) time.Time { return after(h * 3600) }
	// One client is busy all day, another has the large one and mail of its own behind it.
	submit(t, s, letter{limits: lim, client: "busy", to: many(50, "a%d@example.com")})
	want(t, "the first", len(claim(t, s, n, after(1), 10)), 1)
	_, large := submit(t, s, letter{limits: lim, client: "news", to: many(60, "b%d@example.com"), at: after(2), next: after(2),
		expires: hour(72)})
	submit(t, s, letter{limits: lim, client: "news", at: after(3), next: after(3)})
	submit(t, s, letter{limits: lim, client: "busy", at: after(3), next: after(3)})
	want(t, "the others pass", len(claim(t, s, n, after(4), 10)), 2)
	d := delivery(t, s, large)
	want(t, "state", d.State, store.Queued)
	want(t, "since", d.NoRoomSince, after(4))
	want(t, "looked at again", d.NextAt, after(304))
	until := after(4).Add((72*time.Hour - 4*time.Second) / 4)
	want(t, "for a quarter of what it has", d.GivesWayUntil(), until)
	want(t, "no lane waits", lane(t, s).NoRoomUntil.IsZero(), true)

	// A wider limit is good at the next look.
	wide := lim
	wide.RecipientsPerDay = 200
	_, other := submit(t, s, letter{lane: "wide", limits: lim, to: many(100, "a%d@example.com")})
	_, second := submit(t, s, letter{lane: "wide", limits: lim, to: many(100, "a%d@example.com"), next: after(1)})
	want(t, "one of two", len(claim(t, s, n, after(5), 10)), 1)
	must(t, s.ChangeLane(t.Context(), after(6), "wide", store.LaneChange{Limits: &wide}))
	got := claim(t, s, n, after(305), 10)
	want(t, "with a wider limit", len(got), 1)
	want(t, "it", got[0].Delivery.ID, second)
	must(t, accept(t, s, got[0], after(306)))
	want(t, "it is over", delivery(t, s, second).NoRoomSince.IsZero(), true)
	want(t, "the other", delivery(t, s, other).State, store.Sending)

	// When it has let others pass for long enough, they wait for it.
	for i := range 60 { // half of it before that
		at := until.Add(time.Duration(2*i-59) * time.Minute)
		submit(t, s, letter{limits: lim, client: "busy", at: at, next: at, expires: hour(200)})
	}
	want(t, "they pass", len(claim(t, s, n, until.Add(-time.Second), 500)), 30)
	want(t, "no one passes", len(claim(t, s, n, until.Add(time.Second), 500)), 0)
	want(t, "nor later", len(claim(t, s, n, until.Add(2*time.Hour), 500)), 0)
	free := lane(t, s).NoRoomUntil
	want(t, "the lane waits", free.After(until), true)
	want(t, "nothing before", len(claim(t, s, n, free.Add(-time.Second), 500)), 0)
	got = claim(t, s, n, free, 1)
	want(t, "then it is", len(got), 1)
	want(t, "the first", got[0].Delivery.ID, large)
	want(t, "in good time", free.Before(hour(72)), true)
}
