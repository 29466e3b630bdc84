package api

import (
	"context"
	"net/http"
	"time"

	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/retirement"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
)

type retirementQuery struct {
	Language string `header:"Accept-Language"`
}

// A retirementService says which ways of sending stop.
type retirementService struct {
	store       store.Store
	connections *registry.Connections
	now         func() time.Time
}

func (s *retirementService) routes(rt *router) {
	register(rt, op("list-retirements", http.MethodGet, "/v1/retirements", "server", ScopeAdmin, "What stops when passwords end",
		"Which connections, and which programs that submit here, stop working when providers retire passwords: why, when by what is "+
			"announced, and how to move each. The worst first. 'postino audit --csv' reads tables of other programs too."), s.list)
}

func (s *retirementService) list(ctx context.Context, in *retirementQuery) (*bodyOf[view.RetirementReport], error) {
	conns, err := s.connections.All(ctx)
	if err != nil {
		return nil, err
	}
	var all []retirement.Settings
	for _, c := range conns {
		all = append(all, retirement.OfConnection(c))
	}
	found, err := retirement.Assess(s.now(), all)
	if err != nil {
		return nil, err
	}
	asOf, err := retirement.AsOf()
	if err != nil {
		return nil, err
	}
	programs, err := s.store.Programs(ctx, "")
	if err != nil {
		return nil, err
	}
	clients, err := s.store.Clients(ctx)
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(clients))
	for i := range clients {
		names[clients[i].ID] = clients[i].Name
	}
	return &bodyOf[view.RetirementReport]{view.OfRetirements(asOf, found, programs, names, language(in.Language))}, nil
}
