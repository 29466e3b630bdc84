package postgres

import (
	"github.com/jackc/pgx/v5"

	"github.com/postino-mail/postino/internal/store/engine"
)

// Tally implements engine.Work.
func (t *tx) Tally() *engine.Tally { return &t.tally }

// writeHours adds what the transaction has counted, in the order of the keys.
func (t *tx) writeHours(b *pgx.Batch) {
	rows := t.tally.Take()
	if len(rows) == 0 {
		return
	}
	connections, failures := make([]string, len(rows)), make([]string, len(rows))
	var longs [13][]int64
	for i := range longs {
		longs[i] = make([]int64, len(rows))
	}
	for i, r := range rows {
		connections[i], failures[i] = r.Connection, r.Error
		longs[0][i], longs[1][i], longs[11][i], longs[12][i] = r.Hour, r.Lane, r.SentAt, r.ErrorAt
		for j, n := range r.Numbers() {
			longs[2+j][i] = n
		}
	}
	b.Queue(`INSERT INTO hours (`+engine.TallyColumns+`) SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[],
		$5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[],
		$14::bigint[], $15::text[])`+engine.AddTally, connections, longs[0], longs[1], longs[2], longs[3], longs[4], longs[5], longs[6],
		longs[7], longs[8], longs[9], longs[10], longs[11], longs[12], failures)
}
