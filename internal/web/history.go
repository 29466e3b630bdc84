package web

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/view"
)

// Sizes of the drawings, in units of their viewBox: the page stretches them.
const (
	chartHeight = 100
	barWidth    = 10
	barGap      = 2
)

// A chart is the mail of a time as bars, with the same figures for a table.
type chart struct {
	Width   int
	Bars    []bar
	Waiting []bar // of one part each
	Most    int64 // of a bar, MostWaiting of one of Waiting
	Total   view.Counts
	Days    bool // a bar is a day, not an hour

	MostWaiting int64
}

// A bar is one hour or day.
type bar struct {
	From    time.Time
	Name    string
	Counts  view.Counts
	Failed  int64 // refused or given up
	Waiting int64
	Parts   []barPart
}

// PutOff is how many attempts failed for now, or were put off by the provider.
func (b *bar) PutOff() int64 { return b.Counts.Delayed + b.Counts.Throttled }

// Marks are names under the bars, from the first to the last.
func (c *chart) Marks() []string {
	const most = 7
	var out []string
	for i := 0; i < len(c.Bars); i += max(1, len(c.Bars)/most+1) {
		out = append(out, c.Bars[i].Name)
	}
	return out
}

// A barPart is one colour of a bar.
type barPart struct {
	State       string // ok, attention, failed, waiting
	X, Y, Width int
	Height      int
}

// history reads the mail of the last 24 hours, or of seven days.
func (v *visit) history(days bool) (*chart, error) {
	hours := 24
	first := v.now.In(v.zone)
	if days {
		first = time.Date(first.Year(), first.Month(), first.Day()-6, 0, 0, 0, 0, v.zone)
		hours = int(v.now.Sub(first)/time.Hour) + 1
	}
	var o view.Overview
	if err := v.get("/v1/overview?hours="+strconv.Itoa(hours), &o); err != nil {
		return nil, err
	}
	return v.chart(&o, days), nil
}

func (v *visit) chart(o *view.Overview, days bool) *chart {
	c := &chart{Days: days, Total: o.Total}
	for i := range o.Hours {
		h := &o.Hours[i]
		at := h.Hour.In(v.zone)
		name := at.Format("15:04")
		if days {
			name = v.day(at)
		}
		if n := len(c.Bars); n == 0 || !days || c.Bars[n-1].Name != name {
			c.Bars = append(c.Bars, bar{From: h.Hour, Name: name})
		}
		b := &c.Bars[len(c.Bars)-1]
		b.Counts = addCounts(b.Counts, h.Counts)
		b.Failed = b.Counts.Failed + b.Counts.Expired
		if h.Waiting != nil {
			b.Waiting = *h.Waiting
		}
	}
	for i := range c.Bars {
		b := &c.Bars[i]
		c.Most = max(c.Most, b.Counts.Sent+b.Counts.Held+b.Failed)
		c.MostWaiting = max(c.MostWaiting, b.Waiting)
	}
	c.draw()
	return c
}

func addCounts(a, b view.Counts) view.Counts {
	return view.Counts{Accepted: a.Accepted + b.Accepted, Sent: a.Sent + b.Sent, Failed: a.Failed + b.Failed, Expired: a.Expired + b.Expired,
		Cancelled: a.Cancelled + b.Cancelled, Held: a.Held + b.Held, Delayed: a.Delayed + b.Delayed, Throttled: a.Throttled + b.Throttled}
}

// draw puts the parts of the bars where they stand.
func (c *chart) draw() {
	c.Width = len(c.Bars)*(barWidth+barGap) - barGap
	for i := range c.Bars {
		b := &c.Bars[i]
		x := i * (barWidth + barGap)
		b.Parts = stack(x, c.Most, []barPart{{State: "ok"}, {State: "attention"}, {State: "failed"}}, b.Counts.Sent, b.Counts.Held, b.Failed)
		w := *b
		w.Parts = stack(x, c.MostWaiting, []barPart{{State: "waiting"}}, b.Waiting)
		c.Waiting = append(c.Waiting, w)
	}
}

// stack puts parts on each other, of which most is as high as the drawing. What is there
// at all is seen.
func stack(x int, most int64, parts []barPart, values ...int64) []barPart {
	var out []barPart
	y := chartHeight
	for i, p := range parts {
		if values[i] <= 0 {
			continue
		}
		p.X, p.Width, p.Height = x, barWidth, max(2, int(values[i]*chartHeight/most))
		y = max(0, y-p.Height)
		p.Y = y
		out = append(out, p)
	}
	return out
}

// A beat is one hour of a mailbox.
type beat struct {
	State  string // quiet, ok, attention, failed
	X, Y   int
	Height int
}

// A heartbeat is how a mailbox did in each of the last hours. Its words say the same to
// who does not see it.
type heartbeat struct {
	Beats []beat
	Words sentence
}

// beatHeight is that of an hour by its state: no state is told by its colour alone.
func beatHeight(state string) int {
	switch state {
	case "ok":
		return 10
	case "attention":
		return 15
	case "failed":
		return 20
	}
	return 3
}

func newHeartbeat(hours []view.Hour) *heartbeat {
	if len(hours) == 0 {
		return nil
	}
	out := &heartbeat{}
	n := map[string]int{}
	for i := range hours {
		c, state := hours[i].Counts, "ok"
		switch {
		case c.Failed+c.Expired > 0:
			state = "failed"
		case c.Delayed+c.Throttled+c.Held > 0:
			state = "attention"
		case c.Quiet():
			state = "quiet"
		}
		n[state]++
		height := beatHeight(state)
		out.Beats = append(out.Beats, beat{State: state, X: i * 6, Y: 20 - height, Height: height})
	}
	out.Words = text("web.heartbeat", "Last {hours} hours: {quiet} quiet, {fine} fine, {delays} with delays, {failures} with failures",
		"hours", len(hours), "quiet", n["quiet"], "fine", n["ok"], "delays", n["attention"], "failures", n["failed"])
	return out
}

// heartbeatHours is how many hours a heartbeat has.
const heartbeatHours = 24

// A laneRow is a mailbox with its pace.
type laneRow struct {
	view.Lane
	Provider, Mailbox string
	Percent           int // of the day's recipients
	Beat              *heartbeat
}

func newLaneRow(l view.Lane) laneRow {
	r := laneRow{Lane: l, Beat: newHeartbeat(l.Hours)}
	parts := strings.SplitN(l.Key, ":", 2)
	r.Provider, r.Mailbox = cmp.Or(serviceName(parts[0]), strings.ToUpper(parts[0])), l.Key[strings.LastIndexByte(l.Key, ':')+1:]
	if l.RecipientsPerDay > 0 {
		r.Percent = min(100, 100*l.UsedToday/l.RecipientsPerDay)
	}
	return r
}

// A mailboxesScreen is one page of all mailboxes.
type mailboxesScreen struct {
	Lanes []laneRow
	First bool
	Next  string // the address of the next page; empty: there is none
}

// mailboxesShown is how many a page has.
const mailboxesShown = 50

// mailboxes are all of them, in the order of their names.
func (s *Server) mailboxes(v *visit) error {
	after := v.r.URL.Query().Get("after")
	q := url.Values{"limit": {strconv.Itoa(mailboxesShown)}, "hours": {strconv.Itoa(heartbeatHours)}}
	if after != "" {
		q.Set("after", after)
	}
	var list api.LaneList
	if err := v.get("/v1/lanes?"+q.Encode(), &list); err != nil {
		return err
	}
	out := mailboxesScreen{First: after == ""}
	for _, l := range list.Items {
		out.Lanes = append(out.Lanes, newLaneRow(l))
	}
	if list.Next != "" {
		out.Next = "/mailboxes?" + url.Values{"after": {list.Next}}.Encode()
	}
	return v.show("mailboxes", out)
}
