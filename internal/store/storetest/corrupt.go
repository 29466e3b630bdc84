package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
)

// testCorrupt has the disk change a record: it is held for a person to see, and
// everything else goes on.
func testCorrupt(t *testing.T, h Harness) {
	for _, column := range []string{"recipients", "no recipients", "word", "message"} {
		t.Run(column, func(t *testing.T) {
			t.Parallel()
			s := h.Open(t)
			n := register(t, s, "n", t0())
			var msgs, ids []store.ID
			for i := range 3 {
				m, d := submit(t, s, letter{next: after(float64(i))})
				msgs, ids = append(msgs, m), append(ids, d)
			}
			h.Corrupt(t, s, column, ids[1])
			cc := claim(t, s, n, after(10), 10)
			for len(cc) < 2 { // who meets a corrupt record may be given the rest later
				more := claim(t, s, n, after(10), 10)
				if len(more) == 0 {
					t.Fatalf("claimed %d and then nothing", len(cc))
				}
				cc = append(cc, more...)
			}
			want(t, "claimed", fmt.Sprint(cc[0].Delivery.ID, cc[1].Delivery.ID), fmt.Sprint(ids[0], ids[2]))
			want(t, "claimed again", len(claim(t, s, n, after(11), 10)), 0)
			d := delivery(t, s, ids[1])
			want(t, "state of the corrupt one", d.State, store.Held)
			want(t, "its word", d.Error.Code, store.CorruptRecord().Code)
			want(t, "in flight", lane(t, s).InFlight, 2)
			want(t, "queued", lane(t, s).Queued, 0)
			for _, c := range cc {
				must(t, accept(t, s, c, after(12)))
			}
			p, err := s.List(t.Context(), store.ListRequest{})
			must(t, err)
			want(t, "listed", len(p.Entries), 3)
			_, err = s.Attempts(t.Context(), ids[1])
			must(t, err)
			_, err = s.Message(t.Context(), msgs[1])
			must(t, err)
			// A retry finds it as it is.
			_, err = s.Act(t.Context(), store.Action{Verb: store.DoRetry, Deliveries: ids[1:2], Now: after(13)})
			must(t, err)
			if column == "word" { // a person decided, so what the store remembered is not needed
				want(t, "claimed after a retry", len(claim(t, s, n, after(14), 10)), 1)
				return
			}
			want(t, "claimed after a retry", len(claim(t, s, n, after(14), 10)), 0)
			want(t, "state after a retry", delivery(t, s, ids[1]).State, store.Held)
			r, err := s.Act(t.Context(), store.Action{Verb: store.DoCancel, Deliveries: ids[1:2], Now: after(15)})
			must(t, err)
			want(t, "cancelled", r.Changed, 1)
			want(t, "in flight at the end", lane(t, s).InFlight, 0)
		})
		t.Run(column+" while it is sent", func(t *testing.T) {
			t.Parallel()
			s := h.Open(t)
			n := register(t, s, "n", t0())
			_, id := submit(t, s, letter{})
			_, other := submit(t, s, letter{})
			want(t, "claimed", len(claim(t, s, n, t0(), 10)), 2)
			s = h.Reopen(t, s)
			h.Corrupt(t, s, column, id)
			n, reaped, err := s.Register(t.Context(), "n", after(1), after(3600))
			must(t, err)
			want(t, "reaped", reaped, 2)
			cc := claim(t, s, n, after(2), 10)
			want(t, "claimed", len(cc), 1)
			want(t, "which", cc[0].Delivery.ID, other)
			want(t, "what for", cc[0].Delivery.Kind, store.Verify)
			want(t, "state of the corrupt one", delivery(t, s, id).State, store.Held)
			want(t, "in flight", lane(t, s).InFlight, 1)
		})
		t.Run(column+" and late", func(t *testing.T) {
			t.Parallel()
			s := h.Open(t)
			_, id := submit(t, s, letter{expires: after(60)})
			h.Corrupt(t, s, column, id)
			due, _, err := s.Deadlines(t.Context(), after(61), 10)
			must(t, err)
			want(t, "late", len(due), 1)
			must(t, s.Transition(t.Context(), store.Transition{Delivery: id, Epoch: due[0].Epoch, Now: after(61), State: store.Expired}))
		})
	}
	t.Run("word of one that may have been sent", func(t *testing.T) {
		t.Parallel()
		s := h.Open(t)
		n := register(t, s, "n", t0())
		_, id := submit(t, s, letter{})
		want(t, "claimed", len(claim(t, s, n, t0(), 1)), 1)
		n = register(t, s, "n", after(1)) // its process died
		h.Corrupt(t, s, "word", id)
		want(t, "claimed", len(claim(t, s, n, after(2), 1)), 0)
		want(t, "state", delivery(t, s, id).State, store.Held)
		_, err := s.Act(t.Context(), store.Action{Verb: store.DoRelease, Deliveries: []store.ID{id}, Now: after(3)})
		must(t, err)
		cc := claim(t, s, n, after(4), 1)
		want(t, "claimed after a release", len(cc), 1)
		want(t, "what for", cc[0].Delivery.Kind, store.Verify)
	})
	t.Run("secrets", func(t *testing.T) {
		t.Parallel()
		s := h.Open(t)
		c, err := s.PutConnection(t.Context(), t0(), smtpConnection("Ufficio"))
		must(t, err)
		d := smtpConnection("Altra")
		d.Default = gateway.DefaultUnrouted
		_, err = s.PutConnection(t.Context(), t0(), d)
		must(t, err)
		h.Corrupt(t, s, "secrets", store.ID{})
		all, err := s.Connections(t.Context())
		must(t, err)
		want(t, "all are there", len(all), 2)
		c, err = s.Connection(t.Context(), c.ID)
		must(t, err)
		want(t, "a secret that cannot be opened", fallback.SettingsOf(&c.Connection).Password, adapters.Secret(adapters.Redacted))
		// An edit of something else, also by way of the default, keeps what is sealed.
		c.DisplayName, c.Default = "ERP", gateway.DefaultUnrouted
		c, err = s.PutConnection(t.Context(), t0(), c)
		must(t, err)
		want(t, "still closed", fallback.SettingsOf(&c.Connection).Password, adapters.Secret(adapters.Redacted))
		fallback.SettingsOf(&c.Connection).Password = "segreto-3"
		_, err = s.PutConnection(t.Context(), t0(), c)
		must(t, err)
		c, err = s.Connection(t.Context(), c.ID)
		must(t, err)
		want(t, "entered again", fallback.SettingsOf(&c.Connection).Password.Reveal(), "segreto-3")
	})
	t.Run("states", func(t *testing.T) {
		t.Parallel()
		s := h.Open(t)
		n := register(t, s, "n", t0())
		c, err := s.PutConnection(t.Context(), t0(), smtpConnection("Ufficio"))
		must(t, err)
		_, id := submit(t, s, letter{connection: c.ID})
		past := t0()
		must(t, s.ChangeConnection(t.Context(), t0(), c.ID, store.ConnectionChange{PauseUntil: &past}))
		got := claim(t, s, n, t0(), 1)
		want(t, "claimed", len(got), 1)
		h.Corrupt(t, s, "states", store.ID{})
		_, err = s.ConnectionStates(t.Context())
		must(t, err)
		f := accepted(got[0], after(1))
		f.Transition.Connection = &store.ConnectionChange{PauseUntil: &past, Breaker: &store.Breaker{State: "closed"}}
		must(t, s.Finish(t.Context(), f))
		want(t, "state", delivery(t, s, id).State, store.Sent)
		st, err := s.ConnectionState(t.Context(), c.ID)
		must(t, err)
		want(t, "breaker", st.Breaker.State, "closed")
	})
	t.Run("lane", func(t *testing.T) {
		t.Parallel()
		s := h.Open(t)
		n := register(t, s, "n", t0())
		_, id := submit(t, s, letter{limits: adapters.LaneLimits{PerMinute: 5, RecipientsPerDay: 5}})
		must(t, accept(t, s, claim(t, s, n, t0(), 1)[0], t0()))
		s = h.Reopen(t, s)
		h.Corrupt(t, s, "lane", id)
		n = register(t, s, "n", after(1))
		submit(t, s, letter{next: after(1), limits: adapters.LaneLimits{PerMinute: 5, RecipientsPerDay: 5}})
		want(t, "claimed", len(claim(t, s, n, after(2), 10)), 1)
	})
}

// testClockSetBack has the clock of the machine set back by an hour while the
// node runs: nothing waits for it to be as late as it was.
func testClockSetBack(t *testing.T, h Harness) {
	for name, limits := range map[string]adapters.LaneLimits{"no limits": {}, "a pace": {PerMinute: 3}, "a budget": {RecipientsPerDay: 3}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := h.Open(t)
			hour := func(sec float64) time.Time { return after(3600 + sec) }
			n, _, err := s.Register(t.Context(), "n", hour(0), hour(3600))
			must(t, err)
			for range 2 {
				submit(t, s, letter{next: hour(0), limits: limits})
			}
			cc := claim(t, s, n, hour(1), 10)
			want(t, "claimed before", len(cc), 2)
			for _, c := range cc {
				must(t, accept(t, s, c, hour(2)))
			}
			submit(t, s, letter{next: t0(), limits: limits})
			want(t, "claimed after", len(claim(t, s, n, after(1), 10)), 1)
			// The limits still hold, and end when they should by the new time.
			submit(t, s, letter{next: after(2), limits: limits})
			got := len(claim(t, s, n, after(3), 10))
			if limits == (adapters.LaneLimits{}) {
				want(t, "one more", got, 1)
				return
			}
			want(t, "over the limit", got, 0)
			if limits.PerMinute > 0 {
				want(t, "a minute later", len(claim(t, s, n, after(65), 10)), 1)
				return
			}
			want(t, "a day later", len(claim(t, s, n, after(25*3600), 10)), 1)
		})
	}
}

// What was taken in while the clock was ahead, and a pause that was set then, do
// not wait for it to be as late again. Ids are made by the real clock.
func testTakenAhead(t *testing.T, h Harness) {
	s := h.Open(t)
	ahead := time.Now()
	right := ahead.Add(-time.Hour)
	n, _, err := s.Register(t.Context(), "n", ahead, ahead.Add(time.Hour))
	must(t, err)
	at := func(lane string, now time.Time) letter {
		return letter{lane: lane, at: now, next: now, warn: now.Add(4 * time.Hour), expires: now.Add(72 * time.Hour)}
	}
	submit(t, s, at("paused", ahead))
	cc := claim(t, s, n, ahead, 1)
	want(t, "claimed before", len(cc), 1)
	until := ahead.Add(time.Minute)
	f := accepted(cc[0], ahead)
	f.Transition.Lane = &store.LaneChange{PauseUntil: &until}
	must(t, s.Finish(t.Context(), f))
	submit(t, s, at("lane", ahead))
	n, _, err = s.Register(t.Context(), "n", right, right.Add(time.Hour))
	must(t, err)
	submit(t, s, at("paused", right))
	cc = claim(t, s, n, right.Add(2*time.Minute), 5)
	want(t, "claimed after", len(cc), 2)
	for _, c := range cc {
		if d := c.Delivery; d.CreatedAt.After(right.Add(time.Second)) || d.ExpiresAt.Sub(d.CreatedAt) != 72*time.Hour ||
			d.WarnAt.Sub(d.CreatedAt) != 4*time.Hour {
			t.Errorf("made %v, expires %v, warned %v", d.CreatedAt, d.ExpiresAt, d.WarnAt)
		}
	}
}
