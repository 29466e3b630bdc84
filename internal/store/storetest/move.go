package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
)

// testMove: what waits goes to another connection, and its ledger says so; what is
// on its way, or may have been sent, stays.
func testMove(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	n := register(t, s, "n", t0())
	to, err := s.PutConnection(ctx, t0(), smtpConnection("Nuova"))
	must(t, err)
	_, queued := submit(t, s, letter{})
	_, sending := submit(t, s, letter{lane: "sending"})
	_, unknown := submit(t, s, letter{lane: "unknown"})
	_, heldUnknown := submit(t, s, letter{lane: "held unknown"})
	_, held := submit(t, s, letter{lane: "held", held: true})
	_, orphan := submit(t, s, letter{lane: "held", held: true})
	_, elsewhere := submit(t, s, letter{lane: "else", connection: "conn-2"})
	_, later := submit(t, s, letter{lane: "later", next: after(5000)})
	_, retrying := submit(t, s, letter{lane: "retrying"})
	for _, c := range claim(t, s, n, after(1), 99) {
		switch c.Delivery.ID {
		case sending:
		case retrying:
			must(t, s.Finish(ctx, failed(c, adapters.Transient, after(2), after(4000))))
		case unknown, heldUnknown:
			f := failed(c, adapters.Unknown, after(2), after(3000))
			f.Transition.State, f.Transition.Progress.UnknownSince = store.Unverified, after(1)
			if c.Delivery.ID == heldUnknown {
				f.Transition.State = store.Held
			}
			must(t, s.Finish(ctx, f))
		default:
			must(t, s.Release(ctx, after(2), []store.Lease{c.Lease}))
		}
	}
	all := []store.ID{queued, sending, unknown, heldUnknown, held, orphan, elsewhere, later, retrying, store.NewID()}
	m := store.Move{Now: after(3), From: "conn-1", To: to.ID}
	for _, id := range all {
		m.Deliveries = append(m.Deliveries, store.MovedDelivery{Delivery: id, Route: store.Route{Connection: to.ID, Lane: "new"},
			Release: id == orphan, Events: []store.NewEvent{{Type: "delivery.moved", At: after(3), Delivery: id}}})
	}
	r, err := s.Move(ctx, m)
	must(t, err)
	want(t, "moved", r, store.ActionResult{Changed: 5, Skipped: 5})
	for _, c := range []struct {
		name  string
		id    store.ID
		conn  string
		state store.State
		next  time.Time
	}{
		{"queued", queued, to.ID, store.Queued, after(0)},
		{"sending", sending, "conn-1", store.Sending, time.Time{}},
		{"unknown", unknown, "conn-1", store.Unverified, after(3000)},
		{"held unknown", heldUnknown, "conn-1", store.Held, time.Time{}},
		{"held", held, to.ID, store.Held, after(0)},
		{"orphan", orphan, to.ID, store.Queued, after(3)},
		{"elsewhere", elsewhere, "conn-2", store.Queued, after(0)},
		{"later", later, to.ID, store.Queued, after(5000)},
		{"retrying", retrying, to.ID, store.Queued, after(3)},
	} {
		d := delivery(t, s, c.id)
		want(t, c.name+": connection", d.Route.Connection, c.conn)
		want(t, c.name+": state", d.State, c.state)
		if c.state != store.Sending {
			want(t, c.name+": next", d.NextAt, c.next)
		}
	}
	at, err := s.Attempts(ctx, retrying)
	must(t, err)
	want(t, "lines", len(at), 2)
	want(t, "line", string(at[1].Kind)+" "+at[1].Connection+" "+at[1].Lane, "move "+to.ID+" new")
	want(t, "ended", at[1].EndedAt, after(3))
	ev, err := s.Events(ctx, 0, 100, "", []string{"delivery.moved"})
	must(t, err)
	want(t, "events", len(ev), 5)
	// What was moved is sent by the new one, with the next number.
	for _, c := range claim(t, s, n, after(10), 99) {
		if c.Delivery.ID == retrying {
			want(t, "number", c.Lease.No, 3)
			want(t, "connection", c.Delivery.Route.Connection, to.ID)
		}
		must(t, accept(t, s, c, after(11)))
	}
	want(t, "sent", delivery(t, s, orphan).State, store.Sent)
	// Not to one that is gone.
	_, again := submit(t, s, letter{at: after(12)})
	_, err = s.Act(ctx, store.Action{Verb: store.DoCancel, Deliveries: []store.ID{held, later}, Now: after(12)})
	must(t, err)
	must(t, s.DeleteConnection(ctx, after(12), to.ID))
	m.Deliveries = []store.MovedDelivery{{Delivery: again, Route: store.Route{Connection: to.ID, Lane: "new"}}}
	_, err = s.Move(ctx, m)
	wantErr(t, "to a removed one", err, store.ErrNotFound)
	want(t, "then nothing changes", delivery(t, s, again).Route.Connection, "conn-1")
}

// testRename: chains of fallbacks follow a name, secrets and other chains stay.
func testRename(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	put := func(c *gateway.Connection) *gateway.Connection {
		t.Helper()
		out, err := s.PutConnection(ctx, t0(), c)
		must(t, err)
		return out
	}
	chain := func(id string) string {
		t.Helper()
		c, err := s.Connection(ctx, id)
		must(t, err)
		want(t, "secret", fallback.SettingsOf(&c.Connection).Password.Reveal(), "segreto-1")
		return strings.Join(c.Fallback, ",")
	}
	with := func(name string, fallback ...string) *gateway.Connection {
		c := smtpConnection(name)
		c.Fallback = fallback
		return put(c)
	}
	old := with(`È "vecchia" <&>`)
	first, other, none := with("first", "x", `è "VECCHIA" <&>`), with("other", "x"), with("none")
	v0, err := s.ConnectionsVersion(ctx)
	must(t, err)
	old.Name = "Nuova"
	put(old)
	want(t, "renamed", chain(first.ID), "x,Nuova")
	want(t, "other", chain(other.ID), "x")
	want(t, "none", chain(none.ID), "")
	e, err := s.ConnectionEdits(ctx, v0)
	must(t, err)
	want(t, "edited", len(e.IDs), 2)
	first, err = s.Connection(ctx, first.ID)
	must(t, err)
	want(t, "revision", first.Revision, 2)
}

// testSuccessor: chains and clients name the successor of a removed connection.
func testSuccessor(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	put := func(name string, fallback ...string) *gateway.Connection {
		t.Helper()
		c := smtpConnection(name)
		c.Fallback = fallback
		out, err := s.PutConnection(ctx, t0(), c)
		must(t, err)
		return out
	}
	old, next := put("old"), put("next", "old", "x")
	twice, once := put("twice", "next", "old"), put("once", "OLD")
	client, err := s.PutClient(ctx, store.Client{Name: "c", Connection: old.ID, Connections: []string{"y", old.ID, next.ID}})
	must(t, err)
	v0, err := s.ClientsVersion(ctx)
	must(t, err)
	wantErr(t, "no successor", s.ReplaceConnection(ctx, t0(), old.ID, "none"), store.ErrNotFound)
	_, id := submit(t, s, letter{connection: old.ID})
	wantErr(t, "in use", s.ReplaceConnection(ctx, t0(), old.ID, next.ID), store.ErrInUse)
	_, err = s.Act(ctx, store.Action{Verb: store.DoCancel, Deliveries: []store.ID{id}, Now: t0()})
	must(t, err)
	must(t, s.ReplaceConnection(ctx, t0(), old.ID, next.ID))
	for id, chain := range map[string]string{next.ID: "x", twice.ID: "next", once.ID: "next"} {
		c, err := s.Connection(ctx, id)
		must(t, err)
		want(t, "chain of "+c.Name, strings.Join(c.Fallback, ","), chain)
	}
	client, err = s.Client(ctx, client.ID)
	must(t, err)
	want(t, "client", client.Connection+" "+strings.Join(client.Connections, ","), next.ID+" y,"+next.ID)
	v1, err := s.ClientsVersion(ctx)
	must(t, err)
	want(t, "version", v1 > v0, true)
	_, err = s.Connection(ctx, old.ID)
	wantErr(t, "gone", err, store.ErrNotFound)
}
