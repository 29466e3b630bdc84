package sqlite

import (
	"slices"
	"strconv"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// A messageRow is a message as read.
type messageRow = engine.MessageRow

const (
	deliveryColumns = `d.seq, d.msg, d.flow, f.lane, d.id, m.id, f.client, f.connection, l.key, ` + engine.DeliveryState
	deliveryTables  = ` CROSS JOIN messages m ON m.seq = d.msg CROSS JOIN flows f ON f.id = d.flow CROSS JOIN lanes l ON l.id = f.lane`
)

func rowSchema() engine.Schema {
	return engine.Schema{Delivery: deliveryColumns, Tables: deliveryTables,
		Order: "d.seq", Of: "d.msg = (SELECT seq FROM messages WHERE id = %s)",
		Cursor: "d.seq", Mark: func(r *engine.DeliveryRow) string { return strconv.FormatInt(r.Seq, 36) },
		ParseMark: func(m string) (any, error) { return strconv.ParseInt(m, 36, 64) },
		Content: `SELECT m.size, m.sha256, b.msg IS NOT NULL, b.head, b.body, b.body IS NULL, coalesce(b.start, 0), b.head_sum
			FROM messages m LEFT JOIN bodies b ON b.msg = m.seq WHERE m.id = $1`, Object: "json_group_object",
		NoMark: "0", SeqAndID: "d.seq, d.id", Words: wordIndex(),
		LastEvent: `SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'`,
		OfMessage: "d.msg = m.seq", MessageSeq: "m.seq",
		By: func(index string) string { return " INDEXED BY " + index }}
}

func idColumn(id *store.ID) any { return id }

// columns are where deliveryColumns go.
func columns(r *deliveryRow) []any { return engine.Schema{To: idColumn}.Columns(r) }

// Delivery implements engine.Work.
func (t *tx) Delivery(id store.ID) (*deliveryRow, error) {
	if r := t.leased[id]; r != nil && r.Seq != 0 {
		return r, nil
	}
	if slices.ContainsFunc(t.placed, func(p placed) bool { return p.D.ID == id }) {
		if err := t.writePlaced(); err != nil {
			return nil, err
		}
	}
	r := &deliveryRow{}
	if err := t.Row(`SELECT `+deliveryColumns+` FROM deliveries d`+deliveryTables+` WHERE d.id = ?`, []any{id}, columns(r)...); err != nil {
		return nil, notFound(err)
	}
	r.Decode()
	return r, nil
}

// Changed implements engine.Work.
func (t *tx) Changed(r *deliveryRow) error {
	d := &r.D
	delete(t.leased, d.ID)
	recipients, progress, err := r.Encode()
	if err != nil {
		return dbErr(err) // what is held was changed already
	}
	if r.Was != 0 {
		if err := t.moveSubqueue(r); err != nil {
			return err
		}
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
