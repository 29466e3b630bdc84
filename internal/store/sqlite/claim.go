package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// A claimedRow is a delivery that was claimed, its message perhaps not decoded yet.
type claimedRow struct {
	deliveryRow
	message messageRow
	fresh   *store.Message // instead of message
	lease   store.Lease
}

// claimed is what the caller gets of a row that the writer keeps.
func claimed(r *deliveryRow, l store.Lease, m store.Message) *claimedRow {
	c := &claimedRow{deliveryRow: *r, lease: l, fresh: &m}
	c.D.Recipients = slices.Clone(r.D.Recipients)
	c.D.Message = m.ID
	return c
}

// Claim implements store.Queue.
func (s *Store) Claim(ctx context.Context, r store.ClaimRequest) ([]store.Claimed, error) {
	if r.Max <= 0 {
		return nil, nil
	}
	var rows []*claimedRow
	began := time.Now()
	w := &waiting{began: began, until: began.Add(r.Wait), now: r.Now, empty: func() bool { return len(rows) == 0 }}
	if err := s.run(ctx, &op{wait: w, fn: func(t *tx) (err error) {
		r.Now = store.Micro(w.now)
		if r.Wait > 0 {
			r.Now = w.clock(time.Now())
		}
		w.last = r.Now
		if err := t.noteClock(r.Now, began); err != nil {
			return err
		}
		rows, err = t.claim(r)
		return err
	}}); err != nil {
		return nil, err
	}
	out := make([]store.Claimed, 0, len(rows))
	for _, row := range rows {
		m := row.fresh
		if m == nil {
			var ok bool
			if m, ok = row.message.Decode(); !ok {
				if err := s.Finish(ctx, store.FinishCorrupt(row.lease, &row.D, r.Now)); err != nil {
					s.opt.Log.Error("the record of a message is damaged, and its delivery cannot be held: it stays as it is until the node ends", "delivery", row.D.ID.String(), "error", err)
				}
				continue
			}
		}
		out = append(out, store.Claimed{Lease: row.lease, Delivery: row.D, Message: *m})
	}
	return out, nil
}

// claim takes what waits first, and then what has just arrived.
func (t *tx) claim(r store.ClaimRequest) (out []*claimedRow, err error) {
	if err := t.alive(r.Node); err != nil {
		return nil, err
	}
	wait, err := t.mayWait(r.Now)
	if err != nil {
		return nil, err
	}
	if wait {
		if out, err = t.claimWaiting(r); err != nil {
			return nil, err
		}
	}
	fresh, err := t.claimPlaced(r, r.Max-len(out))
	return append(out, fresh...), err
}

// mayWait reports whether something that has a row may be claimable.
func (t *tx) mayWait(now time.Time) (bool, error) {
	for _, f := range t.touchedFlows {
		if f.Queued > 0 {
			return true, nil
		}
	}
	for _, l := range t.touched {
		if !l.FirstKnown || l.First < engine.Never() {
			return true, nil
		}
	}
	ready, err := t.firstReady()
	return ready <= engine.Micros(now), err
}

// firstReady is when the first lane is ready, going by what is written.
func (t *tx) firstReady() (int64, error) {
	if t.ready == 0 {
		if err := t.row(`SELECT coalesce(min(ready_at), ?) FROM lanes`, []any{engine.Never()}, &t.ready); err != nil {
			return 0, err
		}
	}
	return t.ready, nil
}

func (t *tx) claimWaiting(r store.ClaimRequest) ([]*claimedRow, error) {
	// What earlier ops of the batch changed must be in the index that is read now.
	if err := t.flush(); err != nil {
		return nil, err
	}
	var lanes []*lane
	// A bare parameter as the limit would have SQLite plan anew whenever it changes.
	ids, err := t.ids(`SELECT id FROM lanes WHERE ready_at <= ? ORDER BY ready_at, served LIMIT ? + 0`, engine.Micros(r.Now), r.Max)
	if err != nil {
		return nil, err
	}
	t.ready = 0
	for _, id := range ids {
		l, err := t.LaneByID(id)
		if err != nil {
			return nil, err
		}
		lanes = append(lanes, l)
	}
	var out []*claimedRow
	c := &claimer{tx: t, r: r, flows: map[*lane][]*subqueue{}}
	// Everybody gets an equal part of what is left; who has less due leaves the
	// rest to the others in the next round.
	for len(lanes) > 0 && len(out) < r.Max {
		left := r.Max - len(out)
		part := max(1, left/len(lanes))
		var on []*lane
		for _, l := range lanes {
			want := min(part, r.Max-len(out))
			if want == 0 {
				break
			}
			got, err := c.fromLane(l, want)
			if err != nil {
				return nil, err
			}
			out = append(out, got...)
			if len(got) == want {
				on = append(on, l)
			}
		}
		lanes = on
	}
	return out, nil
}

// alive checks that the node was neither reaped nor replaced.
func (t *tx) alive(n store.Node) error {
	have, ok := t.nodes[n.Name]
	if !ok {
		err := t.row(`SELECT incarnation FROM nodes WHERE name = ?`, []any{n.Name}, &have)
		if errors.Is(err, sql.ErrNoRows) {
			return store.ErrNodeLost
		}
		if err != nil {
			return err
		}
		t.nodes[n.Name] = have
	}
	if have != n.Incarnation {
		return store.ErrNodeLost
	}
	return nil
}

type claimer struct {
	*tx
	r     store.ClaimRequest
	flows map[*lane][]*subqueue // that may have something due, who is served next first
}

// fromLane claims up to want deliveries of a lane, its flows taking turns.
func (c *claimer) fromLane(l *lane, want int) (out []*claimedRow, err error) {
	l.Now = c.r.Now
	c.LaneChanged(l)
	l.Turn = engine.Micros(c.r.Now)
	l.Served++
	if _, ok := c.flows[l]; !ok {
		l.NotBefore = 0
		if c.flows[l], err = c.readyFlows(l, want); err != nil {
			return nil, err
		}
	}
	for len(c.flows[l]) > 0 && len(out) < want {
		room := min(l.Room(c.r.Now).Deliveries, want-len(out))
		if room == 0 {
			break
		}
		part := max(1, room/len(c.flows[l]))
		var on []*subqueue
		for i, f := range c.flows[l] {
			n := min(part, want-len(out), l.Room(c.r.Now).Deliveries)
			if n == 0 {
				on = append(on, c.flows[l][i:]...)
				break
			}
			got, full, err := c.fromFlow(l, f, n)
			if err != nil {
				return nil, err
			}
			out = append(out, got...)
			if full { // the daily budget has no room for who is first in line
				c.flows[l] = nil
				return out, nil
			}
			if len(got) == n {
				on = append(on, f)
			}
		}
		c.flows[l] = on
	}
	return out, nil
}

func (c *claimer) readyFlows(l *lane, want int) (out []*subqueue, err error) {
	ids, err := c.ids(`SELECT id FROM flows INDEXED BY flows_ready WHERE lane = ? AND ready_at <= ? ORDER BY ready_at, served LIMIT ? + 0`, l.ID, engine.Micros(c.r.Now), max(want, 16))
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		f, err := c.SubqueueByID(id)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// fromFlow claims up to n deliveries of a flow in the order in which they are due.
func (c *claimer) fromFlow(l *lane, f *subqueue, n int) (out []*claimedRow, full bool, err error) {
	now := engine.Micros(c.r.Now)
	var found []*claimedRow
	if err := c.each(`SELECT `+deliveryOwn+`, `+engine.MessageColumns+` FROM deliveries d INDEXED BY deliveries_queue CROSS JOIN messages m ON m.seq = d.msg
		WHERE d.flow = ? AND d.state <= 1 AND d.next_at <= ? ORDER BY d.next_at LIMIT ? + 0`, []any{f.ID, now, n}, func(sc scan) error {
		row := &claimedRow{}
		found = append(found, row)
		return dbErr(sc(append(own(&row.deliveryRow), row.message.Columns(idColumn)...)...))
	}); err != nil {
		return nil, false, err
	}
	for _, row := range found {
		row.D.Message = row.message.M.ID
		placedIn(&row.deliveryRow, f, l)
		d := row.Decode()
		if row.Corrupt {
			if err := engine.Save(c.tx, c.r.Now, &row.deliveryRow, func(d *store.Delivery) { d.HoldCorrupt(c.r.Now) }); err != nil {
				return nil, false, err
			}
			continue
		}
		if d.State == store.Queued {
			if ok, when := l.Fits(c.r.Now, d.CountPending()); !ok {
				l.NotBefore, full = engine.Micros(when), true
				break
			}
		}
		row.lease = d.Lease(c.r.Node.Name, c.r.Now)
		l.Begin(c.r.Now, d.Kind, d.CountPending())
		if err := c.exec(`UPDATE deliveries SET state = 2, deadline_at = ?, attempts = ?, epoch = ?, node = ?, kind = ?, since = ?, join_key = NULL WHERE seq = ?`,
			engine.Micros(d.Deadline()), d.Attempts, d.Epoch, d.Node, string(d.Kind), engine.Micros(d.Since), row.Seq); err != nil {
			return nil, false, err
		}
		keep := row.deliveryRow
		keep.D.Recipients = slices.Clone(row.D.Recipients)
		c.leased[d.ID] = &keep
		out = append(out, row)
	}
	engine.Left(c.tx, f, int64(len(out)))
	f.Turn = now
	f.Served++
	return out, full, nil
}
