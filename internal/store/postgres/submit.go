package postgres

import (
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// A newRow is a message to be inserted: siblings may join it before.
type newRow struct {
	*engine.NewMessage
	as *store.Message
}

func needSubmit(n *needs, sub *store.Submission, msgs []*engine.NewMessage) {
	if sub.Idempotency != nil {
		n.keys = append(n.keys, keyNeed{sub.Idempotency, sub.Now})
	}
	for _, m := range msgs {
		if m.Join != nil {
			n.joins = append(n.joins, m.Join.Key)
		}
		for i := range m.Records {
			r := &m.Records[i].Route
			n.routes = append(n.routes, routeNeed{lane: r.Lane, connection: r.Connection, client: m.Client})
		}
		n.identity(sub.Now, m)
	}
}

// Answer implements engine.Work: what another transaction, or a call before in
// this one, has answered.
func (t *tx) Answer(_ time.Time, k *store.Idempotency) ([]store.Submitted, error) {
	if a := t.answers[idempotencyKey{k.Client, k.Key}]; a != nil && (a.taken || !a.ours) {
		return k.Answer(a.request, a.stored)
	}
	return nil, nil
}

// SetAnswer implements engine.Work.
func (t *tx) SetAnswer(k *store.Idempotency, stored string) error {
	if ours := t.answers[idempotencyKey{k.Client, k.Key}]; ours != nil {
		ours.taken, ours.request, ours.stored = true, k.Request, []byte(stored)
	}
	t.exec(`UPDATE idempotency SET answer = $3 WHERE client = $1 AND key = $2`, k.Client, []byte(k.Key), stored)
	return nil
}

// claimKeys makes rows for idempotency keys: whoever makes one has the
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
			key`, k.Client, []byte(k.Key), engine.NonNil(k.Request), engine.Micros(k.ExpiresAt),
			engine.Micros(k.now)).Query(each(func(sc scan) error {
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

// InsertMessage implements engine.Work.
func (t *tx) InsertMessage(m *engine.NewMessage) error {
	as := m.Message
	as.Envelope.Recipients = slices.Clone(as.Envelope.Recipients)
	t.messages = append(t.messages, newRow{m, &as})
	return nil
}

// Insert implements engine.Work.
func (t unit) Insert(_ *engine.NewMessage, f *engine.Subqueue, r *deliveryRow) error {
	t.fresh = append(t.fresh, r)
	engine.Counted(t, f, r)
	if r.Join != "" {
		t.joins[r.Join] = append(t.joins[r.Join], &engine.Sibling{Row: r, Message: t.messages[len(t.messages)-1].as})
	}
	return nil
}

// Sibling implements engine.Work. The lock of the lane keeps others from it.
func (t *tx) Sibling(now time.Time, key string) (*engine.Sibling, error) {
	for _, s := range slices.Backward(t.joins[key]) {
		if s.Row.Join != "" && s.Row.D.State == store.Queued && s.Row.D.NextAt.After(now) {
			return s, nil
		}
	}
	return nil, nil
}

// Grown implements engine.Work.
func (t *tx) Grown(s *engine.Sibling) error {
	if !s.Row.Fresh && !slices.Contains(t.grown, s.Message) {
		t.grown = append(t.grown, s.Message)
		t.regrown = append(t.regrown, s)
	}
	t.mark(s.Row)
	return nil
}

// writeMessages inserts the new messages and writes the envelopes that grew.
func (t *tx) writeMessages(b *pgx.Batch) error {
	var ids [][16]byte
	var received, sizes, headSums []int64
	var clients, docs []string
	var sums, messageIDs, froms, envFroms, tags, heads, bodies [][]byte
	for _, m := range t.grown {
		doc, err := m.EncodeDoc()
		if err != nil {
			return err
		}
		b.Queue(`UPDATE messages SET doc = $2 WHERE id = $1`, [16]byte(m.ID), doc)
	}
	for _, m := range t.messages {
		doc, err := m.as.EncodeDoc()
		if err != nil {
			return err
		}
		ids, clients, received, sizes, sums = append(ids, m.ID), append(clients, m.Client), append(received, engine.Micros(m.ReceivedAt)),
			append(sizes, m.Size), append(sums, m.Sum)
		messageIDs, froms = append(messageIDs, []byte(m.MessageID)), append(froms, []byte(engine.Fold(m.From.String())))
		envFroms, tags, docs = append(envFroms, []byte(engine.Fold(m.Envelope.From.String()))), append(tags,
			[]byte(m.Tag)), append(docs, doc)
		heads, bodies, headSums = append(heads, m.Head), append(bodies, m.Inline), append(headSums, store.HeadSum(m.Head))
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
