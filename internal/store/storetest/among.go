package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/postino-mail/postino/internal/store"
)

// testAmong: what is of some connections is told from what is of others, in
// lists, lanes and events.
func testAmong(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	mine, _ := submit(t, s, letter{connection: "mine", lane: "lane-mine"})
	theirs, _ := submit(t, s, letter{connection: "theirs", lane: "lane-theirs"})
	own := []string{"mine", "none"}
	for what, c := range map[string]struct {
		among []string
		n     int
	}{"any": {nil, 2}, "none": {[]string{}, 0}, "mine": {own, 1}, "both": {[]string{"mine", "theirs"}, 2}} {
		page, err := s.List(ctx, store.ListRequest{Filter: store.Filter{Among: c.among}})
		must(t, err)
		want(t, what, len(page.Entries), c.n)
	}
	lanes, err := s.LanesAmong(ctx, own, "", 10)
	must(t, err)
	want(t, "lanes", len(lanes) == 1 && lanes[0].Key == "lane-mine", true)
	lanes, err = s.LanesAmong(ctx, own, "lane-mine", 10)
	must(t, err)
	want(t, "lanes after", len(lanes), 0)
	lanes, err = s.LanesAmong(ctx, nil, "", 10)
	must(t, err)
	want(t, "lanes of none", len(lanes), 0)

	first, err := s.LastEvent(ctx)
	must(t, err)
	deliveries, err := s.Deliveries(ctx, mine)
	must(t, err)
	must(t, s.AppendEvents(ctx, store.NewEvent{Type: "message.accepted", At: t0(), Message: mine},
		store.NewEvent{Type: "message.accepted", At: t0(), Message: theirs},
		store.NewEvent{Type: "delivery.sent", At: t0(), Message: mine, Delivery: deliveries[0].ID},
		store.NewEvent{Type: "delivery.sent", At: t0(), Message: mine, Delivery: store.NewID()}, // another one of the message
		store.NewEvent{Type: "other", At: t0()}))
	last, err := s.LastEvent(ctx)
	must(t, err)
	got, through, err := s.EventsAmong(ctx, own, first, 10, nil)
	must(t, err)
	want(t, "events", len(got) == 2 && got[0].Message == mine && got[1].Delivery == deliveries[0].ID, true)
	want(t, "looked through all", through, last)
	got, through, err = s.EventsAmong(ctx, own, first, 1, nil)
	must(t, err)
	want(t, "one", len(got) == 1 && through == got[0].Seq, true)
	got, _, err = s.EventsAmong(ctx, own, first, 10, []string{"delivery.sent", "x"})
	must(t, err)
	want(t, "by type", len(got), 1)
	got, through, err = s.EventsAmong(ctx, nil, first, 10, nil)
	must(t, err)
	want(t, "of none", len(got) == 0 && through == last, true)
	_, through, err = s.EventsAmong(ctx, own, last, 10, nil)
	must(t, err)
	want(t, "nothing new", through, last)
}

// testAmongMany: of many connections too, by state, in pages of the newest first.
func testAmongMany(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	var own []string
	var sent []store.ID
	for i := range 20 {
		c := fmt.Sprint("c", i)
		id, _ := submit(t, s, letter{connection: c, lane: c})
		if i%2 == 0 {
			own, sent = append(own, c), append(sent, id)
		}
	}
	slices.Reverse(sent)
	for what, states := range map[string][]store.State{"of one state": {store.Queued},
		"of several":                 {store.Queued, store.Failed, store.Expired},
		"of those that are sent too": {store.Queued, store.Sent}} {
		var got []store.ID
		for after, first := "", true; first || after != ""; first = false {
			page, err := s.List(ctx, store.ListRequest{Filter: store.Filter{Among: own, States: states}, Limit: 4, After: after})
			must(t, err)
			for i := range page.Entries {
				got = append(got, page.Entries[i].Message.ID)
			}
			after = page.Next
		}
		want(t, what, slices.Equal(got, sent), true)
	}
}
