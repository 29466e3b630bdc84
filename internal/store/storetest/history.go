package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

// testHistory: each hour counts what happened in it, for each connection and lane, and
// the sum of what began to wait is what waits.
func testHistory(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	n := register(t, s, "n", t0())
	one, _ := submit(t, s, letter{})
	submit(t, s, letter{})
	submit(t, s, letter{connection: "conn-2", lane: "lane-2"})
	_, held := submit(t, s, letter{connection: "conn-2", lane: "lane-2", held: true})
	late := after(3600)
	for i, c := range claim(t, s, n, after(1), 9) {
		switch {
		case c.Message.ID == one:
			must(t, accept(t, s, c, after(2)))
		case c.Delivery.Route.Connection == "conn-2":
			must(t, s.Finish(ctx, failed(c, adapters.Throttled, after(3), late)))
		default:
			must(t, s.Finish(ctx, failed(c, adapters.Transient, after(float64(4+i)), late)))
		}
	}
	_, err := s.Act(ctx, store.Action{Verb: store.DoRelease, Deliveries: []store.ID{held}, Now: late})
	must(t, err)
	must(t, s.Heartbeat(ctx, n, late, late.Add(15*time.Second)))
	for _, c := range claim(t, s, n, late, 9) {
		f := failed(c, adapters.Permanent, late.Add(time.Second), late)
		f.Transition.State = store.Failed
		if c.Delivery.ID == held {
			f = accepted(c, late.Add(2*time.Second))
		}
		must(t, s.Finish(ctx, f))
	}
	_, err = s.Act(ctx, store.Action{Verb: store.DoRetry, Filter: store.Filter{Connection: "conn-1", States: []store.State{store.Failed}},
		Now: late.Add(3 * time.Second)})
	must(t, err)

	first := store.Counts{Accepted: 4, Sent: 1, Held: 1, Delayed: 1, Throttled: 1, Waiting: 2}
	second := store.Counts{Sent: 1, Failed: 2, Waiting: 1 - 2}
	hour := func(i int) time.Time { return t0().Add(time.Duration(i) * time.Hour) }
	hours := func(what string, r store.HistoryRequest, wanted ...store.HourOfMail) {
		t.Helper()
		got, err := s.Hours(ctx, r)
		must(t, err)
		want(t, what+": hours", len(got), len(wanted))
		for i := range min(len(got), len(wanted)) {
			want(t, what, got[i], wanted[i])
		}
	}
	hours("all", store.HistoryRequest{Since: t0()},
		store.HourOfMail{Hour: hour(0), Counts: first}, store.HourOfMail{Hour: hour(1), Counts: second})
	hours("since", store.HistoryRequest{Since: late.Add(time.Minute)}, store.HourOfMail{Hour: hour(1), Counts: second})
	hours("until", store.HistoryRequest{Since: t0(), Until: after(7)}, store.HourOfMail{Hour: hour(0), Counts: first})
	sumHours := func(now time.Time, wanted bool) {
		t.Helper()
		more, err := s.SumHours(ctx, now)
		must(t, err)
		want(t, "more hours to add up", more, wanted)
	}
	sumHours(hour(1).Add(9*time.Minute), false) // the first hour may still change
	hours("not added up", store.HistoryRequest{Since: t0()},
		store.HourOfMail{Hour: hour(0), Counts: first}, store.HourOfMail{Hour: hour(1), Counts: second})
	sumHours(hour(2).Add(9*time.Minute), false)
	hours("one added up", store.HistoryRequest{Since: t0()},
		store.HourOfMail{Hour: hour(0), Counts: first}, store.HourOfMail{Hour: hour(1), Counts: second})
	hours("until the one added up", store.HistoryRequest{Since: t0(), Until: after(7)}, store.HourOfMail{Hour: hour(0), Counts: first})
	sumHours(hour(100), true)
	sumHours(hour(50), false)
	hours("quiet hours too", store.HistoryRequest{Since: t0()},
		store.HourOfMail{Hour: hour(0), Counts: first}, store.HourOfMail{Hour: hour(1), Counts: second})
	hours("until a quiet one", store.HistoryRequest{Since: hour(2), Until: hour(3)})
	one1 := store.HourOfMail{Hour: hour(0), Of: "conn-1", Counts: store.Counts{Accepted: 2, Sent: 1, Delayed: 1, Waiting: 1}}
	two1 := store.HourOfMail{Hour: hour(0), Of: "conn-2", Counts: store.Counts{Accepted: 2, Held: 1, Throttled: 1, Waiting: 1}}
	two2 := store.HourOfMail{Hour: hour(1), Of: "conn-2", Counts: store.Counts{Sent: 1, Failed: 1, Waiting: -1}}
	hours("each connection", store.HistoryRequest{Since: t0(), Until: t0(), Connections: []string{"conn-1", "conn-2"}, Each: true}, one1, two1)
	hours("a connection", store.HistoryRequest{Since: late, Connections: []string{"conn-2"}, Each: true}, two2)
	hours("none", store.HistoryRequest{Since: t0(), Connections: []string{}})
	two1.Of, two2.Of = "lane-2", "lane-2"
	hours("a lane", store.HistoryRequest{Since: t0(), Lanes: []string{"lane-2", "lane-3"}, Each: true}, two1, two2)

	for _, c := range []struct {
		of []string
		n  int64
	}{{nil, 1}, {[]string{"conn-1"}, 1}, {[]string{"conn-2"}, 0}, {[]string{}, 0}} {
		n, err := s.OnTheirWay(ctx, c.of)
		must(t, err)
		want(t, "on their way", n, c.n)
	}
	uses, err := s.LastUses(ctx, []string{"conn-1", "conn-2", "conn-3"})
	must(t, err)
	want(t, "uses", len(uses), 2)
	for _, u := range uses {
		sent := map[string]time.Time{"conn-1": after(2), "conn-2": late.Add(2 * time.Second)}[u.Connection]
		want(t, u.Connection+": sent", u.Sent, sent)
		want(t, u.Connection+": failed", u.Failed, late.Add(time.Second))
		want(t, u.Connection+": error", u.Error.ProviderCode, "ErrorServerBusy")
	}

	uses, err = s.LastUses(ctx, nil)
	must(t, err)
	want(t, "uses of none", len(uses), 0)

	r, err := purge(ctx, s, store.PurgeRequest{Now: late, Hours: late})
	must(t, err)
	want(t, "purged", r, store.PurgeResult{Hours: 2})
	hours("kept", store.HistoryRequest{Since: t0()}, store.HourOfMail{Hour: hour(1), Counts: second})
}

// testLateHistory: what counts in an hour that was added up already, or was by a clock
// that was ahead, is in the sum of all connections too.
func testLateHistory(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	hour := func(i int) time.Time { return t0().Add(time.Duration(i) * time.Hour) }
	all := func(what string, wanted ...int) {
		t.Helper()
		got, err := s.Hours(ctx, store.HistoryRequest{Since: t0()})
		must(t, err)
		var accepted []int
		for _, h := range got {
			for range h.Accepted {
				accepted = append(accepted, int(h.Hour.Sub(t0())/time.Hour))
			}
		}
		want(t, what, fmt.Sprint(accepted), fmt.Sprint(wanted))
	}
	sum := func(now time.Time) {
		t.Helper()
		for range 100 {
			more, err := s.SumHours(ctx, now)
			must(t, err)
			if !more {
				return
			}
		}
		t.Errorf("no end of hours to add up at %v", now)
	}
	sum(hour(1)) // nothing has happened yet
	submit(t, s, letter{at: hour(0)})
	sum(hour(5))
	submit(t, s, letter{at: hour(3)})
	sum(hour(5))
	sum(hour(6))
	all("late", 0, 3)
	sum(hour(4000))
	submit(t, s, letter{at: hour(7)})
	sum(hour(7))
	all("the clock was set back", 0, 3, 7)
	sum(hour(9))
	all("over", 0, 3, 7)
	sum(hour(100))
	submit(t, s, letter{at: hour(100)})
	all("much later", 0, 3, 7, 100)
}
