package postgres

import (
	"strings"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// A scan reads the columns of the current row.
type scan = engine.Scan

// A messageRow is a message as read.
type messageRow = engine.MessageRow

const (
	deliveryColumns = `0::bigint, 0::bigint, d.flow, f.lane, d.id, d.msg, f.client, f.connection, l.key, ` + engine.DeliveryState
	deliveryTables  = ` JOIN flows f ON f.id = d.flow JOIN lanes l ON l.id = f.lane`
)

func rowSchema() engine.Schema {
	return engine.Schema{Delivery: deliveryColumns, Tables: deliveryTables,
		Order: "d.created_at, d.id", Of: "d.msg = %s",
		Messages: ` JOIN messages m ON m.id = d.msg`, Shared: true,
		Cursor: "d.id", Mark: func(r *engine.DeliveryRow) string { return r.D.ID.String() },
		ParseMark: func(m string) (any, error) {
			id, err := store.ParseID(m)
			return [16]byte(id), err
		},
		Content: `SELECT size, sha256, kept, head, body, body IS NULL, 0::bigint, head_sum FROM messages WHERE id = $1`,
		Object:  "json_object_agg",
		// One node at a time: two would only share the work and double the load.
		PurgeLock: `SELECT pg_try_advisory_xact_lock(` + lockKey(`'purge'`) + `)`,
		SeqAndID:  "0::bigint, d.id", Words: wordIndex(),
		LastEvent: `SELECT last FROM event_seq`,
		OfMessage: "d.msg = m.id", MessageSeq: "0::bigint",
		By:   func(string) string { return "" },
		ID:   func(id store.ID) any { return [16]byte(id) },
		To:   idColumn,
		Key:  func(k string) any { return []byte(k) },
		Text: func(k string) any { return strings.ToValidUTF8(k, "\uFFFD") }}
}

func idColumn(id *store.ID) any { return (*[16]byte)(id) }

// columns are where deliveryColumns go.
func columns(r *deliveryRow) []any { return engine.Schema{To: idColumn}.Columns(r) }

type deliveryRow = engine.DeliveryRow

func scanDelivery(sc scan) (*deliveryRow, error) {
	r := &deliveryRow{}
	if err := sc(columns(r)...); err != nil {
		return nil, dbErr(err)
	}
	r.Decode()
	return r, nil
}
