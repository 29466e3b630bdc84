package sqlite

import (
	"encoding/json"
	"strings"

	"github.com/postino-mail/postino/internal/search/terms"
	"github.com/postino-mail/postino/internal/store/engine"
)

// putSubqueue enters a delivery among those of its subqueue, which are listed in the
// order of their making.
const putSubqueue = `INSERT OR IGNORE INTO search_flows (flow, seq) VALUES (?, ?)`

// wordIndex is the index of words: FTS5 without contents and positions. A segment
// of it for each transaction would cost ten times what batches cost, so rows are
// added in the background.
func wordIndex() engine.WordIndex {
	return engine.WordIndex{
		Put: `INSERT OR REPLACE INTO search (rowid, terms)
			SELECT $1, $2 WHERE EXISTS (SELECT 1 FROM deliveries WHERE seq = $1 AND recipients = $3)`,
		PutSubqueue: `INSERT OR IGNORE INTO search_flows (flow, seq) SELECT flow, seq FROM deliveries WHERE seq = $1`,
		Terms:       func(list []string) any { return strings.Join(list, " ") },
		Table:       "search_flows", Key: "seq", Query: matchQuery,
		Hits: "search s CROSS JOIN deliveries d ON d.seq = s.rowid", HitCond: "s.search MATCH %s", Cursor: "s.rowid",
		// Without + each of the keys would be sought in the index of words.
		HitAmong: "+s.rowid IN (%s)",
		// Each step finds the next term without reading what has it. No term has a sign
		// before the first one that can be printed.
		Beginnings: `WITH RECURSIVE w (term) AS (
			SELECT (SELECT term FROM search_terms WHERE term >= $1 LIMIT 1)
			UNION ALL SELECT (SELECT term FROM search_terms WHERE term >= w.term || char(1) LIMIT 1) FROM w WHERE w.term < $2 LIMIT $3 + 1)
			SELECT term FROM w WHERE term < $2 LIMIT $3`,
		In: "IN (SELECT value FROM json_each(%s))", Ints: func(ids []int64) any { return jsonList(ids) },
		Keys: func(keys []any) any { return jsonList(keys) },
		Tops: func(ids, each string) string {
			return `SELECT y.seq FROM (SELECT value AS flow FROM json_each(` + ids + `)) x CROSS JOIN search_flows y
				WHERE y.flow = x.flow AND y.seq IN (` + each + `)`
		},
	}
}

// jsonList is a list of numbers as one argument.
func jsonList[T any](list []T) string {
	b, err := json.Marshal(list)
	if err != nil { // numbers always can
		return "[]"
	}
	return string(b)
}

// matchQuery is a query of FTS5. Terms have no quotation marks. At least one clause
// must hold; the others are taken away from what it finds.
func matchQuery(cs []terms.Clause, _ []string) string {
	var must, not []string
	for _, c := range cs {
		s := c.Query(" OR ", " AND ", func(t terms.Term) string {
			if t.Prefix {
				return `"` + t.Text + `" *`
			}
			return `"` + t.Text + `"`
		})
		if c.Not {
			not = append(not, " NOT ("+s+")")
		} else {
			must = append(must, s)
		}
	}
	return "(" + strings.Join(must, " AND ") + ")" + strings.Join(not, "")
}

// moveSubqueue enters that a delivery has left its subqueue for another one.
func (t *tx) moveSubqueue(r *deliveryRow) error {
	if err := t.exec(`DELETE FROM search_flows WHERE flow = ? AND seq = ?`, r.Was, r.Seq); err != nil {
		return err
	}
	r.Was = 0
	return t.exec(putSubqueue, r.Subqueue, r.Seq)
}

// wordsAgain writes the words of a delivery that has got more recipients. One that
// is not in the index yet is added again later.
func (t *tx) wordsAgain(s *engine.Sibling) error {
	return t.exec(`INSERT OR REPLACE INTO search (rowid, terms) VALUES (?, ?)`, s.Row.Seq,
		strings.Join(engine.TermsOf(s.Message, &s.Row.D), " "))
}
