package postgres

import (
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// A scan reads the columns of the current row.
type scan func(dst ...any) error

// A messageRow is a message as read.
type messageRow = engine.MessageRow

const (
	deliveryColumns = `d.flow, f.lane, d.id, d.msg, f.client, f.connection, l.key, ` + engine.DeliveryState
	deliveryTables  = ` JOIN flows f ON f.id = d.flow JOIN lanes l ON l.id = f.lane`
)

func rowSchema() engine.Schema {
	return engine.Schema{Delivery: deliveryColumns, Tables: deliveryTables, Columns: columns,
		Order: "d.created_at, d.id", Of: "d.msg = $1",
		OfMessage: "d.msg = m.id", MessageSeq: "0::bigint",
		By:  func(string) string { return "" },
		ID:  func(id store.ID) any { return [16]byte(id) },
		To:  idColumn,
		Key: func(k string) any { return []byte(k) }}
}

func idColumn(id *store.ID) any { return (*[16]byte)(id) }

// columns are where deliveryColumns go.
func columns(r *engine.DeliveryRow) []any {
	d := &r.D
	return append([]any{&r.Subqueue, &r.Lane, (*[16]byte)(&d.ID), (*[16]byte)(&d.Message), &d.Client, &d.Route.Connection, &d.Route.Lane},
		r.State()...)
}

type deliveryRow = engine.DeliveryRow

func scanDelivery(sc scan) (*deliveryRow, error) {
	r := &deliveryRow{}
	if err := sc(columns(r)...); err != nil {
		return nil, dbErr(err)
	}
	r.Decode()
	return r, nil
}
