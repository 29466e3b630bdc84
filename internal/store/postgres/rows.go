package postgres

import (
	"encoding/json"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// us and at turn times into columns and back.
func us(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func at(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// A scan reads the columns of the current row.
type scan func(dst ...any) error

// messageDoc is what of a message no query asks for.
type messageDoc struct {
	Subject      string        `json:"s,omitempty"`
	From         string        `json:"f,omitempty"`
	OriginalFrom string        `json:"o,omitempty"`
	Envelope     mime.Envelope `json:"e"`
	Door         string        `json:"d,omitempty"`
	Class        string        `json:"c,omitempty"`
	Notification bool          `json:"n,omitempty"`
	NotBefore    time.Time     `json:"b,omitzero"`
}

func encodeMessage(m *store.Message) (string, error) {
	b, err := json.Marshal(messageDoc{m.Subject, m.From, m.OriginalFrom, m.Envelope, m.Door, m.Class, m.Notification, m.NotBefore})
	return string(b), err
}

const messageColumns = `m.id, m.client, m.received_at, m.size, m.sha256, m.kept, m.message_id, m.tag, m.doc`

// A messageRow is a message as read, not decoded yet.
type messageRow struct {
	m              store.Message
	received       int64
	messageID, tag []byte
	doc            string
}

func (r *messageRow) columns() []any {
	return []any{(*[16]byte)(&r.m.ID), &r.m.Client, &r.received, &r.m.Size, &r.m.BodySHA256, &r.m.BodyKept, &r.messageID, &r.tag, &r.doc}
}

func (r *messageRow) decode() (*store.Message, error) {
	var d messageDoc
	if err := json.Unmarshal([]byte(r.doc), &d); err != nil {
		return nil, err
	}
	m := &r.m
	m.ReceivedAt, m.MessageID, m.Tag = at(r.received), string(r.messageID), string(r.tag)
	m.Subject, m.From, m.OriginalFrom, m.Envelope, m.Door, m.Class, m.Notification, m.NotBefore =
		d.Subject, d.From, d.OriginalFrom, d.Envelope, d.Door, d.Class, d.Notification, d.NotBefore
	return m, nil
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

	fresh, dirty bool
	join         string // key under which siblings join
	msg          *messageRecord
}

func (r *deliveryRow) columns() []any {
	d := &r.d
	return []any{&r.flow, &r.lane, (*[16]byte)(&d.ID), (*[16]byte)(&d.Message), &d.Client, &d.Route.Connection, &d.Route.Lane, &d.Route.Position, &r.state,
		&r.next, &r.created, &r.expires, &r.warn, &r.finished, &d.Attempts, &d.Epoch, &d.Node, &r.kind, &r.since, &r.recipients, &r.word}
}

func (r *deliveryRow) decode() (*store.Delivery, error) {
	d := &r.d
	d.State, d.Kind = store.State(r.state), store.Kind(r.kind)
	d.NextAt, d.CreatedAt, d.ExpiresAt, d.WarnAt, d.FinishedAt, d.Since = at(r.next), at(r.created), at(r.expires), at(r.warn), at(r.finished), at(r.since)
	if err := json.Unmarshal([]byte(r.recipients), &d.Recipients); err != nil {
		return nil, err
	}
	if r.word != "" {
		if err := json.Unmarshal([]byte(r.word), &d.Word); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func scanDelivery(sc scan) (*deliveryRow, error) {
	r := &deliveryRow{}
	if err := sc(r.columns()...); err != nil {
		return nil, dbErr(err)
	}
	_, err := r.decode()
	return r, err
}

func encodeDelivery(d *store.Delivery) (recipients, word string, err error) {
	rs, err := json.Marshal(d.Recipients)
	if err != nil {
		return "", "", err
	}
	if d.Word != (store.Word{}) {
		w, err := json.Marshal(d.Word)
		return string(rs), string(w), err
	}
	return string(rs), "", nil
}
