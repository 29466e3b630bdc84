package postgres

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// needs is what a call wants loaded and locked before it works in memory.
type needs struct {
	keys       []keyNeed
	names      []string // locked by name, such as a connection
	lanes      []string // keys; made when they are missing
	routes     []routeNeed
	deliveries [][16]byte
	nodes      []string // everything that these have leased
	holds      []string // connections: their state, and all their subqueues
	joins      []string
	identities []identityNeed
}

type keyNeed struct {
	*store.Idempotency
	now time.Time
}

type routeNeed struct {
	lane, connection, client string
}

// hold asks for a connection with a hold that changes.
func (n *needs) hold(connection string) {
	n.holds = append(n.holds, connection)
	n.names = append(n.names, connectionLock(connection))
}

func connectionLock(id string) string { return "connection:" + id }

// A tx is one transaction, shared by the calls of a batch: what is loaded and
// locked, and what the calls changed.
type tx struct {
	s          *Store
	conn       *pgxpool.Conn
	lanes      map[int64]*lane
	keys       map[string]*lane
	subqueues  map[int64]*subqueue
	names      map[subqueueName]*subqueue
	deliveries map[store.ID]*deliveryRow
	holds      map[string]*engine.ConnectionHold
	joins      map[string][]*engine.Sibling // what waits for siblings, the youngest last
	answers    map[idempotencyKey]*answer
	known      map[[16]byte]*acceptance // unheard
	forgotten  []store.Receipt          // of those: no longer

	missing  []routeNeed
	changed  []*deliveryRow
	messages []newRow
	grown    []*store.Message
	regrown  []*engine.Sibling // their words are written again
	fresh    []*deliveryRow
	ledger   []engine.AttemptRow
	events   []store.NewEvent
	tally    engine.Tally
	states   []store.ConnectionState
	after    []statement // what is rare, as it is
	wake     bool        // something may be claimable or due earlier
}

type statement struct {
	q    string
	args []any
}

type idempotencyKey struct{ client, key string }

// An answer is a stored one, or, when ours, one that this transaction gives.
type answer struct {
	ours            bool
	taken           bool // by a call of this transaction
	request, stored []byte
}

func newTx(s *Store, conn *pgxpool.Conn) *tx {
	return &tx{s: s, conn: conn, lanes: map[int64]*lane{}, keys: map[string]*lane{}, subqueues: map[int64]*subqueue{},
		names:      map[subqueueName]*subqueue{},
		deliveries: map[store.ID]*deliveryRow{}, holds: map[string]*engine.ConnectionHold{}, joins: map[string][]*engine.Sibling{},
		answers: map[idempotencyKey]*answer{}, known: map[[16]byte]*acceptance{}}
}

// exec keeps a statement for the end of the transaction.
func (t *tx) exec(q string, args ...any) { t.after = append(t.after, statement{q, args}) }

// Each value is looked up by itself: OFFSET 0 keeps the planner from turning
// that round, which it does while the tables look small to it, and then walks
// through all that is queued or leased for a few values, or for none.

// lockLanes locks what $1 deliveries, $2 connections, $3 lane keys and $4 nodes
// are in, always in the order of ids.
const lockLanes = `SELECT ` + laneColumns + ` FROM lanes WHERE id IN (
	SELECT f.lane FROM unnest($1::uuid[]) x CROSS JOIN LATERAL (SELECT flow FROM deliveries WHERE id = x OFFSET 0) d
	JOIN flows f ON f.id = d.flow
	UNION SELECT f.lane FROM unnest($2::text[]) x CROSS JOIN LATERAL (SELECT lane FROM flows WHERE connection = x OFFSET 0) f
	UNION SELECT l.ID FROM unnest($3::text[]) x CROSS JOIN LATERAL (SELECT id FROM lanes WHERE key = x OFFSET 0) l
	UNION SELECT f.lane FROM unnest($4::text[]) x CROSS JOIN LATERAL (SELECT flow FROM deliveries WHERE node = x AND state = 2 OFFSET 0) d
	JOIN flows f ON f.id = d.flow
) ORDER BY id FOR UPDATE`

// loadSubqueues returns the subqueues of $1 deliveries, $2 connections, $4 nodes, and of
// the routes $5 to $7, all of them in locked lanes.
const loadSubqueues = `SELECT ` + subqueueColumns + ` FROM flows WHERE id IN (
	SELECT d.flow FROM unnest($1::uuid[]) x CROSS JOIN LATERAL (SELECT flow FROM deliveries WHERE id = x OFFSET 0) d
	UNION SELECT f.id FROM unnest($2::text[]) x CROSS JOIN LATERAL (SELECT id FROM flows WHERE connection = x OFFSET 0) f
	UNION SELECT d.flow FROM unnest($3::text[]) x CROSS JOIN LATERAL (SELECT flow FROM deliveries WHERE node = x AND state = 2 OFFSET 0) d
	UNION SELECT f.id FROM unnest($4::text[], $5::text[], $6::text[]) AS x (lane, connection, client)
		CROSS JOIN LATERAL (SELECT id FROM lanes WHERE key = x.lane OFFSET 0) l
		CROSS JOIN LATERAL (SELECT id FROM flows WHERE lane = l.id AND connection = x.connection AND client = x.client LIMIT 1) f)`

// load begins the transaction, locks and reads, all in one round trip. Every
// statement sees what was committed before it began (READ COMMITTED), so what
// is read after the lanes are locked stays as it is.
func (t *tx) load(ctx context.Context, n *needs, brief bool) error {
	b := &pgx.Batch{}
	if t.conn.Conn().PgConn().TxStatus() == 'I' {
		b.Queue(`BEGIN`)
	}
	if brief {
		b.Queue(`SET LOCAL lock_timeout = 1000`)
	}
	t.claimKeys(b, n.keys)
	if len(n.names) > 0 {
		slices.Sort(n.names)
		b.Queue(`SELECT pg_advisory_xact_lock(`+lockKey(`x`)+`) FROM unnest($1::text[]) x`, slices.Compact(n.names))
	}
	keys := slices.Clone(n.lanes)
	var lanes, connections, clients []string
	for _, r := range n.routes {
		keys = append(keys, r.lane)
		lanes, connections, clients = append(lanes, r.lane), append(connections, r.connection), append(clients, r.client)
	}
	if len(n.deliveries)+len(n.holds)+len(keys)+len(n.nodes) > 0 {
		b.Queue(lockLanes, n.deliveries, n.holds, keys, n.nodes).Query(each(func(sc scan) error {
			l, err := scanLane(sc)
			if err == nil {
				t.lanes[l.ID], t.keys[l.Key] = l, l
			}
			return err
		}))
		b.Queue(loadSubqueues, n.deliveries, n.holds, n.nodes, lanes, connections, clients).Query(each(func(sc scan) error {
			f, err := scanSubqueue(sc)
			if err == nil {
				t.subqueues[f.ID], t.names[f.Name] = f, f
			}
			return err
		}))
	}
	keep := each(func(sc scan) error {
		r, err := scanDelivery(sc)
		if err == nil {
			t.deliveries[r.D.ID] = r
		}
		return err
	})
	if len(n.deliveries) > 0 {
		b.Queue(`SELECT `+deliveryColumns+` FROM unnest($1::uuid[]) x CROSS JOIN LATERAL (SELECT * FROM deliveries
			WHERE id = x OFFSET 0) d`+deliveryTables, n.deliveries).Query(keep)
	}
	if len(n.nodes) > 0 {
		b.Queue(`SELECT `+deliveryColumns+` FROM unnest($1::text[]) x CROSS JOIN LATERAL (SELECT * FROM deliveries WHERE node = x
			AND state = 2 OFFSET 0) d`+deliveryTables, n.nodes).Query(keep)
	}
	t.loadHolds(b, n.holds)
	t.loadJoins(b, n.joins)
	t.loadUnheard(b, n.identities)
	if err := t.conn.SendBatch(ctx, b).Close(); err != nil {
		return dbErr(err)
	}
	// A delivery that another node moved to another lane before the locks were
	// taken is asked for again.
	for _, r := range t.deliveries {
		if t.lanes[r.Lane] == nil || t.subqueues[r.Subqueue] == nil {
			return errMissing
		}
	}
	return nil
}

func (t *tx) loadHolds(b *pgx.Batch, ids []string) {
	if len(ids) == 0 {
		return
	}
	b.Queue(`SELECT x, coalesce(NOT c.active, false), coalesce(s.doc, '') FROM unnest($1::text[]) x
		LEFT JOIN connections c ON c.id = x LEFT JOIN connection_states s ON s.connection = x`, ids).Query(each(func(sc scan) error {
		g := &engine.ConnectionHold{}
		var id, doc string
		if err := sc(&id, &g.Inactive, &doc); err != nil {
			return err
		}
		g.State = store.DecodeState(id, []byte(doc))
		t.holds[id] = g
		return nil
	}))
}

// loadJoins looks for what waits for siblings. It changes under the lock of
// its lane alone; what is in another lane is no sibling of anything here.
func (t *tx) loadJoins(b *pgx.Batch, keys []string) {
	if len(keys) == 0 {
		return
	}
	keys = slices.Compact(slices.Sorted(slices.Values(keys)))
	b.Queue(`SELECT d.join_key, `+deliveryColumns+`, `+engine.MessageColumns+` FROM unnest($1::text[]) x
		CROSS JOIN LATERAL (SELECT * FROM deliveries WHERE join_key = x AND state = 0 OFFSET 0) d
		JOIN messages m ON m.id = d.msg`+deliveryTables+` ORDER BY d.created_at, d.id`, keys).Query(each(func(sc scan) error {
		var key string
		r, m := &deliveryRow{}, &messageRow{}
		if err := sc(append(append([]any{&key}, columns(r)...), m.Columns(nil, idColumn)...)...); err != nil {
			return err
		}
		if t.lanes[r.Lane] == nil || t.subqueues[r.Subqueue] == nil {
			return nil
		}
		if have := t.deliveries[r.D.ID]; have != nil {
			r = have
		} else {
			r.Decode()
		}
		msg, ok := m.Decode()
		if !ok || r.Corrupt {
			return nil
		}
		r.Join = key
		t.deliveries[r.D.ID] = r
		t.joins[key] = append(t.joins[key], &engine.Sibling{Row: r, Message: msg})
		return nil
	}))
}

// each makes a reader of rows. What f returns is returned as it is, what the
// database says as a dbError.
func each(f func(scan) error) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		defer rows.Close()
		for rows.Next() {
			if err := f(func(dst ...any) error { return dbErr(rows.Scan(dst...)) }); err != nil {
				return err
			}
		}
		return dbErr(rows.Err())
	}
}

// query calls f for every row.
func query(ctx context.Context, on querier, q string, args []any, f func(scan) error) error {
	rows, err := on.Query(ctx, q, args...)
	if err != nil {
		return dbErr(err)
	}
	return each(f)(rows)
}

// ensure makes lanes and subqueues that do not exist yet, apart from the
// transaction that will use them: their making needs other locks.
func (s *Store) ensure(ctx context.Context, lanes []string, routes []routeNeed) error {
	lanes = slices.Clone(lanes)
	var keys, connections, clients, locks []string
	for _, r := range routes {
		lanes = append(lanes, r.lane)
		keys, connections, clients = append(keys, r.lane), append(connections, r.connection), append(clients, r.client)
		locks = append(locks, connectionLock(r.connection))
	}
	slices.Sort(lanes)
	slices.Sort(locks)
	b := &pgx.Batch{}
	b.Queue(`BEGIN`)
	// A subqueue gets its connection's hold: no one changes that meanwhile.
	b.Queue(`SELECT pg_advisory_xact_lock_shared(`+lockKey(`x`)+`) FROM unnest($1::text[]) x`, slices.Compact(locks))
	b.Queue(`INSERT INTO lanes (key, ready_at) SELECT x, $2 FROM unnest($1::text[]) x ON CONFLICT DO NOTHING`, slices.Compact(lanes),
		engine.Never())
	b.Queue(`INSERT INTO flows (lane, connection, client, due_at, gate_at, ready_at)
		SELECT DISTINCT l.ID, x.connection, x.client, $4::bigint, CASE WHEN c.active = false THEN $4 ELSE coalesce(s.paused_until, 0) END, $4
		FROM unnest($1::text[], $2::text[], $3::text[]) AS x (lane, connection, client) JOIN lanes l ON l.key = x.lane
			LEFT JOIN connections c ON c.id = x.connection LEFT JOIN connection_states s ON s.connection = x.connection
		ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING`, keys, connections, clients, engine.Never())
	b.Queue(`COMMIT`)
	return s.withConn(ctx, func(conn *pgxpool.Conn) error { return dbErr(conn.SendBatch(ctx, b).Close()) })
}

// withConn lends a connection of the pool.
func (s *Store) withConn(ctx context.Context, f func(*pgxpool.Conn) error) error {
	waiting, cancel := context.WithTimeout(ctx, s.opt.Acquire)
	defer cancel()
	conn, err := s.pool.Acquire(waiting)
	if err != nil {
		if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) && s.pool.Stat().IdleConns() == 0 &&
			s.pool.Stat().TotalConns() == s.pool.Stat().MaxConns() {
			return errBusy(err)
		}
		return &dbError{err: err, broken: true}
	}
	defer conn.Release() // one with an open transaction is closed
	if s.primary.old(conn.Conn().PgConn()) {
		s.discard(ctx, conn)
		return &dbError{err: errOld, broken: true}
	}
	defer s.primary.lend(conn)()
	// The server's own timeout comes first, unless the server is gone without a word.
	silent := time.AfterFunc(silence, func() {
		s.opt.Log.Warn("the database does not answer on a connection: it is closed")
		s.hangUp(conn)
	})
	defer silent.Stop()
	err = f(conn)
	return broke(err, conn.Conn().IsClosed())
}

// silence is after how long without an answer a connection is given up:
// longer than statement_timeout.
const silence = 75 * time.Second

// discard closes a connection that is not in use; its release takes it out of the pool.
func (s *Store) discard(ctx context.Context, conn *pgxpool.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := conn.Conn().Close(ctx); err != nil {
		s.opt.Log.Debug("closing a connection to the database", "err", err)
	}
}

// hangUp ends a connection from another goroutine.
func (s *Store) hangUp(conn *pgxpool.Conn) {
	if err := conn.Conn().PgConn().Conn().SetDeadline(time.Unix(1, 0)); err != nil {
		s.opt.Log.Debug("closing a connection to the database", "err", err)
	}
}
