package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// cutOff finds this application's sessions that are in the middle of a
// transaction and have waited for the rest of it for long: their node is
// stopped, or cut off, and keeps lanes locked. When the node stood between two
// messages idle_in_transaction_session_timeout ends it; within one, or within a
// pipeline, the session counts as active and no timeout of PostgreSQL before 17
// does. Its transaction is not committed: no one was told of it.
const cutOff = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user
	AND pid <> pg_backend_pid() AND application_name = current_setting('application_name') AND state = 'active' AND wait_event = 'ClientRead'
	AND state_change < clock_timestamp() - interval '10 s'`

// endStuckSessions ends sessions of nodes that are cut off. It is asked for where a lock
// was waited for in vain.
func (s *Store) endStuckSessions(ctx context.Context) {
	const often = 2 * time.Second
	now, last := time.Now().UnixMicro(), s.stuckLooked.Load()
	if now-last < often.Microseconds() || !s.stuckLooked.CompareAndSwap(last, now) {
		return
	}
	n := 0
	err := s.withConn(ctx, func(conn *pgxpool.Conn) error { return dbErr(conn.QueryRow(ctx, cutOff).Scan(&n)) })
	if err != nil {
		s.opt.Log.Debug("looking for nodes that are cut off", "err", err)
	} else if n > 0 {
		s.opt.Log.Warn("ended transactions of nodes that are cut off: they kept mailboxes locked", "count", n)
	}
}
