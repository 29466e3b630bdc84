package web

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

func TestOverview(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	w.signIn(w.admin)
	w.get("/").want(200, "Overview", "No mailbox is connected yet").without("Everything works")

	mine := w.connection("Magazzino", "magazzino@contoso.it", w.operator.ID)
	office := w.connection(`Ufficio <script>alert(1)</script>`, "*@contoso.it", "")
	w.get("/").want(200, "Everything works", "Waiting", "Held").without("No mailbox")

	w.must(w.store.ChangeConnection(ctx, time.Now(), office.ID, store.ConnectionChange{PauseUntil: new(store.Never()),
		Error: &adapters.Error{Class: adapters.Auth, Code: "AADSTS7000222", Message: mime.Text{English: "the secret <b>has ended</b>"},
			Hint: mime.Text{English: "enter a new one"}}}))
	a := w.get("/").want(200, "Needs attention", "Ufficio", "The secret", "Enter a new one.", "AADSTS7000222", "Resume sending").
		without("<script>alert", "<b>has ended")
	if strings.Contains(a.text(), "Everything works") {
		t.Error("a paused connection is said to work")
	}
	// An operator sees what is theirs, and no more.
	w.signIn(w.operator)
	w.get("/").want(200, "Everything works").without("Ufficio", "AADSTS7000222")
	w.post("/resume", "connection", office.ID).want(404)
	w.must(w.store.ChangeConnection(ctx, time.Now(), mine.ID, store.ConnectionChange{PauseUntil: new(store.Never())}))
	w.get("/", "Accept-Language", "it").want(200, "Da sistemare", "Magazzino", "Riprendi l'invio")
	w.post("/resume", "connection", mine.ID).to("/")
	w.get("/").want(200, "Sending was resumed.", "Everything works")
}

func TestAudit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn(w.admin)
	w.get("/audit").want(200, "Audit", "The newest first.")
	w.post("/people/"+w.operator.ID, "email", testOperator, "name", "=HYPERLINK(1)", "role", "operator", "revision", "1").
		to("/people/" + w.operator.ID)
	w.get("/audit?kind=person").want(200, testAdmin, "page", "person", "changed", "=HYPERLINK(1)")
	w.get("/audit?kind=person", "Accept-Language", "it").want(200, "persona", "modifica")
	w.get("/audit?kind=webhook").want(200, "Nothing in the audit trail fits this filter.")
	w.get("/audit?kind=nope").want(422)
	w.get("/audit?from=gestern").want(422, "Write a day as 2026-11-30.")
	w.get("/audit?from="+time.Now().AddDate(0, 0, 2).Format(time.DateOnly)).want(200, "Nothing in the audit trail")
	a := w.get("/audit.csv?kind=person").want(200)
	if !strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment") || !strings.Contains(a.body, "seq,time,") {
		t.Errorf("%v %s", a.header, a.body)
	}
	w.signIn(w.operator)
	for _, path := range []string{"/audit", "/audit.csv"} { // their own part: what was done with their record, not with the office
		w.get(path).want(200, "=HYPERLINK(1)").without("Ufficio")
	}
}

// TestHistory: the overview draws what happened by the hour and by the day, the mailboxes
// have a heartbeat, and an operator sees their own mail alone.
func TestHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mine := w.connection("Magazzino", "magazzino@contoso.it", w.operator.ID)
	other := w.connection("Ufficio", "ufficio@contoso.it", "")
	w.deliver(mine.ID, "mine", adapters.Accepted)
	w.deliver(other.ID, "other", adapters.Accepted)
	w.deliver(other.ID, "other", adapters.Permanent)

	w.signIn(w.admin)
	a := w.get("/").want(200, "Mail over time", "2 sent, 0 held, 1 failed", "highest bar: 3 an hour", "1 fine", "1 with failures")
	if !strings.Contains(a.body, `<rect class="failed"`) {
		t.Error("there is no bar")
	}
	w.get("/?days=7").want(200, "highest bar: 3 a day", "Waiting at the end of each day")
	w.get("/mailboxes").want(200, "mine", "other", "1 with failures")
	w.get("/connections").want(200, "Last success", "just now")
	w.get("/connections/"+other.ID).want(200, "Last error", "No such user.")
	w.get("/", "Accept-Language", "it").want(200, "La posta nel tempo", "2 inviati")
	w.signIn(w.operator)
	w.get("/").want(200, "1 sent, 0 held, 0 failed", "mine").without("other", "with failures: 1")
	w.get("/mailboxes").want(200, "mine").without("other")
}

// deliver has one message of a connection tried once.
func (w *world) deliver(connection, lane string, class adapters.Class) {
	w.t.Helper()
	ctx, now := context.Background(), time.Now()
	from, to := mailboxtest.Of("a@contoso.it"), []mime.Recipient{{Address: mailboxtest.Of("anna@example.com")}}
	_, err := w.store.Submit(ctx, store.Submission{Now: now, Messages: []store.NewMessage{{
		Message: store.Message{From: from, Envelope: mime.Envelope{From: from, Recipients: to}, ReceivedAt: now},
		Head:    []byte("From: a@contoso.it\r\n\r\n"), Body: mime.Bytes([]byte("x")),
		Deliveries: []store.NewDelivery{{Route: store.Route{Connection: connection, Lane: "smtp:" + lane}, Recipients: to,
			ExpiresAt: now.Add(time.Hour)}}}}})
	w.must(err)
	n, _, err := w.store.Register(ctx, "n", now, now.Add(time.Minute))
	w.must(err)
	got, err := w.store.Claim(ctx, store.ClaimRequest{Node: n, Now: now, Max: 1})
	w.must(err)
	f := store.Finish{Lease: got[0].Lease, Outcome: store.Outcome{EndedAt: now, Class: class, Conversation: "C: QUIT <b>\n"},
		Transition: store.Transition{Now: now, State: store.Sent}}
	if class != adapters.Accepted {
		f.Transition.State = store.Failed
		f.Outcome.Error = &adapters.Error{Class: class, Code: "no_mailbox", Message: mime.Text{English: "no such user"}}
	}
	w.must(w.store.Finish(ctx, f))
}
