package api

import (
	"context"
	"net/http"

	"github.com/postino-mail/postino/internal/store"
)

// Bounds of an action on what a search finds.
const (
	bulkBatch = 1000   // deliveries of one call, unless it asks for others
	bulkCount = 10_000 // deliveries up to which they are counted before
)

type bulkInput struct {
	Language string `header:"Accept-Language"`
	Body     struct {
		Action string `json:"action" enum:"retry,cancel,hold,release"`
		Q      string `json:"q" minLength:"1" maxLength:"2000" doc:"Search, as of GET /v1/messages; without state: see above"`
		Zone   string `json:"tz,omitempty" maxLength:"64" doc:"Time zone of the dates in q, as Europe/Rome; absent: UTC"`
		DryRun bool   `json:"dry_run,omitempty" doc:"Count alone"`
		Max    int    `json:"max,omitempty" minimum:"0" maximum:"10000" doc:"Deliveries of this call; absent: 1000"`
		After  string `json:"after,omitempty" maxLength:"200" doc:"next of the call before"`
	}
}

// A BulkAnswer is what a call did with what the search finds, or would do.
type BulkAnswer struct {
	Count   int    `json:"count,omitempty" doc:"Of a dry run: deliveries that the search finds in a state for the action"`
	Changed int    `json:"changed" doc:"Deliveries"`
	Skipped int    `json:"skipped" doc:"Deliveries that are in another state meanwhile, or that may have been sent already"`
	More    bool   `json:"more,omitempty" doc:"There are more than count; or call again with after, until it is absent"`
	Next    string `json:"next,omitempty" doc:"Give it as after of the next call"`
}

func (s *messageService) bulkRoutes(rt *router) {
	register(rt, op("act-on-messages", http.MethodPost, "/v1/messages/actions", messagesTag, ScopeMessagesSend,
		"Retry, cancel, hold or release what a search finds",
		"One call handles a batch and names where the next one goes on, so that progress can be shown and the rest be left. What a state does "+
			"not allow is skipped, so that a call can be repeated. Where q names no state, retry takes what is queued, failed or expired and "+
			"was surely not sent, cancel what is queued, unverified or held, hold what is queued or unverified, release what is held."),
		s.bulk)
}

// bulkStates are those in which an action is meant where the search names none:
// what a person cancelled or held, or what may have been sent, is not retried by
// the way.
func bulkStates(verb store.Verb) []store.State {
	switch verb {
	case store.DoRetry:
		return []store.State{store.Queued, store.Failed, store.Expired}
	case store.DoCancel:
		return []store.State{store.Queued, store.Unverified, store.Held}
	case store.DoHold:
		return []store.State{store.Queued, store.Unverified}
	case store.DoRelease:
		return []store.State{store.Held}
	}
	return nil
}

func (s *messageService) bulk(ctx context.Context, in *bulkInput) (*bodyOf[BulkAnswer], error) {
	b := &in.Body
	f, err := s.filter(ctx, &MessageFilter{Q: b.Q, Zone: b.Zone})
	if err != nil {
		return nil, inBody(err)
	}
	after, ok := openCursor(b.After)
	if !ok {
		return nil, invalid("after", text("api.bad_bulk_cursor", "after is not the next of a call"))
	}
	now := s.now()
	a := store.Action{Verb: store.Verb(b.Action), Filter: f, Now: now, Max: bulkBatch, After: after}
	if f.States == nil {
		a.Filter.States, a.Sure = bulkStates(a.Verb), a.Verb == store.DoRetry
	}
	if b.Max > 0 {
		a.Max = b.Max
	}
	if b.DryRun {
		n, err := s.store.Count(ctx, a.Filter, bulkCount)
		return &bodyOf[BulkAnswer]{BulkAnswer{Count: n.N, More: n.More}}, err
	}
	if a.Verb == store.DoRetry || a.Verb == store.DoRelease {
		a.ExpiresAt = now.Add(s.giveUp)
	}
	if a.Verb == store.DoRetry { // what it sends again counts as what was sent
		n, err := s.store.Count(ctx, a.Filter, a.Max)
		if err == nil && n.N > 0 {
			err = s.submit.Allow(caller(ctx).client, n.N)
		}
		if err != nil {
			return nil, err
		}
	}
	done, err := s.store.Act(ctx, a)
	if err != nil {
		return nil, err
	}
	return &bodyOf[BulkAnswer]{BulkAnswer{Changed: done.Changed, Skipped: done.Skipped, More: done.More, Next: cursor(done.Next)}}, nil
}

// inBody names the field of the body in place of the query's parameter.
func inBody(err error) error {
	if f := failureOf(err); f.field == "query.q" || f.field == "query.tz" {
		f.field = f.field[len("query."):]
		return f
	}
	return err
}
