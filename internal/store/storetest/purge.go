package storetest

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/postino-mail/postino/internal/store"
)

func testPurge(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	n := register(t, s, "n", t0())
	small, sd := submit(t, s, letter{})
	big, _ := submit(t, s, letter{body: make([]byte, 200_000)})
	waits, _ := submit(t, s, letter{next: after(1e6)})
	for _, c := range claim(t, s, n, t0(), 9) {
		must(t, accept(t, s, c, after(1)))
	}
	young, _ := submit(t, s, letter{at: after(100), held: true})
	open, err := s.Content(ctx, big)
	must(t, err)
	r, err := purge(ctx, s, store.PurgeRequest{Now: after(50), Bodies: after(50), Max: 1})
	must(t, err)
	want(t, "one at a time", r, store.PurgeResult{Bodies: 1, More: true})
	r, err = purge(ctx, s, store.PurgeRequest{Now: after(50), Bodies: after(50)})
	must(t, err)
	want(t, "the other", r, store.PurgeResult{Bodies: 1})
	buf := make([]byte, 10)
	if _, err := open.ReadAt(buf, open.Size()-10); err != nil {
		t.Errorf("a purge disturbs a reader: %v", err)
	}
	must(t, open.Close())
	for _, id := range []store.ID{small, big} {
		_, err = s.Content(ctx, id)
		wantErr(t, "content", err, store.ErrGone)
		m, err := s.Message(ctx, id)
		must(t, err)
		want(t, "kept", m.BodyKept, false)
	}
	for _, id := range []store.ID{waits, young} {
		want(t, "what is under way is kept", len(readAll(t, s, id)) > 0, true)
	}
	r, err = purge(ctx, s, store.PurgeRequest{Now: after(200), Bodies: after(200), Records: after(200)})
	must(t, err)
	want(t, "records", r, store.PurgeResult{Records: 2})
	for _, id := range []store.ID{small, big} {
		_, err = s.Message(ctx, id)
		wantErr(t, "record", err, store.ErrNotFound)
	}
	_, err = s.Attempts(ctx, sd)
	wantErr(t, "ledger", err, store.ErrNotFound)
	// What has no bytes any more cannot be sent again.
	_, gone := submit(t, s, letter{at: after(201), next: after(201)})
	_, err = s.Act(ctx, store.Action{Verb: store.DoCancel, Deliveries: []store.ID{gone}, Now: after(202)})
	must(t, err)
	r, err = purge(ctx, s, store.PurgeRequest{Now: after(205), Bodies: after(205)})
	must(t, err)
	want(t, "bytes of the cancelled one", r, store.PurgeResult{Bodies: 1})
	act, err := s.Act(ctx, store.Action{Verb: store.DoRetry, Deliveries: []store.ID{gone}, Now: after(206)})
	must(t, err)
	want(t, "retry without bytes", act, store.ActionResult{Skipped: 1})
	// Records with bytes that are still there go with them.
	both, _ := submit(t, s, letter{at: after(210), body: make([]byte, 200_000)})
	for _, c := range claim(t, s, n, after(210), 9) {
		must(t, accept(t, s, c, after(211)))
	}
	r, err = purge(ctx, s, store.PurgeRequest{Now: after(300), Records: after(300)})
	must(t, err)
	want(t, "records, one with its bytes", r, store.PurgeResult{Records: 2})
	_, err = s.Content(ctx, both)
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("content of a purged record: %v", err)
	}
	removed, err := s.Sweep(ctx, 0)
	must(t, err)
	want(t, "nothing is left to sweep", removed, 0)
	must(t, s.AppendEvents(ctx, store.NewEvent{Type: "a", At: after(1)}, store.NewEvent{Type: "b", At: after(100)}))
	r, err = purge(ctx, s, store.PurgeRequest{Now: after(300), Events: after(50)})
	must(t, err)
	want(t, "events", r.Events, 1)
}

// purge makes one call and leaves out where the next would begin.
func purge(ctx context.Context, s store.Store, r store.PurgeRequest) (store.PurgeResult, error) {
	res, err := s.Purge(ctx, r)
	res.Next = store.PurgePosition{}
	return res, err
}

// testPurgeRounds: a round is a number of calls, each from where the last one
// ended, and nothing old is left behind by it but what is not final.
func testPurgeRounds(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	n := register(t, s, "n", t0())
	waits, _ := submit(t, s, letter{next: after(1e6)})
	for i := range 25 {
		submit(t, s, letter{at: after(float64(i / 4))}) // several of one moment
	}
	for _, c := range claim(t, s, n, after(10), 30) {
		must(t, accept(t, s, c, after(11)))
	}
	for i := range 250 {
		must(t, s.AppendEvents(ctx, store.NewEvent{Type: "a", At: after(float64(i))}))
	}
	for i := range 7 {
		_, err := s.Begin(ctx, t0(), store.Idempotency{Client: "c", Key: strconv.Itoa(i), Request: []byte("r"), ExpiresAt: after(20)})
		must(t, err)
	}
	r := store.PurgeRequest{Now: after(3600), Bodies: after(3600), Records: after(3600), Events: after(200), Max: 3}
	var got store.PurgeResult
	calls := 0
	for more := true; more; calls++ {
		res, err := s.Purge(ctx, r)
		must(t, err)
		if res.Bodies > 3 || res.Records > 3 || res.Events > 30 || res.Expired > 6 {
			t.Fatalf("more than was asked for: %+v", res)
		}
		got.Bodies, got.Records, got.Events, got.Expired = got.Bodies+res.Bodies, got.Records+res.Records, got.Events+res.Events,
			got.Expired+res.Expired
		more, r.After = res.More, res.Next
		if calls > 30 {
			t.Fatal("the round does not end")
		}
	}
	want(t, "removed", got, store.PurgeResult{Bodies: 25, Records: 25, Events: 200, Expired: 7})
	want(t, "what is under way is kept", len(readAll(t, s, waits)) > 0, true)
	left, err := s.Events(ctx, 0, 100, "", nil)
	must(t, err)
	want(t, "young events", len(left), 50)
}

// testPurgeAhead: events of a node with a clock that was ahead, a whole block of them,
// do not end the round: the old ones behind them go too.
func testPurgeAhead(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	for i := range 45 {
		must(t, s.AppendEvents(ctx, store.NewEvent{Type: "ahead", At: after(1e6 + float64(i))}))
	}
	for i := range 100 {
		must(t, s.AppendEvents(ctx, store.NewEvent{Type: "old", At: after(float64(i))}))
	}
	for i := range 45 {
		must(t, s.AppendEvents(ctx, store.NewEvent{Type: "young", At: after(300 + float64(i))}))
	}
	r := store.PurgeRequest{Now: after(400), Events: after(200), Max: 3}
	removed, calls := 0, 0
	for more := true; more; calls++ {
		res, err := s.Purge(ctx, r)
		must(t, err)
		removed += res.Events
		more, r.After = res.More, res.Next
		if calls > 30 {
			t.Fatal("the round does not end")
		}
	}
	want(t, "removed", removed, 100)
	left, err := s.Events(ctx, 0, 100, "", nil)
	must(t, err)
	want(t, "those ahead and the young ones", len(left), 90)
}
