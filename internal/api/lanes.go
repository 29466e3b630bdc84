package api

import (
	"context"
	"net/http"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// A LaneView is everything that shares one mailbox's limits.
type LaneView struct {
	Key               string    `json:"key"`
	Queued            int       `json:"queued" doc:"Deliveries that wait"`
	InFlight          int       `json:"in_flight" doc:"Deliveries under way, on all nodes"`
	UsedToday         int       `json:"used_today" doc:"Recipients of the last 24 hours"`
	RecipientsPerDay  int       `json:"recipients_per_day" doc:"Their limit; 0: none"`
	Concurrency       int       `json:"concurrency" doc:"Most deliveries under way; 0: no limit"`
	MessagesPerMinute int       `json:"per_minute" doc:"0: no limit"`
	NextAt            time.Time `json:"next_at,omitzero" doc:"When the next delivery is due, limits apart"`
	Paused            bool      `json:"paused"`
	PausedUntil       time.Time `json:"paused_until,omitzero" doc:"Absent when it waits for a person"`
	Reason            string    `json:"reason,omitempty" doc:"Of the pause"`
}

func viewLane(l *store.Lane, now time.Time, lang string) LaneView {
	v := LaneView{Key: l.Key, Queued: l.Queued, InFlight: l.InFlight, UsedToday: l.UsedToday(now), RecipientsPerDay: l.Limits.RecipientsPerDay,
		Concurrency: l.Limits.Concurrency, MessagesPerMinute: l.Limits.PerMinute, NextAt: l.NextAt, Paused: l.PausedUntil.After(now)}
	if v.Paused {
		v.Reason = l.Reason.In(lang)
		if l.PausedUntil.Before(store.Never()) {
			v.PausedUntil = l.PausedUntil
		}
	}
	return v
}

// A LaneList is one page of lanes.
type LaneList struct {
	Items []LaneView `json:"items"`
	Next  string     `json:"next,omitempty" doc:"For after; absent on the last page"`
}

type laneQuery struct {
	After    string `query:"after" maxLength:"1000" doc:"Go on behind this key"`
	Limit    int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Language string `header:"Accept-Language"`
}

func (s *Server) laneRoutes() {
	register(s, op("list-lanes", http.MethodGet, "/v1/lanes", connectionsTag, ScopeConnectionsRead, "List lanes",
		"A lane is everything that shares one mailbox's limits: what waits, what counts against the limits now, whether it is paused and why. By key."), s.listLanes)
}

func (s *Server) listLanes(ctx context.Context, in *laneQuery) (*bodyOf[LaneList], error) {
	lanes, err := s.opt.Store.Lanes(ctx, in.After, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := LaneList{Items: []LaneView{}}
	if len(lanes) > in.Limit {
		lanes = lanes[:in.Limit]
		out.Next = lanes[in.Limit-1].Key
	}
	for i := range lanes {
		out.Items = append(out.Items, viewLane(&lanes[i], s.opt.Now(), language(in.Language)))
	}
	return &bodyOf[LaneList]{out}, nil
}
