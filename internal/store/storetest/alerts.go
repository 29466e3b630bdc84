package storetest

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

func testAlerts(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	a := store.Alert{Key: "secret:1", Kind: "secret", Name: "Ufficio", Ends: after(3600), Level: 1, Since: t0(),
		Message: mime.NewText("watch.secret_ended", "the secret of {name} ended on {date}", "name", "Ufficio", "date", "2026-11-22")}
	event := store.NewEvent{Type: "alert.raised", At: t0(), Data: json.RawMessage(`{"kind":"secret"}`)}
	got, err := s.PutAlert(ctx, a, event)
	must(t, err)
	want(t, "made", got.ID != "" && got.Revision == 1, true)
	_, err = s.PutAlert(ctx, a, event)
	wantErr(t, "the key is taken", err, store.ErrExists)
	// Of several who report the next state, one does, with its event.
	var wg sync.WaitGroup
	var won atomic.Int32
	for range 4 {
		wg.Go(func() {
			next := *got
			next.Level, next.Notices = 0, 2
			if _, err := s.PutAlert(context.WithoutCancel(ctx), next, event); err == nil {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	want(t, "one succeeds", int(won.Load()), 1)
	events, err := s.Events(ctx, 0, 10, "", []string{"alert.raised"})
	must(t, err)
	want(t, "events", len(events), 2)
	all, err := s.Alerts(ctx)
	must(t, err)
	want(t, "all", len(all), 1)
	want(t, "level", all[0].Level, 0)
	want(t, "ends", all[0].Ends, after(3600))
	want(t, "message", all[0].Message.In("it"), a.Message.In("it"))
	must(t, s.DeleteAlert(ctx, got.ID))
	wantErr(t, "again", s.DeleteAlert(ctx, got.ID), store.ErrNotFound)
}
