package sqlite

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

type claimedRow = engine.ClaimedRow

// A claim looks for something to claim, last in its transaction, so that it finds
// all that the others have brought.
type claim struct {
	*engine.Waiter
	request store.ClaimRequest // as of the last look
	rows    []*claimedRow
	err     error // of one that waited: it is to meet it by itself
}

func (c *claim) look(t *tx) (err error) {
	c.request = c.Request()
	if t.clock.SetBack(c.request.Now, c.Began) { // the writer's with the commit
		if err := t.setClock(c.request.Now); err != nil {
			return err
		}
	}
	c.rows, err = t.claim(c.request)
	return err
}

// claimNow looks once for something to claim.
func (s *Store) claimNow(ctx context.Context, w *engine.Waiter) ([]store.Claimed, error) {
	c := &claim{Waiter: w}
	if err := s.w.Do(ctx, &op{claim: c, fn: c.look}); err != nil {
		return nil, err
	}
	return s.Decode(ctx, c.rows, c.request.Now), nil
}

// runWaiting has the claims that wait take part. Its error asks for a rollback.
func (t *tx) runWaiting() error {
	for _, w := range t.w.s.Changed.Take() {
		t.waiting = append(t.waiting, &claim{Waiter: w})
	}
	for _, c := range t.waiting {
		o := &op{fn: c.look}
		if err := t.run(o); err != nil {
			return err
		}
		c.err = o.err
	}
	return nil
}

// endClaims has claims that found nothing wait on, before their callers are
// answered, and gives those that waited what they have. Who took no part is told
// that something has changed.
func (t *tx) endClaims(ops []*op, committed bool) {
	changed := t.w.s.Changed
	if !committed {
		for _, c := range t.waiting {
			changed.Back(c.Waiter, nil, 0)
		}
		return
	}
	if t.wake {
		changed.All()
	}
	for _, c := range t.waiting {
		due := int64(0)
		if c.err == nil && len(c.rows) == 0 {
			due = t.due()
		}
		changed.Back(c.Waiter, c.rows, due)
	}
	for _, o := range ops {
		if c := o.claim; c != nil && o.err == nil && len(c.rows) == 0 && c.request.Wait > 0 {
			if due := t.due(); due > engine.Micros(c.request.Now) {
				changed.Enter(c.Waiter, engine.At(due))
			}
		}
	}
}

// due is when the claims that wait look again, whatever happens; 0: now.
func (t *tx) due() int64 {
	next, err := t.firstReady()
	if err != nil {
		t.w.s.opt.Log.Warn("asking the database what is due next", "err", err)
	}
	return next
}

// setClock mends what a clock that was set back would keep from being done.
func (t *tx) setClock(now time.Time) error {
	records, err := t.Records()
	if err != nil {
		return err
	}
	ahead, err := engine.Ahead(records, t.w.s.Schema, now)
	if err != nil {
		return err
	}
	return ahead.SetClock(t, now)
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
	for _, f := range t.touchedSubqueues {
		if f.Queued > 0 {
			return true, nil
		}
	}
	for _, l := range t.touched {
		if first, known := t.first[l.ID]; !known || first < engine.Never() {
			return true, nil
		}
	}
	next, err := t.firstReady()
	return next <= engine.Micros(now), err
}

func (t *tx) claimWaiting(r store.ClaimRequest) ([]*claimedRow, error) {
	// What earlier ops of the batch changed must be in the index that is read now;
	// what they placed comes after what waits.
	if err := t.flushLanes(); err != nil {
		return nil, err
	}
	var lanes []*lane
	// A bare parameter as the limit would have SQLite plan again whenever it changes.
	ids, err := t.ids(`SELECT id FROM lanes WHERE ready_at <= ? ORDER BY ready_at, served LIMIT ? + 0`, engine.Micros(r.Now), r.Max)
	if err != nil {
		return nil, err
	}
	t.next = 0
	for _, id := range ids {
		l, err := t.LaneByID(id)
		if err != nil {
			return nil, err
		}
		lanes = append(lanes, l)
	}
	c := &engine.Claims{Work: t, Now: r.Now, Node: r.Node.Name, Max: r.Max,
		Ready:  func(l *lane, want int) ([]*subqueue, error) { return t.readySubqueues(l, r.Now, want) },
		Read:   func(f *subqueue, n int) ([]*claimedRow, error) { return t.readDue(f, r.Now, n) },
		Leased: t.writeLease}
	return c.From(lanes)
}

// alive checks that the node was neither reaped nor replaced.
func (t *tx) alive(n store.Node) error {
	have, known := t.nodes[n.Name]
	if !known {
		err := t.Row(`SELECT incarnation FROM nodes WHERE name = ?`, []any{n.Name}, &have)
		if errors.Is(err, store.ErrNotFound) {
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

func (t *tx) readySubqueues(l *lane, now time.Time, want int) (out []*subqueue, err error) {
	ids, err := t.ids(`SELECT id FROM flows INDEXED BY flows_ready WHERE lane = ? AND ready_at <= ? ORDER BY ready_at, served LIMIT ? + 0`,
		l.ID, engine.Micros(now), max(want, 16))
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		f, err := t.SubqueueByID(id)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// readDue reads up to n deliveries of a subqueue that are due. What was claimed
// before is a row that waits no more.
func (t *tx) readDue(f *subqueue, now time.Time, n int) (found []*claimedRow, err error) {
	err = t.Each(`SELECT `+deliveryColumns+`, `+engine.MessageColumns+` FROM deliveries d INDEXED BY deliveries_queue`+deliveryTables+
		` WHERE d.flow = ? AND d.state <= 1 AND d.next_at <= ? ORDER BY d.next_at LIMIT ? + 0`,
		[]any{f.ID, engine.Micros(now), n}, func(sc scan) error {
			row := &claimedRow{}
			found = append(found, row)
			return sc(row.Message.Columns(columns(&row.DeliveryRow), idColumn)...)
		})
	return found, err
}

// writeLease writes a lease, and keeps its row for the outcome.
func (t *tx) writeLease(row *claimedRow) error {
	d, keep := &row.D, row.DeliveryRow
	keep.D.Recipients = slices.Clone(d.Recipients)
	t.leased[d.ID] = &keep
	return t.exec(`UPDATE deliveries SET state = 2, deadline_at = ?, attempts = ?, epoch = ?, node = ?, kind = ?, since = ?, join_key = NULL
		WHERE seq = ?`,
		engine.Micros(d.Deadline()), d.Attempts, d.Epoch, d.Node, string(d.Kind), engine.Micros(d.Since), row.Seq)
}
