package submit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/store"
)

// The answer to "which connection, and why" names the rule, the fallbacks and the
// others, in both languages.
func TestExplain(t *testing.T) {
	t.Parallel()
	off := false
	set := func(f func(*gateway.Connection)) func(*gateway.Connection) { return f }
	w := newWorld(t, nil,
		graphConn("box", "erp@contoso.it", set(func(c *gateway.Connection) { c.Fallback = []string{"relay", "gone", "off", "google"} })),
		graphConn("box2", "erp@contoso.it", nil),
		smtpConn("relay", "*@contoso.it", nil),
		smtpConn("news", "*@contoso.it", set(func(c *gateway.Connection) { c.Class = "bulk" })),
		smtpConn("off", "*@contoso.it", set(func(c *gateway.Connection) { c.Active = &off })),
		gmailConn("google", "g@other.it", nil),
		smtpConn("last", "info@last.it", set(func(c *gateway.Connection) { c.Default = "unrouted" })),
	)
	only := func(names ...string) *store.Client {
		c := &store.Client{ID: "c", Name: "shop"}
		for _, n := range names {
			c.Connections = append(c.Connections, w.conns[n].ID)
		}
		return c
	}
	own := only()
	own.Connection, own.Senders = w.conns["google"].ID, []string{"g@other.it"}
	for _, c := range []struct {
		name  string
		q     Question
		want  string   // chosen, rule, carrier, code of the refusal
		other []string // name: a part of the reason
	}{
		{"address", Question{From: mailboxtest.Of("erp@contoso.it")}, "box address box ", []string{"box2: several",
			"relay: earlier rule", "news: bulk",
			"off: switched off", "google: not chosen", "last: it is the default"}},
		{"domain", Question{From: mailboxtest.Of("x@contoso.it")}, "relay domain relay ", []string{"box: not chosen"}},
		{"bulk", Question{From: mailboxtest.Of("x@contoso.it"), Class: "bulk"}, "news class news ", []string{"relay: earlier rule"}},
		{"named", Question{From: mailboxtest.Of("x@contoso.it"), Connection: "RELAY"}, "relay named relay ", nil},
		{"unknown name", Question{From: mailboxtest.Of("x@contoso.it"), Connection: "y"}, "- none - unknown_connection", nil},
		{"not allowed", Question{From: mailboxtest.Of("erp@contoso.it"), Client: only("relay")}, "relay domain relay ",
			[]string{"box: may not use"}},
		{"client's own", Question{From: mailboxtest.Of("g@third.it"), Client: own}, "google client google sender_not_allowed", nil},
		{"default", Question{From: mailboxtest.Of("x@third.it")}, "last default last ", nil},
		{"large", Question{From: mailboxtest.Of("erp@contoso.it"), Size: 200 << 20}, "box address relay ", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e, err := w.Explain(t.Context(), c.q, 100)
			if err != nil {
				t.Fatal(err)
			}
			name := func(c *gateway.Connection) string {
				if c == nil {
					return "-"
				}
				return c.Name
			}
			code := ""
			if e.Refusal != nil {
				code = e.Refusal.Code
			}
			if got := fmt.Sprint(name(e.Chosen), " ", e.Rule.Name(), " ", name(e.Carrier), " ", code); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			for _, want := range c.other {
				who, part, _ := strings.Cut(want, ": ")
				found := false
				for _, o := range e.Others {
					found = found || o.Connection.Name == who && strings.Contains(o.Reason.In("en"), part)
					if o.Reason.In("it") == o.Reason.In("en") {
						t.Errorf("%s is not Italian", o.Reason.In("en"))
					}
				}
				if !found {
					t.Errorf("no %q among %v", want, e.Others)
				}
			}
		})
	}
	e, err := w.Explain(t.Context(), Question{From: mailboxtest.Of("erp@contoso.it")}, 2)
	if err != nil || len(e.Others) != 2 || e.More != 4 {
		t.Errorf("%d others and %d more, %v", len(e.Others), e.More, err)
	}
	var chain []string
	for _, f := range e.Fallbacks {
		chain = append(chain, fmt.Sprint(f.Name, " ", f.Usable, " ", f.Reason.In("en")))
	}
	const want = "relay true ; gone false no connection is called so; off false it is switched off; " +
		"google false it does not send as erp@contoso.it"
	if got := strings.Join(chain, "; "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Of a fallback of another owner a person sees the name, and whether it takes over.
func TestExplainOthersFallback(t *testing.T) {
	t.Parallel()
	off := false
	w := newWorld(t, nil,
		graphConn("box", "erp@contoso.it", func(c *gateway.Connection) { c.Owner, c.Fallback = "op", []string{"relay", "off"} }),
		smtpConn("relay", "*@contoso.it", nil), smtpConn("off", "*@contoso.it", func(c *gateway.Connection) { c.Active = &off }))
	e, err := w.Explain(t.Context(), Question{Owner: "op", From: mailboxtest.Of("erp@contoso.it"), Size: 200 << 20}, 9)
	if err != nil || len(e.Fallbacks) != 2 || e.Refusal != nil {
		t.Fatalf("%+v, %v", e, err)
	}
	for i, f := range e.Fallbacks {
		if c := f.Connection; c == nil || c.ID+string(c.Provider) != "" || c.Name != f.Name || f.Usable != (i == 0) ||
			!f.Usable && f.Reason.In("en") != "it belongs to another person" {
			t.Errorf("%+v of %+v", c, f)
		}
	}
	if c := e.Carrier; c == nil || c.Name != "relay" || c.ID != "" {
		t.Errorf("carried by %+v", c)
	}
}

// A connection with the id of another as its name does not stand for it.
func TestNamedByIDFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, smtpConn("relay", "*@contoso.it", nil))
	id := w.conns["relay"].ID
	if _, err := w.store.PutConnection(t.Context(), time.Now(), smtpConn(id, "*@contoso.it", nil)); err != nil {
		t.Fatal(err)
	}
	e, err := w.Explain(t.Context(), Question{From: mailboxtest.Of("erp@contoso.it"), Connection: id}, 9)
	if err != nil || e.Chosen == nil || e.Chosen.Name != "relay" {
		t.Errorf("%+v, %v", e.Chosen, err)
	}
}
