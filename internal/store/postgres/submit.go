package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// A newMessage is a message made ready by the caller's goroutine.
type newMessage struct {
	*store.NewMessage
	body       *body
	deliveries []store.Delivery
}

// A messageRecord is a message in a transaction: to be stored when it has a
// body, else one whose envelope grows.
type messageRecord struct {
	store.Message
	head  []byte
	body  *body
	grown bool
}

// Submit implements store.Submitter.
func (s *Store) Submit(ctx context.Context, sub store.Submission) ([]store.Submitted, error) {
	if err := sub.Prepare(); err != nil {
		return nil, err
	}
	msgs, err := s.ready(sub.Now, sub.Messages)
	if err != nil {
		return nil, err
	}
	var out []store.Submitted
	look := sub.Idempotency == nil // twice, before something counts as submitted again
	newOp := func() *op {
		o := &op{need: func(n *needs) { needSubmit(n, &sub, msgs) }, run: func(work context.Context, t *tx) (err error) {
			if out, err = t.submit(&sub, msgs, look); err != nil {
				return err
			}
			return engine.EnterResent(ctx, recordsTx{work, t.conn}, &sub)
		}}
		s.carry(o, msgs)
		return o
	}
	// Before the commit: a claim may be faster than the answer to it.
	for _, m := range msgs {
		if !m.body.chunked {
			s.arrived.Put(m.ID, m.Head, m.body.inline)
		}
	}
	err = s.doOp(ctx, newOp())
	if errors.Is(err, errLookAgain) {
		wait(ctx, lookAgainAfter)
		look = false
		err = s.doOp(ctx, newOp())
	}
	for i, m := range msgs {
		if err != nil || out[i].ID != m.ID {
			s.arrived.Take(m.ID)
		}
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ready makes the records, and reads the small bodies.
func (s *Store) ready(now time.Time, in []store.NewMessage) ([]newMessage, error) {
	out := make([]newMessage, len(in))
	for i := range in {
		m := newMessage{NewMessage: &in[i]}
		for j := range m.Deliveries {
			m.deliveries = append(m.deliveries, m.Deliveries[j].Record(m.ID, m.Client, now))
		}
		var err error
		if m.body, err = takeBody(m.NewMessage, s.opt.Inline); err != nil {
			return nil, err
		}
		out[i] = m
	}
	return out, nil
}

func needSubmit(n *needs, sub *store.Submission, msgs []newMessage) {
	if sub.Idempotency != nil {
		n.keys = append(n.keys, keyNeed{sub.Idempotency, sub.Now})
	}
	for i := range msgs {
		m := &msgs[i]
		if m.Join != nil {
			n.joins = append(n.joins, m.Join.Key)
		}
		for j := range m.deliveries {
			n.route(m.deliveries[j].Route, m.Client)
		}
		n.identity(sub.Now, m)
	}
}

func (n *needs) route(r store.Route, client string) {
	n.routes = append(n.routes, routeNeed{lane: r.Lane, connection: r.Connection, client: client})
}

func (t *tx) submit(sub *store.Submission, msgs []newMessage, look bool) ([]store.Submitted, error) {
	var ours *answer
	if k := sub.Idempotency; k != nil {
		a := t.answers[idempotencyKey{k.Client, k.Key}]
		if a != nil && (!a.ours || a.taken) {
			for i := range msgs {
				t.discard(&msgs[i])
			}
			return k.Answer(a.request, a.stored)
		}
		ours = a
	}
	// Everything that may be missing is asked for before anything changes.
	var err error
	for i := range msgs {
		for j := range msgs[i].deliveries {
			if _, ferr := t.SubqueueOf(sub.Now, msgs[i].deliveries[j].Route, msgs[i].Client); ferr != nil {
				err = ferr
			}
		}
	}
	if err != nil {
		return nil, err
	}
	out := make([]store.Submitted, len(msgs))
	if err := t.resubmitted(msgs, out, look); err != nil {
		return nil, err
	}
	for i := range msgs {
		m := &msgs[i]
		if out[i].Resubmitted {
			t.discard(m)
			continue
		}
		if m.Join != nil && t.join(sub.Now, m, &out[i]) {
			t.discard(m)
			continue
		}
		if err := t.message(sub.Now, m, &out[i]); err != nil {
			return nil, err
		}
	}
	t.unheard(sub.Now, msgs, out)
	if k := sub.Idempotency; k != nil {
		stored, err := json.Marshal(out)
		if err != nil {
			return nil, &dbError{err: err} // the row that was made for the answer must go
		}
		if ours != nil {
			ours.taken, ours.request, ours.stored = true, k.Request, stored
		}
		t.exec(`UPDATE idempotency SET answer = $3 WHERE client = $1 AND key = $2`, k.Client, []byte(k.Key), string(stored))
	}
	t.events = append(t.events, sub.EventsAfter(out)...)
	return out, nil
}

// claimKeys makes rows for idempotency keys: whoever makes one gives the
// answer, everybody else waits here until it is committed, and reads it.
func (t *tx) claimKeys(b *pgx.Batch, keys []keyNeed) {
	if len(keys) == 0 {
		return
	}
	keys = slices.Clone(keys)
	slices.SortStableFunc(keys, func(a, b keyNeed) int {
		if c := strings.Compare(a.Client, b.Client); c != 0 {
			return c
		}
		return strings.Compare(a.Key, b.Key)
	})
	keys = slices.CompactFunc(keys, func(a, b keyNeed) bool { return a.Client == b.Client && a.Key == b.Key })
	var clients []string
	var names [][]byte
	for _, k := range keys {
		clients, names = append(clients, k.Client), append(names, []byte(k.Key))
		b.Queue(`INSERT INTO idempotency (client, key, request, answer, expires_at) VALUES ($1, $2, $3, '', $4)
			ON CONFLICT (client, key) DO UPDATE SET request = excluded.request, answer = '', expires_at = excluded.expires_at
			WHERE idempotency.expires_at <= $5 RETURNING client,
			key`, k.Client, []byte(k.Key), nonNil(k.Request), engine.Micros(k.ExpiresAt), engine.Micros(k.now)).Query(each(func(sc scan) error {
			var client string
			var name []byte
			err := sc(&client, &name)
			t.answers[idempotencyKey{client, string(name)}] = &answer{ours: true}
			return err
		}))
	}
	b.Queue(`SELECT i.client, i.key, i.request, i.answer FROM unnest($1::text[], $2::bytea[]) AS x (client, key)
		JOIN idempotency i ON i.client = x.client AND i.key = x.key`, clients, names).Query(each(func(sc scan) error {
		var client string
		var name []byte
		a := &answer{}
		if err := sc(&client, &name, &a.request, &a.stored); err != nil {
			return err
		}
		key := idempotencyKey{client, string(name)}
		if t.answers[key] == nil {
			t.answers[key] = a
		}
		return nil
	}))
}

// message stores m with its deliveries.
func (t *tx) message(now time.Time, m *newMessage, out *store.Submitted) error {
	rec := &messageRecord{Message: m.Message, head: m.Head, body: m.body}
	rec.BodySHA256 = m.body.sum
	rec.Envelope.Recipients = slices.Clone(rec.Envelope.Recipients)
	t.messages = append(t.messages, rec)
	*out = store.Submitted{ID: m.ID}
	for i := range m.deliveries {
		r, err := t.place(now, m.deliveries[i])
		if err != nil {
			return err
		}
		if m.Join != nil && r.D.State == store.Queued {
			r.Join, t.waiting[r] = m.Join.Key, rec
			t.joins[r.Join] = append(t.joins[r.Join], r)
		}
		out.Deliveries = append(out.Deliveries, r.D.ID)
	}
	return nil
}

// place stores a new delivery.
func (t *tx) place(now time.Time, d store.Delivery) (*deliveryRow, error) {
	f, err := t.SubqueueOf(now, d.Route, d.Client)
	if err != nil {
		return nil, err
	}
	d.Recipients = slices.Clone(d.Recipients)
	r := &deliveryRow{Subqueue: f.ID, Lane: f.Lane, D: d, Fresh: true}
	t.fresh = append(t.fresh, r)
	if d.Waits() {
		engine.Arrived(unit{nil, t}, f, d.NextAt)
	}
	return r, nil
}

// join adds m's recipients to a sibling that waits, if there is one. The lock
// of the lane keeps everybody else from it.
func (t *tx) join(now time.Time, m *newMessage, out *store.Submitted) bool {
	want := m.deliveries[0].Route
	waiting := t.joins[m.Join.Key]
	for i := len(waiting) - 1; i >= 0; i-- {
		r := waiting[i]
		if r.Join == "" || r.D.State != store.Queued || !r.D.NextAt.After(now) {
			continue
		}
		msg := t.waiting[r]
		if r.D.Client != m.Client || r.D.Route.Connection != want.Connection || r.D.Route.Lane != want.Lane ||
			!r.D.Merge(&msg.Message, m.Deliveries[0].Recipients, m.Join.MaxRecipients) {
			return false
		}
		if msg.body == nil && !msg.grown {
			msg.grown = true
			t.messages = append(t.messages, msg)
		}
		t.mark(r)
		*out = store.Submitted{ID: msg.ID, Deliveries: []store.ID{r.D.ID}, Joined: true}
		return true
	}
	return false
}

// writeMessages inserts the new messages and writes the envelopes that grew.
func (t *tx) writeMessages(b *pgx.Batch) error {
	var ids [][16]byte
	var received, sizes, headSums []int64
	var clients, docs []string
	var sums, messageIDs, froms, envFroms, tags, heads, bodies [][]byte
	for _, m := range t.messages {
		doc, err := m.EncodeDoc()
		if err != nil {
			return err
		}
		if m.body == nil {
			b.Queue(`UPDATE messages SET doc = $2 WHERE id = $1`, [16]byte(m.ID), doc)
			continue
		}
		ids, clients, received, sizes, sums = append(ids, m.ID), append(clients, m.Client), append(received, engine.Micros(m.ReceivedAt)),
			append(sizes, m.Size), append(sums, m.body.sum)
		messageIDs, froms = append(messageIDs, []byte(m.MessageID)), append(froms, []byte(engine.Fold(m.From)))
		envFroms, tags, docs = append(envFroms, []byte(engine.Fold(m.Envelope.From))), append(tags, []byte(m.Tag)), append(docs, doc)
		heads, bodies, headSums = append(heads, m.head), append(bodies, m.body.inline), append(headSums, store.HeadSum(m.head))
	}
	if len(ids) > 0 {
		b.Queue(`INSERT INTO messages (id, client, received_at, size, sha256, kept, message_id, from_addr, env_from, tag, doc, head, body,
			head_sum)
			SELECT id, client, received_at, size, sha256, true, message_id, from_addr, env_from, tag, doc, head, body, head_sum
			FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bytea[], $7::bytea[], $8::bytea[], $9::bytea[],
			$10::text[], $11::bytea[], $12::bytea[], $13::bigint[])
			AS x (id, client, received_at, size, sha256, message_id, from_addr, env_from, tag, doc, head, body, head_sum)`,
			ids, clients, received, sizes, sums, messageIDs, froms, envFroms, tags, docs, heads, bodies, headSums)
	}
	return nil
}
