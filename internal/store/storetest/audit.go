package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
)

// testAuditOfPerson: an entry without a change, and what of the trail concerns a person.
func testAuditOfPerson(t *testing.T, h Harness) {
	s := h.Open(t)
	by := func(id string) context.Context {
		return store.WithActor(t.Context(), store.Actor{Kind: store.ActorPerson, ID: id, Person: id, At: after(1)})
	}
	for _, e := range []struct{ who, object string }{{"p1", "a"}, {"p2", "a"}, {"p2", "b"}, {"p2", "p1"}, {"p1", ""}} {
		entry := store.ExportEntry(store.KindConnection, 7, "csv")
		entry.Object = e.object
		must(t, s.AppendAudit(by(e.who), entry))
	}
	list := func(r store.AuditRequest) (out []string) {
		t.Helper()
		page, err := s.AuditEntries(t.Context(), r)
		must(t, err)
		for _, e := range page.Entries {
			if e.Action != store.AuditExport || e.Count != 7 || len(e.Changes) != 1 || !e.At.Equal(after(1)) {
				t.Errorf("%+v", e)
			}
			out = append(out, e.Actor.ID+":"+e.Object)
		}
		return out
	}
	of := func(person string, objects ...string) store.AuditRequest {
		return store.AuditRequest{AuditFilter: store.AuditFilter{Of: &store.AuditScope{Person: person, Objects: objects}}}
	}
	want(t, "all", fmt.Sprint(list(store.AuditRequest{})), "[p1: p2:p1 p2:b p2:a p1:a]")
	want(t, "of p1 with a", fmt.Sprint(list(of("p1", "a"))), "[p1: p2:p1 p2:a p1:a]")
	want(t, "of p1 without objects", fmt.Sprint(list(of("p1"))), "[p1: p2:p1 p1:a]")
	want(t, "of no one there", fmt.Sprint(list(of("p3", "c"))), "[]")
	narrow := of("p1", "a")
	narrow.Object = "a"
	want(t, "with another filter", fmt.Sprint(list(narrow)), "[p2:a p1:a]")
}

// testAudit: every change of a record is entered with who made it and what
// changed, and no entry has a secret.
func testAudit(t *testing.T, h Harness) {
	s := h.Open(t)
	who := store.Actor{Kind: store.ActorPerson, ID: "p1", Person: "p1", Name: "anna@contoso.it", Via: store.ViaAPI, Address: "192.0.2.1",
		Program: "Firefox", At: after(5)}
	ctx := store.WithActor(t.Context(), who)
	seen := int64(0)
	entered := func(action, kind, object string, fields ...string) store.AuditEntry {
		t.Helper()
		page, err := s.AuditEntries(ctx, store.AuditRequest{Limit: 1, AuditFilter: store.AuditFilter{Kind: kind}})
		must(t, err)
		if len(page.Entries) == 0 || page.Entries[0].Seq <= seen {
			t.Fatalf("%s %s: no entry", kind, action)
		}
		e := page.Entries[0]
		seen = e.Seq
		var got []string
		for _, c := range e.Changes {
			got = append(got, c.Field)
		}
		if e.Action != action || e.Object != object || fields != nil && !slices.Equal(got, fields) {
			t.Errorf("%s %s of %q: got %s of %q, fields %v, want %v", action, kind, object, e.Action, e.Object, got, fields)
		}
		was := who
		was.At = e.Actor.At
		if e.Actor != was || !e.At.Equal(after(5)) {
			t.Errorf("by %+v at %v", e.Actor, e.At)
		}
		return e
	}
	c, err := s.PutConnection(ctx, t0(), smtpConnection("Ufficio"))
	must(t, err)
	entered(store.AuditAdded, store.KindConnection, c.ID)
	c.DisplayName, fallback.SettingsOf(&c.Connection).Password = "ERP", "segreto-nuovo"
	c.Default = gateway.DefaultUnrouted
	c, err = s.PutConnection(ctx, t0(), c)
	must(t, err)
	e := entered(store.AuditChanged, store.KindConnection, c.ID, "default", "display_name", "smtp.password")
	want(t, "before and after", fmt.Sprint(e.Changes[1].Before, e.Changes[1].After, e.Changes[2].Before, e.Changes[2].After, e.Name),
		"<nil>ERP******Ufficio")
	shown := c.Clone()
	fallback.SettingsOf(&shown.Connection).Password = adapters.Redacted
	c, err = s.PutConnection(ctx, t0(), shown)
	must(t, err)
	nothing := func(what string) {
		t.Helper()
		page, err := s.AuditEntries(ctx, store.AuditRequest{Limit: 1})
		must(t, err)
		if page.Entries[0].Seq > seen {
			t.Errorf("%s: an entry %+v", what, page.Entries[0])
		}
	}
	nothing("no change")
	second := smtpConnection("Secondo")
	second.Default = gateway.DefaultUnrouted
	second, err = s.PutConnection(ctx, t0(), second)
	must(t, err)
	entered(store.AuditAdded, store.KindConnection, second.ID)
	page, err := s.AuditEntries(ctx, store.AuditRequest{AuditFilter: store.AuditFilter{Object: c.ID}})
	must(t, err)
	want(t, "of the one that ceased to be the default", len(page.Entries), 3)
	must(t, s.ChangeConnection(ctx, after(5), c.ID, store.ConnectionChange{PauseUntil: new(after(60))}))
	entered(store.AuditPaused, store.KindConnection, c.ID, "paused_until")
	must(t, s.ChangeConnection(t.Context(), after(5), c.ID, store.ConnectionChange{PauseUntil: new(after(90))}))
	nothing("a pause by the gateway itself")

	cl, err := s.PutClient(ctx, store.Client{Name: "erp", SecretHash: "segreto-hash"})
	must(t, err)
	entered(store.AuditAdded, store.KindClient, cl.ID, "created_at", "name", "secret_hash")
	k, err := s.PutAPIKey(ctx, store.APIKey{Client: cl.ID, Name: "k", Hash: "segreto-key", Scopes: []string{"admin"}})
	must(t, err)
	entered(store.AuditAdded, store.KindKey, k.ID)
	must(t, s.TouchAPIKey(ctx, k.ID, after(9)))
	nothing("a use of a key")
	must(t, s.DeleteClient(ctx, cl.ID))
	entered(store.AuditRemoved, store.KindKey, k.ID)
	seen-- // the client was entered before
	page, err = s.AuditEntries(ctx, store.AuditRequest{AuditFilter: store.AuditFilter{Object: cl.ID}})
	must(t, err)
	want(t, "of the client", page.Entries[0].Action, store.AuditRemoved)
	seen++

	w, err := s.PutWebhook(ctx, store.Webhook{URL: "https://u:segreto@hooks.example.com/segreto/x?t=segreto", Secret: []byte("segreto")})
	must(t, err)
	e = entered(store.AuditAdded, store.KindWebhook, w.ID)
	want(t, "address", fmt.Sprint(e.Changes[len(e.Changes)-1].After), "https://hooks.example.com/***")
	w.Cursor, w.Failures = 7, 1
	w, err = s.PutWebhook(t.Context(), *w)
	must(t, err)
	nothing("a delivery to a webhook")
	w.Cursor = 0
	_, err = s.PutWebhook(ctx, *w)
	must(t, err)
	entered(store.AuditChanged, store.KindWebhook, w.ID, "cursor")

	must(t, s.SetSetting(ctx, "language", "it"))
	entered(store.AuditChanged, store.KindSetting, "language", "language")
	must(t, s.SetSetting(t.Context(), "mark", "1"))
	must(t, s.Ping(ctx))
	nothing("marks of the gateway")

	mid, did := submit(t, s, letter{connection: c.ID})
	_, err = s.Act(ctx, store.Action{Verb: store.DoHold, Deliveries: []store.ID{did}, Now: after(1)})
	must(t, err)
	e = entered("hold", store.KindQueue, mid.String())
	want(t, "count", e.Count, 1)
	submit(t, s, letter{connection: c.ID})
	_, err = s.Act(ctx, store.Action{Verb: store.DoCancel, Filter: store.Filter{Connection: c.ID}, Now: after(1)})
	must(t, err)
	e = entered("cancel", store.KindQueue, "", "filter.connection")
	want(t, "count", e.Count, 2)
	resent := letter{connection: c.ID}.message()
	resent.ResentOf = mid
	_, err = s.Submit(ctx, store.Submission{Now: after(2), Messages: []store.NewMessage{resent}})
	must(t, err)
	e = entered(store.AuditResend, store.KindQueue, mid.String())
	want(t, "count", e.Count, 1)

	p, err := s.PutPerson(ctx, admin("anna@contoso.it"))
	must(t, err)
	entered(store.AuditAdded, store.KindPerson, p.ID)
	_, err = s.PutSession(ctx, store.Session{Person: p.ID, Hash: "segreto-session", ExpiresAt: after(9)})
	must(t, err)
	page, err = s.AuditEntries(ctx, store.AuditRequest{Limit: 1000})
	must(t, err)
	doc, err := json.Marshal(page)
	must(t, err)
	if strings.Contains(string(doc), "segreto") || strings.Contains(string(doc), "argon2id") {
		t.Errorf("a secret in the trail: %s", doc)
	}
}

// testAuditList: filters, pages and retention of the trail; a change that was not
// made has no entry.
func testAuditList(t *testing.T, h Harness) {
	s := h.Open(t)
	by := func(id string, n float64) context.Context {
		return store.WithActor(t.Context(), store.Actor{Kind: store.ActorPerson, ID: id, Person: id, At: after(n)})
	}
	for i := range 5 {
		_, err := s.PutClient(by(fmt.Sprint("p", i%2), float64(i)), store.Client{Name: fmt.Sprint("c", i)})
		must(t, err)
	}
	_, err := s.PutClient(by("p9", 0), store.Client{Name: "c1"})
	wantErr(t, "taken", err, store.ErrExists)
	var seqs []int64
	r := store.AuditRequest{Limit: 2}
	for pages := 0; ; pages++ {
		page, err := s.AuditEntries(t.Context(), r)
		must(t, err)
		for _, e := range page.Entries {
			seqs = append(seqs, e.Seq)
		}
		if r.After = page.Next; page.Next == 0 || pages > 5 {
			break
		}
	}
	want(t, "all", len(seqs), 5)
	want(t, "newest first", slices.IsSortedFunc(seqs, func(a, b int64) int { return int(b - a) }), true)
	for what, f := range map[string]struct {
		store.AuditFilter
		n int
	}{
		"person":         {store.AuditFilter{Person: "p0"}, 3},
		"actor":          {store.AuditFilter{Actor: "p1"}, 2},
		"kind":           {store.AuditFilter{Kind: store.KindClient}, 5},
		"another kind":   {store.AuditFilter{Kind: store.KindWebhook}, 0},
		"since":          {store.AuditFilter{Since: after(3)}, 2},
		"before":         {store.AuditFilter{Before: after(1)}, 1},
		"any bytes":      {store.AuditFilter{Object: "x\x00\xff"}, 0},
		"person, before": {store.AuditFilter{Person: "p0", Before: after(3)}, 2},
	} {
		page, err := s.AuditEntries(t.Context(), store.AuditRequest{AuditFilter: f.AuditFilter})
		must(t, err)
		want(t, what, len(page.Entries), f.n)
	}
	n, err := s.PurgeAudit(t.Context(), after(3), 2)
	must(t, err)
	want(t, "at most so many", n, 2)
	n, err = s.PurgeAudit(t.Context(), after(3), 100)
	must(t, err)
	want(t, "the rest", n, 1)
	page, err := s.AuditEntries(t.Context(), store.AuditRequest{})
	must(t, err)
	want(t, "left", len(page.Entries), 2)
}
