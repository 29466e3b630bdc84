package postgres

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

type claimedRow = engine.ClaimedRow

// uncertainLeases keeps leases with a commit under way when the connection died: this
// node may hold them without knowing. They are given back before the next claim.
type uncertainLeases struct {
	mu     sync.Mutex
	leases []store.Lease
}

func (d *uncertainLeases) add(rows []*claimedRow) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range rows {
		d.leases = append(d.leases, r.Lease)
	}
}

// settleUncertain releases them.
func (s *Store) settleUncertain(ctx context.Context, now time.Time) error {
	s.uncertain.mu.Lock()
	defer s.uncertain.mu.Unlock()
	if len(s.uncertain.leases) == 0 {
		return nil
	}
	if err := s.Release(ctx, now, s.uncertain.leases); err != nil {
		return err
	}
	s.uncertain.leases = nil
	return nil
}

// claimNow is Claim without waiting.
func (s *Store) claimNow(ctx context.Context, w *engine.Waiter) ([]store.Claimed, error) {
	r := w.Request()
	if err := s.settleUncertain(ctx, r.Now); err != nil {
		return nil, err
	}
	if err := s.recall(ctx, r.Now); err != nil {
		return nil, err
	}
	if err := s.noteClock(ctx, r.Now, w.Began); err != nil {
		return nil, err
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	rows, err := s.claim(ctx, r)
	if err != nil {
		return nil, engine.ReadError(ctx, notFound(err), outward)
	}
	out := s.Decode(ctx, rows, r.Now)
	for _, c := range out {
		if head, body, ok := s.Arrived.Take(c.Message.ID); ok {
			s.Claimed.Put(c.Message.ID, head, body)
		}
		s.inLane.Store(c.Delivery.ID, c.Delivery.Route.Lane)
	}
	s.recent.claimed(out)
	return out, nil
}

// claim takes first what no one else has locked; only when that returns nothing
// it waits for lanes that others are busy with.
func (s *Store) claim(ctx context.Context, r store.ClaimRequest) (rows []*claimedRow, err error) {
	patient := false
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for try := 1; ; try++ {
		skipped := false
		err := s.withConn(ctx, func(conn *pgxpool.Conn) (err error) {
			rows = nil
			c := &claimer{tx: newTx(s, conn), r: r, patient: patient, subqueues: map[*lane][]*subqueue{}, queues: map[*subqueue]*queue{},
				read: [][16]byte{}}
			defer func() {
				if err != nil || len(c.lanes) == 0 {
					rollback(ctx, conn)
				}
			}()
			if rows, err = c.claim(ctx); err != nil || len(c.lanes) == 0 {
				skipped = c.skipped
				return err
			}
			skipped = c.skipped
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
			defer cancel()
			return c.commit(ctx)
		})
		var d *dbError
		switch {
		case err == nil && len(rows) == 0 && skipped && !patient:
			patient = true
		case patient && locked(err):
			s.endStuckSessions(ctx)
			return nil, nil
		case err == nil:
			return rows, nil
		case again(err) && try < tries && ctx.Err() == nil:
			waitAgain(ctx, try)
		default:
			if errors.As(err, &d) && d.inDoubt {
				s.uncertain.add(rows)
			}
			return nil, err
		}
	}
}

type claimer struct {
	*tx
	r         store.ClaimRequest
	patient   bool
	skipped   bool                  // lanes that are ready are locked by others
	subqueues map[*lane][]*subqueue // that may have something due, who is served next first
	queues    map[*subqueue]*queue
	read      [][16]byte // deliveries that are in queues, or were; never nil, which is NULL
}

// A queue is what was read of a subqueue, in the order in which it is due.
type queue struct {
	rows []*claimedRow
	all  bool // there is no more that is due
}

func (c *claimer) claim(ctx context.Context) ([]*claimedRow, error) {
	lanes, err := c.lock(ctx)
	if err != nil || len(lanes) == 0 {
		return nil, err
	}
	if err := c.readSubqueues(ctx, lanes); err != nil {
		return nil, err
	}
	claims := &engine.Claims{Work: unit{ctx, c.tx}, Now: c.r.Now, Node: c.r.Node.Name, Max: c.r.Max,
		Queues: c.subqueues,
		Round:  func(lanes []*lane, part int) error { return c.readQueues(ctx, lanes, part) },
		Read:   func(f *subqueue, n int) ([]*claimedRow, error) { return c.due(ctx, f, n) },
		Leased: func(row *claimedRow) error {
			c.mark(&row.DeliveryRow)
			return nil
		}}
	return claims.From(lanes)
}

// lock begins the transaction, keeps the node alive in it, and locks the lanes
// that are ready.
func (c *claimer) lock(ctx context.Context) (lanes []*lane, err error) {
	b := &pgx.Batch{}
	b.Queue(`BEGIN`)
	alive := false
	// Who reaps this node waits for this transaction, or this one sees that it
	// was reaped.
	b.Queue(`SELECT 1 FROM nodes WHERE name = $1 AND incarnation = $2 FOR KEY SHARE`, c.r.Node.Name,
		c.r.Node.Incarnation).Query(each(func(sc scan) error {
		alive = true
		return nil
	}))
	ready := 0
	b.Queue(`SELECT count(*) FROM (SELECT FROM lanes WHERE ready_at <= $1 LIMIT $2) x`, engine.Micros(c.r.Now),
		c.r.Max).Query(each(func(sc scan) error { return sc(&ready) }))
	q := `SELECT ` + laneColumns + ` FROM lanes WHERE ready_at <= $1 ORDER BY ready_at, served LIMIT $2 FOR UPDATE SKIP LOCKED`
	if c.patient {
		b.Queue(`SET LOCAL lock_timeout = 100`) // whatever keeps it locked, other lanes may have work meanwhile
		q = `SELECT ` + laneColumns + ` FROM lanes WHERE id IN (SELECT id FROM lanes WHERE ready_at <= $1 ORDER BY ready_at, served LIMIT $2)
			ORDER BY id FOR UPDATE`
	}
	b.Queue(q, engine.Micros(c.r.Now), c.r.Max).Query(each(func(sc scan) error {
		l, err := scanLane(sc)
		if err == nil && l.Ready <= engine.Micros(c.r.Now) {
			c.lanes[l.ID], c.keys[l.Key] = l, l
			lanes = append(lanes, l)
		}
		return err
	}))
	if err := c.conn.SendBatch(ctx, b).Close(); err != nil {
		return nil, dbErr(err)
	}
	if !alive {
		return nil, store.ErrNodeLost
	}
	c.skipped = ready > len(lanes)
	slices.SortFunc(lanes, func(a, b *lane) int { // who waits longest first
		if a.Ready != b.Ready {
			return int(min(max(a.Ready-b.Ready, -1), 1))
		}
		return int(min(max(a.Served-b.Served, -1), 1))
	})
	return lanes, nil
}

// readSubqueues reads, after the lanes are locked, which of their subqueues are ready.
func (c *claimer) readSubqueues(ctx context.Context, lanes []*lane) error {
	ids := make([]int64, len(lanes))
	for i, l := range lanes {
		ids[i], c.subqueues[l] = l.ID, nil
		l.Now, l.Dirty, l.NotBefore = c.r.Now, true, 0
	}
	return query(ctx, c.conn, `SELECT `+subqueueColumns+` FROM unnest($1::bigint[]) x CROSS JOIN LATERAL
		(SELECT * FROM flows WHERE lane = x AND ready_at <= $2 ORDER BY ready_at, served LIMIT $3) flows ORDER BY flows.ready_at, flows.served`,
		[]any{ids, engine.Micros(c.r.Now), max(c.r.Max, 16)}, func(sc scan) error {
			f, err := scanSubqueue(sc)
			if err != nil {
				return err
			}
			c.tx.subqueues[f.ID], c.names[f.Name] = f, f
			l := c.lanes[f.Lane]
			c.subqueues[l] = append(c.subqueues[l], f)
			return nil
		})
}

// readQueues reads what the subqueues of the lanes need for a part each, all of
// them at once.
func (c *claimer) readQueues(ctx context.Context, lanes []*lane, part int) error {
	var ids, limits []int64
	for _, l := range lanes {
		room := min(part, l.Room(c.r.Now).Deliveries)
		if room == 0 || len(c.subqueues[l]) == 0 {
			continue
		}
		each := max(1, room/len(c.subqueues[l]))
		for i, f := range c.subqueues[l] {
			if i*each >= room {
				break
			}
			q := c.queues[f]
			if q == nil {
				q = &queue{}
				c.queues[f] = q
			}
			if !q.all && len(q.rows) < each {
				ids, limits = append(ids, f.ID), append(limits, int64(each-len(q.rows)))
			}
		}
	}
	return c.readQueue(ctx, ids, limits)
}

// dueQuery is what of the subqueues $1 is due at $4, at most $2 of each, without $3: a walk
// along the index, however much is due at the same moment.
func dueQuery() string {
	return `SELECT ` + deliveryColumns + `, ` + engine.MessageColumns + `
		FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS x (id, n, ord)
		CROSS JOIN LATERAL (SELECT * FROM deliveries WHERE flow = x.id AND state <= 1 AND next_at <= $4 AND id <> ALL ($3::uuid[])
		ORDER BY next_at LIMIT x.n) d
		JOIN messages m ON m.id = d.msg` + deliveryTables + ` ORDER BY x.ord, d.next_at`
}

// readQueue reads on in the subqueues. What was read already is claimed by this
// transaction and not written yet, or still in the queue; it is left out by
// name, since the order of what is due at the same moment is another one in
// each query.
func (c *claimer) readQueue(ctx context.Context, ids, limits []int64) error {
	if len(ids) == 0 {
		return nil
	}
	got := map[int64]int64{}
	err := query(ctx, c.conn, dueQuery(), []any{ids, limits, c.read, engine.Micros(c.r.Now)},
		func(sc scan) error {
			row := &claimedRow{}
			if err := sc(row.Message.Columns(columns(&row.DeliveryRow), idColumn)...); err != nil {
				return err
			}
			got[row.Subqueue]++
			c.read = append(c.read, row.D.ID)
			q := c.queues[c.tx.subqueues[row.Subqueue]]
			q.rows = append(q.rows, row)
			return nil
		})
	for i, id := range ids {
		c.queues[c.tx.subqueues[id]].all = got[id] < limits[i]
	}
	return err
}

// due takes up to n deliveries of a subqueue from what was read of it.
func (c *claimer) due(ctx context.Context, f *subqueue, n int) ([]*claimedRow, error) {
	q := c.queues[f]
	if q == nil {
		q = &queue{}
		c.queues[f] = q
	}
	if !q.all && len(q.rows) < n {
		if err := c.readQueue(ctx, []int64{f.ID}, []int64{int64(n - len(q.rows))}); err != nil {
			return nil, err
		}
	}
	n = min(n, len(q.rows))
	out := q.rows[:n]
	q.rows = q.rows[n:]
	return out, nil
}
