package outbox

import (
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// A report to a sender with an ASCII address is ASCII itself (RFC 6533 section
// 3): servers without SMTPUTF8 or 8BITMIME may stand on the way back.
func TestReportForms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, sender string
		whole        bool
		want, not    []string
	}{
		{"ASCII sender", "erp@contoso.it", false,
			[]string{"report-type=delivery-status;", "Content-Type: message/delivery-status\r\n",
				`Final-Recipient: utf-8; per\x{F2}\x{2B}1@example.com`,
				`Original-Recipient: utf-8;per\x{F2}@example.com`, "Content-Type: text/rfc822-headers; charset=utf-8\r\n" +
					"Content-Transfer-Encoding: quoted-printable", "per=C3=B2"},
			[]string{"message/global", "secret body"}},
		{"ASCII sender, whole message", "erp@contoso.it", true, []string{"text/rfc822-headers; charset=utf-8"},
			[]string{"message/rfc822\r\n", "secret body"}},
		{"UTF-8 sender", "però@contoso.it", false,
			[]string{"report-type=global-delivery-status;", "Final-Recipient: utf-8; però+1@example.com",
				"Content-Type: message/global-headers\r\nContent-Transfer-Encoding: 8bit"}, nil},
	} {
		original := "From: erp@contoso.it\r\nTo: però+1@example.com\r\n"
		if c.whole {
			original += "\r\nsecret body\r\n"
		}
		raw, err := composeReport(reportInput{kind: reportFailed, now: time.Now(), host: "gw.contoso.it",
			from:    mailboxtest.Of("info@contoso.it"),
			message: &store.Message{MessageID: "<però@contoso.it>", Envelope: mime.Envelope{From: mailboxtest.Of(c.sender)}},
			about: []store.Recipient{{Recipient: mime.Recipient{Address: mailboxtest.Of("però+1@example.com"),
				ORcpt: "utf-8;però@example.com"}}},
			original: returnedMessage{[]byte(original), c.whole}})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range c.want {
			if !strings.Contains(string(raw), s) {
				t.Errorf("%s: no %q in\n%s", c.name, s, raw)
			}
		}
		for _, s := range c.not {
			if strings.Contains(string(raw), s) {
				t.Errorf("%s: %q in\n%s", c.name, s, raw)
			}
		}
		if ascii(c.sender) && !ascii(string(raw)) {
			t.Errorf("%s: not ASCII:\n%s", c.name, raw)
		}
	}
}

// An address that only UTF-8 has is of no ASCII type, however it came.
func TestASCIIAddress(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"rfc822;a@example.com":   "rfc822;a@example.com",
		"rfc822;per\u00f2@e.com": `utf-8;per\x{F2}@e.com`,
		"utf-8; per\u00f2@e.com": `utf-8; per\x{F2}@e.com`,
		"x400; per\u00f2":        `x400; per\x{F2}`,
		"per\u00f2@e.com":        `per\x{F2}@e.com`,
		"plain@example.com":      "plain@example.com",
	} {
		if got := asciiAddress(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestReportFrom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		conn gateway.Connection
		want string
	}{
		{"its own address", gateway.Connection{Connection: adapters.Connection{Provider: adapters.SMTP, From: "info@contoso.it",
			Settings: &fallback.Settings{Login: "login@contoso.it"}}}, "info@contoso.it"},
		{"the mailbox of a pattern", gateway.Connection{Connection: adapters.Connection{Provider: adapters.Graph, From: "*@contoso.it",
			Settings: &graph.Settings{Mailbox: "box@contoso.it"}}}, "box@contoso.it"},
		{"the login of a pattern", gateway.Connection{Connection: adapters.Connection{Provider: adapters.SMTP, From: "*@contoso.it",
			Settings: &fallback.Settings{Login: "login@contoso.it"}}}, "login@contoso.it"},
		{"an author whom the pattern holds",
			gateway.Connection{Connection: adapters.Connection{Provider: adapters.SMTP, From: "*@contoso.it", Settings: &fallback.Settings{}}},
			"author@contoso.it"},
		{"an author of elsewhere", gateway.Connection{Connection: adapters.Connection{Provider: adapters.SMTP, From: "*@fabrikam.it",
			Settings: &fallback.Settings{Login: "relay"}}}, ""},
	} {
		if got := reportFrom(&c.conn, mailboxtest.Of("author@contoso.it")); got.String() != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// A delivery says when its sender cannot be told, in its record and in an event.
func TestNotTold(t *testing.T) {
	t.Parallel()
	scenario(t, "no connection may carry the notification", func(t *testing.T) {
		w := newWorld(t, conn("a", func(c *gateway.Connection) { c.From = "" }))
		defer w.close()
		w.fakes["a"].answer = func(int, adapters.Outgoing) (adapters.Receipt, error) {
			return adapters.Receipt{}, failure(adapters.Permanent, nil).err
		}
		b := w.run(nil)
		id := w.submit("a", "x@y.it")
		d := w.await(id, time.Minute, store.Failed)
		if !d.NotifyFailed {
			t.Error("the record does not say that the sender was not told")
		}
		if n := b.NotNotified(); n != 1 {
			t.Errorf("%d notifications that could not be made, want 1", n)
		}
		events, err := w.store.Events(t.Context(), 0, 10, "", []string{"notification.failed", "delivery.failed"})
		if err != nil || len(events) != 2 {
			t.Errorf("%d events, %v", len(events), err)
		}
		for _, e := range events {
			if !strings.Contains(string(e.Data), `"tag":"t","metadata":{"order":"42"}`) {
				t.Errorf("%s has not what the client put on the message: %s", e.Type, e.Data)
			}
		}
	})
	for dsn, reports := range map[bool]int{true: 0, false: 1} {
		scenario(t, "relayed to a server that takes over the wishes", func(t *testing.T) {
			w := newWorld(t, conn("a", nil))
			defer w.close()
			told := 0
			w.fakes["a"].answer = func(_ int, out adapters.Outgoing) (adapters.Receipt, error) {
				if toSender(out) {
					told++
				}
				return adapters.Receipt{DSN: dsn}, nil
			}
			w.run(nil)
			w.wish = []mime.Notify{mime.NotifySuccess}
			w.await(w.submit("a", "x@y.it"), time.Minute, store.Sent)
			pause.For(t.Context(), time.Minute)
			if told != reports {
				t.Errorf("next server with DSN %v: told %d times, want %d", dsn, told, reports)
			}
		})
	}
}

// Exchange Online refuses what it has already: after an unknown outcome that is
// how the first attempt ended.
func TestDuplicateDelivery(t *testing.T) {
	t.Parallel()
	for _, before := range []bool{true, false} {
		d := &store.Delivery{Kind: store.Send, Recipients: []store.Recipient{{Recipient: mime.Recipient{Address: mailboxtest.Of("a@b.it")},
			State: store.Pending}}}
		d.Duplicate = before
		r := decide(input{now: time.Now(), delivery: d,
			conn:   &gateway.Connection{Connection: adapters.Connection{Provider: adapters.SMTP, Settings: &fallback.Settings{}}},
			result: result{err: &adapters.Error{Class: adapters.Permanent, Code: adapters.CodeDuplicate}}})
		want := store.Failed
		if before {
			want = store.Sent
		}
		if r.transition.State != want {
			t.Errorf("after an unknown outcome %v: %s, want %s", before, r.transition.State, want)
		}
	}
}
