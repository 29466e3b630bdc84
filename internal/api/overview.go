package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
)

type overviewQuery struct {
	Hours      int    `query:"hours" minimum:"1" maximum:"2160" default:"24" doc:"How many, the one that runs included"`
	Connection string `query:"connection" maxLength:"200" doc:"Id or name of one connection; else all that the caller sees"`
}

// An overviewService shows what happened, by the hour.
type overviewService struct {
	store       store.History
	connections connectionFinder
	now         func() time.Time
	past        pastHours
}

func (s *overviewService) routes(rt *router) {
	register(rt, op("overview", http.MethodGet, "/v1/overview", "server", ScopeConnectionsRead, "What happened in the last hours",
		"How many messages came in, went out, failed, were held or put off in each hour, and how many wait. Hours are kept for 90 days."),
		s.overview)
}

func (s *overviewService) overview(ctx context.Context, in *overviewQuery) (*bodyOf[view.Overview], error) {
	now := s.now()
	r := store.HistoryRequest{Since: store.HoursBack(now, in.Hours)}
	if in.Connection != "" {
		c, err := s.connections.find(ctx, in.Connection)
		if err != nil {
			return nil, err
		}
		r.Connections = []string{c.ID}
	}
	found, err := s.past.hours(ctx, s.store, r, now)
	if err != nil {
		return nil, err
	}
	waiting, err := s.store.OnTheirWay(ctx, r.Connections)
	if err != nil {
		return nil, err
	}
	return &bodyOf[view.Overview]{view.OfHistory(found, waiting, r.Since, now)}, nil
}

// pastHours remembers the sums of hours that are over, of all connections: with many of
// them an hour has as many rows.
type pastHours struct {
	mu   sync.Mutex
	over map[time.Time]store.Counts
}

// overAfter is how long after its end an hour does not change any more: transactions that
// began in it are done, and the nodes' clocks differ by less.
const overAfter = 10 * time.Minute

// hours is store.History.Hours, of one sum each, with what it remembers.
func (p *pastHours) hours(ctx context.Context, s store.History, r store.HistoryRequest, now time.Time) ([]store.HourOfMail, error) {
	if r.Connections != nil || caller(ctx).owner() != "" {
		return s.Hours(ctx, r)
	}
	first := store.Hour(now.Add(-overAfter)) // that may change
	var out []store.HourOfMail
	since := r.Since
	p.mu.Lock()
	for ; since.Before(first); since = since.Add(time.Hour) {
		c, known := p.over[since]
		if !known {
			break
		}
		if c != (store.Counts{}) {
			out = append(out, store.HourOfMail{Hour: since, Counts: c})
		}
	}
	p.mu.Unlock()
	r.Since = since
	found, err := s.Hours(ctx, r)
	if err != nil {
		return nil, err
	}
	p.remember(found, since, first)
	return append(out, found...), nil
}

// remember keeps what was found of the hours from since to before first, and forgets
// those that are no longer asked for.
func (p *pastHours) remember(found []store.HourOfMail, since, first time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over == nil {
		p.over = map[time.Time]store.Counts{}
	}
	for h := since; h.Before(first); h = h.Add(time.Hour) {
		p.over[h] = store.Counts{}
	}
	for _, h := range found {
		if h.Hour.Before(first) {
			p.over[h.Hour] = h.Counts
		}
	}
	for h := range p.over {
		if h.Before(first.Add(-store.HoursKept)) {
			delete(p.over, h)
		}
	}
}
