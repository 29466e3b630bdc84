package postgres

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postino-mail/postino/internal/store"
)

// sameMoment fills a subqueue with n deliveries that are due at the same moment, in
// the table in no order.
func sameMoment(t testing.TB, s *Store, n int, now time.Time) {
	t.Helper()
	m := benchMessage("l", []byte("x"), now)
	if _, err := s.Submit(t.Context(), store.Submission{Now: now, Messages: []store.NewMessage{m}}); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{
		`INSERT INTO messages (id, client, received_at, size, sha256, kept, message_id, from_addr, env_from, tag, doc, head, body, head_sum)
			SELECT md5('m' || g)::uuid, m.client, m.received_at, m.size, m.sha256, true, m.message_id, m.from_addr, m.env_from, m.tag, m.doc,
				m.head, m.body, m.head_sum FROM generate_series(2, $1::int) g, (SELECT * FROM messages LIMIT 1) m`,
		`INSERT INTO deliveries SELECT md5(g::text)::uuid, md5('m' || g)::uuid, d.flow, d.position, d.state, d.next_at, d.deadline_at,
			d.created_at, d.expires_at, d.warn_at, d.finished_at, d.attempts, d.epoch, d.node, d.kind, d.since, d.join_key, d.recipients, d.word
			FROM generate_series(2, $1::int) g, (SELECT * FROM deliveries LIMIT 1) d`,
		`UPDATE flows SET queued = $1::int`,
	} {
		if _, err := s.pool.Exec(t.Context(), q, n); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.pool.Exec(t.Context(), `ANALYZE deliveries, messages`); err != nil {
		t.Fatal(err)
	}
}

// However many deliveries of a subqueue are due at the same moment, a claim walks the
// index and stops at its limit.
func TestClaimWalksTheIndex(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	now := time.Now()
	sameMoment(t, s, 20_000, now)
	conn, err := s.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	var subqueue string
	if err := conn.QueryRow(t.Context(), `SELECT id::text FROM flows`).Scan(&subqueue); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), `PREPARE due (bigint[], bigint[], uuid[], bigint) AS `+dueQuery()); err != nil {
		t.Fatal(err)
	}
	rows, err := conn.Query(t.Context(), `EXPLAIN (ANALYZE, TIMING OFF) EXECUTE due (ARRAY[`+subqueue+`], '{64}', '{}', `+
		fmt.Sprint(now.UnixMicro())+`)`, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		if strings.Contains(line, "Index Scan using deliveries_queue") && strings.Contains(line, "actual rows=64 ") {
			return
		}
	}
	t.Errorf("the plan is\n%s", strings.Join(lines, "\n"))
}

// BenchmarkClaimSameMoment claims 64 at a time of what is due at the same moment.
func BenchmarkClaimSameMoment(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint("due=", n), func(b *testing.B) {
			s := open(b, Options{})
			now := time.Now()
			sameMoment(b, s, n, now)
			node, _, err := s.Register(b.Context(), "n", now, now.Add(time.Hour))
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				list, err := s.Claim(b.Context(), store.ClaimRequest{Node: node, Now: now, Max: 64})
				if err != nil || len(list) != 64 {
					b.Fatal(len(list), err)
				}
			}
		})
	}
}
