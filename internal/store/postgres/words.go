package postgres

import (
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/postino-mail/postino/internal/search/terms"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// wordIndex is the index of words, a GIN index: its list of pending entries makes
// writing cheap.
func wordIndex() engine.WordIndex {
	return engine.WordIndex{
		Written: true, Days: true, Lock: `SELECT pg_try_advisory_xact_lock(` + lockKey(`'search'`) + `)`,
		// The lock keeps the delivery in its subqueue until the record is there.
		Put: `INSERT INTO search (id, flow, terms) SELECT d.id, d.flow, array_to_tsvector($2::text[]) FROM deliveries d
			WHERE d.id = $1 AND d.recipients = $3 FOR UPDATE OF d ON CONFLICT (id) DO UPDATE SET flow = excluded.flow`,
		Gaps: `SELECT d.id FROM deliveries d LEFT JOIN search s ON s.id = d.id WHERE d.id > $1 AND d.id <= $2
			AND s.flow IS DISTINCT FROM d.flow ORDER BY d.id`,
		Terms: func(list []string) any { return list },
		Table: "search", Key: "id", Query: tsquery,
		// Without OFFSET the planner, which does not know the word, may rather read all ids.
		Hits:    `(SELECT id FROM search WHERE terms @@ CAST(%s AS tsquery) OFFSET 0) s JOIN deliveries d ON d.id = s.id`,
		HitKeys: `(SELECT id, flow FROM search WHERE terms @@ CAST(%s AS tsquery) OFFSET 0)`,
		HitOf: `(SELECT s.id, s.flow FROM (%k OFFSET 0) o CROSS JOIN LATERAL (SELECT * FROM search WHERE id = o.id OFFSET 0) s
			WHERE s.terms @@ CAST(%s AS tsquery))`,
		Cursor: "d.id", In: "= ANY(%s)", Ints: func(ids []int64) any { return ids },
		Keys: func(keys []any) any {
			ids := make([][16]byte, 0, len(keys))
			for _, k := range keys {
				if id, ok := k.([16]byte); ok {
					ids = append(ids, id)
				}
			}
			return ids
		},
		Tops: func(ids, each string) string {
			return `SELECT y.id FROM unnest(` + ids + `::bigint[]) x (flow) CROSS JOIN LATERAL (` + each + `) y`
		},
	}
}

// tsquery is a query in the form of PostgreSQL's type. Terms have no quotation marks
// and no backslashes.
func tsquery(cs []terms.Clause, days []string) string {
	var out []string
	for _, c := range cs {
		s := "(" + c.Query(" | ", " & ", func(t terms.Term) string {
			if t.Prefix {
				return `'` + t.Text + `':*`
			}
			return `'` + t.Text + `'`
		}) + ")"
		if c.Not {
			s = "!" + s
		}
		out = append(out, s)
	}
	if len(days) > 0 {
		out = append(out, "('"+strings.Join(days, "' | '")+"')")
	}
	return strings.Join(out, " & ")
}

// tsvector is a list of terms in the form of PostgreSQL's type.
func tsvector(m *store.Message, d *store.Delivery) string {
	return `'` + strings.Join(append(engine.TermsOf(m, d), engine.DayTerm(d.ID)), `' '`) + `'`
}

// writeWords writes the search records of new deliveries, the words of those that
// have got more recipients, and the subqueues of those that have left theirs.
func (t *tx) writeWords(b *pgx.Batch) {
	var ids [][16]byte
	var subqueues []int64
	var words []string
	messages := map[store.ID]*store.Message{}
	for _, m := range t.messages {
		messages[m.ID] = m.as
	}
	for _, r := range t.fresh {
		if m := messages[r.D.Message]; m != nil {
			ids, subqueues, words = append(ids, r.D.ID), append(subqueues, r.Subqueue), append(words, tsvector(m, &r.D))
		}
	}
	if len(ids) > 0 {
		b.Queue(`INSERT INTO search (id, flow, terms)
			SELECT id, flow, CAST(terms AS tsvector) FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS x (id, flow, terms)`,
			ids, subqueues, words)
	}
	for _, s := range t.regrown {
		b.Queue(`UPDATE search SET terms = CAST($2 AS tsvector) WHERE id = $1`, [16]byte(s.Row.D.ID), tsvector(s.Message, &s.Row.D))
	}
	ids, subqueues = nil, nil
	for _, r := range t.changed {
		if r.Was != 0 {
			ids, subqueues = append(ids, r.D.ID), append(subqueues, r.Subqueue)
		}
	}
	if len(ids) > 0 {
		b.Queue(`UPDATE search s SET flow = x.flow FROM unnest($1::uuid[], $2::bigint[]) AS x (id, flow) WHERE s.id = x.id`, ids, subqueues)
	}
}
