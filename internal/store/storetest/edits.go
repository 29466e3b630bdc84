package storetest

import (
	"slices"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
)

// testConnectionEdits: a cache learns which connections have changed since the
// version it has, or that it cannot.
func testConnectionEdits(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	since := func(v int64, ids ...string) int64 {
		t.Helper()
		e, err := s.ConnectionEdits(ctx, v)
		must(t, err)
		slices.Sort(ids)
		slices.Sort(e.IDs)
		want(t, "known", e.Known, true)
		want(t, "edited", slices.Equal(e.IDs, ids), true)
		now, err := s.ConnectionsVersion(ctx)
		must(t, err)
		want(t, "version", e.Version, now)
		return e.Version
	}
	put := func(c *gateway.Connection) *gateway.Connection {
		t.Helper()
		out, err := s.PutConnection(ctx, t0(), c)
		must(t, err)
		return out
	}
	smtp := func(name string) *gateway.Connection {
		return &gateway.Connection{Connection: adapters.Connection{Name: name, Provider: adapters.SMTP, Settings: &fallback.Settings{Host: "h"}}}
	}
	v0, err := s.ConnectionsVersion(ctx)
	must(t, err)
	since(v0)
	first := smtp("a")
	first.Default = gateway.DefaultUnrouted
	a := put(first)
	v1 := since(v0, a.ID)
	b := put(smtp("b"))
	v2 := since(v1, b.ID)
	b.Default = gateway.DefaultUnrouted // and a is it no longer
	put(b)
	v3 := since(v2, a.ID, b.ID)
	must(t, s.DeleteConnection(ctx, t0(), a.ID))
	since(v3, a.ID)
	since(v0, a.ID, b.ID)
	s = h.Reopen(t, s)
	since(v0, a.ID, b.ID)
	for range store.EditsKept / len("99 "+b.ID+"\n") {
		if b, err = s.Connection(ctx, b.ID); err == nil {
			put(b)
		}
		must(t, err)
	}
	e, err := s.ConnectionEdits(ctx, v0)
	must(t, err)
	want(t, "long ago", e.Known, false)
	since(e.Version-1, b.ID)
}
