package postgres

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// commit writes what changed and commits, all in one round trip. The commit
// waits as the server is set, for its disk and for standbys: its answer, on the
// connection that did the work, is what vouches for the work. What is queued
// later sees what was queued before.
func (t *tx) commit(ctx context.Context) (err error) {
	b := &pgx.Batch{}
	marks := t.s.Marks.Take()
	defer func() {
		if err != nil {
			t.s.Marks.Back(marks)
		}
	}()
	t.writeUnheard(b, marks)
	if err := errors.Join(t.writeMessages(b), t.writeDeliveries(b), t.writeLedger(b), t.writeStates(b)); err != nil {
		return err
	}
	t.writeWords(b)
	for _, st := range t.after {
		b.Queue(st.q, st.args...)
	}
	t.writeSubqueues(b)
	if err := t.writeLanes(b); err != nil {
		return err
	}
	t.writeHours(b)
	t.writeEvents(b)
	committed := false
	b.Queue(`COMMIT`).Exec(func(tag pgconn.CommandTag) error {
		if tag.String() != "COMMIT" {
			return errors.New("the database rolled the transaction back")
		}
		committed = true
		return nil
	})
	if f := t.s.opt.fault; f != nil {
		if err := f(beforeFlush, t.conn.Conn()); err != nil {
			return &dbError{err: err}
		}
	}
	replicated := watchCommit(t.conn.Conn().PgConn())
	err = t.conn.SendBatch(ctx, b).Close()
	if committed && !replicated() {
		return errNotReplicated()
	}
	if f := t.s.opt.fault; f != nil && err == nil {
		err = f(afterCommit, t.conn.Conn())
		committed = err == nil
	}
	if err == nil || committed {
		return nil
	}
	return doubtful(&dbError{err: err}, t.conn.Conn().IsClosed())
}

// writeDeliveries inserts the new ones and updates those that changed.
func (t *tx) writeDeliveries(b *pgx.Batch) error {
	if err := t.putDeliveries(b, t.fresh, `INSERT INTO deliveries (id, flow, position, state, next_at, deadline_at,
		expires_at, warn_at, finished_at,
		attempts, epoch, node, kind, since, join_key, recipients, word, msg, created_at)
		SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::int[], $4::int[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[],
		$10::int[], $11::bigint[], $12::text[], $13::text[], $14::bigint[], $15::text[], $16::text[], $17::text[], $18::uuid[],
		$19::bigint[])`); err != nil {
		return err
	}
	return t.putDeliveries(b, t.changed, `UPDATE deliveries d
		SET flow = x.flow, position = x.position, state = x.state, next_at = x.next_at, deadline_at = x.deadline_at,
		expires_at = x.expires_at, warn_at = x.warn_at, finished_at = x.finished_at,
		attempts = x.attempts, epoch = x.epoch, node = x.node, kind = x.kind,
		since = x.since, join_key = x.join_key, recipients = x.recipients, word = x.word, created_at = x.created_at
		FROM unnest($1::uuid[], $2::bigint[], $3::int[], $4::int[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[],
		$10::int[], $11::bigint[], $12::text[], $13::text[], $14::bigint[], $15::text[], $16::text[], $17::text[], $18::uuid[], $19::bigint[])
		AS x (id, flow, position, state, next_at, deadline_at, expires_at, warn_at, finished_at,
		attempts, epoch, node, kind, since, join_key, recipients, word, msg, created_at)
		WHERE d.id = x.id`)
}

func (t *tx) putDeliveries(b *pgx.Batch, rows []*deliveryRow, q string) error {
	if len(rows) == 0 {
		return nil
	}
	n := len(rows)
	ids, msgs := make([][16]byte, n), make([][16]byte, n)
	positions, states, attempts := make([]int32, n), make([]int32, n), make([]int32, n)
	var longs [9][]int64
	for i := range longs {
		longs[i] = make([]int64, n)
	}
	nodes, kinds, recipients, words := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	joins := make([]*string, n)
	for i, r := range rows {
		d := &r.D
		var err error
		if recipients[i], words[i], err = r.Encode(); err != nil {
			return err
		}
		ids[i], msgs[i] = d.ID, d.Message
		positions[i], states[i], attempts[i] = int32(d.Route.Position), int32(d.State), int32(d.Attempts)
		for j, v := range [...]int64{r.Subqueue, engine.Micros(d.NextAt), engine.Micros(d.Deadline()), engine.Micros(d.ExpiresAt),
			engine.Micros(d.WarnAt), engine.Micros(d.FinishedAt), d.Epoch, engine.Micros(d.Since), engine.Micros(d.CreatedAt)} {
			longs[j][i] = v
		}
		nodes[i], kinds[i] = d.Node, string(d.Kind)
		if r.Join != "" {
			joins[i] = &r.Join
		}
	}
	b.Queue(q, ids, longs[0], positions, states, longs[1], longs[2], longs[3], longs[4], longs[5], attempts, longs[6], nodes, kinds, longs[7],
		joins,
		recipients, words, msgs, longs[8])
	return nil
}

func (t *tx) writeLedger(b *pgx.Batch) error {
	n := len(t.ledger)
	if n == 0 {
		return nil
	}
	ids := make([][16]byte, n)
	nos, recipients := make([]int32, n), make([]int32, n)
	kinds, nodes, outcomes := make([]string, n), make([]string, n), make([]string, n)
	subqueues, epochs, started := make([]int64, n), make([]int64, n), make([]int64, n)
	for i, l := range t.ledger {
		out, err := store.EncodeOutcome(l.Outcome)
		if err != nil {
			return err
		}
		ids[i], nos[i], kinds[i], subqueues[i], nodes[i] = l.Delivery, int32(l.No), string(l.Kind), l.Subqueue, l.Node
		epochs[i], started[i], recipients[i], outcomes[i] = l.Epoch, engine.Micros(l.StartedAt), int32(l.Recipients), out
	}
	b.Queue(`INSERT INTO attempts (delivery, no, kind, flow, node, epoch, started_at, recipients, outcome)
		SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[], $8::int[], $9::text[])
		ON CONFLICT (delivery, no) DO UPDATE SET kind = excluded.kind, flow = excluded.flow, node = excluded.node, epoch = excluded.epoch,
			started_at = excluded.started_at, recipients = excluded.recipients, outcome = excluded.outcome`,
		ids, nos, kinds, subqueues, nodes, epochs, started, recipients, outcomes)
	return nil
}

// writeStates writes connection states that changed.
func (t *tx) writeStates(b *pgx.Batch) error {
	for _, st := range t.states {
		doc, err := store.EncodeState(st)
		if err != nil {
			return err
		}
		b.Queue(`INSERT INTO connection_states (connection, paused_until, doc) VALUES ($1, $2, $3)
			ON CONFLICT (connection) DO UPDATE
			SET paused_until = excluded.paused_until, doc = excluded.doc`, st.Connection, engine.Micros(st.PausedUntil), string(doc))
	}
	return nil
}

// writeSubqueues writes the subqueues that changed, with when each is ready next.
func (t *tx) writeSubqueues(b *pgx.Batch) {
	var ids, queued, due, notBefore, turns, served []int64
	var stale []bool
	for _, f := range t.subqueues {
		if !f.Dirty {
			continue
		}
		if l := t.lanes[f.Lane]; l != nil {
			l.Dirty = true
		}
		ids, queued, due, notBefore = append(ids, f.ID), append(queued, f.Queued), append(due, f.Due), append(notBefore, f.NotBefore)
		turns, served = append(turns, f.Turn), append(served, f.Served)
		stale = append(stale, f.Stale || f.Queued == 0)
	}
	if len(ids) == 0 {
		return
	}
	b.Queue(`UPDATE flows SET queued = y.queued, due_at = y.due, gate_at = y.not_before, turn_at = y.turn, served = y.served,
			ready_at = CASE WHEN y.due >= $8::bigint THEN $8 ELSE greatest(y.due, y.not_before, y.turn) END
		FROM (SELECT x.id, x.queued, x.not_before, x.turn, x.served, CASE WHEN x.stale
				THEN coalesce((SELECT d.next_at FROM deliveries d WHERE d.flow = x.id AND d.state <= 1 ORDER BY d.next_at
				LIMIT 1), $8) ELSE x.due END AS due
			FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bool[]) AS x (id, queued, due,
			not_before, turn, served, stale)) y
		WHERE flows.id = y.id`, ids, queued, due, notBefore, turns, served, stale, engine.Never())
}

// writeLanes writes the lanes that changed, with when each is ready next.
func (t *tx) writeLanes(b *pgx.Batch) error {
	var dirty []*lane
	for _, l := range t.lanes {
		if l.Dirty {
			dirty = append(dirty, l)
		}
	}
	if len(dirty) == 0 {
		return nil
	}
	n := len(dirty)
	var ints [5][]int32
	for i := range ints {
		ints[i] = make([]int32, n)
	}
	var longs [7][]int64
	for i := range longs {
		longs[i] = make([]int64, n)
	}
	reasons, limitsOf, minutes, days := make([]string, n), make([]string, n), make([][]byte, n), make([][]byte, n)
	for i, l := range dirty {
		var err error
		if reasons[i], minutes[i], days[i], err = l.EncodeColumns(); err != nil {
			return err
		}
		limitsOf[i] = l.LimitsOf
		for j, v := range [...]int{l.Limits.Concurrency, l.Limits.PerMinute, l.Limits.RecipientsPerDay, l.Cap, l.InFlight} {
			ints[j][i] = int32(v)
		}
		for j, v := range [...]int64{l.ID, engine.Micros(l.PausedUntil), engine.Micros(l.CapUntil), l.NotBefore, l.Turn, l.Served, l.Floor()} {
			longs[j][i] = v
		}
	}
	b.Queue(`UPDATE lanes SET concurrency = y.concurrency, per_minute = y.per_minute, per_day = y.per_day, paused_until = y.paused_until,
		reason = y.reason,
			cap = y.cap, cap_until = y.cap_until, in_flight = y.in_flight, minute = y.minute, day = y.day, gate_at = y.gate_at, turn_at = y.turn_at,
			served = y.served, limits_of = y.limits_of, ready_at = CASE WHEN y.first >= $16::bigint THEN $16 ELSE greatest(y.first, y.floor) END
		FROM (SELECT x.*, coalesce((SELECT f.ready_at FROM flows f WHERE f.lane = x.id ORDER BY f.ready_at LIMIT 1), $16) AS first
			FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
				$8::int[], $9::int[], $10::int[], $11::int[], $12::int[], $13::text[], $14::bytea[], $15::bytea[], $17::text[])
			AS x (id, paused_until, cap_until, gate_at, turn_at, served, floor, concurrency, per_minute, per_day, cap, in_flight, reason, minute,
			day, limits_of)) y
		WHERE lanes.id = y.id`, longs[0], longs[1], longs[2], longs[3], longs[4], longs[5], longs[6],
		ints[0], ints[1], ints[2], ints[3], ints[4], reasons, minutes, days, engine.Never(), limitsOf)
	return nil
}

// writeEvents comes last: from here to the commit, which is near, other
// writers of events wait.
func (t *tx) writeEvents(b *pgx.Batch) {
	n := len(t.events)
	if n == 0 {
		return
	}
	types, clients, data := make([]string, n), make([]string, n), make([]string, n)
	when := make([]int64, n)
	msgs, deliveries := make([][16]byte, n), make([][16]byte, n)
	for i, e := range t.events {
		types[i], when[i], clients[i], msgs[i], deliveries[i], data[i] = e.Type, engine.Micros(e.At), e.Client, e.Message, e.Delivery,
			string(e.Data)
	}
	b.Queue(`WITH s AS (UPDATE event_seq SET last = last + $7 RETURNING last)
		INSERT INTO events (seq, type, at, client, message, delivery, data)
		SELECT s.last - $7 + x.n, x.type, x.at, x.client, x.message, x.delivery, x.data
		FROM s, unnest($1::text[], $2::bigint[], $3::text[], $4::uuid[], $5::uuid[], $6::text[]) WITH ORDINALITY AS x (type, at, client, message,
		delivery, data, n)`,
		types, when, clients, msgs, deliveries, data, int64(n))
}

// idList turns ids into what pgx sends as uuid[].
func idList(ids ...store.ID) [][16]byte {
	out := make([][16]byte, len(ids))
	for i, id := range ids {
		out[i] = id
	}
	return slices.Clip(out)
}
