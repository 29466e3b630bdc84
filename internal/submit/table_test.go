package submit

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/store"
)

func many(n int) (conns []*gateway.Connection) {
	for i := range n {
		c := &gateway.Connection{Connection: adapters.Connection{ID: fmt.Sprint("id", i), Name: fmt.Sprint("C", i),
			From:     fmt.Sprintf("u@c%d.example", i%(n-1)),
			Provider: adapters.SMTP,
			Aliases:  []string{fmt.Sprintf("*@other%d.example", i%5), fmt.Sprintf("Info@c%d.example", i)}}}
		if i%3 == 0 {
			c.Provider = adapters.Graph
		}
		if i%7 == 0 {
			off := false
			c.Active = &off
		}
		conns = append(conns, c)
	}
	slices.SortFunc(conns, func(a, b *gateway.Connection) int { return strings.Compare(a.Name, b.Name) })
	return conns
}

func tableOf(t testing.TB, conns []*gateway.Connection) *table {
	out := newTable()
	follow(t, out, conns)
	return out
}

func follow(t testing.TB, table *table, conns []*gateway.Connection) {
	t.Helper()
	if err := table.follow(func() ([]*gateway.Connection, error) { return conns, nil }); err != nil {
		t.Fatal(err)
	}
}

// A table that followed edits is the one made from nothing, and has read the
// senders of what changed alone.
func TestTableFollowsEdits(t *testing.T) {
	t.Parallel()
	on := true
	conns := many(60)
	edit := func(i int, f func(*gateway.Connection)) func([]*gateway.Connection) []*gateway.Connection {
		return func(list []*gateway.Connection) []*gateway.Connection {
			c := list[i].Clone()
			f(c)
			return slices.Insert(slices.Delete(list, i, i+1), 0, c)
		}
	}
	for _, step := range []struct {
		name   string
		f      func([]*gateway.Connection) []*gateway.Connection
		others int // read again
	}{
		{"another sender", edit(22, func(c *gateway.Connection) { c.From = "moved@c3.example" }), 1},
		{"the sender of another one", edit(9, func(c *gateway.Connection) { c.From = conns[30].From }), 1},
		{"another name", edit(5, func(c *gateway.Connection) { c.Name = "A first" }), 1},
		{"switched on", edit(14, func(c *gateway.Connection) { c.Active = &on }), 1},
		{"bulk and default", edit(15, func(c *gateway.Connection) { c.Class, c.Default = ClassBulk, gateway.DefaultUnrouted }), 1},
		{"always", edit(17, func(c *gateway.Connection) { c.Default = gateway.DefaultAlways }), 1},
		{"always no more", edit(0, func(c *gateway.Connection) { c.Default = "" }), 1},
		{"deleted", func(list []*gateway.Connection) []*gateway.Connection { return slices.Delete(list, 10, 13) }, 0},
		{"names change places", func(list []*gateway.Connection) []*gateway.Connection {
			a, b := list[3].Clone(), list[40].Clone()
			a.Name, b.Name = b.Name, a.Name
			list[3], list[40] = a, b
			return list
		}, 2},
		{"created", func(list []*gateway.Connection) []*gateway.Connection {
			return append(list, &gateway.Connection{Connection: adapters.Connection{ID: "new", Name: "new", From: conns[30].From,
				Provider: adapters.SMTP}})
		}, 1},
		{"all gone", func([]*gateway.Connection) []*gateway.Connection { return nil }, 0},
	} {
		table := tableOf(t, conns)
		before := maps.Clone(table.keys)
		conns = step.f(slices.Clone(conns))
		slices.SortFunc(conns, func(a, b *gateway.Connection) int { return strings.Compare(a.Name, b.Name) })
		follow(t, table, conns)
		fresh := tableOf(t, conns)
		equal := func(what string, a, b map[string][]*gateway.Connection) {
			if !maps.EqualFunc(a, b, slices.Equal) {
				t.Errorf("%s: %s: %v, from nothing %v", step.name, what, a, b)
			}
		}
		for what, w := range map[string][2]routeLists{"on": {table.on, fresh.on}, "off": {table.off, fresh.off}} {
			equal(what+" exact", w[0].exact, w[1].exact)
			equal(what+" domain", w[0].domain, w[1].domain)
			if !slices.Equal(w[0].always, w[1].always) || !slices.Equal(w[0].unrouted, w[1].unrouted) || !slices.Equal(w[0].bulk, w[1].bulk) {
				t.Errorf("%s: %s: %v, from nothing %v", step.name, what, w[0], w[1])
			}
		}
		if !maps.Equal(table.ids, fresh.ids) || !maps.Equal(table.names, fresh.names) || len(table.keys) != len(conns) {
			t.Errorf("%s: other ids, names or keys than from nothing", step.name)
		}
		again := 0
		for _, c := range conns {
			if old, ok := before[c]; !ok || &table.keys[c].exact[0] != &old.exact[0] {
				again++
			}
		}
		if again != step.others {
			t.Errorf("%s: the senders of %d connections were read, not of %d", step.name, again, step.others)
		}
	}
}

// A slow reader that was given the state before an edit does not bring it back.
func TestTableNeverGoesBack(t *testing.T) {
	t.Parallel()
	older, newer := many(3), many(4)
	table, asked := tableOf(t, newer), 0
	if err := table.follow(func() ([]*gateway.Connection, error) {
		if asked++; asked == 1 {
			return older, nil
		}
		return newer, nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(table.ids) != len(newer) {
		t.Errorf("%d connections, the newest state has %d", len(table.ids), len(newer))
	}
}

// BenchmarkTable is what 20,000 connections cost the first message, and an edit
// of one of them the next.
func BenchmarkTable(b *testing.B) {
	conns := many(20000)
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			tableOf(b, conns)
		}
	})
	b.Run("edit", func(b *testing.B) {
		t := tableOf(b, conns)
		for b.Loop() {
			next := slices.Clone(conns)
			next[77] = next[77].Clone()
			follow(b, t, next)
		}
	})
}

// Senders are compared without regard to case, everywhere.
func TestSenderCase(t *testing.T) {
	t.Parallel()
	conn := &gateway.Connection{Connection: adapters.Connection{ID: "1", Name: "c", Provider: adapters.Graph, From: "erp@contoso.it",
		Aliases: []string{"Info@contoso.it"}, Settings: &fallback.Settings{Host: "h"}}}
	routes := tableOf(t, []*gateway.Connection{conn})
	client := &store.Client{Senders: []string{"Erp@contoso.it", "info@contoso.it"}}
	for _, from := range []string{"ERP@contoso.it", "erp@CONTOSO.it", "INFO@contoso.it"} {
		if e := routes.explain(routing{from: mailboxtest.Of(from)}, 1); e.Chosen != conn || e.Rule != RuleAddress {
			t.Errorf("%s: %v by %v", from, e.Chosen, e.Rule)
		}
		if !conn.MatchesFrom(mailboxtest.Of(from)) || CheckSender(client, "from", mailboxtest.Of(from)) != nil {
			t.Errorf("%s is refused", from)
		}
	}
	if CheckSender(client, "from", mailboxtest.Of("erp2@contoso.it")) == nil {
		t.Error("another sender is taken")
	}
}

// BenchmarkRoute chooses among 10,000 connections, as a hosted service does for
// each message.
func BenchmarkRoute(b *testing.B) {
	var conns []*gateway.Connection
	for i := range 10_000 {
		conns = append(conns, &gateway.Connection{Connection: adapters.Connection{ID: fmt.Sprint(i), Name: fmt.Sprint("c", i),
			Provider: adapters.SMTP,
			From:     fmt.Sprintf("erp@customer%d.example", i), Settings: &fallback.Settings{Host: "h"}}})
	}
	slices.SortFunc(conns, func(a, b *gateway.Connection) int { return strings.Compare(a.Name, b.Name) })
	t := tableOf(b, conns)
	for _, from := range []string{"erp@customer9999.example", "anna@customer9999.example"} {
		b.Run(from, func(b *testing.B) {
			b.ReportAllocs()
			box := mailboxtest.Of(from)
			for b.Loop() {
				if c, _, err := t.choose(routing{from: box}); err != nil || c.ID != "9999" {
					b.Fatal(c, err)
				}
			}
		})
	}
}
