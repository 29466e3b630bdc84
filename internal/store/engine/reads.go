package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

func (r Ports) deliveries(ctx context.Context, q string, args ...any) (out []DeliveryRow, err error) {
	err = r.DB.List(ctx, `SELECT `+r.Schema.Delivery+q, args, func() { out = nil }, func(sc Scan) error {
		var row DeliveryRow
		if err := sc(r.Schema.Columns(&row)...); err != nil {
			return err
		}
		row.Decode()
		out = append(out, row)
		return nil
	})
	return out, err
}

func (r Ports) delivery(ctx context.Context, id store.ID) (*DeliveryRow, error) {
	rows, err := r.deliveries(ctx, ` FROM deliveries d`+r.Schema.Tables+` WHERE d.id = $1`, r.Schema.ID(id))
	if err == nil && len(rows) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &rows[0], nil
}

// Delivery implements store.Admin.
func (r Ports) Delivery(ctx context.Context, id store.ID) (*store.Delivery, error) {
	row, err := r.delivery(ctx, id)
	if err != nil {
		return nil, err
	}
	return &row.D, nil
}

// Deliveries implements store.Admin.
func (r Ports) Deliveries(ctx context.Context, message store.ID) (out []store.Delivery, err error) {
	rows, err := r.deliveries(ctx, ` FROM deliveries d`+r.Schema.Tables+` WHERE `+fmt.Sprintf(r.Schema.Of, "$1")+` ORDER BY `+r.Schema.Order,
		r.Schema.ID(message))
	for i := range rows {
		out = append(out, rows[i].D)
	}
	return out, err
}

// Deadlines implements store.Queue.
func (r Ports) Deadlines(ctx context.Context, now time.Time, n int) (due []store.Delivery, next time.Time, err error) {
	open := ` FROM deliveries` + r.Schema.By("deliveries_deadline") + ` WHERE (state <= 1 OR state = 3) AND deadline_at `
	rows, err := r.deliveries(ctx, ` FROM (SELECT *`+open+`<= $1 ORDER BY deadline_at LIMIT $2) d`+r.Schema.Tables+` ORDER BY d.deadline_at`,
		Micros(now), n)
	if err != nil {
		return nil, time.Time{}, err
	}
	for i := range rows {
		due = append(due, rows[i].D)
	}
	var first int64
	err = r.DB.Read(ctx, `SELECT coalesce(min(deadline_at), 0)`+open+`> $1`, []any{Micros(now)}, &first)
	return due, At(first), err
}

// Attempts implements store.Admin.
func (r Ports) Attempts(ctx context.Context, id store.ID) (out []store.Attempt, err error) {
	row, err := r.delivery(ctx, id)
	if err != nil {
		return nil, err
	}
	key := r.Schema.ID(id)
	if row.Seq != 0 {
		key = row.Seq
	}
	err = r.DB.List(ctx, `SELECT `+AttemptColumns+AttemptTables+` WHERE a.delivery = $1 ORDER BY a.no`, []any{key}, func() { out = nil },
		func(sc Scan) error {
			a, err := ScanAttempt(sc, id)
			out = append(out, a.Attempt)
			return err
		})
	if err != nil {
		return nil, err
	}
	// The row was read before the lines: an attempt that ended in between is
	// among them.
	if d := &row.D; d.State == store.Sending && (len(out) == 0 || out[len(out)-1].No < d.Attempts) {
		out = append(out, d.Running())
	}
	return out, nil
}

// Message implements store.Messages.
func (r Ports) Message(ctx context.Context, id store.ID) (*store.Message, error) {
	var row MessageRow
	q := `SELECT ` + MessageColumns + ` FROM messages m WHERE m.id = $1`
	if err := r.DB.Read(ctx, q, []any{r.Schema.ID(id)}, row.Columns(nil, r.Schema.To)...); err != nil {
		return nil, err
	}
	m, _ := row.Decode() // a corrupt one is shown as far as it goes
	return m, nil
}

// Leases implements store.Queue.
func (r Ports) Leases(ctx context.Context, node string, before time.Time) (out []store.Lease, err error) {
	err = r.DB.List(ctx, `SELECT d.id, d.epoch, d.attempts, d.node FROM deliveries d`+r.Schema.By("deliveries_leased")+
		` WHERE d.state = 2 AND d.since < $2
		AND (d.node = $1 OR NOT EXISTS (SELECT 1 FROM nodes n WHERE n.name = d.node AND n.until_at < $3)) ORDER BY d.id`,
		[]any{node, Micros(before), Never()}, func() { out = nil }, func(sc Scan) error {
			var l store.Lease
			err := sc(r.Schema.To(&l.Delivery), &l.Epoch, &l.No, &l.Node)
			out = append(out, l)
			return err
		})
	return out, err
}

// Nodes implements store.Queue.
func (r Ports) Nodes(ctx context.Context, now time.Time) (n int, err error) {
	err = r.DB.Read(ctx, `SELECT count(*) FROM nodes WHERE until_at >= $1 AND until_at < $2`, []any{Micros(now), Never()}, &n)
	return n, err
}

const laneQuery = `SELECT ` + LaneColumns + `, (SELECT CAST(coalesce(sum(queued), 0) AS BIGINT) FROM flows WHERE lane = lanes.id),
	(SELECT coalesce(min(due_at), 0) FROM flows WHERE lane = lanes.id AND queued > 0) FROM lanes`

func scanLaneRecord(sc Scan, more ...any) (*store.Lane, error) {
	var queued int
	var due int64
	l, err := ScanLane(sc, append([]any{&queued, &due}, more...)...)
	if err != nil {
		return nil, err
	}
	l.Queued, l.NextAt, l.NoRoomUntil = queued, At(due), At(l.NotBefore)
	return &l.Lane, nil
}

// Lane implements store.Lanes.
func (r Ports) Lane(ctx context.Context, key string) (*store.Lane, error) {
	out, err := r.lanes(ctx, ` WHERE key = $1`, key)
	if err == nil && len(out) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &out[0], nil
}

// Lanes implements store.Lanes.
func (r Ports) Lanes(ctx context.Context, after string, limit int) ([]store.Lane, error) {
	return r.lanes(ctx, ` WHERE key > $1 ORDER BY key LIMIT $2`, after, limit)
}

// LanesAmong implements store.Lanes.
func (r Ports) LanesAmong(ctx context.Context, connections []string, after string, limit int) ([]store.Lane, error) {
	w := &where{}
	w.and("key > %s", after)
	w.among("connection", connections)
	key, of := w.conds[0], w.conds[1]
	return r.lanes(ctx, ` WHERE `+key+` AND EXISTS (SELECT 1 FROM flows WHERE flows.lane = lanes.id AND `+of+`) ORDER BY key LIMIT `+
		strconv.Itoa(limit), w.args...)
}

func (r Ports) lanes(ctx context.Context, cond string, args ...any) (out []store.Lane, err error) {
	err = r.DB.List(ctx, laneQuery+cond, args, func() { out = nil }, func(sc Scan) error {
		l, err := scanLaneRecord(sc)
		if err == nil {
			out = append(out, *l)
		}
		return err
	})
	return out, err
}

// LanesByKey implements store.Lanes.
func (r Ports) LanesByKey(ctx context.Context, keys []string) ([]store.Lane, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	args := make([]any, len(keys))
	for i, key := range keys {
		args[i] = key
	}
	return r.lanes(ctx, ` WHERE key IN (`+params(1, len(keys))+`)`, args...)
}

// Waiting implements store.Lanes.
func (r Ports) Waiting(ctx context.Context) (out []store.Waiting, err error) {
	err = r.DB.List(ctx, `SELECT `+LaneColumns+`, n, due, connection FROM
		(SELECT lane, connection, CAST(sum(queued) AS BIGINT) AS n, min(due_at) AS due FROM flows WHERE queued > 0
		GROUP BY lane, connection) w JOIN lanes ON lanes.id = w.lane`, nil, func() { out = nil }, func(sc Scan) error {
		var w store.Waiting
		l, err := scanLaneRecord(sc, &w.Connection)
		if err == nil {
			w.Lane = *l
			out = append(out, w)
		}
		return err
	})
	return out, err
}

// Stats implements store.Admin. What is sent is by far the most, and the rest
// has an index.
func (r Ports) Stats(ctx context.Context, now time.Time) (st store.Stats, err error) {
	var all, leased, oldest int64
	var states []byte
	if err := r.DB.CountAll(ctx, `SELECT (SELECT count(*) FROM deliveries),
		(SELECT count(*) FROM deliveries`+r.Schema.By("deliveries_leased")+` WHERE state = 2),
		(SELECT coalesce(`+r.Schema.Object+`(state, n), '{}') FROM (SELECT state, count(*) AS n FROM deliveries`+
		r.Schema.By("deliveries_open")+` WHERE state <> 2 AND state <> 4 GROUP BY state) x),
		(SELECT coalesce(min(due_at), 0) FROM flows WHERE queued > 0),
		(SELECT count(*) FROM lanes), (SELECT count(*) FROM lanes WHERE paused_until > $1),
		(SELECT CAST(coalesce(sum(size), 0) AS BIGINT) FROM messages WHERE kept = true)`, []any{Micros(now)},
		&all, &leased, &states, &oldest, &st.Lanes, &st.Paused, &st.BodyBytes); err != nil {
		return st, err
	}
	open := map[int]int64{}
	if err := json.Unmarshal(states, &open); err != nil {
		return st, err
	}
	st.States = map[store.State]int64{store.Sending: leased, store.Sent: all - leased}
	for state, n := range open {
		st.States[store.State(state)] = n
		st.States[store.Sent] -= n
	}
	maps.DeleteFunc(st.States, func(_ store.State, n int64) bool { return n == 0 })
	if oldest > 0 && oldest <= Micros(now) {
		st.OldestDue = At(oldest)
	}
	return st, nil
}
