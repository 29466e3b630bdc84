package outbox

import (
	"slices"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// An input is everything that decides what becomes of a delivery.
type input struct {
	now      time.Time
	delivery *store.Delivery
	conn     *gateway.Connection
	result   result
	stopped  bool // the send was ended from this side
	schedule Schedule
	timing   timing
	next     *move     // where to fail over to; nil: nowhere
	later    time.Time // when a fallback that is only paused may open; zero: there is none
	breaker  breaker
}

// timing are the waits of Options that a decision needs.
type timing struct{ verifyAfter, settle, failoverAfter time.Duration }

// A move is a change of route.
type move struct {
	route  store.Route
	origin string
}

// A decision is what becomes of the delivery; the notifications to the sender
// come on top.
type decision struct {
	transition store.Transition
	outcome    store.Outcome
	notSent    int
	failed     []store.Recipient // given up just now
	relayed    []store.Recipient // accepted just now
}

// Waits where the provider names none.
const (
	throttleFirst = 30 * time.Second
	throttleMax   = 15 * time.Minute
	capFor        = 10 * time.Minute // how long a lowered concurrency stays (contracts B7.3)
	// A message in a provider's drafts for so long will not leave by itself (adapters/graph clears its own after 30).
	stuckAfter = 45 * time.Minute
)

// decide is a pure function: table tests cover it.
func decide(in input) decision {
	r := decision{outcome: store.Outcome{EndedAt: in.now, Error: in.result.err, Verdict: in.result.verdict,
		Conversation: in.result.said}}
	r.transition = store.Transition{Now: in.now, Progress: in.delivery.Progress, Recipients: slices.Clone(in.delivery.Recipients)}
	switch {
	case in.delivery.Kind == store.Verify:
		in.verified(&r)
	case in.result.err == nil:
		in.accepted(&r)
	default:
		in.failed(&r)
	}
	r.transition.Progress.Class = r.outcome.Class
	r.transition.Progress.Error = r.outcome.Error
	return r
}

// accepted marks who was accepted and who was refused; the temporarily
// refused stay pending and no one else is asked for again.
func (in *input) accepted(r *decision) {
	rc := in.result.receipt
	r.outcome.Class, r.outcome.Receipt = adapters.Accepted, &rc
	r.transition.Progress.ProviderID, r.transition.Progress.UnknownSince = rc.ProviderID, time.Time{}
	refused := make(map[mime.Mailbox]*adapters.Error)
	for _, x := range rc.Recipients {
		if x.Err != nil {
			refused[x.Address] = x.Err
		}
	}
	var wait time.Duration
	later, room := false, true
	for i := range r.transition.Recipients {
		p := &r.transition.Recipients[i]
		if p.State != store.Pending {
			continue
		}
		p.At = in.now
		e := refused[p.Address]
		p.Error = e
		switch {
		case e == nil:
			p.State = store.RecipientSent
			r.relayed = append(r.relayed, *p)
		case e.Class == adapters.Permanent:
			p.State = store.RecipientFailed
			r.notSent++
			r.failed = append(r.failed, *p)
		default:
			r.notSent++
			later, room = true, room && tooMany(e)
			wait = max(wait, e.RetryAfter)
			r.outcome.Error = e
		}
	}
	r.transition.Connection = in.breaker.succeeded(in.delivery.Since, in.now)
	switch {
	case !later:
		r.end()
		return
	case len(r.relayed) > 0: // it goes on: no failure in a row
		r.transition.Progress.Failures = 0
	}
	r.transition.State = store.Queued
	if room && len(r.relayed) > 0 { // the rest of a long list goes in another transaction
		r.transition.NextAt = in.now.Add(wait)
		return
	}
	r.transition.Progress.Failures++
	r.transition.NextAt = in.now.Add(max(wait, in.schedule.Delay(r.transition.Progress.Failures)))
}

// tooMany reports a refusal that concerns the length of the list, not the
// person (RFC 5321 section 4.5.3.1.10, contracts D5).
func tooMany(e *adapters.Error) bool {
	return e.Enhanced == "4.5.3" || e.Enhanced == "5.5.3" || e.Enhanced == "" && (e.Status == 452 || e.Status == 552)
}

// end sets the final state by the recipients.
func (r *decision) end() {
	r.transition.State = store.Failed
	for _, p := range r.transition.Recipients {
		if p.State == store.RecipientSent {
			r.transition.State = store.Sent
		}
	}
}

// failed follows the class of a Send's error (design "The way of a message", 5).
func (in *input) failed(r *decision) {
	e := in.result.err
	r.outcome.Class = e.Class
	if e.Class != adapters.Unknown {
		r.notSent = in.delivery.CountPending()
		if e.Class != adapters.Permanent {
			in.refusedForGood(r)
			if len(r.failed) == r.notSent { // no one is left to try again
				r.end()
				return
			}
		}
	}
	switch e.Class {
	case adapters.Permanent:
		switch {
		case e.Code == adapters.CodeDuplicate && in.delivery.Duplicate: // the attempt with the unknown outcome had gone through
			r.outcome.Class, r.notSent = adapters.Accepted, 0
			in.sentBefore(r)
		case e.TooLarge && in.next != nil:
			in.failOver(r)
		case e.TooLarge && !in.later.IsZero(): // the route that can carry it opens again
			r.transition.State, r.transition.NextAt = store.Queued, in.later
		default:
			in.giveUp(r, e)
		}
	case adapters.Throttled:
		in.throttled(r, e)
	case adapters.Auth:
		in.refusedUs(r, e)
	case adapters.Transient:
		in.tryLater(r, e)
	default:
		r.outcome.Class = adapters.Unknown
		r.transition.Progress.UnknownSince, r.transition.Progress.CallEnded, r.transition.Progress.ProviderID = in.delivery.Since, in.now,
			e.ProviderID
		r.transition.State, r.transition.NextAt = store.Unverified, in.now.Add(in.timing.verifyAfter)
		if in.conn.EffectiveOnUnknown() == adapters.UnknownHold {
			r.transition.State = store.Held
		}
	}
}

// refusedForGood fails the recipients that the server refused by name and for
// good, although it took no one else either.
func (in *input) refusedForGood(r *decision) {
	for _, x := range in.result.receipt.Recipients {
		if x.Err == nil || x.Err.Class != adapters.Permanent || x.Err.TooLarge {
			continue
		}
		for i := range r.transition.Recipients {
			if p := &r.transition.Recipients[i]; p.State == store.Pending && p.Address == x.Address {
				p.State, p.Error, p.At = store.RecipientFailed, x.Err, in.now
				r.failed = append(r.failed, *p)
			}
		}
	}
}

// giveUp fails every recipient that waits.
func (in *input) giveUp(r *decision, e *adapters.Error) {
	for i := range r.transition.Recipients {
		p := &r.transition.Recipients[i]
		if p.State == store.Pending {
			p.State, p.Error, p.At = store.RecipientFailed, e, in.now
			r.failed = append(r.failed, *p)
		}
	}
	r.end()
}

func (in *input) failOver(r *decision) {
	r.transition.State, r.transition.NextAt, r.transition.Route = store.Queued, in.now, &in.next.route
	r.transition.Progress.Origin, r.transition.Progress.Failures = in.next.origin, 0
}

// tryLater tries again with growing delay, on the fallback once the route is
// known to be down.
func (in *input) tryLater(r *decision, e *adapters.Error) {
	if in.stopped {
		r.transition.State, r.transition.NextAt = store.Queued, in.now
		return
	}
	if e.Scope == adapters.ScopeConnection {
		r.transition.Connection = in.breaker.failed(in.delivery.Since, in.now, e)
	}
	if r.transition.Connection != nil && in.next != nil {
		in.failOver(r)
		return
	}
	r.transition.Progress.Failures++
	r.transition.State, r.transition.NextAt = store.Queued, in.now.Add(max(e.RetryAfter, in.schedule.Delay(r.transition.Progress.Failures)))
}

// throttled pauses the lane: requests made meanwhile would only lengthen it
// (contracts B7.7).
func (in *input) throttled(r *decision, e *adapters.Error) {
	wait := e.RetryAfter
	if wait <= 0 {
		r.transition.Progress.Failures++
		wait = min(throttleFirst<<min(r.transition.Progress.Failures-1, 6), throttleMax)
	}
	until := in.now.Add(wait)
	r.transition.Lane = &store.LaneChange{PauseUntil: &until, Reason: e.Message}
	if c := in.conn.EffectiveLimits().Concurrency; e.Concurrency && c != 1 {
		// Unlimited is lowered to the documented four first.
		r.transition.Lane.Cap, r.transition.Lane.CapUntil = max(1, c-1), in.now.Add(capFor)
		if c == 0 {
			r.transition.Lane.Cap = 4
		}
	}
	if wait > in.timing.failoverAfter && in.next != nil {
		in.failOver(r)
		return
	}
	r.transition.State, r.transition.NextAt = store.Queued, until
}

// refusedUs pauses what the refusal concerns, keeps the mail and comes back
// slowly (contracts B8.7: a new permission may need two hours).
func (in *input) refusedUs(r *decision, e *adapters.Error) {
	in.pauseRefused(r, e)
	if in.next != nil {
		in.failOver(r)
		return
	}
	r.transition.State, r.transition.NextAt = store.Queued, in.now
}

func (in *input) pauseRefused(r *decision, e *adapters.Error) {
	until, change := in.breaker.refused(in.now, e)
	if e.Scope == adapters.ScopeLane {
		r.transition.Lane = &store.LaneChange{PauseUntil: &until, Reason: e.Message}
	} else {
		r.transition.Connection = change
	}
}

// verified follows what the provider answered about an unknown outcome.
func (in *input) verified(r *decision) {
	since := in.delivery.UnknownSince
	if since.IsZero() {
		since = in.delivery.Since
	}
	// Counted from when the call was over: a large upload may have taken longer
	// than settle, and its last part may have arrived just now.
	if ended := in.delivery.CallEnded; ended.After(since) {
		since = ended
	}
	elapsed := in.now.Sub(since)
	again := func() {
		r.outcome.Class = adapters.Unknown
		wait := min(max(elapsed/2, in.timing.verifyAfter), 5*time.Minute)
		if left := in.timing.settle - elapsed; left > 0 {
			wait = min(wait, max(left, in.timing.verifyAfter))
		}
		r.transition.State, r.transition.NextAt = store.Unverified, in.now.Add(wait)
	}
	if e := in.result.err; e != nil {
		switch {
		case e.Class == adapters.Auth && e.Scope == adapters.ScopeConnection: // it can be asked once the credential is right again
			in.pauseRefused(r, e)
			again()
		case e.Class == adapters.Auth || e.Class == adapters.Permanent:
			in.cannotTell(r)
		case e.Class == adapters.Throttled && e.RetryAfter > 0:
			until := in.now.Add(e.RetryAfter)
			r.transition.Lane = &store.LaneChange{PauseUntil: &until, Reason: e.Message}
			again()
			r.transition.NextAt = until
		default:
			again()
		}
		return
	}
	switch in.result.verdict {
	case adapters.Sent:
		r.outcome.Class = adapters.Accepted
		if rc := in.result.receipt; rc.Status != 0 || rc.ProviderID != "" {
			r.outcome.Receipt = &rc
			r.transition.Progress.ProviderID = rc.ProviderID
		}
		r.transition.Progress.UnknownSince, r.transition.Progress.CallEnded = time.Time{}, time.Time{}
		in.sentBefore(r)
	case adapters.InProgress:
		if elapsed > stuckAfter {
			in.cannotTell(r)
			return
		}
		again()
	case adapters.NotSent:
		if elapsed < in.timing.settle {
			again()
			return
		}
		r.outcome.Class = adapters.Transient // it surely was not sent: send it now
		r.notSent = in.delivery.CountPending()
		r.transition.Progress.UnknownSince, r.transition.Progress.CallEnded, r.transition.Progress.ProviderID,
			r.transition.Progress.SenderNotified = time.Time{}, time.Time{}, "", false
		r.transition.State, r.transition.NextAt = store.Queued, in.now
	default:
		in.cannotTell(r)
	}
}

// sentBefore ends a delivery of which it turned out that it had been accepted.
func (in *input) sentBefore(r *decision) {
	for i := range r.transition.Recipients {
		if p := &r.transition.Recipients[i]; p.State == store.Pending {
			p.State, p.Error, p.At = store.RecipientSent, nil, in.now
			r.relayed = append(r.relayed, *p)
		}
	}
	r.end()
}

// cannotTell leaves the decision to the connection's policy (design rule 5).
func (in *input) cannotTell(r *decision) {
	r.outcome.Class = adapters.Unknown
	if in.conn.EffectiveOnUnknown() != adapters.UnknownRetry {
		r.transition.State = store.Held
		r.outcome.Error = &adapters.Error{Class: adapters.Unknown, Scope: adapters.ScopeMessage, Provider: in.conn.Provider, Code: "held",
			Message: mime.NewText("outbox.held_unknown", "the message may have been sent; the provider cannot say"),
			Hint:    mime.NewText("outbox.held_unknown_hint", "look in the mailbox's sent items, then retry or cancel this delivery")}
		return
	}
	r.transition.Progress.Duplicate, r.transition.Progress.SenderNotified = true, false
	r.transition.Progress.UnknownSince, r.transition.Progress.CallEnded = time.Time{}, time.Time{}
	r.transition.Progress.Failures++
	r.transition.State, r.transition.NextAt = store.Queued, in.now.Add(in.schedule.Delay(r.transition.Progress.Failures))
}
