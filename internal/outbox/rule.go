package outbox

import (
	"slices"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

// A situation is everything that decides what becomes of a delivery.
type situation struct {
	now      time.Time
	delivery *store.Delivery
	conn     *adapters.Connection
	result   result
	stopped  bool // the send was ended from this side
	schedule Schedule
	timing   timing
	next     *move     // where to fail over to; nil: nowhere
	later    time.Time // when a fallback that is only paused may open; zero: there is none
	account  account
}

// timing are the waits of Options that rules need.
type timing struct{ verifyAfter, settle, failoverAfter time.Duration }

// A move is a change of route.
type move struct {
	route  store.Route
	origin string
}

// A ruling is what becomes of the delivery; the notifications to the sender
// come on top.
type ruling struct {
	step      store.Step
	outcome   store.Outcome
	notMailed int
	failed    []store.Recipient // given up just now
	relayed   []store.Recipient // accepted just now
}

// Waits that no provider tells.
const (
	throttleFirst = 30 * time.Second
	throttleMax   = 15 * time.Minute
	capFor        = 10 * time.Minute // how long a lowered concurrency stays (contracts B7.3)
	stuckAfter    = 45 * time.Minute // a message in a provider's drafts for so long will not leave by itself (adapters/graph clears its own after 30)
)

// rule decides. It is pure: table tests cover it.
func rule(s situation) ruling {
	r := ruling{outcome: store.Outcome{EndedAt: s.now, Error: s.result.err, Verdict: s.result.verdict}}
	r.step = store.Step{Now: s.now, Word: s.delivery.Word, Recipients: slices.Clone(s.delivery.Recipients)}
	switch {
	case s.delivery.Kind == store.Verify:
		s.verified(&r)
	case s.result.err == nil:
		s.accepted(&r)
	default:
		s.failed(&r)
	}
	r.step.Word.Class = r.outcome.Class
	r.step.Word.Error = r.outcome.Error
	return r
}

// accepted marks who was accepted and who was refused; the temporarily
// refused stay pending and nobody else is asked for again.
func (s *situation) accepted(r *ruling) {
	rc := s.result.receipt
	r.outcome.Class, r.outcome.Receipt = adapters.Accepted, &rc
	r.step.Word.ProviderID, r.step.Word.UnknownSince = rc.ProviderID, time.Time{}
	refused := make(map[string]*adapters.Error)
	for _, x := range rc.Recipients {
		if x.Err != nil {
			refused[x.Address] = x.Err
		}
	}
	var wait time.Duration
	later, room := false, true
	for i := range r.step.Recipients {
		p := &r.step.Recipients[i]
		if p.State != store.Pending {
			continue
		}
		p.At = s.now
		e := refused[p.Address]
		p.Error = e
		switch {
		case e == nil:
			p.State = store.RecipientSent
			r.relayed = append(r.relayed, *p)
		case e.Class == adapters.Permanent:
			p.State = store.RecipientFailed
			r.notMailed++
			r.failed = append(r.failed, *p)
		default:
			r.notMailed++
			later, room = true, room && tooMany(e)
			wait = max(wait, e.RetryAfter)
			r.outcome.Error = e
		}
	}
	r.step.Connection = s.account.succeeded(s.delivery.Since, s.now)
	switch {
	case !later:
		r.end()
		return
	case len(r.relayed) > 0: // it goes on: no failure in a row
		r.step.Word.Failures = 0
	}
	r.step.State = store.Queued
	if room && len(r.relayed) > 0 { // the rest of a long list goes in another transaction
		r.step.NextAt = s.now.Add(wait)
		return
	}
	r.step.Word.Failures++
	r.step.NextAt = s.now.Add(max(wait, s.schedule.Delay(r.step.Word.Failures)))
}

// tooMany reports a refusal that concerns the length of the list, not the
// person (RFC 5321 section 4.5.3.1.10, contracts D5).
func tooMany(e *adapters.Error) bool {
	return e.Enhanced == "4.5.3" || e.Enhanced == "5.5.3" || e.Enhanced == "" && (e.Status == 452 || e.Status == 552)
}

// end gives the final state by the recipients.
func (r *ruling) end() {
	r.step.State = store.Failed
	for _, p := range r.step.Recipients {
		if p.State == store.RecipientSent {
			r.step.State = store.Done
		}
	}
}

// failed follows the class of a Send's error (design "The way of a message", 5).
func (s *situation) failed(r *ruling) {
	e := s.result.err
	r.outcome.Class = e.Class
	if e.Class != adapters.Unknown {
		r.notMailed = s.delivery.CountPending()
		if e.Class != adapters.Permanent {
			s.refusedForGood(r)
			if len(r.failed) == r.notMailed { // nobody is left to try again
				r.end()
				return
			}
		}
	}
	switch e.Class {
	case adapters.Permanent:
		switch {
		case e.Code == adapters.DuplicateDelivery && s.delivery.Duplicate: // the attempt whose outcome was not known had gone through
			r.outcome.Class, r.notMailed = adapters.Accepted, 0
			s.sentBefore(r)
		case e.TooLarge && s.next != nil:
			s.failOver(r)
		case e.TooLarge && !s.later.IsZero(): // the route that can carry it opens again
			r.step.State, r.step.NextAt = store.Queued, s.later
		default:
			s.giveUp(r, e)
		}
	case adapters.Throttled:
		s.throttled(r, e)
	case adapters.Auth:
		s.refusedUs(r, e)
	case adapters.Transient:
		s.tryLater(r, e)
	default:
		r.outcome.Class = adapters.Unknown
		r.step.Word.UnknownSince, r.step.Word.ProviderID = s.delivery.Since, e.ProviderID
		r.step.State, r.step.NextAt = store.Unverified, s.now.Add(s.timing.verifyAfter)
		if s.conn.EffectiveOnUnknown() == adapters.UnknownHold {
			r.step.State = store.Held
		}
	}
}

// refusedForGood fails the recipients that the server refused by name and for
// good, although it took nobody else either.
func (s *situation) refusedForGood(r *ruling) {
	for _, x := range s.result.receipt.Recipients {
		if x.Err == nil || x.Err.Class != adapters.Permanent || x.Err.TooLarge {
			continue
		}
		for i := range r.step.Recipients {
			if p := &r.step.Recipients[i]; p.State == store.Pending && p.Address == x.Address {
				p.State, p.Error, p.At = store.RecipientFailed, x.Err, s.now
				r.failed = append(r.failed, *p)
			}
		}
	}
}

// giveUp fails every recipient that waits.
func (s *situation) giveUp(r *ruling, e *adapters.Error) {
	for i := range r.step.Recipients {
		p := &r.step.Recipients[i]
		if p.State == store.Pending {
			p.State, p.Error, p.At = store.RecipientFailed, e, s.now
			r.failed = append(r.failed, *p)
		}
	}
	r.end()
}

func (s *situation) failOver(r *ruling) {
	r.step.State, r.step.NextAt, r.step.Route = store.Queued, s.now, &s.next.route
	r.step.Word.Origin, r.step.Word.Failures = s.next.origin, 0
}

// tryLater tries again with growing delay, on the fallback once the route is
// known to be down.
func (s *situation) tryLater(r *ruling, e *adapters.Error) {
	if s.stopped {
		r.step.State, r.step.NextAt = store.Queued, s.now
		return
	}
	if e.Scope == adapters.ScopeConnection {
		r.step.Connection = s.account.failed(s.delivery.Since, s.now, e)
	}
	if r.step.Connection != nil && s.next != nil {
		s.failOver(r)
		return
	}
	r.step.Word.Failures++
	r.step.State, r.step.NextAt = store.Queued, s.now.Add(max(e.RetryAfter, s.schedule.Delay(r.step.Word.Failures)))
}

// throttled pauses the lane: requests made meanwhile would only lengthen it
// (contracts B7.7).
func (s *situation) throttled(r *ruling, e *adapters.Error) {
	wait := e.RetryAfter
	if wait <= 0 {
		r.step.Word.Failures++
		wait = min(throttleFirst<<min(r.step.Word.Failures-1, 6), throttleMax)
	}
	until := s.now.Add(wait)
	r.step.Lane = &store.LaneChange{PauseUntil: &until, Reason: e.Sentence}
	if c := s.conn.EffectiveLimits().Concurrency; concurrencyCodes(e.Code) && c != 1 {
		// Unlimited is lowered to the documented four first.
		r.step.Lane.Cap, r.step.Lane.CapUntil = max(1, c-1), s.now.Add(capFor)
		if c == 0 {
			r.step.Lane.Cap = 4
		}
	}
	if wait > s.timing.failoverAfter && s.next != nil {
		s.failOver(r)
		return
	}
	r.step.State, r.step.NextAt = store.Queued, until
}

// concurrencyCodes are the refusals that mean "fewer at once" (contracts B7.5, D4).
func concurrencyCodes(code string) bool {
	return code == "ApplicationThrottled" || code == "432 4.3.2" || code == "4.3.2"
}

// refusedUs pauses what the refusal concerns, keeps the mail and comes back
// slowly (contracts B8.7: a new permission may need two hours).
func (s *situation) refusedUs(r *ruling, e *adapters.Error) {
	s.pauseRefused(r, e)
	if s.next != nil {
		s.failOver(r)
		return
	}
	r.step.State, r.step.NextAt = store.Queued, s.now
}

func (s *situation) pauseRefused(r *ruling, e *adapters.Error) {
	until, change := s.account.refused(s.now, e)
	if e.Scope == adapters.ScopeLane {
		r.step.Lane = &store.LaneChange{PauseUntil: &until, Reason: e.Sentence}
	} else {
		r.step.Connection = change
	}
}

// verified follows what the provider said about an unknown outcome.
func (s *situation) verified(r *ruling) {
	since := s.delivery.UnknownSince
	if since.IsZero() {
		since = s.delivery.Since
	}
	elapsed := s.now.Sub(since)
	again := func() {
		r.outcome.Class = adapters.Unknown
		step := min(max(elapsed/2, s.timing.verifyAfter), 5*time.Minute)
		if left := s.timing.settle - elapsed; left > 0 {
			step = min(step, max(left, s.timing.verifyAfter))
		}
		r.step.State, r.step.NextAt = store.Unverified, s.now.Add(step)
	}
	if e := s.result.err; e != nil {
		switch {
		case e.Class == adapters.Auth && e.Scope == adapters.ScopeConnection: // it can be asked once the credential is right again
			s.pauseRefused(r, e)
			again()
		case e.Class == adapters.Auth || e.Class == adapters.Permanent:
			s.cannotTell(r)
		case e.Class == adapters.Throttled && e.RetryAfter > 0:
			until := s.now.Add(e.RetryAfter)
			r.step.Lane = &store.LaneChange{PauseUntil: &until, Reason: e.Sentence}
			again()
			r.step.NextAt = until
		default:
			again()
		}
		return
	}
	switch s.result.verdict {
	case adapters.Sent:
		r.outcome.Class = adapters.Accepted
		if rc := s.result.receipt; rc.Status != 0 || rc.ProviderID != "" {
			r.outcome.Receipt = &rc
			r.step.Word.ProviderID = rc.ProviderID
		}
		r.step.Word.UnknownSince = time.Time{}
		s.sentBefore(r)
	case adapters.InProgress:
		if elapsed > stuckAfter {
			s.cannotTell(r)
			return
		}
		again()
	case adapters.NotSent:
		if elapsed < s.timing.settle {
			again()
			return
		}
		r.outcome.Class = adapters.Transient // it surely was not sent: send it now
		r.notMailed = s.delivery.CountPending()
		r.step.Word.UnknownSince, r.step.Word.ProviderID, r.step.Word.Told = time.Time{}, "", false
		r.step.State, r.step.NextAt = store.Queued, s.now
	default:
		s.cannotTell(r)
	}
}

// sentBefore ends a delivery of which it turned out that it had been accepted.
func (s *situation) sentBefore(r *ruling) {
	for i := range r.step.Recipients {
		if p := &r.step.Recipients[i]; p.State == store.Pending {
			p.State, p.Error, p.At = store.RecipientSent, nil, s.now
			r.relayed = append(r.relayed, *p)
		}
	}
	r.end()
}

// cannotTell leaves the decision to the connection's policy (design rule 5).
func (s *situation) cannotTell(r *ruling) {
	r.outcome.Class = adapters.Unknown
	if s.conn.EffectiveOnUnknown() != adapters.UnknownRetry {
		r.step.State = store.Held
		r.outcome.Error = &adapters.Error{Class: adapters.Unknown, Scope: adapters.ScopeMessage, Provider: s.conn.Provider, Code: "held",
			Sentence: adapters.Text{EN: "the message may have been sent; the provider cannot say", IT: "il messaggio potrebbe essere stato inviato; il provider non sa dirlo"},
			Remedy: adapters.Text{EN: "look in the mailbox's sent items, then retry or cancel this delivery",
				IT: "guardare nella posta inviata della casella, poi ritentare o annullare questa consegna"}}
		return
	}
	r.step.Word.Duplicate, r.step.Word.UnknownSince, r.step.Word.Told = true, time.Time{}, false
	r.step.Word.Failures++
	r.step.State, r.step.NextAt = store.Queued, s.now.Add(s.schedule.Delay(r.step.Word.Failures))
}
