package postgres

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postino-mail/postino/internal/search/terms"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// Whatever a list is asked for, it walks an index in the order of the list and
// stops at the limit: nothing is sorted, and no table is read from its beginning.
// (A sender and a Message-ID that nothing has are looked for in all messages: they
// have no index.)
func TestListPlans(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	if _, err := send(t, s, "l", []byte("x")); err != nil {
		t.Fatal(err)
	}
	conn, err := s.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	// So many that walking all of them would be the worse plan.
	if _, err := conn.Exec(t.Context(), `
		CREATE TEMP TABLE n AS SELECT id, at, g FROM (SELECT g, $1::bigint - (20000 - g) * 60000000::bigint AS at
			FROM generate_series(1, 20000) g) x CROSS JOIN LATERAL (SELECT (lpad(to_hex(at / 1000), 12, '0') || '7000' || '8' ||
			lpad(to_hex(g), 15, '0'))::uuid AS id) y`, time.Now().UnixMicro()); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{
		`INSERT INTO messages (id, client, received_at, size, sha256, kept, message_id, from_addr, env_from, tag, doc)
			SELECT id, '', at, 1, '', false, g::text::bytea, g::text::bytea, g::text::bytea, '', '{}' FROM n`,
		`INSERT INTO deliveries SELECT n.id, n.id, d.flow, 0, CASE WHEN g % 100 = 0 THEN 5 ELSE 4 END, d.next_at, d.deadline_at, n.at,
			d.expires_at, d.warn_at, n.at, 1, 1, '', '', 0, NULL, d.recipients, d.word FROM n, (SELECT * FROM deliveries LIMIT 1) d`,
		`ANALYZE messages, deliveries, flows, lanes`,
	} {
		if _, err := conn.Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	// A connection, lane or client is looked up as its subqueues first.
	for name, c := range map[string]struct {
		filter store.Filter
		index  string
	}{
		"no filter":        {store.Filter{}, "deliveries_pkey"},
		"sent":             {store.Filter{States: []store.State{store.Sent}}, "deliveries_pkey"},
		"queued":           {store.Filter{States: []store.State{store.Queued}}, "deliveries_open"},
		"failed":           {store.Filter{States: []store.State{store.Failed}}, "deliveries_open"},
		"sending":          {store.Filter{States: []store.State{store.Sending}}, ""},
		"connection":       {store.Filter{Connection: "c"}, "flows"},
		"lane":             {store.Filter{Lane: "l"}, "flows"},
		"client":           {store.Filter{Client: "c"}, "flows"},
		"recipient":        {store.Filter{Recipient: "a@b.it"}, "deliveries_pkey"},
		"message":          {store.Filter{Message: store.NewID()}, "deliveries_msg"},
		"since":            {store.Filter{Since: time.Now().Add(-time.Hour)}, "deliveries_pkey"},
		"since, sent":      {store.Filter{Since: time.Now().Add(-time.Hour), States: []store.State{store.Sent}}, "deliveries_pkey"},
		"since, to no one": {store.Filter{Since: time.Now().Add(-time.Hour), Recipient: "a@b.it"}, "deliveries_pkey"},
	} {
		var q string
		var args []any
		p := s.Ports
		p.DB.List = func(_ context.Context, asked string, with []any, _ func(), _ func(engine.Scan) error) error {
			q, args = asked, with
			return nil
		}
		if _, err := p.List(t.Context(), store.ListRequest{Filter: c.filter}); err != nil {
			t.Fatal(err)
		}
		rows, err := conn.Query(t.Context(), `EXPLAIN `+q, args...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		plan := strings.Join(lines, "\n")
		small := c.index == "" || c.index == "deliveries_msg" // few rows: they may be sorted
		if strings.Contains(plan, "Seq Scan") || strings.Contains(plan, "Sort") && !small || !strings.Contains(plan, c.index) {
			t.Errorf("%s: the plan is\n%s", name, plan)
		}
		if !c.filter.Since.IsZero() && !strings.Contains(plan, "Index Cond: (id >=") {
			t.Errorf("%s: the time does not bound the walk\n%s", name, plan)
		}
	}
}

// A page of a word that most messages have reads the rows of the page, not those of
// all that the index finds.
func TestWordReadsAPage(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	if _, err := s.IndexSearch(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	p := s.Ports
	var joined, asked int
	p.DB.List = func(_ context.Context, q string, _ []any, _ func(), _ func(engine.Scan) error) error {
		asked++
		if strings.Contains(q, "JOIN") {
			joined++
		}
		return nil
	}
	if _, err := p.List(t.Context(), store.ListRequest{Filter: store.Filter{Match: []terms.Match{{Value: "fattura"}}}}); err != nil {
		t.Fatal(err)
	}
	if asked == 0 || joined > 0 {
		t.Errorf("%d of %d questions to the index read rows", joined, asked)
	}
}
