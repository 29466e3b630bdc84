package submit

import (
	"testing"

	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/store"
)

// TestRouting is the table of design "Routing", one row or more for each of its
// points, over a real store.
func TestRouting(t *testing.T) {
	t.Parallel()
	off := false
	mode := func(m gateway.DefaultMode) func(*gateway.Connection) {
		return func(c *gateway.Connection) { c.Default = m }
	}
	class := func(s string) func(*gateway.Connection) {
		return func(c *gateway.Connection) { c.Class = s }
	}
	inactive := func(c *gateway.Connection) { c.Active = &off }
	alias := func(a ...string) func(*gateway.Connection) {
		return func(c *gateway.Connection) { c.Aliases = a }
	}
	exact := graphConn("exact", "erp@contoso.it", nil)
	pattern := smtpConn("pattern", "*@contoso.it", nil)
	last := smtpConn("last", "info@other.it", mode("unrouted"))
	const erp = "From: erp@contoso.it\nTo: a@example.com\nSubject: s"
	tests := []struct {
		name   string
		conns  []*gateway.Connection
		head   string
		req    Request
		client []string // connections it may use; its own is the first; nil: no client
		want   string   // connection
		code   string   // of the refusal
		later  bool     // it may be taken later
	}{
		{name: "1 always takes what another matches exactly", conns: []*gateway.Connection{exact,
			graphConn("all", "noreply@contoso.it", mode("always"))}, want: "all"},
		{name: "1 always overrules the name", conns: []*gateway.Connection{exact, graphConn("all", "noreply@contoso.it", mode("always"))},
			req: Request{Connection: "exact"}, want: "all"},
		{name: "1 always overrules the client's list", conns: []*gateway.Connection{exact,
			graphConn("all", "noreply@contoso.it", mode("always"))}, client: []string{"exact"}, want: "all"},
		{name: "1 always and inactive takes nothing", conns: []*gateway.Connection{exact,
			graphConn("all", "noreply@contoso.it", func(c *gateway.Connection) { mode("always")(c); inactive(c) })}, want: "exact"},
		{name: "2 by name", conns: []*gateway.Connection{exact, pattern}, req: Request{Connection: "pattern"}, want: "pattern"},
		{name: "2 by name in other letters", conns: []*gateway.Connection{exact, pattern}, req: Request{Connection: "PATTERN"}, want: "pattern"},
		{name: "2 by header", conns: []*gateway.Connection{exact, pattern}, head: erp + "\nX-Postino-Connection: pattern", want: "pattern"},
		{name: "2 the field before the header", conns: []*gateway.Connection{exact, pattern}, head: erp + "\nX-Postino-Connection: pattern",
			req: Request{Connection: "exact"}, want: "exact"},
		{name: "2 by the same name twice", conns: []*gateway.Connection{exact, pattern}, head: erp +
			"\nX-Postino-Connection: pattern\nX-Postino-Connection: pattern", want: "pattern"},
		{name: "2 by two names", conns: []*gateway.Connection{exact, pattern}, head: erp +
			"\nX-Postino-Connection: pattern\nX-Postino-Connection: exact", code: "unknown_connection"},
		{name: "2 unknown", conns: []*gateway.Connection{exact}, req: Request{Connection: "nobody"}, code: "unknown_connection"},
		{name: "2 inactive", conns: []*gateway.Connection{exact, smtpConn("off", "*@contoso.it", inactive)}, req: Request{Connection: "off"},
			code: "connection_inactive"},
		{name: "2 not for this client", conns: []*gateway.Connection{exact, pattern}, req: Request{Connection: "pattern"},
			client: []string{"exact"}, code: "connection_not_allowed"},
		{name: "2 named but for another sender", conns: []*gateway.Connection{graphConn("other", "other@contoso.it", nil)},
			req: Request{Connection: "other"}, code: "sender_not_allowed"},
		{name: "3 bulk by field", conns: []*gateway.Connection{exact, smtpConn("news", "*@contoso.it", class("bulk"))},
			req: Request{Class: ClassBulk}, want: "news"},
		{name: "3 bulk by Precedence: bulk", conns: []*gateway.Connection{exact, smtpConn("news", "*@contoso.it", class("bulk"))}, head: erp +
			"\nPrecedence: bulk", want: "news"},
		{name: "3 bulk by Precedence: list", conns: []*gateway.Connection{exact, smtpConn("news", "*@contoso.it", class("bulk"))}, head: erp +
			"\nPrecedence: list", want: "news"},
		{name: "3 bulk by List-Unsubscribe", conns: []*gateway.Connection{exact, smtpConn("news", "*@contoso.it", class("bulk"))}, head: erp +
			"\nList-Unsubscribe: <https://contoso.it/u>", want: "news"},
		{name: "3 the field says transactional", conns: []*gateway.Connection{exact, smtpConn("news", "*@contoso.it", class("bulk"))},
			head: erp + "\nPrecedence: bulk", req: Request{Class: ClassTransactional}, want: "exact"},
		{name: "3 bulk without a connection of its own goes on", conns: []*gateway.Connection{exact}, req: Request{Class: ClassBulk},
			want: "exact"},
		{name: "3 bulk keeps off a transactional connection", conns: []*gateway.Connection{graphConn("box", "erp@contoso.it",
			class("transactional")), last}, req: Request{Class: ClassBulk}, want: "last"},
		{name: "3 transactional keeps off a bulk connection", conns: []*gateway.Connection{smtpConn("news", "erp@contoso.it", class("bulk")),
			last}, want: "last"},
		{name: "4 exact before domain", conns: []*gateway.Connection{smtpConn("a", "*@contoso.it", nil), exact}, want: "exact"},
		{name: "4 letter case of the domain", conns: []*gateway.Connection{exact}, head: "From: erp@CONTOSO.it\nTo: a@example.com\nSubject: s",
			want: "exact"},
		{name: "8 the one that fits is switched off", conns: []*gateway.Connection{graphConn("off", "erp@contoso.it", inactive)},
			code: "connection_inactive", later: true},
		{name: "8 the one of the domain is switched off", conns: []*gateway.Connection{smtpConn("off", "*@contoso.it", inactive)},
			code: "connection_inactive", later: true},
		{name: "a file of the connection cannot be read now", conns: []*gateway.Connection{smtpConn("a", "erp@contoso.it",
			func(c *gateway.Connection) { fallback.SettingsOf(&c.Connection).CAFile = "no-such-ca.pem" })}, code: "config", later: true},
		{name: "4 by alias", conns: []*gateway.Connection{graphConn("box", "main@contoso.it", alias("erp@contoso.it")), pattern}, want: "box"},
		{name: "4 inactive", conns: []*gateway.Connection{graphConn("off", "erp@contoso.it", inactive), pattern}, want: "pattern"},
		{name: "4 the Sender of several authors", conns: []*gateway.Connection{exact, smtpConn("b", "b@contoso.it", nil)},
			head: "From: a@contoso.it, b@contoso.it\nSender: b@contoso.it\nTo: a@example.com\nSubject: s", want: "b"},
		{name: "5 domain of an SMTP connection with an address", conns: []*gateway.Connection{smtpConn("a", "info@contoso.it", nil), last},
			want: "a"},
		{name: "5 not the domain of a mailbox", conns: []*gateway.Connection{graphConn("box", "info@contoso.it", nil), last}, want: "last"},
		{name: "5 not a subdomain", conns: []*gateway.Connection{smtpConn("sub", "*@it.contoso.it", nil), last}, want: "last"},
		{name: "6 the client's own", conns: []*gateway.Connection{smtpConn("own", "info@own.it", nil), last}, client: []string{"own"},
			want: "own"},
		{name: "6 not before the sender's", conns: []*gateway.Connection{smtpConn("own", "info@own.it", nil), exact},
			client: []string{"own", "exact"}, want: "exact"},
		{name: "7 the default", conns: []*gateway.Connection{smtpConn("a", "x@a.it", nil), last}, want: "last"},
		{name: "8 no route", conns: []*gateway.Connection{smtpConn("a", "x@a.it", nil)}, code: "no_route"},
		{name: "8 the default is not for this client", conns: []*gateway.Connection{smtpConn("a", "x@a.it", nil), last},
			client: []string{"", "a"}, code: "no_route"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil, tt.conns...)
			r := tt.req
			if tt.client != nil {
				c := store.Client{ID: "c1", Name: "erp"}
				for i, name := range tt.client {
					if name == "" {
						continue
					}
					c.Connections = append(c.Connections, w.conns[name].ID)
					if i == 0 {
						c.Connection = w.conns[name].ID
					}
				}
				r.Client = &c
			}
			head := tt.head
			if head == "" {
				head = erp
			}
			got, refusal := w.take(letter{head: head, to: []string{"a@example.com"}, Request: r})
			if tt.code != "" {
				if refusal == nil || refusal.Code != tt.code {
					t.Fatalf("got %+v, %v, want the refusal %s", got.Connection, refusal, tt.code)
				}
				if refusal.Temporary() != tt.later || refusal.HTTP < 400 || refusal.Message.String() == "" || refusal.Message.In("it") == "" {
					t.Errorf("refusal %+v", refusal)
				}
				return
			}
			if refusal != nil {
				t.Fatalf("refused: %s %v", refusal.Code, refusal)
			}
			if got.Connection.Name != tt.want {
				t.Errorf("through %s, want %s", got.Connection.Name, tt.want)
			}
			if head == erp { // the explanation decides as the submission does
				e, err := w.Explain(t.Context(), Question{Client: r.Client, From: mailboxtest.Of("erp@contoso.it"),
					Connection: r.Connection, Class: r.Class}, 9)
				if err != nil || e.Chosen == nil || e.Chosen.Name != tt.want {
					t.Errorf("explained as %+v, %v", e, err)
				}
			}
			m, dd := w.stored(got.ID)
			if len(dd) != 1 || dd[0].Route.Connection != w.conns[tt.want].ID || dd[0].Route.Lane != w.conns[tt.want].Lane(m.From) {
				t.Errorf("stored with the route %+v", dd)
			}
		})
	}
}
