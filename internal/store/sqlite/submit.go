package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// A newMessage is a message made ready by the caller's goroutine, so that the
// writer has only to put it into rows.
type newMessage struct {
	*store.NewMessage
	doc        string
	headSum    int64
	body       *body
	deliveries []newDelivery
}

type newDelivery struct {
	store.Delivery
	recipients string
}

// SpoolDir implements store.Submitter.
func (s *Store) SpoolDir() string { return s.spool.incoming }

// Submit implements store.Submitter.
func (s *Store) Submit(ctx context.Context, sub store.Submission) ([]store.Submitted, error) {
	if err := sub.Prepare(); err != nil {
		return nil, err
	}
	msgs, bytes, err := s.ready(ctx, sub.Now, sub.Messages)
	if err != nil {
		return nil, err
	}
	var out []store.Submitted
	// Before the commit: a claim of the same transaction may read it at once.
	for _, m := range msgs {
		if m.body.file == "" {
			s.recent.Put(m.ID, m.Head, m.body.inline)
		}
	}
	err = s.run(ctx, &op{bytes: bytes, fn: func(t *tx) (err error) {
		if out, err = t.submit(&sub, msgs); err != nil {
			return err
		}
		return engine.EnterResent(ctx, recordsTx{t}, &sub)
	}})
	s.settleBodies(msgs, out, err)
	for i, m := range msgs {
		if err != nil || i >= len(out) || out[i].ID != m.ID {
			s.recent.Take(m.ID)
		}
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// settleBodies removes the spool files that no row names. After an error that
// leaves the commit in doubt they stay: Sweep knows.
func (s *Store) settleBodies(msgs []newMessage, out []store.Submitted, err error) {
	for i := range msgs {
		b := msgs[i].body
		switch {
		case b.file == "":
		case !errors.Is(err, store.ErrUnavailable) && (err != nil || i >= len(out) || out[i].Joined || out[i].Replayed || out[i].Resubmitted):
			s.spool.discard(s.opt.Log, b)
		default:
			s.spool.written(b.file)
		}
	}
}

// ready encodes the messages and syncs their spool files.
func (s *Store) ready(ctx context.Context, now time.Time, in []store.NewMessage) (out []newMessage, size int64, err error) {
	defer func() {
		if err != nil {
			for _, m := range out {
				s.spool.discard(s.opt.Log, m.body)
			}
		}
	}()
	for i := range in {
		m := newMessage{NewMessage: &in[i], headSum: store.HeadSum(in[i].Head)}
		if m.doc, err = m.EncodeDoc(); err != nil {
			return out, 0, err
		}
		for j := range m.Deliveries {
			d := newDelivery{Delivery: m.Deliveries[j].Record(m.ID, m.Client, now)}
			if d.recipients, err = store.EncodeRecipients(d.Recipients); err != nil {
				return out, 0, err
			}
			m.deliveries = append(m.deliveries, d)
		}
		if m.body, err = s.spool.take(ctx, m.NewMessage, s.opt.Inline); err != nil {
			return out, 0, err
		}
		m.BodySHA256 = m.body.sum
		out = append(out, m)
		size += int64(len(m.Head) + len(m.body.inline))
	}
	return out, size, nil
}

func (t *tx) submit(sub *store.Submission, msgs []newMessage) ([]store.Submitted, error) {
	if k := sub.Idempotency; k != nil {
		out, err := t.replay(sub.Now, k)
		if out != nil || err != nil {
			return out, err
		}
	}
	out := make([]store.Submitted, len(msgs))
	if err := t.resubmitted(sub.Now, msgs, out); err != nil {
		return nil, err
	}
	for i := range msgs {
		m := &msgs[i]
		if out[i].Resubmitted {
			continue
		}
		if m.Join != nil {
			joined, err := t.join(sub.Now, m, &out[i])
			if err != nil {
				return nil, err
			}
			if joined {
				continue
			}
		}
		if err := t.message(sub.Now, m, &out[i]); err != nil {
			return nil, err
		}
	}
	if err := t.unheard(sub.Now, msgs, out); err != nil {
		return nil, err
	}
	if k := sub.Idempotency; k != nil {
		answer, err := json.Marshal(out)
		if err != nil {
			return nil, err
		}
		if err := t.exec(`INSERT OR REPLACE INTO idempotency (client, key, request, answer, expires_at) VALUES (?, ?, ?, ?, ?)`,
			k.Client, k.Key, nonNil(k.Request), string(answer), engine.Micros(k.ExpiresAt)); err != nil {
			return nil, err
		}
	}
	t.Append(sub.EventsAfter(out))
	return out, nil
}

// answerQuery is of client, key and time.
const answerQuery = `SELECT request, answer FROM idempotency WHERE client = ? AND key = ? AND expires_at > ?`

func (t *tx) replay(now time.Time, k *store.Idempotency) ([]store.Submitted, error) {
	var request, answer []byte
	err := t.row(answerQuery, []any{k.Client, k.Key, engine.Micros(now)}, &request, &answer)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return k.Answer(request, answer)
}

// message stores m with its deliveries.
func (t *tx) message(now time.Time, m *newMessage, out *store.Submitted) error {
	seq, err := t.insert(`INSERT INTO messages (id, client, received_at, size, sha256, kept, message_id, from_addr, env_from, tag, doc)
		VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?)`,
		m.ID, m.Client, engine.Micros(m.ReceivedAt), m.Size, m.BodySHA256, m.MessageID, engine.Fold(m.From), engine.Fold(m.Envelope.From), m.Tag,
		m.doc)
	if err != nil {
		return err
	}
	if err := t.exec(`INSERT INTO bodies (msg, head, body, start, head_sum) VALUES (?, ?, ?, ?, ?)`, seq, m.Head, m.body.column(),
		m.body.start, m.headSum); err != nil {
		return err
	}
	*out = store.Submitted{ID: m.ID}
	for i := range m.deliveries {
		d := &m.deliveries[i]
		var join any
		if m.Join != nil && d.State == store.Queued {
			join = m.Join.Key
		}
		if err := t.insertDelivery(now, seq, d, join); err != nil {
			return err
		}
		out.Deliveries = append(out.Deliveries, d.ID)
	}
	return nil
}

func (t *tx) insertDelivery(now time.Time, msg int64, d *newDelivery, join any) error {
	f, err := t.SubqueueOf(now, d.Route, d.Client)
	if err != nil {
		return err
	}
	if err := t.exec(`INSERT INTO deliveries (id, msg, flow, position, state, next_at, deadline_at, created_at, expires_at, warn_at,
		finished_at, attempts, epoch, node, kind, since, join_key, recipients, word)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, '', '', 0, ?, ?, '')`,
		d.ID, msg, f.ID, d.Route.Position, int(d.State), engine.Micros(d.NextAt), engine.Micros(d.Deadline()), engine.Micros(d.CreatedAt),
		engine.Micros(d.ExpiresAt), engine.Micros(d.WarnAt), join, d.recipients); err != nil {
		return err
	}
	if d.Waits() {
		engine.Arrived(t, f, d.NextAt)
	}
	return nil
}

// join adds m's recipients to a sibling that waits, if there is one.
func (t *tx) join(now time.Time, m *newMessage, out *store.Submitted) (bool, error) {
	want := m.deliveries[0].Route
	var id store.ID
	err := t.row(`SELECT id FROM deliveries INDEXED BY deliveries_join WHERE join_key = ? AND state = 0 AND next_at > ? ORDER BY seq DESC
		LIMIT 1`,
		[]any{m.Join.Key, engine.Micros(now)}, &id)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r, err := t.Delivery(id)
	if err != nil {
		return false, err
	}
	if r.D.Client != m.Client || r.D.Route.Connection != want.Connection || r.D.Route.Lane != want.Lane {
		return false, nil
	}
	var mr messageRow
	if err := t.row(`SELECT `+engine.MessageColumns+` FROM messages m WHERE m.seq = ?`, []any{r.Msg},
		mr.Columns(nil, idColumn)...); err != nil {
		return false, err
	}
	msg, ok := mr.Decode()
	if !ok || r.Corrupt {
		return false, nil
	}
	if !r.D.Merge(msg, m.Deliveries[0].Recipients, m.Join.MaxRecipients) {
		return false, nil
	}
	doc, err := msg.EncodeDoc()
	if err != nil {
		return false, err
	}
	recipients, err := store.EncodeRecipients(r.D.Recipients)
	if err != nil {
		return false, err
	}
	*out = store.Submitted{ID: msg.ID, Deliveries: []store.ID{r.D.ID}, Joined: true}
	return true, errors.Join(
		t.exec(`UPDATE messages SET doc = ? WHERE seq = ?`, doc, r.Msg),
		t.exec(`UPDATE deliveries SET recipients = ? WHERE seq = ?`, recipients, r.Seq))
}
