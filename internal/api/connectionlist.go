package api

import (
	"context"
	"net/http"

	"github.com/postino-mail/postino/internal/connections"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/internal/view"
)

// A ConnectionList is one page of connections.
type ConnectionList struct {
	Items []view.Connection `json:"items"`
	Next  string            `json:"next,omitempty" doc:"For after; absent on the last page"`
}

type connectionQuery struct {
	Search   string `query:"search" maxLength:"200" doc:"A part of name, address, host, tenant, login or owner"`
	Provider string `query:"provider" maxLength:"20"`
	Owner    string `query:"owner" maxLength:"200"`
	State    string `query:"state" enum:"ok,off,paused,closed" doc:"closed: a secret does not open with the server's key"`
	Active   string `query:"active" enum:"true,false"`
	After    string `query:"after" maxLength:"1000" doc:"Go on behind this name"`
	Limit    int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Language string `header:"Accept-Language"`
}

// listRoutes are the operations that read.
func (s *connectionService) listRoutes(rt *router) {
	register(rt, op("list-connections", http.MethodGet, "/v1/connections", connectionsTag, ScopeConnectionsRead, "List connections",
		"By name, page by page; secrets are never shown."), s.listConnections)
	const about = "Decides as for a real message, and stores nothing: the connection, the rule of routing that matched, the chain of " +
		"fallbacks, and why the others are not chosen."
	register(rt, op("route", http.MethodGet, "/v1/connections/route", connectionsTag, ScopeConnectionsRead,
		"Which connection would a message take?", about), s.routeByQuery)
	ask := op("ask-route", http.MethodPost, "/v1/connections/route", connectionsTag, ScopeConnectionsRead,
		"Which connection would a message take?", about)
	register(rt, ask, s.routeByBody)
}

func (s *connectionService) listConnections(ctx context.Context, in *connectionQuery) (*bodyOf[ConnectionList], error) {
	s.connections.Invalidate() // what a command has just changed is seen
	all, err := s.connections.list(ctx)
	if err != nil {
		return nil, err
	}
	q := connections.Query{Search: in.Search, Provider: in.Provider, Owner: in.Owner, State: in.State, After: in.After, Limit: in.Limit}
	if in.Active != "" {
		active := in.Active == "true"
		q.Active = &active
	}
	if q.Owner != "" || q.Search != "" {
		people, err := s.store.People(ctx)
		if err != nil {
			return nil, err
		}
		q.Addresses = connections.AddressesOf(people)
	}
	var states func(string) store.ConnectionState
	if q.State != "" {
		if states, err = registry.States(ctx, s.store); err != nil {
			return nil, err
		}
	}
	page, next := q.Select(all, states, s.now())
	statusOf, err := registry.StatusesOf(ctx, s.store, page)
	if err != nil {
		return nil, err
	}
	out := ConnectionList{Items: make([]view.Connection, len(page)), Next: next}
	for i, c := range page {
		out.Items[i] = view.OfConnection(c, statusOf(c), s.now(), language(in.Language))
	}
	return &bodyOf[ConnectionList]{out}, nil
}

// A RouteQuestion asks which connection a message would take.
type RouteQuestion struct {
	From       string   `json:"from" query:"from" required:"true" maxLength:"1000" doc:"Sender in the header"`
	Client     string   `json:"client,omitempty" query:"client" maxLength:"200" doc:"Id or name of the client that submits"`
	Connection string   `json:"connection,omitempty" query:"connection" maxLength:"200" doc:"Connection that the client names"`
	Class      string   `json:"class,omitempty" query:"class" enum:"transactional,bulk"`
	Size       int64    `json:"size,omitempty" query:"size" minimum:"0" doc:"Of the message in bytes"`
	To         []string `json:"to,omitempty" query:"to,explode" maxItems:"10000" doc:"Recipients"`
}

type routeQuery struct {
	RouteQuestion
	Language string `header:"Accept-Language"`
}

type routeBody struct {
	Language string `header:"Accept-Language"`
	Body     RouteQuestion
}

func (s *connectionService) routeByQuery(ctx context.Context, in *routeQuery) (*bodyOf[view.Route], error) {
	return s.explain(ctx, in.RouteQuestion, language(in.Language))
}

func (s *connectionService) routeByBody(ctx context.Context, in *routeBody) (*bodyOf[view.Route], error) {
	return s.explain(ctx, in.Body, language(in.Language))
}

// othersShown is how many of the connections that are not chosen are named.
const othersShown = 100

func (s *connectionService) explain(ctx context.Context, in RouteQuestion, lang string) (*bodyOf[view.Route], error) {
	from, err := address("from", in.From)
	if err != nil {
		return nil, err
	}
	q := submit.Question{Owner: caller(ctx).owner(), From: from.Address, Connection: in.Connection, Class: in.Class, Size: in.Size,
		Recipients: len(in.To)}
	if in.Client != "" {
		if q.Client, err = s.clients.find(ctx, in.Client); err != nil {
			return nil, err
		}
	}
	s.connections.Invalidate()
	e, err := s.submit.Explain(ctx, q, othersShown)
	if err != nil {
		return nil, err
	}
	return &bodyOf[view.Route]{view.OfExplanation(e, lang)}, nil
}
