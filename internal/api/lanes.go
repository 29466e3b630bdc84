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
	After    string   `query:"after" maxLength:"1000" doc:"Go on behind this key"`
	Limit    int      `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Keys     []string `query:"key,explode" maxItems:"200" doc:"Of these keys alone, in any order"`
	Hours    int      `query:"hours" minimum:"0" maximum:"168" doc:"Show what happened in so many hours; 0: do not"`
	Language string   `header:"Accept-Language"`
}

type lanesAndHours interface {
	store.Lanes
	store.History
}

// A laneService shows lanes.
type laneService struct {
	store lanesAndHours
	now   func() time.Time
}

func (s *laneService) routes(rt *router) {
	register(rt, op("list-lanes", http.MethodGet, "/v1/lanes", connectionsTag, ScopeConnectionsRead, "List lanes",
		"A lane is everything that shares one mailbox's limits: what waits, what counts against the limits now, whether it is paused and "+
			"why. By key."), s.listLanes)
}

func (s *laneService) listLanes(ctx context.Context, in *laneQuery) (*bodyOf[LaneList], error) {
	var lanes []store.Lane
	var err error
	if len(in.Keys) > 0 {
		lanes, err = s.store.LanesByKey(ctx, in.Keys)
	} else {
		lanes, err = s.store.Lanes(ctx, in.After, in.Limit+1)
	}
	if err != nil {
		return nil, err
	}
	out := LaneList{Items: []view.Lane{}}
	if len(lanes) > in.Limit {
		lanes = lanes[:in.Limit]
		out.Next = lanes[in.Limit-1].Key
	}
	now := s.now()
	for i := range lanes {
		out.Items = append(out.Items, view.OfLane(&lanes[i], now, language(in.Language)))
	}
	if err := s.addHours(ctx, out.Items, in.Hours, now); err != nil {
		return nil, err
	}
	return &bodyOf[LaneList]{out}, nil
}

// addHours shows what happened in each lane in so many hours.
func (s *laneService) addHours(ctx context.Context, lanes []view.Lane, hours int, now time.Time) error {
	if hours == 0 || len(lanes) == 0 {
		return nil
	}
	r := store.HistoryRequest{Since: store.HoursBack(now, hours), Each: true}
	for i := range lanes {
		r.Lanes = append(r.Lanes, lanes[i].Key)
	}
	found, err := s.store.Hours(ctx, r)
	if err != nil {
		return err
	}
	of := map[string][]store.HourOfMail{}
	for _, h := range found {
		of[h.Of] = append(of[h.Of], h)
	}
	for i := range lanes {
		lanes[i].Hours = view.OfHours(of[lanes[i].Key], r.Since, now)
	}
	return nil
}
