package api

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
)

const eventsTag = "events"

type eventsInput struct {
	After int64    `query:"after" minimum:"0" doc:"seq of the last event seen"`
	Types []string `query:"types" maxItems:"50" doc:"Absent: all"`
	Limit int      `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

// An EventPage is one page of events, oldest first.
type EventPage struct {
	Items []view.Event `json:"items"`
	Next  int64        `json:"next" doc:"Give it as after"`
}

// An eventService shows events, as pages and as streams.
type eventService struct {
	store    store.Events
	feed     *feed
	who      func(*http.Request) (*principal, error)
	most     int             // streams of one client
	stopping <-chan struct{} // closed when the server ends
	log      *slog.Logger
}

func (s *eventService) routes(rt *router) {
	register(rt, op("list-events", http.MethodGet, "/v1/events", eventsTag, ScopeEventsRead, "List events",
		"Oldest first; who goes on after next misses nothing. A client sees its own."), s.listEvents)
	stream := op("stream-events", http.MethodGet, "/v1/events/stream", eventsTag, ScopeEventsRead, "Events as they happen",
		"Server-sent events: id is seq, event the type, data an Event. Begins with what comes next, or after Last-Event-ID or after.")
	stream.Parameters = []*huma.Param{
		{Name: "Last-Event-ID", In: "header", Schema: &huma.Schema{Type: "integer"}, Description: "Sent by browsers that connect again"},
		{Name: "after", In: "query", Schema: &huma.Schema{Type: "integer"}},
		{Name: "types", In: "query", Description: "Separated by commas; absent: all", Explode: ptr(false),
			Schema: &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeString}}}}
	stream.Responses = map[string]*huma.Response{"200": {Description: "OK",
		Content: map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: "string"}}}}}
	rt.raw(stream, s.streamEvents)
}

func (s *eventService) listEvents(ctx context.Context, in *eventsInput) (*bodyOf[EventPage], error) {
	list, through, err := s.next(ctx, in.After, in.Limit, in.Types)
	if err != nil {
		return nil, err
	}
	out := EventPage{Items: []view.Event{}, Next: through}
	for i := range list {
		out.Items = append(out.Items, view.OfEvent(&list[i]))
	}
	return &bodyOf[EventPage]{out}, nil
}

// next returns the caller's events after one, and up to which it has looked.
func (s *eventService) next(ctx context.Context, after int64, limit int, types []string) ([]store.Event, int64, error) {
	if caller(ctx).owner() != "" {
		return s.store.EventsAmong(ctx, nil, after, limit, types)
	}
	list, err := s.store.Events(ctx, after, limit, caller(ctx).clientID(), types)
	if n := len(list); n > 0 {
		after = list[n-1].Seq
	}
	return list, after, err
}

// heartbeat keeps proxies from closing a stream in which nothing happens.
const heartbeat = 15 * time.Second

func (s *eventService) streamEvents(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	after, types, err := s.streamStart(r)
	if err != nil {
		return err
	}
	p := caller(ctx)
	wake, leave, err := s.feed.join(p.quotaKey(), s.most)
	if err != nil {
		return err
	}
	defer leave()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w)
	if _, err := fmt.Fprint(w, "retry: 3000\n\n"); err != nil || flush.Flush() != nil {
		return nil // the reader left: no report is needed
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		// Who may no longer read ends here, though the stream began when they might.
		now, err := s.who(r)
		if err != nil || !now.can(ScopeEventsRead) {
			return nil // the reader is told why when it connects again
		}
		ctx = context.WithValue(ctx, principalKey{}, now)
		list, through, err := s.next(ctx, after, 500, types)
		if err != nil {
			s.log.Debug("a stream of events ends", "err", err)
			return nil // the reader connects again and goes on after the last id
		}
		for i := range list {
			data, err := json.Marshal(view.OfEvent(&list[i]))
			if err != nil {
				return nil // as above
			}
			if _, err := fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", list[i].Seq, list[i].Type, data); err != nil {
				return nil // the reader left
			}
		}
		more := len(list) == 500 || len(list) == 0 && through > after
		if after = through; more {
			continue
		}
		if flush.Flush() != nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.stopping:
			return nil
		case <-wake:
		case <-beat.C:
			if _, err := fmt.Fprint(w, ": still here\n\n"); err != nil {
				return nil // the reader left
			}
		}
	}
}

// streamStart reads where a stream begins.
func (s *eventService) streamStart(r *http.Request) (after int64, types []string, err error) {
	types = strings.Split(r.URL.Query().Get("types"), ",")
	types = slices.DeleteFunc(types, func(t string) bool { return t == "" })
	if len(types) > 50 {
		return 0, nil, invalid("query.types", text("api.too_many_types", "more than 50 types"))
	}
	from, field := r.Header.Get("Last-Event-ID"), "Last-Event-ID"
	if from == "" {
		from, field = r.URL.Query().Get("after"), "query.after"
	}
	if from == "" {
		after, err = s.store.LastEvent(r.Context())
		return after, types, err
	}
	if after, err = strconv.ParseInt(from, 10, 64); err != nil || after < 0 {
		return 0, nil, invalid(field, text("api.not_an_event", "{field} is not the number of an event", "field", field))
	}
	return after, types, nil
}
