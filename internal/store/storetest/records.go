package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
)

func smtpConnection(name string) *gateway.Connection {
	return &gateway.Connection{Connection: adapters.Connection{Name: name, Provider: adapters.SMTP, From: "erp@contoso.it",
		Settings: &fallback.Settings{Host: "smtp.aruba.it", Port: 465, Login: "erp", Password: "segreto-1"}}}
}

func testConnections(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	v0, err := s.ConnectionsVersion(ctx)
	must(t, err)
	a, err := s.PutConnection(ctx, t0(), smtpConnection("Ufficio"))
	must(t, err)
	want(t, "made", a.ID != "" && a.Revision == 1, true)
	v1, err := s.ConnectionsVersion(ctx)
	must(t, err)
	want(t, "version", v1 > v0, true)
	got, err := s.Connection(ctx, a.ID)
	must(t, err)
	want(t, "secret", fallback.SettingsOf(&got.Connection).Password.Reveal(), "segreto-1")
	want(t, "the rest", fallback.SettingsOf(&got.Connection).Host+got.From, "smtp.aruba.iterp@contoso.it")
	got, err = s.ConnectionNamed(ctx, "UFFICIO")
	must(t, err)
	want(t, "by name", got.ID, a.ID)
	_, err = s.PutConnection(ctx, t0(), smtpConnection("ufficio"))
	wantErr(t, "same name", err, store.ErrExists)
	_, err = s.Connection(ctx, "none")
	wantErr(t, "no such id", err, store.ErrNotFound)
	ghost := smtpConnection("Fantasma")
	ghost.ID, ghost.Revision = "ghost", 3
	_, err = s.PutConnection(ctx, t0(), ghost)
	wantErr(t, "edit of one that is gone", err, store.ErrNotFound)
	// An edit by someone who was shown *** keeps the secret; a stale one is refused.
	edit := got.Clone()
	fallback.SettingsOf(&edit.Connection).Password, edit.DisplayName = adapters.Redacted, "ERP"
	b, err := s.PutConnection(ctx, t0(), edit)
	must(t, err)
	want(t, "revision", b.Revision, 2)
	want(t, "secret is kept", fallback.SettingsOf(&b.Connection).Password.Reveal(), "segreto-1")
	_, err = s.PutConnection(ctx, t0(), edit)
	wantErr(t, "stale", err, store.ErrConflict)
	fallback.SettingsOf(&b.Connection).Password = "segreto-2"
	_, err = s.PutConnection(ctx, t0(), b)
	must(t, err)
	got, err = s.Connection(ctx, a.ID)
	must(t, err)
	want(t, "new secret", fallback.SettingsOf(&got.Connection).Password.Reveal(), "segreto-2")
	// At most one default, whoever else asks at the same time.
	var wg sync.WaitGroup
	for i := range 5 {
		wg.Go(func() {
			c := smtpConnection(fmt.Sprint("D", i))
			c.Default = gateway.DefaultUnrouted
			if _, err := s.PutConnection(context.WithoutCancel(ctx), t0(), c); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	all, err := s.Connections(ctx)
	must(t, err)
	want(t, "all", len(all), 6)
	defaults := 0
	for i, c := range all {
		if c.Default == gateway.DefaultUnrouted {
			defaults++
		}
		if i > 0 && strings.ToLower(all[i-1].Name) > strings.ToLower(c.Name) {
			t.Error("not in the order of their names")
		}
		want(t, "secret of each", fallback.SettingsOf(&c.Connection).Password.Reveal() != "", true)
	}
	want(t, "defaults", defaults, 1)
	// In use, then not.
	n := register(t, s, "n", t0())
	submit(t, s, letter{connection: a.ID})
	wantErr(t, "queued", s.DeleteConnection(ctx, t0(), a.ID), store.ErrInUse)
	c := claim(t, s, n, t0(), 1)[0]
	wantErr(t, "on its way", s.DeleteConnection(ctx, t0(), a.ID), store.ErrInUse)
	f := accepted(c, after(1))
	f.Transition.State = store.Held
	must(t, s.Finish(ctx, f))
	wantErr(t, "held", s.DeleteConnection(ctx, t0(), a.ID), store.ErrInUse)
	_, err = s.Act(ctx, store.Action{Verb: store.DoCancel, Deliveries: []store.ID{c.Delivery.ID}, Now: after(2)})
	must(t, err)
	must(t, s.DeleteConnection(ctx, t0(), a.ID))
	wantErr(t, "again", s.DeleteConnection(ctx, t0(), a.ID), store.ErrNotFound)
	_, err = s.Connection(ctx, a.ID)
	wantErr(t, "gone", err, store.ErrNotFound)
	// What still names it is given out, whatever it was: someone must hear of it.
	for i, change := range []func(*gateway.Connection){
		func(*gateway.Connection) {},
		func(c *gateway.Connection) { c.Active = new(bool) },
		func(c *gateway.Connection) {
			until := store.Never()
			must(t, s.ChangeConnection(ctx, after(3), c.ID, store.ConnectionChange{PauseUntil: &until}))
		},
	} {
		c, err := s.PutConnection(ctx, t0(), smtpConnection(fmt.Sprint("G", i)))
		must(t, err)
		_, id := submit(t, s, letter{connection: c.ID, lane: fmt.Sprint("gone-", i), held: true})
		if change(c); c.Active != nil {
			_, err = s.PutConnection(ctx, after(3), c)
			must(t, err)
		}
		_, err = s.Act(ctx, store.Action{Verb: store.DoCancel, Deliveries: []store.ID{id}, Now: after(4)})
		must(t, err)
		must(t, s.DeleteConnection(ctx, after(5), c.ID))
		_, err = s.Act(ctx, store.Action{Verb: store.DoRetry, Deliveries: []store.ID{id}, Now: after(6)})
		must(t, err)
		want(t, fmt.Sprint("of a removed connection, ", i), len(claim(t, s, n, after(7), 5)), 1)
	}
}

func testConnectionState(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	n := register(t, s, "n", t0())
	c, err := s.PutConnection(ctx, t0(), smtpConnection("Ufficio"))
	must(t, err)
	submit(t, s, letter{connection: c.ID, limits: adapters.LaneLimits{Concurrency: 9}})
	off := false
	c.Active = &off
	c, err = s.PutConnection(ctx, t0(), c)
	must(t, err)
	submit(t, s, letter{connection: c.ID, lane: "other"})
	want(t, "inactive", len(claim(t, s, n, after(1), 9)), 0)
	want(t, "however long", len(claim(t, s, n, after(1e6), 9)), 0)
	c.Active = nil
	seven := 7
	c.Limits.Concurrency = &seven
	c, err = s.PutConnection(ctx, after(2), c)
	must(t, err)
	want(t, "its limits hold in its lanes", lane(t, s).Limits.Concurrency, 7)
	got := claim(t, s, n, after(2), 1)
	want(t, "active again", len(got), 1)
	// Paused by an outcome, in the same transaction; an edit ends it.
	never := store.Never()
	f := failed(got[0], adapters.Auth, after(3), after(3))
	f.Transition.Connection = &store.ConnectionChange{PauseUntil: &never, Error: f.Outcome.Error,
		Breaker: &store.Breaker{State: "open", Failures: 5, OpenUntil: after(60)}}
	must(t, s.Finish(ctx, f))
	want(t, "paused", len(claim(t, s, n, after(4), 9)), 0)
	st, err := s.ConnectionState(ctx, c.ID)
	must(t, err)
	want(t, "until", st.PausedUntil, never)
	want(t, "breaker", st.Breaker, store.Breaker{State: "open", Failures: 5, OpenUntil: after(60)})
	if _, err := json.Marshal(st); err != nil {
		t.Error(err)
	}
	ss, err := s.ConnectionStates(ctx)
	must(t, err)
	want(t, "states", len(ss), 1)
	_, err = s.PutConnection(ctx, after(5), c)
	must(t, err)
	want(t, "after the edit", len(claim(t, s, n, after(5), 9)), 2)
	st, err = s.ConnectionState(ctx, c.ID)
	must(t, err)
	want(t, "no story", st.PausedUntil.IsZero() && st.Error == nil, true)
	// Two lanes never share a state with another connection.
	st, err = s.ConnectionState(ctx, "none")
	must(t, err)
	want(t, "of an unknown one", st.Connection, "none")
}

func testClients(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	v0, err := s.ClientsVersion(ctx)
	must(t, err)
	c, err := s.PutClient(ctx,
		store.Client{Name: "Scanner", SecretHash: "h", Networks: []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24")},
			Senders: []string{"*@contoso.it"}, PerMinute: 7, NotifyOff: true})
	must(t, err)
	v1, err := s.ClientsVersion(ctx)
	must(t, err)
	want(t, "version", v1 > v0, true)
	got, err := s.ClientNamed(ctx, "SCANNER")
	must(t, err)
	want(t, "by name", fmt.Sprint(*got), fmt.Sprint(*c))
	_, err = s.PutClient(ctx, store.Client{Name: "scanner"})
	wantErr(t, "same name", err, store.ErrExists)
	got.PerMinute = 8
	_, err = s.PutClient(ctx, *got)
	must(t, err)
	_, err = s.PutClient(ctx, *got)
	wantErr(t, "stale", err, store.ErrConflict)
	k, err := s.PutAPIKey(ctx, store.APIKey{Client: c.ID, Name: "shop", Hash: "abc", Scopes: []string{"send"}})
	must(t, err)
	_, err = s.PutAPIKey(ctx, store.APIKey{Client: c.ID, Hash: "abc"})
	wantErr(t, "same hash", err, store.ErrExists)
	v2, err := s.ClientsVersion(ctx)
	must(t, err)
	must(t, s.TouchAPIKey(ctx, k.ID, after(9)))
	got2, err := s.APIKeyByHash(ctx, "abc")
	must(t, err)
	want(t, "last used", got2.LastUsedAt, after(9))
	want(t, "revision", got2.Revision, k.Revision)
	v3, err := s.ClientsVersion(ctx)
	must(t, err)
	want(t, "a use is no change", v3, v2)
	wantErr(t, "no such key", s.TouchAPIKey(ctx, "none", after(9)), store.ErrNotFound)
	_, err = s.PutAPIKey(ctx, store.APIKey{Client: "another", Hash: "def"})
	must(t, err)
	kk, err := s.APIKeys(ctx, c.ID)
	must(t, err)
	want(t, "keys of the client", len(kk), 1)
	must(t, s.DeleteClient(ctx, c.ID))
	_, err = s.APIKeyByHash(ctx, "abc")
	wantErr(t, "its keys go with it", err, store.ErrNotFound)
	kk, err = s.APIKeys(ctx, "")
	must(t, err)
	want(t, "the other's stay", len(kk), 1)
	must(t, s.DeleteAPIKey(ctx, kk[0].ID))
	wantErr(t, "again", s.DeleteAPIKey(ctx, kk[0].ID), store.ErrNotFound)
	_, err = s.Client(ctx, c.ID)
	wantErr(t, "gone", err, store.ErrNotFound)
	cc, err := s.Clients(ctx)
	must(t, err)
	want(t, "none", len(cc), 0)
}

func testEvents(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	last, err := s.LastEvent(ctx)
	must(t, err)
	want(t, "none", last, 0)
	id := store.NewID()
	must(t, s.AppendEvents(ctx, store.NewEvent{Type: "a", At: t0(), Client: "c1", Message: id, Data: json.RawMessage(`{"x":1}`)},
		store.NewEvent{Type: "b", At: t0(), Client: "c2"}, store.NewEvent{Type: "a", At: t0(), Client: "c2"}))
	_, err = s.Submit(ctx, store.Submission{Now: t0(), Messages: []store.NewMessage{letter{}.message()},
		Events: []store.NewEvent{{Type: "message.accepted", At: t0()}}})
	must(t, err)
	ev, err := s.Events(ctx, 0, 10, "", nil)
	must(t, err)
	want(t, "all", len(ev), 4)
	want(t, "data", string(ev[0].Data), `{"x":1}`)
	want(t, "message", ev[0].Message, id)
	want(t, "at", ev[0].At, t0())
	last, err = s.LastEvent(ctx)
	must(t, err)
	want(t, "last", last, ev[3].Seq)
	for _, c := range []struct {
		after  int64
		limit  int
		client string
		types  []string
		n      int
	}{{0, 2, "", nil, 2}, {ev[1].Seq, 10, "", nil, 2}, {0, 10, "c2", nil, 2}, {0, 10, "c2", []string{"a"}, 1},
		{0, 10, "", []string{"a", "b"}, 3}, {ev[3].Seq, 10, "", nil, 0}} {
		got, err := s.Events(ctx, c.after, c.limit, c.client, c.types)
		must(t, err)
		want(t, fmt.Sprint("events ", c), len(got), c.n)
	}
	// A reader beside many writers misses none.
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 25 {
				if err := s.AppendEvents(context.WithoutCancel(ctx), store.NewEvent{Type: fmt.Sprint(w, "-", i), At: t0()}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	seen, at := map[string]bool{}, last
	for len(seen) < 100 && !t.Failed() {
		got, err := s.Events(ctx, at, 7, "", nil)
		must(t, err)
		for _, e := range got {
			seen[e.Type] = true
			at = e.Seq
		}
		if at >= last+1000 {
			break
		}
	}
	wg.Wait()
	want(t, "seen", len(seen), 100)
	w, err := s.PutWebhook(ctx, store.Webhook{URL: "https://example.com/hook", Secret: []byte{1}, Active: true, Cursor: 3})
	must(t, err)
	w.Cursor = 4
	_, err = s.PutWebhook(ctx, *w)
	must(t, err)
	got, err := s.Webhook(ctx, w.ID)
	must(t, err)
	want(t, "cursor", got.Cursor, 4)
	ww, err := s.Webhooks(ctx)
	must(t, err)
	want(t, "webhooks", len(ww), 1)
	must(t, s.DeleteWebhook(ctx, w.ID))
	wantErr(t, "again", s.DeleteWebhook(ctx, w.ID), store.ErrNotFound)
}

func testSettings(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	_, err := s.Setting(ctx, "x")
	wantErr(t, "never set", err, store.ErrNotFound)
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[string]bool{}
	for i := range 8 {
		wg.Go(func() {
			v, err := s.SettingOrSet(context.WithoutCancel(ctx), "x", fmt.Sprint(i))
			mu.Lock()
			defer mu.Unlock()
			got[v] = true
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	want(t, "one value for all", len(got), 1)
	must(t, s.SetSetting(ctx, "x", "new"))
	v, err := s.SettingOrSet(ctx, "x", "other")
	must(t, err)
	want(t, "set", v, "new")
	v, err = s.Setting(ctx, "x")
	must(t, err)
	want(t, "read", v, "new")
}
