package api

import (
	"context"
	"net/http"

	"github.com/postino-mail/postino/internal/view"
)

// A LaneList is one page of lanes.
type LaneList struct {
	Items []view.Lane `json:"items"`
	Next  string      `json:"next,omitempty" doc:"For after; absent on the last page"`
}

type laneQuery struct {
	After    string `query:"after" maxLength:"1000" doc:"Go on behind this key"`
	Limit    int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Language string `header:"Accept-Language"`
}

func (s *Server) laneRoutes() {
	register(s.router, op("list-lanes", http.MethodGet, "/v1/lanes", connectionsTag, ScopeConnectionsRead, "List lanes",
		"A lane is everything that shares one mailbox's limits: what waits, what counts against the limits now, whether it is paused and why. By key."), s.listLanes)
}

func (s *Server) listLanes(ctx context.Context, in *laneQuery) (*bodyOf[LaneList], error) {
	lanes, err := s.opt.Store.Lanes(ctx, in.After, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := LaneList{Items: []view.Lane{}}
	if len(lanes) > in.Limit {
		lanes = lanes[:in.Limit]
		out.Next = lanes[in.Limit-1].Key
	}
	for i := range lanes {
		out.Items = append(out.Items, view.OfLane(&lanes[i], s.opt.Now(), language(in.Language)))
	}
	return &bodyOf[LaneList]{out}, nil
}
