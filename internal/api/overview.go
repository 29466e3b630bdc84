package api

import (
	"context"
	"net/http"
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
	found, err := s.store.Hours(ctx, r)
	if err != nil {
		return nil, err
	}
	waiting, err := s.store.OnTheirWay(ctx, r.Connections)
	if err != nil {
		return nil, err
	}
	return &bodyOf[view.Overview]{view.OfHistory(found, waiting, r.Since, now)}, nil
}
