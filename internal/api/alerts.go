package api

import (
	"context"
	"net/http"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/internal/watch"
)

// An AlertList has all alerts.
type AlertList struct {
	Items []view.Alert `json:"items"`
}

type alertQuery struct {
	All      bool   `query:"all" doc:"Those that were resolved in the last 30 days too"`
	Language string `header:"Accept-Language"`
}

// An alertService shows alerts.
type alertService struct {
	store store.Alerts
	now   func() time.Time
}

func (s *alertService) routes(rt *router) {
	register(rt, op("list-alerts", http.MethodGet, "/v1/alerts", "server", ScopeAdmin, "List alerts",
		"What ends, runs out or does not work: certificates, secrets, daily budgets, refused credentials, mail that waits. The worst first."),
		s.listAlerts)
}

func (s *alertService) listAlerts(ctx context.Context, in *alertQuery) (*bodyOf[AlertList], error) {
	list, err := s.store.Alerts(ctx)
	if err != nil {
		return nil, err
	}
	watch.Sort(list)
	out := AlertList{Items: []view.Alert{}}
	for i := range list {
		if in.All || list[i].Open() {
			out.Items = append(out.Items, view.OfAlert(&list[i], s.now(), language(in.Language)))
		}
	}
	return &bodyOf[AlertList]{out}, nil
}
