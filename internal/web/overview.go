package web

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/view"
)

// Bounds of what the overview reads: it is as fast with ten million messages.
const (
	countedMost = 50  // of each state; more are "more than 50"
	lanesRead   = 200 // of which the busiest are shown
	lanesShown  = 12
	pausedShown = 20
)

// An overviewScreen is what an administrator looks at in the morning.
type overviewScreen struct {
	Attention []attention // the worst first
	Empty     bool        // there is no connection yet
	Tiles     []tile
	Lanes     []laneRow
	MoreLanes bool
	Chart     *chart
	At        time.Time
}

// An attention is something to be seen to, with what to do.
type attention struct {
	State   string // failed, attention
	Name    string
	Message string
	Hint    string
	Code    string
	Since   time.Time
	Ends    time.Time
	Path    string   // of the screen on which it is put right
	Button  sentence // of that link
	Resume  string   // id of the paused connection: its pause can be ended here
}

// A tile counts the messages of one state.
type tile struct {
	Name  string
	Icon  string
	Count int
	More  bool // than Count
	Path  string
}

// A pausedConnection is the part of a connection that the overview needs.
type pausedConnection struct {
	ID    string               `json:"id"`
	Name  string               `json:"name"`
	State view.ConnectionState `json:"state"`
}

type pausedList struct {
	Items []pausedConnection `json:"items"`
	Next  string             `json:"next"`
}

func (s *Server) overview(v *visit) error {
	out := overviewScreen{At: v.now}
	var any pausedList
	if err := v.get("/v1/connections?limit=1", &any); err != nil {
		return err
	}
	out.Empty = len(any.Items) == 0
	var err error
	if out.Chart, err = v.history(v.r.URL.Query().Get("days") == "7"); err != nil {
		return err
	}
	for _, step := range []func(*visit, *overviewScreen) error{s.alerts, s.pausedConnections, s.closedConnections, s.tiles, s.lanes} {
		if err := step(v, &out); err != nil {
			return err
		}
	}
	slices.SortStableFunc(out.Attention, func(a, b attention) int { return strings.Compare(b.State, a.State) }) // failed, attention
	return v.show("overview", out)
}

// alerts are what ends, runs out or does not work; they are for administrators.
func (s *Server) alerts(v *visit, out *overviewScreen) error {
	if !v.admin() {
		return nil
	}
	var list api.AlertList
	if err := v.get("/v1/alerts", &list); err != nil {
		return err
	}
	for _, a := range list.Items {
		x := attention{State: "attention", Name: a.Name, Message: a.Message, Hint: a.Hint, Since: a.Since, Ends: a.Ends}
		if a.Kind == "auth" || a.DaysLeft != nil && *a.DaysLeft == 0 {
			x.State = "failed"
		}
		switch {
		case a.Connection != "":
			x.Path, x.Button = path("/connections/", a.Connection), text("web.open_connection", "Open the connection")
		case a.Kind == "waiting":
			x.Path, x.Button = mailPath("queued"), text("web.show_waiting", "Show what waits")
		}
		if a.Kind == "auth" && a.Connection != "" {
			x.Resume = a.Connection
		}
		out.Attention = append(out.Attention, x)
	}
	return nil
}

func mailPath(state string) string { return "/mail?" + url.Values{"q": {"state:" + state}}.Encode() }

// pausedConnections wait for a person, or until a time.
func (s *Server) pausedConnections(v *visit, out *overviewScreen) error {
	var list pausedList
	if err := v.get("/v1/connections?state=paused&limit="+strconv.Itoa(pausedShown), &list); err != nil {
		return err
	}
	for _, c := range list.Items {
		if slices.ContainsFunc(out.Attention, func(a attention) bool { return a.Resume == c.ID }) {
			continue // an alert says so already
		}
		x := attention{State: "failed", Name: c.Name, Resume: c.ID, Path: path("/connections/", c.ID),
			Button:  text("web.open_connection", "Open the connection"),
			Message: text("web.connection_paused", "Sending is paused until someone looks at it. Its mail waits.").In(v.lang)}
		if until := c.State.PausedUntil; !until.IsZero() {
			x.State = "attention"
			x.Message = text("web.connection_paused_until", "Sending is paused until {time}. Its mail waits.", "time", v.exact(until)).In(v.lang)
		}
		if e := c.State.Error; e != nil {
			x.Message, x.Hint, x.Code = e.Message, e.Hint, cmp.Or(e.ProviderCode, e.Code)
		}
		out.Attention = append(out.Attention, x)
	}
	return nil
}

// closedConnections have a secret that does not open with the server's key.
func (s *Server) closedConnections(v *visit, out *overviewScreen) error {
	var list pausedList
	if err := v.get("/v1/connections?state=closed&limit="+strconv.Itoa(pausedShown), &list); err != nil {
		return err
	}
	for _, c := range list.Items {
		out.Attention = append(out.Attention, attention{State: "failed", Name: c.Name, Path: path("/connections/", c.ID),
			Button:  text("web.open_connection", "Open the connection"),
			Message: text("web.secret_closed", "Its secret does not open with this server's key, so it sends nothing.").In(v.lang),
			Hint:    text("web.secret_closed_hint", "Start the server with the key that sealed it, or enter the secret again.").In(v.lang)})
	}
	return nil
}

// tiles count what waits, what is held and what failed in the last day, as far as
// countedMost.
func (s *Server) tiles(v *visit, out *overviewScreen) error {
	day := url.QueryEscape(v.now.Add(-24 * time.Hour).UTC().Format(time.RFC3339))
	for _, t := range []struct {
		name        sentence
		icon, query string
		path        string
	}{
		{text("web.tile_waiting", "Waiting"), "waiting", "state=queued&state=unverified&state=sending", mailPath("queued")},
		{text("web.tile_held", "Held"), "attention", "state=held", "/held"},
		{text("web.tile_failed", "Failed, last 24 hours"), "failed", "state=failed&state=expired&since=" + day, mailPath("failed")},
	} {
		var list struct {
			Items []struct{} `json:"items"`
		}
		if err := v.get("/v1/messages?limit="+strconv.Itoa(countedMost+1)+"&"+t.query, &list); err != nil {
			return err
		}
		x := tile{Name: t.name.In(v.lang), Icon: t.icon, Count: len(list.Items), Path: t.path}
		if x.Count > countedMost {
			x.Count, x.More = countedMost, true
		}
		if x.Count == 0 && x.Icon != "waiting" {
			x.Icon = "ok"
		}
		out.Tiles = append(out.Tiles, x)
	}
	if held := out.Tiles[1]; held.Count > 0 {
		out.Attention = append(out.Attention, attention{State: "attention", Name: held.Name, Path: held.Path,
			Message: text("web.held_waits", "Messages wait until someone decides whether they are sent.").In(v.lang),
			Button:  text("web.decide", "Decide")})
	}
	return nil
}

// lanes are the mailboxes, those that wait for someone first, then the busiest.
func (s *Server) lanes(v *visit, out *overviewScreen) error {
	var list api.LaneList
	if err := v.get("/v1/lanes?limit="+strconv.Itoa(lanesRead), &list); err != nil {
		return err
	}
	lanes := list.Items
	slices.SortStableFunc(lanes, func(a, b view.Lane) int {
		if a.Paused != b.Paused {
			if a.Paused {
				return -1
			}
			return 1
		}
		return b.Queued + b.InFlight - a.Queued - a.InFlight
	})
	if out.MoreLanes = list.Next != "" || len(lanes) > lanesShown; len(lanes) > lanesShown {
		lanes = lanes[:lanesShown]
	}
	if len(lanes) == 0 {
		return nil
	}
	q := url.Values{"hours": {strconv.Itoa(heartbeatHours)}}
	for _, l := range lanes {
		q.Add("key", l.Key)
	}
	var shown api.LaneList
	if err := v.get("/v1/lanes?"+q.Encode(), &shown); err != nil {
		return err
	}
	for _, l := range lanes {
		if i := slices.IndexFunc(shown.Items, func(s view.Lane) bool { return s.Key == l.Key }); i >= 0 {
			out.Lanes = append(out.Lanes, newLaneRow(shown.Items[i]))
		}
	}
	return nil
}

// resumeConnection ends the pause of a connection from the overview.
func (s *Server) resumeConnection(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	return v.resume(f.Get("connection"), "resumed", "/")
}

// resume ends the pause of a connection, and goes on with the screen at to.
func (v *visit) resume(id, notice, to string) error {
	err := v.call(http.MethodPost, path("/v1/connections/", id, "/resume"), nil, nil)
	var p *problem
	if errors.As(err, &p) && p.Status == http.StatusConflict {
		return v.redirect(to) // it was resumed meanwhile
	}
	if err != nil {
		return err
	}
	return v.done(notice, to)
}
