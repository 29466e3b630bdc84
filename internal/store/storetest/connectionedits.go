package storetest

import (
	"errors"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
)

// testEditsTogether: all of several edits are made, or none.
func testEditsTogether(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	names := func() string {
		t.Helper()
		all, err := s.Connections(ctx)
		must(t, err)
		out := make([]string, len(all))
		for i, c := range all {
			if out[i] = c.Name; c.IsDefault() {
				out[i] += " default"
			}
		}
		return strings.Join(out, ", ")
	}
	put := func(c *gateway.Connection) store.ConnectionEdit { return store.ConnectionEdit{Put: c} }
	first := smtpConnection("a")
	first.Default = gateway.DefaultUnrouted
	made, err := s.ApplyConnections(ctx, t0(), []store.ConnectionEdit{put(first), put(smtpConnection("b")), put(smtpConnection("c"))})
	must(t, err)
	want(t, "made", names(), "a default, b, c")
	a, b, c := made[0], made[1], made[2]

	// b is removed and its name given to another, and the default goes from a to c, whatever their order.
	next, plain, again := c.Clone(), a.Clone(), smtpConnection("B")
	next.Default, plain.Default = gateway.DefaultAlways, gateway.DefaultNo
	made, err = s.ApplyConnections(ctx, t0(), []store.ConnectionEdit{put(next), put(again), put(plain), {Remove: b}})
	must(t, err)
	want(t, "edited", names(), "a, B, c default")
	want(t, "removed", made[3] == nil, true)
	want(t, "secret", *made[1].Secrets()[0].Value, *again.Secrets()[0].Value)
	_, err = s.Connection(ctx, b.ID)
	wantErr(t, "removed", err, store.ErrNotFound)

	// One that fails undoes the others.
	a = made[2]
	renamed := a.Clone()
	renamed.Name = "z"
	for what, e := range map[string]struct {
		edit store.ConnectionEdit
		name string
		err  error
	}{
		"a name that is taken": {put(smtpConnection("C")), "C", store.ErrExists},
		"stale":                {put(next), "c", store.ErrConflict},
		"stale removal":        {store.ConnectionEdit{Remove: next}, "c", store.ErrConflict},
		"gone":                 {store.ConnectionEdit{Remove: b}, "b", store.ErrNotFound},
	} {
		before, err := s.ConnectionsVersion(ctx)
		must(t, err)
		_, err = s.ApplyConnections(ctx, t0(), []store.ConnectionEdit{put(renamed), put(smtpConnection("new")), e.edit})
		wantErr(t, what, err, e.err)
		var edit *store.EditError
		if !errors.As(err, &edit) || edit.Name != e.name {
			t.Errorf("%s: %v names no connection", what, err)
		}
		want(t, what, names(), "a, B, c default")
		after, err := s.ConnectionsVersion(ctx)
		must(t, err)
		want(t, what+": version", after, before)
	}
}
