package storetest

import (
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

// testLargeAgain has a large message that was cancelled while it waited for room let
// others pass from the beginning when it is sent after all; so has one of a lost node.
func testLargeAgain(t *testing.T, h Harness) {
	s := h.Open(t)
	n := register(t, s, "n", t0())
	lim := adapters.LaneLimits{RecipientsPerDay: 100}
	hour := func(h float64) time.Time { return after(h * 3600) }
	submit(t, s, letter{limits: lim, to: many(50, "a%d@example.com")})
	want(t, "first", len(claim(t, s, n, after(1), 10)), 1)
	_, large := submit(t, s, letter{limits: lim, client: "news", to: many(60, "b%d@example.com"), at: after(2), next: after(2),
		expires: hour(72)})
	want(t, "no room", len(claim(t, s, n, after(4), 10)), 0)
	_, err := s.Act(t.Context(), store.Action{Verb: store.DoCancel, Deliveries: []store.ID{large}, Now: after(5)})
	must(t, err)
	submit(t, s, letter{limits: lim, to: many(50, "a%d@example.com"), at: hour(60), next: hour(60), expires: hour(200)})
	want(t, "days later", len(claim(t, s, n, hour(61), 10)), 1)
	_, err = s.Act(t.Context(), store.Action{Verb: store.DoRetry, Deliveries: []store.ID{large}, Now: hour(62), ExpiresAt: hour(134)})
	must(t, err)
	submit(t, s, letter{limits: lim, client: "busy", at: hour(62.1), next: hour(62.1), expires: hour(200)})
	want(t, "others pass", len(claim(t, s, n, hour(62.2), 10)), 1)

	d := store.Delivery{State: store.Queued, ExpiresAt: hour(72), Recipients: []store.Recipient{{State: store.Pending}}}
	d.NoRoomSince = t0()
	d.Lease("n", hour(1))
	d.Reap(hour(2))
	d.Apply(store.Transition{Now: hour(2), State: store.Queued, NextAt: hour(3), Progress: d.Progress})
	want(t, "of a lost node", d.NoRoomSince.IsZero(), true)
}

// testLargeInVain has no one wait for a large message that ends before there is room.
func testLargeInVain(t *testing.T, h Harness) {
	s := h.Open(t)
	n := register(t, s, "n", t0())
	lim := adapters.LaneLimits{RecipientsPerDay: 100}
	hour := func(h float64) time.Time { return after(h * 3600) }
	submit(t, s, letter{limits: lim, to: many(50, "a%d@example.com")})
	want(t, "first", len(claim(t, s, n, after(1), 10)), 1)
	submit(t, s, letter{limits: lim, client: "news", to: many(60, "b%d@example.com"), at: after(2), next: after(2), expires: hour(8)})
	want(t, "no room", len(claim(t, s, n, after(4), 10)), 0)
	submit(t, s, letter{limits: lim, client: "busy", at: hour(3), next: hour(3), expires: hour(7)})
	want(t, "others pass", len(claim(t, s, n, hour(3), 10)), 1)
}

// testManyLarge has a small message behind many large ones pass all of them at once.
func testManyLarge(t *testing.T, h Harness) {
	s := h.Open(t)
	n := register(t, s, "n", t0())
	lim := adapters.LaneLimits{RecipientsPerDay: 100, Concurrency: 1}
	submit(t, s, letter{limits: lim, to: many(95, "a%d@example.com")})
	for _, c := range claim(t, s, n, after(1), 10) {
		must(t, accept(t, s, c, after(1)))
	}
	for range 40 {
		submit(t, s, letter{limits: lim, client: "c", to: many(6, "b%d@example.com"), at: after(2), next: after(2)})
	}
	submit(t, s, letter{limits: lim, client: "c", at: after(3), next: after(3)})
	want(t, "the small one", len(claim(t, s, n, after(4), 64)), 1)
}
