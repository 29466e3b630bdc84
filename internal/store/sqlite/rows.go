package sqlite

import (
	"strconv"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// A messageRow is a message as read.
type messageRow = engine.MessageRow

const (
	// deliveryOwn are the columns of the delivery itself; deliveryColumns tell
	// where it is placed as well.
	deliveryOwn     = `d.seq, d.msg, d.flow, d.id, ` + engine.DeliveryState
	deliveryColumns = `d.seq, d.msg, d.flow, d.id, m.id, f.client, f.connection, l.key, ` + engine.DeliveryState
	deliveryTables  = ` CROSS JOIN messages m ON m.seq = d.msg CROSS JOIN flows f ON f.id = d.flow CROSS JOIN lanes l ON l.id = f.lane`
)

func rowSchema() engine.Schema {
	return engine.Schema{Delivery: deliveryColumns, Tables: deliveryTables, Columns: columns,
		Order: "d.seq", Of: "d.msg = (SELECT seq FROM messages WHERE id = %s)",
		Cursor: "d.seq", Mark: func(r *engine.DeliveryRow) string { return strconv.FormatInt(r.Seq, 36) },
		ParseMark: func(m string) (any, error) { return strconv.ParseInt(m, 36, 64) },
		Recipient: "EXISTS (SELECT 1 FROM json_each(d.recipients) WHERE instr(lower(value ->> '$.address'), %s))",
		LastEvent: `SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'`,
		OfMessage: "d.msg = m.seq", MessageSeq: "m.seq",
		By:  func(index string) string { return " INDEXED BY " + index },
		ID:  func(id store.ID) any { return id },
		To:  idColumn,
		Key: func(k string) any { return k }, Text: func(k string) any { return k }}
}

func idColumn(id *store.ID) any { return id }

// columns are where deliveryColumns go.
func columns(r *engine.DeliveryRow) []any {
	d := &r.D
	return r.State(append(make([]any, 0, engine.RowSize),
		&r.Seq, &r.Msg, &r.Subqueue, &d.ID, &d.Message, &d.Client, &d.Route.Connection, &d.Route.Lane))
}

// own is where deliveryOwn goes.
func own(r *deliveryRow) []any {
	return r.State(append(make([]any, 0, engine.RowSize), &r.Seq, &r.Msg, &r.Subqueue, &r.D.ID))
}

// placedIn fills in what own leaves out, the message's id apart.
func placedIn(r *deliveryRow, f *subqueue, l *lane) {
	r.D.Client, r.D.Route.Connection, r.D.Route.Lane = f.Name.Client, f.Name.Connection, l.Key
}

// Delivery implements engine.Work: it loads one delivery, its message's id apart; store.ErrNotFound when
// there is none.
func (t *tx) Delivery(id store.ID) (*deliveryRow, error) {
	r := &deliveryRow{}
	if err := t.row(`SELECT `+deliveryOwn+` FROM deliveries d WHERE d.id = ?`, []any{id}, own(r)...); err != nil {
		return nil, notFound(err)
	}
	f, err := t.SubqueueByID(r.Subqueue)
	if err != nil {
		return nil, err
	}
	l, err := t.LaneByID(f.Lane)
	if err != nil {
		return nil, err
	}
	placedIn(r, f, l)
	r.Decode()
	return r, nil
}

// Changed implements engine.Work.
func (t *tx) Changed(r *deliveryRow) error {
	d := &r.D
	recipients, progress, err := r.Encode()
	if err != nil {
		return dbErr(err) // what is held was changed already
	}
	return t.exec(`UPDATE deliveries SET flow = ?, position = ?, state = ?, next_at = ?, deadline_at = ?, created_at = ?,
		expires_at = ?, warn_at = ?,
		finished_at = ?, attempts = ?, epoch = ?, node = ?, kind = ?, since = ?, join_key = NULL, recipients = ?, word = ? WHERE seq = ?`,
		r.Subqueue, d.Route.Position, int(d.State), engine.Micros(d.NextAt), engine.Micros(d.Deadline()), engine.Micros(d.CreatedAt),
		engine.Micros(d.ExpiresAt), engine.Micros(d.WarnAt), engine.Micros(d.FinishedAt), d.Attempts, d.Epoch, d.Node, string(d.Kind),
		engine.Micros(d.Since), recipients, progress, r.Seq)
}

// Attempt implements engine.Work.
func (t *tx) Attempt(r *deliveryRow, a engine.AttemptRow) (err error) {
	outcome, err := store.EncodeOutcome(a.Outcome)
	if err != nil {
		return err
	}
	return t.exec(`INSERT OR REPLACE INTO attempts (delivery, no, kind, flow, node, epoch, started_at, recipients, outcome)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.Seq, a.No, string(a.Kind), a.Subqueue, a.Node, a.Epoch, engine.Micros(a.StartedAt), a.Recipients, outcome)
}
