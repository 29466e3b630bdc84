package api

import (
	"context"
	"net/http"
	"time"

	"github.com/postino-mail/postino/internal/store"
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

// A laneService shows lanes.
type laneService struct {
	store store.Lanes
	now   func() time.Time
}

func (s *laneService) routes(rt *router) {
	register(rt, op("list-lanes", http.MethodGet, "/v1/lanes", connectionsTag, ScopeConnectionsRead, "List lanes",
		"A lane is everything that shares one mailbox's limits: what waits, what counts against the limits now, whether it is paused and "+
			"why. By key."), s.listLanes)
}

func (s *laneService) listLanes(ctx context.Context, in *laneQuery) (*bodyOf[LaneList], error) {
	lanes, err := s.store.Lanes(ctx, in.After, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := LaneList{Items: []view.Lane{}}
	if len(lanes) > in.Limit {
		lanes = lanes[:in.Limit]
		out.Next = lanes[in.Limit-1].Key
	}
	for i := range lanes {
		out.Items = append(out.Items, view.OfLane(&lanes[i], s.now(), language(in.Language)))
	}
	return &bodyOf[LaneList]{out}, nil
}
