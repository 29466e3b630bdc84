package sqlite

import (
	"context"
	"errors"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

type claimedRow = engine.ClaimedRow

// claimNow looks once for something to claim.
func (s *Store) claimNow(ctx context.Context, r store.ClaimRequest, began time.Time) ([]store.Claimed, error) {
	var rows []*claimedRow
	if err := s.do(ctx, func(t *tx) (err error) {
		if t.clock.SetBack(r.Now, began) { // the writer's with the commit
			if err := t.setClock(r.Now); err != nil {
				return err
			}
		}
		rows, err = t.claim(r)
		return err
	}); err != nil {
		return nil, err
	}
	return s.Decode(ctx, rows, r.Now), nil
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

func (t *tx) claim(r store.ClaimRequest) ([]*claimedRow, error) {
	if err := t.alive(r.Node); err != nil {
		return nil, err
	}
	// What earlier ops of the batch changed must be in the index that is read now.
	if err := t.flush(); err != nil {
		return nil, err
	}
	var lanes []*lane
	// A bare parameter as the limit would have SQLite plan again whenever it changes.
	ids, err := t.ids(`SELECT id FROM lanes WHERE ready_at <= ? ORDER BY ready_at, served LIMIT ? + 0`, engine.Micros(r.Now), r.Max)
	if err != nil {
		return nil, err
	}
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
	var have int64
	err := t.Row(`SELECT incarnation FROM nodes WHERE name = ?`, []any{n.Name}, &have)
	if errors.Is(err, store.ErrNotFound) || err == nil && have != n.Incarnation {
		return store.ErrNodeLost
	}
	return err
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

func (t *tx) writeLease(row *claimedRow) error {
	d := &row.D
	return t.exec(`UPDATE deliveries SET state = 2, deadline_at = ?, attempts = ?, epoch = ?, node = ?, kind = ?, since = ?, join_key = NULL
		WHERE seq = ?`,
		engine.Micros(d.Deadline()), d.Attempts, d.Epoch, d.Node, string(d.Kind), engine.Micros(d.Since), row.Seq)
}
