package watch

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

func TestLevel(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	days := []int{30, 14, 7, 3, 1}
	for _, c := range []struct {
		name     string
		left     time.Duration
		lifetime time.Duration
		want     int
	}{
		{"far", 31 * day, 0, quiet}, {"30", 30 * day, 0, 30}, {"between", 29 * day, 0, 30}, {"14", 14 * day, 0, 14},
		{"an hour more than 14", 14*day + time.Hour, 0, 30}, {"7", 7 * day, 0, 7}, {"3", 3 * day, 0, 3}, {"1", day, 0, 1},
		{"last minute", time.Minute, 0, 1}, {"ended", 0, 0, 0}, {"long ago", -400 * day, 0, 0},
		{"90 days are renewed at 30", 29 * day, 90 * day, quiet}, {"and are late at 14", 14 * day, 90 * day, 14},
		{"47 days are renewed at 15", 15 * day, 47 * day, quiet}, {"and are late at 14", 14 * day, 47 * day, 14},
		{"a year", 29 * day, 365 * day, 30}, {"made for a test", 9 * day, 10 * day, 14},
	} {
		if got := level(days, now, now.Add(c.left), c.lifetime); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// Each step before an end is reported once, whatever number of nodes looks and
// how often, and what was renewed is reported too.
func TestSecretOnSeveralNodes(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.put(smtp("Altra"))
		c := overGraph("Ufficio", "app-1")
		c.SecretExpires = w.clock().Add(40 * day).Format(time.DateOnly)
		made := w.put(c)
		nodes := []*Watcher{w.watcher("a", "it@contoso.it"), w.watcher("b", "it@contoso.it"), w.watcher("c", "it@contoso.it")}
		all := func() {
			var wg sync.WaitGroup
			for _, x := range nodes {
				wg.Go(func() { w.round(x); w.round(x) })
			}
			wg.Wait()
		}
		all()
		w.wantNews("40 days before")
		for _, c := range []struct {
			days int
			want []string
		}{
			{11, []string{"raised secret Ufficio 29"}}, {1, nil}, {15, []string{"raised secret Ufficio 13"}},
			{6, []string{"raised secret Ufficio 7"}}, {4, []string{"raised secret Ufficio 3"}}, {2, []string{"raised secret Ufficio 1"}},
			{1, []string{"raised secret Ufficio 0"}}, {30, nil},
		} {
			w.advance(time.Duration(c.days) * day)
			all()
			w.wantNews(fmt.Sprint("after ", c.days), c.want...)
		}
		made.SecretExpires = w.clock().Add(365 * day).Format(time.DateOnly)
		w.put(*made)
		all()
		got := w.news()
		if len(got) != 1 || !strings.HasPrefix(got[0], "resolved secret Ufficio 36") {
			t.Errorf("renewed: %q", got)
		}
		all()
		w.wantNews("again")
		mails := w.mails()
		if len(mails) != 7 {
			t.Fatalf("%d mails, want one a report", len(mails))
		}
		for _, m := range mails {
			if m.via != "Altra" || !slices.Equal(m.to, []string{"it@contoso.it"}) || !m.message.Notification ||
				!m.message.Envelope.From.IsZero() ||
				!strings.Contains(m.body, "Auto-Submitted: auto-generated") {
				t.Errorf("%+v", m)
			}
		}
		if s := mails[0].subject; !strings.Contains(s, "il segreto di Ufficio scade il ") || !strings.Contains(s, "(restano 29 giorni)") {
			t.Error(s)
		}
		if s := mails[6].subject; !strings.Contains(s, "risolto") {
			t.Error(s)
		}
		// It is forgotten a month later, and comes again when it must.
		w.advance(31 * day)
		all()
		list, err := w.store.Alerts(t.Context())
		if err != nil || len(list) != 0 {
			t.Errorf("%v, %v", list, err)
		}
	})
}

// The mail never leaves through what is broken, nor through what shares its
// credential, its mailbox or its server, nor through what belongs to another.
func TestCarrier(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		x := w.watcher("a", "it@contoso.it")
		broken := w.put(overGraph("Rotta", "app-1"))
		w.put(overGraph("Stessa", "app-1"))
		foreign := smtp("Cliente")
		foreign.Owner = "customer"
		w.put(foreign)
		inactive := smtp("Spenta")
		inactive.Active = new(bool)
		w.put(inactive)
		refuse := func(c *gateway.Connection) {
			t.Helper()
			until := w.clock().Add(time.Hour)
			if err := w.store.ChangeConnection(t.Context(), w.clock(), c.ID, store.ConnectionChange{PauseUntil: &until,
				Error: &adapters.Error{Class: adapters.Auth, Message: mime.NewText("token.certificate_password",
					"the password of the certificate file is wrong")}}); err != nil {
				t.Fatal(err)
			}
		}
		refuse(broken)
		w.round(x)
		w.wantNews("refused", "raised auth Rotta")
		if m := w.mails(); len(m) != 0 {
			t.Errorf("mailed through %s", m[0].via)
		}
		w.put(smtp("Aruba"))
		w.round(x)
		w.round(x)
		m := w.mails()
		if len(m) != 1 || m[0].via != "Aruba" || !strings.Contains(m[0].subject, "Rotta non invia nulla: la password del file") {
			t.Fatalf("%+v", m)
		}
		// Once that one fails too, with the mail in it, nothing is mailed about the mail.
		aruba, err := w.store.ConnectionNamed(t.Context(), "Aruba")
		if err != nil {
			t.Fatal(err)
		}
		refuse(aruba)
		w.advance(2 * time.Hour)
		w.round(x)
		w.wantNews("the second", "raised auth Aruba")
		if m := w.mails(); len(m) != 1 {
			t.Errorf("%d mails", len(m))
		}
		past := w.clock().Add(-time.Second)
		for _, c := range []*gateway.Connection{broken, aruba} {
			if err := w.store.ChangeConnection(t.Context(), w.clock(), c.ID, store.ConnectionChange{PauseUntil: &past}); err != nil {
				t.Fatal(err)
			}
		}
		w.round(x)
		w.wantNews("both work again", "resolved auth Aruba", "resolved auth Rotta")
	})
}

func TestCertificates(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		c := w.put(smtp("Aruba"))
		w.put(overGraph("Ufficio", "app-1"))
		now := w.clock()
		w.listeners = []ListenerCertificate{{"0.0.0.0:587", leaf(now.Add(-300*day), now.Add(10*day))},
			{"0.0.0.0:465", leaf(now, now.Add(90*day))}}
		w.credentials["Ufficio"] = store.CredentialEnd{Kind: KindClientCertificate, Ends: now.Add(5 * day)}
		w.peers.Saw(c.ID, "Aruba.Example", leaf(now.Add(-300*day), now.Add(2*day)))
		a, b := w.watcher("a"), w.watcher("b")
		w.round(a)
		w.wantNews("first look", "raised client_certificate Ufficio 5", "raised listener_certificate 0.0.0.0:587 10",
			"raised server_certificate Aruba 2")
		w.peers = NewPeers()
		w.listeners = w.listeners[1:]
		other := w.watcher("b")
		w.round(other) // which has sent nothing yet, and has other listeners
		w.round(b)
		w.wantNews("another node knows nothing of them")
		w.round(a)
		w.wantNews("renewed on its own node", "resolved listener_certificate 0.0.0.0:587 10")
		w.credentials["Ufficio"] = store.CredentialEnd{Kind: KindClientCertificate, Ends: now.Add(400 * day)}
		w.advance(2 * time.Hour) // near an end it is read again every hour
		w.round(a)
		w.wantNews("a new file", "resolved client_certificate Ufficio 400")
		next := smtp("Aruba")
		next.ID, next.Revision, fallback.SettingsOf(&next.Connection).Host = c.ID, c.Revision, "other.example"
		w.put(next)
		w.round(a)
		w.wantNews("another server", "resolved server_certificate Aruba 2")
	})
}

func TestBudgetAndWaiting(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		limit := 10
		c := smtp("Ufficio")
		c.Limits.RecipientsPerDay = &limit
		made := w.put(c)
		x := w.watcher("a", "it@contoso.it")
		send := func(name string, n int, at time.Time, notification bool) store.ID {
			t.Helper()
			var to []mime.Recipient
			for i := range n {
				to = append(to, mime.Recipient{Address: mailboxtest.Of(string(rune('a'+i)) + "@example.com")})
			}
			done, err := w.store.Submit(t.Context(), store.Submission{Now: w.clock(), Messages: []store.NewMessage{{
				Message: store.Message{MessageID: "<" + name + "@x>", From: mailboxtest.Of(made.From),
					Envelope:   mime.Envelope{From: mailboxtest.Of(made.From), Recipients: to},
					ReceivedAt: w.clock(), NotBefore: at, Notification: notification},
				Head: []byte("From: a@x\r\n\r\n"), Body: mime.Bytes([]byte("x")),
				Deliveries: []store.NewDelivery{{Recipients: to, NextAt: w.clock(), ExpiresAt: w.clock().Add(100 * day),
					Route: store.Route{Connection: made.ID, Lane: made.Lane(mime.Mailbox{}), Limits: made.EffectiveLimits()}}}}}})
			if err != nil {
				t.Fatal(err)
			}
			return done[0].Deliveries[0]
		}
		// What is scheduled does not wait, nor do notices of our own.
		send("later", 1, w.clock().Add(3*day), false)
		send("notice", 1, time.Time{}, true)
		w.advance(2 * time.Hour)
		w.round(x)
		w.wantNews("neither waits")
		id := send("1", 8, time.Time{}, false)
		w.advance(59 * time.Minute)
		w.round(x)
		w.wantNews("59 minutes")
		w.advance(time.Minute)
		w.round(x)
		w.wantNews("an hour", "raised waiting Ufficio")
		w.advance(time.Hour)
		w.round(x)
		w.wantNews("two hours")
		node, _, err := w.store.Register(t.Context(), "n", w.clock(), w.clock().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		claimed, err := w.store.Claim(t.Context(), store.ClaimRequest{Node: node, Now: w.clock(), Max: 10})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range claimed {
			state := store.Queued
			if d.Lease.Delivery == id {
				state = store.Sent
			}
			if err := w.store.Finish(t.Context(), store.Finish{Lease: d.Lease,
				Outcome: store.Outcome{EndedAt: w.clock(), Class: adapters.Accepted},
				Transition: store.Transition{Now: w.clock(), State: state, NextAt: w.clock().Add(100 * day),
					Progress: d.Delivery.Progress}}); err != nil {
				t.Fatal(err)
			}
		}
		w.round(x)
		w.wantNews("it went, and used the day", "raised budget Ufficio", "resolved waiting Ufficio")
		w.advance(25 * time.Hour)
		w.round(x)
		w.wantNews("a day later", "resolved budget Ufficio")
	})
}

// What Microsoft 365 tells of a client secret counts over what was entered where it is
// certain, stays when it is not told any more, and another node has it too.
func TestSecretRead(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		c := overGraph("Ufficio", "app-1")
		c.SecretExpires = w.clock().Add(200 * day).Format(time.DateOnly)
		made := w.put(c)
		x := w.watcher("a")
		tell := func(end store.CredentialEnd, err error) {
			w.mu.Lock()
			w.credentials["Ufficio"], w.refuses["Ufficio"] = end, err
			w.mu.Unlock()
		}
		tell(store.CredentialEnd{}, ErrNotGranted)
		w.round(x)
		w.wantNews("not granted")
		later := func(what string, want ...string) {
			t.Helper()
			w.advance(7 * time.Hour)
			w.round(x)
			w.wantNews(what, want...)
		}
		tell(store.CredentialEnd{Kind: KindSecret, Ends: w.clock().Add(8 * day), Among: 2}, nil)
		later("one of two, and a date was entered")
		tell(store.CredentialEnd{Kind: KindSecret, Ends: w.clock().Add(8 * day), Name: "postino", Among: 1}, nil)
		later("certain", "raised secret Ufficio 8")
		tell(store.CredentialEnd{}, ErrNotGranted)
		later("taken away")
		w.round(w.watcher("b"))
		w.wantNews("another node, to which it is not told")
		st, err := w.store.ConnectionState(t.Context(), made.ID)
		if err != nil || st.Credential.Name != "postino" || !st.ChangedAt.IsZero() {
			t.Errorf("%+v, %v", st, err)
		}
		made.SecretExpires = ""
		w.put(*made) // by which what was read of the secret before is void
		w.round(x)
		w.wantNews("edited, and not told", "resolved secret Ufficio")
		tell(store.CredentialEnd{Kind: KindSecret, Ends: w.clock().Add(2 * day), Among: 3}, nil)
		later("one of three", "raised secret Ufficio 2")
		if a, err := w.store.Alerts(t.Context()); err != nil || !strings.Contains(a[0].Message.In("it"), "3 segreti") {
			t.Errorf("%v, %v", a, err)
		}
	})
}
