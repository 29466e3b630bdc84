package storetest

import (
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// What is leased and no one works on is seen, and taken back as perhaps sent.
func testAbandoned(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	a, b := register(t, s, "a", t0()), register(t, s, "b", t0())
	for range 3 {
		submit(t, s, letter{})
	}
	mine, theirs, old := claim(t, s, a, t0(), 1)[0], claim(t, s, b, t0(), 1)[0], claim(t, s, a, after(20), 1)[0]
	leased := func(node string, before time.Time) (out []store.Lease) {
		t.Helper()
		out, err := s.Leases(ctx, node, before)
		must(t, err)
		return out
	}
	want(t, "leases of the node", len(leased("a", after(60))), 2)
	want(t, "those from before", leased("a", after(10))[0], mine.Lease)
	want(t, "leases of the other node", leased("b", after(60))[0], theirs.Lease)
	n, err := s.Abandon(ctx, after(30),
		[]store.Lease{mine.Lease, {Delivery: old.Lease.Delivery, Epoch: old.Lease.Epoch - 1, No: 1, Node: "a"}, {Delivery: store.NewID()}})
	must(t, err)
	want(t, "ended", n, 1)
	d := delivery(t, s, mine.Delivery.ID)
	want(t, "state", d.State, store.Unverified)
	want(t, "unknown since", d.UnknownSince, t0())
	want(t, "slots in use", lane(t, s).InFlight, 2)
	line, err := s.Attempts(ctx, mine.Delivery.ID)
	must(t, err)
	want(t, "the ledger", line[0].Error.Code, store.NodeDied().Code)
	// What the worker knows after all is better than a question.
	must(t, accept(t, s, mine, after(31)))
	want(t, "done", delivery(t, s, mine.Delivery.ID).State, store.Sent)
	must(t, s.Leave(ctx, b, after(32)))
	want(t, "nothing is left of a node that has left", len(leased("b", after(60))), 0)
}
