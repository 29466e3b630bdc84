package sqlite

import (
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

const messageColumns = `m.id, m.client, m.received_at, m.size, m.sha256, m.kept, m.message_id, m.tag, m.resubmitted, m.doc`

// A messageRow is a message as read, not decoded yet: that is left to the
// goroutine that asked.
type messageRow struct {
	m        store.Message
	received int64
	doc      []byte
}

func (r *messageRow) columns() []any {
	return []any{&r.m.ID, &r.m.Client, &r.received, &r.m.Size, &r.m.BodySHA256, &r.m.BodyKept, &r.m.MessageID, &r.m.Tag, &r.m.Resubmitted, &r.doc}
}

// decode fills in the message. False: its record is damaged.
func (r *messageRow) decode() (*store.Message, bool) {
	r.m.ReceivedAt = engine.At(r.received)
	return &r.m, r.m.DecodeDoc(r.doc)
}

const (
	// deliveryOwn are the columns of the delivery itself; deliveryColumns tell
	// where it is placed as well.
	deliveryOwn = `d.seq, d.msg, d.flow, d.id, d.position, d.state, d.next_at, d.created_at, d.expires_at, d.warn_at, d.finished_at, d.attempts, d.epoch,
		d.node, d.kind, d.since, d.recipients, d.word`
	deliveryColumns = `d.seq, d.msg, d.flow, d.id, m.id, f.client, f.connection, l.key, d.position, d.state, d.next_at, d.created_at, d.expires_at,
		d.warn_at, d.finished_at, d.attempts, d.epoch, d.node, d.kind, d.since, d.recipients, d.word`
	deliveryTables = ` CROSS JOIN messages m ON m.seq = d.msg CROSS JOIN flows f ON f.id = d.flow CROSS JOIN lanes l ON l.id = f.lane`
)

// A deliveryRow is a delivery as read, with its keys.
type deliveryRow struct {
	seq, msg, flow                                int64
	d                                             store.Delivery
	next, created, expires, warn, finished, since int64
	recipients, word                              []byte
	damaged                                       bool // its columns cannot be read: it must not be sent
}

func (r *deliveryRow) columns() []any {
	d := &r.d
	return []any{&r.seq, &r.msg, &r.flow, &d.ID, &d.Message, &d.Client, &d.Route.Connection, &d.Route.Lane, &d.Route.Position, &d.State,
		&r.next, &r.created, &r.expires, &r.warn, &r.finished, &d.Attempts, &d.Epoch, &d.Node, &d.Kind, &r.since, &r.recipients, &r.word}
}

func (r *deliveryRow) own() []any {
	d := &r.d
	return []any{&r.seq, &r.msg, &r.flow, &d.ID, &d.Route.Position, &d.State, &r.next, &r.created, &r.expires, &r.warn, &r.finished, &d.Attempts, &d.Epoch,
		&d.Node, &d.Kind, &r.since, &r.recipients, &r.word}
}

// placed fills in what own leaves out, the message's id apart.
func (r *deliveryRow) placed(f *flow, l *lane) {
	r.d.Client, r.d.Route.Connection, r.d.Route.Lane = f.name.client, f.name.connection, l.Key
}

func (r *deliveryRow) decode() *store.Delivery {
	d := &r.d
	d.NextAt, d.CreatedAt, d.ExpiresAt, d.WarnAt, d.FinishedAt, d.Since = engine.At(r.next), engine.At(r.created), engine.At(r.expires), engine.At(r.warn), engine.At(r.finished), engine.At(r.since)
	r.damaged = !d.DecodeColumns(r.recipients, r.word)
	return d
}

// delivery loads one delivery, its message's id apart; store.ErrNotFound when
// there is none.
func (t *tx) delivery(id store.ID) (*deliveryRow, error) {
	if r := t.leased[id]; r != nil {
		return r, nil
	}
	r := &deliveryRow{}
	if err := t.row(`SELECT `+deliveryOwn+` FROM deliveries d WHERE d.id = ?`, []any{id}, r.own()...); err != nil {
		return nil, notFound(err)
	}
	f, err := t.flowByID(r.flow)
	if err != nil {
		return nil, err
	}
	l, err := t.laneOf(f)
	if err != nil {
		return nil, err
	}
	r.placed(f, l)
	r.decode()
	return r, nil
}

// An encodedStep holds what a step puts into columns as JSON. The goroutine that
// asks for the step makes it, so that the writer, of which there is one, has less to do.
type encodedStep struct {
	recipients    string
	hasRecipients bool // else they stay as they are
	word          string
	outcome       string
}

func encodeStep(st *store.Transition, o *store.Outcome) (e *encodedStep, err error) {
	e = &encodedStep{hasRecipients: st.Recipients != nil}
	if e.hasRecipients {
		if e.recipients, err = store.EncodeRecipients(st.Recipients); err != nil {
			return nil, err
		}
	}
	if e.word, err = store.EncodeProgress(st.Progress); err != nil {
		return nil, err
	}
	if o != nil {
		e.outcome, err = store.EncodeOutcome(*o)
	}
	return e, err
}

// columns are those of r, e applied; e may be nil. What is damaged stays as it is.
func (e *encodedStep) columns(r *deliveryRow) (recipients, word string, err error) {
	switch {
	case r.damaged:
		recipients = string(r.recipients)
	case e != nil && e.hasRecipients:
		recipients = e.recipients
	default:
		if recipients, err = store.EncodeRecipients(r.d.Recipients); err != nil {
			return "", "", err
		}
	}
	if e != nil {
		return recipients, e.word, nil
	}
	word, err = store.EncodeProgress(r.d.Progress)
	return recipients, word, err
}

// save writes r, which change altered, and keeps the account of its flows. A
// delivery that changes no longer waits for siblings.
func (t *tx) save(now time.Time, r *deliveryRow, change func(*store.Delivery)) error {
	return t.saveStep(now, r, change, nil)
}

// saveStep is save for a change whose encoded columns are made already.
func (t *tx) saveStep(now time.Time, r *deliveryRow, change func(*store.Delivery), e *encodedStep) error {
	from, err := t.flowByID(r.flow)
	if err != nil {
		return err
	}
	waited := r.d.Waits()
	change(&r.d)
	delete(t.leased, r.d.ID)
	d := &r.d
	to := from
	l, err := t.laneOf(from)
	if err != nil {
		return err
	}
	if l.now.IsZero() {
		l.now = now
	}
	if d.Route.Connection != from.name.connection || d.Route.Lane != l.Key {
		if to, err = t.flow(now, d.Route, d.Client); err != nil {
			return err
		}
	}
	recipients, word, err := e.columns(r)
	if err != nil {
		return dbErr(err) // what is held was changed already
	}
	if err := t.exec(`UPDATE deliveries SET flow = ?, position = ?, state = ?, next_at = ?, deadline_at = ?, expires_at = ?, warn_at = ?, finished_at = ?,
		attempts = ?, epoch = ?, node = ?, kind = ?, since = ?, join_key = NULL, recipients = ?, word = ? WHERE seq = ?`,
		to.id, d.Route.Position, int(d.State), engine.Micros(d.NextAt), engine.Micros(d.Deadline()), engine.Micros(d.ExpiresAt), engine.Micros(d.WarnAt), engine.Micros(d.FinishedAt),
		d.Attempts, d.Epoch, d.Node, string(d.Kind), engine.Micros(d.Since), recipients, word, r.seq); err != nil {
		return err
	}
	r.flow = to.id
	if waited {
		t.left(from, 1)
		t.ungate(l)
	}
	if d.Waits() {
		t.arrived(to, d.NextAt)
	}
	return nil
}

// attempt writes a line of the ledger, over an earlier state of the same line.
func (t *tx) attempt(r *deliveryRow, flow int64, a store.Attempt) error {
	out, err := store.EncodeOutcome(a.Outcome)
	if err != nil {
		return err
	}
	return t.writeLine(r, flow, a, out)
}

func (t *tx) writeLine(r *deliveryRow, flow int64, a store.Attempt, outcome string) error {
	return t.exec(`INSERT OR REPLACE INTO attempts (delivery, no, kind, flow, node, epoch, started_at, recipients, outcome) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.seq, a.No, string(a.Kind), flow, a.Node, a.Epoch, engine.Micros(a.StartedAt), a.Recipients, outcome)
}
