package outbox

import (
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func inputFor(kind store.Kind, r result, change func(*input)) input {
	d := &store.Delivery{Kind: kind, Since: noon.Add(-time.Second), State: store.Sending, Route: store.Route{Connection: "c1", Lane: "l"}}
	for _, a := range []string{"a@x.it", "b@x.it"} {
		d.Recipients = append(d.Recipients, store.Recipient{Recipient: mime.Recipient{Address: mailboxtest.Of(a)}, State: store.Pending})
	}
	conn := &gateway.Connection{Connection: adapters.Connection{ID: "c1", Provider: adapters.Graph}, Policy: gateway.Policy{Revision: 1}}
	s := input{now: noon, delivery: d, conn: conn, result: r, schedule: Schedule{First: time.Minute, Max: time.Hour, GiveUp: 72 * time.Hour},
		timing: timing{5 * time.Second, 2 * time.Minute, 15 * time.Minute}, breaker: newBreakers().of(conn)}
	if change != nil {
		change(&s)
	}
	return s
}

func failure(c adapters.Class, change func(*adapters.Error)) result {
	e := &adapters.Error{Class: c, Scope: adapters.ScopeMessage, Message: adapters.Text{English: "it failed"}}
	if change != nil {
		change(e)
	}
	return result{err: e}
}

// overSMTP makes the connection one of plain SMTP.
func overSMTP(s *input) { s.conn.Provider, s.conn.Settings = adapters.SMTP, new(fallback.Settings) }

func TestRule(t *testing.T) {
	t.Parallel()
	fallback := func(s *input) { s.next = &move{route: store.Route{Connection: "c2", Position: 1}, origin: "c1"} }
	smtp := overSMTP
	unknownFor := func(d time.Duration) func(*input) {
		return func(s *input) { s.delivery.UnknownSince = noon.Add(-d) }
	}
	callEnded := func(began, ended time.Duration) func(*input) {
		return func(s *input) {
			s.delivery.UnknownSince, s.delivery.CallEnded = noon.Add(-began), noon.Add(-ended)
		}
	}
	partial := result{receipt: adapters.Receipt{ProviderID: "q1", Recipients: []adapters.RecipientResult{
		{Address: mailboxtest.Of("a@x.it")}, {Address: mailboxtest.Of("b@x.it"), Err: &adapters.Error{Class: adapters.Transient}}}}}
	refusedOne := result{receipt: adapters.Receipt{Recipients: []adapters.RecipientResult{
		{Address: mailboxtest.Of("a@x.it")}, {Address: mailboxtest.Of("b@x.it"), Err: &adapters.Error{Class: adapters.Permanent}}}}}
	for _, c := range []struct {
		name      string
		kind      store.Kind
		result    result
		change    func(*input)
		state     store.State
		class     adapters.Class
		after     [2]time.Duration // NextAt between
		moved     bool
		failed    int
		notSent   int
		lanePause time.Duration
		connPause bool
	}{
		{name: "accepted ends it", result: result{}, state: store.Sent, class: adapters.Accepted},
		{name: "partly refused for now: only those again", result: partial, state: store.Queued, class: adapters.Accepted,
			after: [2]time.Duration{48 * time.Second, 72 * time.Second}, notSent: 1},
		{name: "partly refused for good", result: refusedOne, state: store.Sent, class: adapters.Accepted, failed: 1, notSent: 1},
		{name: "permanent ends it and is told", result: failure(adapters.Permanent, nil), state: store.Failed, class: adapters.Permanent,
			failed: 2, notSent: 2},
		{name: "permanent does not fail over", result: failure(adapters.Permanent, nil), change: fallback, state: store.Failed,
			class: adapters.Permanent, failed: 2, notSent: 2},
		{name: "a size the route cannot carry fails over", result: failure(adapters.Permanent, func(e *adapters.Error) { e.TooLarge = true }),
			change: fallback, state: store.Queued, class: adapters.Permanent, moved: true, notSent: 2},
		{name: "transient waits", result: failure(adapters.Transient, nil), state: store.Queued, class: adapters.Transient,
			after: [2]time.Duration{48 * time.Second, 72 * time.Second}, notSent: 2},
		{name: "transient grows", result: failure(adapters.Transient, nil), change: func(s *input) { s.delivery.Failures = 3 },
			state: store.Queued, class: adapters.Transient, after: [2]time.Duration{384 * time.Second, 576 * time.Second}, notSent: 2},
		{name: "transient obeys Retry-After", result: failure(adapters.Transient, func(e *adapters.Error) { e.RetryAfter = time.Hour }),
			state: store.Queued, class: adapters.Transient, after: [2]time.Duration{time.Hour, time.Hour}, notSent: 2},
		{name: "a stop costs nothing", result: failure(adapters.Transient, nil), change: func(s *input) { s.stopped = true }, state: store.Queued,
			class: adapters.Transient, notSent: 2},
		{name: "throttled pauses the lane", result: failure(adapters.Throttled, func(e *adapters.Error) { e.RetryAfter = 17 * time.Second }),
			state: store.Queued, class: adapters.Throttled, after: [2]time.Duration{17 * time.Second, 17 * time.Second}, lanePause: 17 * time.Second,
			notSent: 2},
		{name: "throttled without a time", result: failure(adapters.Throttled, nil), state: store.Queued, class: adapters.Throttled,
			after: [2]time.Duration{30 * time.Second, 30 * time.Second}, lanePause: 30 * time.Second, notSent: 2},
		{name: "throttled for hours fails over", result: failure(adapters.Throttled, func(e *adapters.Error) { e.RetryAfter = 4 * time.Hour }),
			change: fallback, state: store.Queued, class: adapters.Throttled, lanePause: 4 * time.Hour, moved: true, notSent: 2},
		{name: "auth pauses the connection, mail stays", result: failure(adapters.Auth,
			func(e *adapters.Error) { e.Scope = adapters.ScopeConnection }), state: store.Queued, class: adapters.Auth, connPause: true, notSent: 2},
		{name: "auth of one mailbox pauses its lane", result: failure(adapters.Auth, func(e *adapters.Error) { e.Scope = adapters.ScopeLane }),
			state: store.Queued, class: adapters.Auth, lanePause: 5 * time.Minute, notSent: 2},
		{name: "auth fails over", result: failure(adapters.Auth, func(e *adapters.Error) { e.Scope = adapters.ScopeConnection }),
			change: fallback, state: store.Queued, class: adapters.Auth, connPause: true, moved: true, notSent: 2},
		{name: "unknown is verified", result: failure(adapters.Unknown, nil), state: store.Unverified, class: adapters.Unknown,
			after: [2]time.Duration{5 * time.Second, 5 * time.Second}},
		{name: "unknown never fails over", result: failure(adapters.Unknown, nil), change: fallback, state: store.Unverified,
			class: adapters.Unknown, after: [2]time.Duration{5 * time.Second, 5 * time.Second}},
		{name: "unknown with hold waits for a person", result: failure(adapters.Unknown, nil),
			change: func(s *input) { s.conn.OnUnknown = adapters.UnknownHold }, state: store.Held, class: adapters.Unknown},

		{name: "verified as sent", kind: store.Verify, result: result{verdict: adapters.Sent}, change: unknownFor(time.Minute), state: store.Sent,
			class: adapters.Accepted},
		{name: "not found yet: ask again", kind: store.Verify, result: result{verdict: adapters.NotSent}, change: unknownFor(time.Minute),
			state: store.Unverified, class: adapters.Unknown, after: [2]time.Duration{30 * time.Second, time.Minute}},
		{name: "not found, and the call was over just now: ask again", kind: store.Verify, result: result{verdict: adapters.NotSent},
			change: callEnded(time.Hour, time.Minute),
			state:  store.Unverified, class: adapters.Unknown, after: [2]time.Duration{30 * time.Second, time.Minute}},
		{name: "not found, and the call was over just now: ask again", kind: store.Verify, result: result{verdict: adapters.NotSent},
			change: callEnded(time.Hour, time.Minute),
			state:  store.Unverified, class: adapters.Unknown, after: [2]time.Duration{30 * time.Second, time.Minute}},
		{name: "not found after the settle time that follows the call: send", kind: store.Verify, result: result{verdict: adapters.NotSent},
			change: callEnded(time.Hour, 2*time.Minute),
			state:  store.Queued, class: adapters.Transient, notSent: 2},
		{name: "not found after the settle time: send", kind: store.Verify, result: result{verdict: adapters.NotSent},
			change: unknownFor(2 * time.Minute), state: store.Queued, class: adapters.Transient, notSent: 2},
		{name: "the provider still works on it", kind: store.Verify, result: result{verdict: adapters.InProgress},
			change: unknownFor(3 * time.Minute), state: store.Unverified, class: adapters.Unknown,
			after: [2]time.Duration{90 * time.Second, 90 * time.Second}},
		{name: "stuck in the drafts", kind: store.Verify, result: result{verdict: adapters.InProgress}, change: unknownFor(time.Hour),
			state: store.Held, class: adapters.Unknown},
		{name: "cannot tell: hold", kind: store.Verify, result: result{verdict: adapters.CannotTell}, change: unknownFor(time.Minute),
			state: store.Held, class: adapters.Unknown},
		{name: "cannot tell over SMTP: again, marked", kind: store.Verify, result: result{verdict: adapters.CannotTell}, change: smtp,
			state: store.Queued, class: adapters.Unknown, after: [2]time.Duration{48 * time.Second, 72 * time.Second}},
		{name: "the question is not allowed", kind: store.Verify, result: failure(adapters.Auth, nil), change: unknownFor(time.Minute),
			state: store.Held, class: adapters.Unknown},
		{name: "the question fails for now", kind: store.Verify, result: failure(adapters.Transient, nil), change: unknownFor(time.Minute),
			state: store.Unverified, class: adapters.Unknown, after: [2]time.Duration{5 * time.Second, time.Minute}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.kind == "" {
				c.kind = store.Send
			}
			r := decide(inputFor(c.kind, c.result, c.change))
			if r.transition.State != c.state || r.outcome.Class != c.class {
				t.Errorf("state %v class %s, want %v %s", r.transition.State, r.outcome.Class, c.state, c.class)
			}
			if c.state == store.Queued || c.state == store.Unverified {
				if wait := r.transition.NextAt.Sub(noon); wait < c.after[0] || wait > c.after[1] {
					t.Errorf("next after %v, want %v", wait, c.after)
				}
			}
			if (r.transition.Route != nil) != c.moved {
				t.Errorf("moved %v, want %v", r.transition.Route != nil, c.moved)
			}
			if len(r.failed) != c.failed || r.notSent != c.notSent {
				t.Errorf("failed %d not mailed %d, want %d %d", len(r.failed), r.notSent, c.failed, c.notSent)
			}
			var pause time.Duration
			if r.transition.Lane != nil {
				pause = r.transition.Lane.PauseUntil.Sub(noon)
			}
			if pause != c.lanePause {
				t.Errorf("lane paused for %v, want %v", pause, c.lanePause)
			}
			if (r.transition.Connection != nil) != c.connPause {
				t.Errorf("connection change %v, want %v", r.transition.Connection, c.connPause)
			}
			if r.transition.State == store.Queued && c.kind == store.Verify && c.class == adapters.Unknown && !r.transition.Progress.Duplicate {
				t.Error("a second send without proof must be marked")
			}
			for _, p := range r.transition.Recipients {
				if (r.transition.State == store.Failed) != (p.State == store.RecipientFailed) && c.name != "partly refused for good" {
					t.Errorf("recipient %s is %s in a delivery that is %v", p.Address, p.State, r.transition.State)
				}
			}
		})
	}
}

func TestBreaker(t *testing.T) {
	t.Parallel()
	b := newBreakers()
	conn := &gateway.Connection{Connection: adapters.Connection{ID: "c"}, Policy: gateway.Policy{Revision: 1}}
	down := &adapters.Error{Class: adapters.Transient, Scope: adapters.ScopeConnection}
	now := noon
	for range 10 * breakerAfter {
		if c := b.of(conn).failed(noon.Add(-time.Second), now, down); c != nil {
			t.Fatal("one trouble that many attempts saw opened it")
		}
	}
	b.of(conn).succeeded(now, now)
	for i := range breakerAfter - 1 {
		now = now.Add(sameTrouble)
		if c := b.of(conn).failed(now, now, down); c != nil {
			t.Fatalf("open after %d failures", i+1)
		}
	}
	if b.of(conn).succeeded(now, now) != nil {
		t.Error("a closed breaker has nothing to close")
	}
	for range breakerAfter - 1 {
		now = now.Add(sameTrouble)
		b.of(conn).failed(now, now, down)
	}
	now = now.Add(sameTrouble)
	want := breakerFirst
	for range 8 { // opens, then a probe fails at each end
		c := b.of(conn).failed(now, now, down)
		if c == nil || c.Breaker == nil || c.Breaker.State != "open" || c.PauseUntil.Sub(now) != want {
			t.Fatalf("want open for %v, got %+v", want, c)
		}
		if c := b.of(conn).failed(now, now, down); c == nil || c.PauseUntil != nil {
			t.Errorf("what was in flight must not prolong it: %+v", c)
		}
		now = now.Add(want)
		want = min(2*want, breakerMax)
	}
	if c := b.of(conn).succeeded(now, now); c == nil || c.Breaker.State != "closed" || c.PauseUntil.After(now) {
		t.Errorf("success must close it: %+v", c)
	}
	b.of(conn).refused(now, down)
	conn2 := &gateway.Connection{Connection: adapters.Connection{ID: "c"}, Policy: gateway.Policy{Revision: 2}}
	if until, _ := b.of(conn2).refused(now.Add(time.Second), down); until.Sub(now) != refusedFirst+time.Second {
		t.Errorf("an edited connection starts again, paused for %v", until.Sub(now))
	}
}

// A refusal that must not be repeated waits for a person.
func TestBreakerWaitsForAPerson(t *testing.T) {
	t.Parallel()
	b := newBreakers()
	conn := &gateway.Connection{Connection: adapters.Connection{ID: "c"}, Policy: gateway.Policy{Revision: 1}}
	locks := &adapters.Error{Class: adapters.Auth, Scope: adapters.ScopeConnection, NoRetry: true}
	for range 2 { // the second after a person has resumed it
		until, change := b.of(conn).refused(noon, locks)
		if !until.Equal(store.Never()) || !change.PauseUntil.Equal(store.Never()) {
			t.Errorf("paused until %v", until)
		}
	}
	if c := b.of(conn).succeeded(noon.Add(time.Hour), noon.Add(time.Hour)); c == nil || c.Breaker.State != "closed" {
		t.Errorf("success must close it: %+v", c)
	}
}

func TestScheduleDelay(t *testing.T) {
	t.Parallel()
	s := Schedule{First: time.Minute, Max: 10 * time.Minute}
	for failures, mean := range map[int]time.Duration{1: time.Minute, 2: 2 * time.Minute, 4: 8 * time.Minute, 5: 10 * time.Minute,
		1000: 10 * time.Minute} {
		for range 100 {
			if d := s.Delay(failures); d < mean*4/5 || d > mean*6/5 {
				t.Fatalf("Delay(%d) = %v, want about %v", failures, d, mean)
			}
		}
	}
}

// A server that takes some of a list each time is not failing: the wait before
// the rest does not grow.
func TestPartialAcceptanceDoesNotGrow(t *testing.T) {
	t.Parallel()
	slow := result{receipt: adapters.Receipt{Recipients: []adapters.RecipientResult{
		{Address: mailboxtest.Of("a@x.it")}, {Address: mailboxtest.Of("b@x.it"), Err: &adapters.Error{Class: adapters.Transient,
			Enhanced: "4.2.1", Status: 450}}}}}
	r := decide(inputFor(store.Send, slow, func(s *input) { s.delivery.Failures = 7 }))
	if wait := r.transition.NextAt.Sub(noon); r.transition.Progress.Failures != 1 || wait > 72*time.Second {
		t.Errorf("%d failures, next after %v", r.transition.Progress.Failures, wait)
	}
}
