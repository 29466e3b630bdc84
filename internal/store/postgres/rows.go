package postgres

import (
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// A scan reads the columns of the current row.
type scan func(dst ...any) error

const messageColumns = `m.id, m.client, m.received_at, m.size, m.sha256, m.kept, m.message_id, m.tag, m.resubmitted, m.doc`

// A messageRow is a message as read, not decoded yet.
type messageRow struct {
	m              store.Message
	received       int64
	messageID, tag []byte
	doc            string
}

func (r *messageRow) columns() []any {
	return []any{(*[16]byte)(&r.m.ID), &r.m.Client, &r.received, &r.m.Size, &r.m.BodySHA256, &r.m.BodyKept, &r.messageID, &r.tag, &r.m.Resubmitted, &r.doc}
}

// decode fills in the message. False: its record is damaged.
func (r *messageRow) decode() (*store.Message, bool) {
	m := &r.m
	m.ReceivedAt, m.MessageID, m.Tag = engine.At(r.received), string(r.messageID), string(r.tag)
	return m, m.DecodeDoc([]byte(r.doc))
}

const (
	deliveryColumns = `d.flow, f.lane, d.id, d.msg, f.client, f.connection, l.key, d.position, d.state, d.next_at, d.created_at, d.expires_at,
		d.warn_at, d.finished_at, d.attempts, d.epoch, d.node, d.kind, d.since, d.recipients, d.word`
	deliveryTables = ` JOIN flows f ON f.id = d.flow JOIN lanes l ON l.id = f.lane`
)

// A deliveryRow is a delivery as read, with its keys. In a transaction it is
// also what is to be written.
type deliveryRow struct {
	flow, lane                                    int64
	d                                             store.Delivery
	state                                         int
	kind                                          string
	next, created, expires, warn, finished, since int64
	recipients, word                              string
	damaged                                       bool // its columns cannot be read: it must not be sent

	fresh, dirty bool
	join         string // key under which siblings join
	msg          *messageRecord
}

func (r *deliveryRow) columns() []any {
	d := &r.d
	return []any{&r.flow, &r.lane, (*[16]byte)(&d.ID), (*[16]byte)(&d.Message), &d.Client, &d.Route.Connection, &d.Route.Lane, &d.Route.Position, &r.state,
		&r.next, &r.created, &r.expires, &r.warn, &r.finished, &d.Attempts, &d.Epoch, &d.Node, &r.kind, &r.since, &r.recipients, &r.word}
}

func (r *deliveryRow) decode() *store.Delivery {
	d := &r.d
	d.State, d.Kind = store.State(r.state), store.Kind(r.kind)
	d.NextAt, d.CreatedAt, d.ExpiresAt, d.WarnAt, d.FinishedAt, d.Since = engine.At(r.next), engine.At(r.created), engine.At(r.expires), engine.At(r.warn), engine.At(r.finished), engine.At(r.since)
	r.damaged = !d.DecodeColumns([]byte(r.recipients), []byte(r.word))
	return d
}

func scanDelivery(sc scan) (*deliveryRow, error) {
	r := &deliveryRow{}
	if err := sc(r.columns()...); err != nil {
		return nil, dbErr(err)
	}
	r.decode()
	return r, nil
}

// encode gives the JSON columns. What is damaged stays as it is.
func (r *deliveryRow) encode() (recipients, word string, err error) {
	if recipients = r.recipients; !r.damaged {
		if recipients, err = store.EncodeRecipients(r.d.Recipients); err != nil {
			return "", "", err
		}
	}
	word, err = store.EncodeProgress(r.d.Progress)
	return recipients, word, err
}
