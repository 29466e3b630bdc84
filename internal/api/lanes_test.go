package api

import (
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// What waits in a mailbox's lane, the day's recipients and a pause are shown,
// and a resume of the connection ends the pause of the lane too.
func TestLanes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var c shownConnection
	w.want(w.do(w.admin, "GET", "/v1/connections/Ufficio", nil), 200).into(t, &c)
	if c.Lane != nil {
		t.Errorf("a lane before anything was sent: %+v", c.Lane)
	}
	m := note("x")
	m["cc"] = []string{"b@example.com"}
	w.want(w.do(w.key, "POST", "/v1/messages", m), 202)
	w.want(w.do(w.key, "POST", "/v1/messages", note("y")), 202)
	ctx, key := t.Context(), "smtp:smtp.contoso.it:587:erp"
	n, _, err := w.store.Register(ctx, "n", time.Now(), time.Now().Add(time.Hour))
	w.must(err)
	cc, err := w.store.Claim(ctx, store.ClaimRequest{Node: n, Now: time.Now(), Max: 1})
	w.must(err)
	if len(cc) != 1 {
		t.Fatalf("claimed %d", len(cc))
	}
	until, reason := time.Now().Add(time.Hour), store.CorruptRecord().Message // any text in two languages
	w.must(w.store.ChangeLane(ctx, time.Now(), key,
		store.LaneChange{PauseUntil: &until, Reason: reason}))

	w.want(w.do(w.admin, "GET", "/v1/connections/Ufficio", nil, "Accept-Language", "it"), 200).into(t, &c)
	l := c.Lane
	if l == nil || l.Key != key || l.Queued != 1 || l.InFlight != 1 || l.UsedToday != 2 || !l.Paused || l.Reason != reason.In("it") ||
		l.PausedUntil.Sub(until).Abs() > time.Second {
		t.Fatalf("the lane is shown as %+v", l)
	}
	var page LaneList
	w.want(w.do(w.admin, "GET", "/v1/lanes?limit=1", nil), 200).into(t, &page)
	if len(page.Items) != 1 || page.Next != "" || page.Items[0].Reason != reason.String() || page.Items[0].UsedToday != 2 {
		t.Errorf("the lanes are shown as %+v", page)
	}
	c = shownConnection{}
	w.want(w.do(w.admin, "POST", "/v1/connections/Ufficio/resume", nil), 200).into(t, &c)
	if c.Lane == nil || c.Lane.Paused || !c.Lane.PausedUntil.IsZero() {
		t.Errorf("after a resume: %+v", c.Lane)
	}
}
