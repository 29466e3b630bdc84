package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// defaults are the settings of every session, where the URL has no others.
func defaults() map[string]string {
	return map[string]string{
		// A node that is stopped or cut off in the middle of a transaction must not
		// keep its lanes locked for the others longer than its lease lasts.
		"idle_in_transaction_session_timeout": "10000",
		"tcp_keepalives_idle":                 "5",
		"tcp_keepalives_interval":             "3",
		"tcp_keepalives_count":                "3",
		"lock_timeout":                        "15000",
		"statement_timeout":                   "60000",
		// Everything here is a walk along an index. Statistics that lag behind a
		// queue that fills or empties must not make it another plan.
		"enable_seqscan":   "off",
		"enable_hashjoin":  "off",
		"enable_mergejoin": "off",
		"jit":              "off",
		// Planning again for each call costs as much as the rest of a transaction.
		"plan_cache_mode": "force_generic_plan",
	}
}

// poolConfig reads the URL. Settings go into the session after the login, not
// into the startup message: a connection pooler refuses those there.
func poolConfig(url string) (conf *pgxpool.Config, settings map[string]string, err error) {
	conf, err = pgxpool.ParseConfig(url)
	if err != nil {
		// pgx's error leaves the password out, but quotes the rest of the URL.
		return nil, nil, fmt.Errorf("the database URL cannot be read (postgres://user:password@host:5432/name): %w", err)
	}
	if !strings.Contains(url, "pool_max_conns") {
		conf.MaxConns = 16
	}
	conf.MaxConns = max(conf.MaxConns, 4) // a writer must never wait for a reader alone
	settings = defaults()
	startup := map[string]string{"application_name": "postino"}
	for name, value := range conf.ConnConfig.RuntimeParams {
		if name == "application_name" || name == "options" {
			startup[name] = value
		} else {
			settings[name] = value
		}
	}
	conf.ConnConfig.RuntimeParams = startup
	if conf.ConnConfig.ConnectTimeout == 0 {
		conf.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	// A server's host that is gone is found out in a quarter of a minute.
	dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 3 * time.Second, Count: 3}}
	conf.ConnConfig.DialFunc = dialer.DialContext
	conf.ConnConfig.OnNotice = noteWarning
	return conf, settings, nil
}

// sessionConfig is conf for connections that are greeted by this store: their
// settings are made and checked, and their server must be the primary. use
// overrules settings; name is added to the application's.
func (s *Store) sessionConfig(conf *pgx.ConnConfig, use map[string]string, name string) *pgx.ConnConfig {
	conf = conf.Copy()
	conf.RuntimeParams["application_name"] += name
	settings := maps.Clone(s.settings)
	maps.Copy(settings, use)
	asked := conf.ValidateConnect // target_session_attrs of the URL
	conf.ValidateConnect = func(ctx context.Context, c *pgconn.PgConn) error {
		if asked != nil {
			if err := asked(ctx, c); err != nil {
				return err
			}
		}
		return s.greet(ctx, c, settings)
	}
	return conf
}

// greet makes a new session what this store needs. With several hosts in the
// URL an error makes pgx go on to the next one.
func (s *Store) greet(ctx context.Context, c *pgconn.PgConn, settings map[string]string) error {
	want, err := setAll(ctx, c, settings)
	if err != nil {
		return err
	}
	is, err := identify(ctx, c)
	if err != nil {
		return err
	}
	if is.pid != c.PID() { // something between this node and the server made up the other one
		if err := s.checkPooler(ctx, c, want); err != nil {
			return err
		}
	}
	if is.commit == "off" { // an answer would say nothing
		if _, err := setAll(ctx, c, map[string]string{"synchronous_commit": "on"}); err != nil {
			return err
		}
		s.commitOff.Do(func() {
			s.opt.Log.Warn("synchronous_commit is off for this user or database: postino sets it to on for its own sessions, or accepted mail " +
				"would not be on disk")
		})
	}
	c.CustomData()[identityKey] = is
	return s.primary.admit(is)
}

// setAll makes the settings and returns them as the server reads them.
func setAll(ctx context.Context, c *pgconn.PgConn, settings map[string]string) (map[string]string, error) {
	names := slices.Sorted(maps.Keys(settings))
	parts := make([]string, len(names))
	args := make([][]byte, 0, 2*len(names))
	for i, n := range names {
		args = append(args, []byte(n), []byte(settings[n]))
		parts[i] = fmt.Sprintf("set_config($%d::text, $%d::text, false)", 2*i+1, 2*i+2)
	}
	r := c.ExecParams(ctx, "SELECT "+strings.Join(parts, ", "), args, nil, nil, nil).Read()
	if r.Err != nil {
		return nil, fmt.Errorf("the settings of the session are refused: %w", r.Err)
	}
	out := map[string]string{}
	if len(r.Rows) == 1 {
		for i, n := range names {
			out[n] = string(r.Rows[0][i])
		}
	}
	return out, nil
}

const identityKey = "postino.identity"

// An identity says which server a connection leads to.
type identity struct {
	pid      uint32 // of the server's process
	standby  bool
	system   string // of the cluster: its copies have the same; "": not known
	timeline uint32 // counts up with each promotion; 0: not known
	commit   string // synchronous_commit
	standbys string // synchronous_standby_names
}

// replicated reports that a commit waits for a standby.
func (i identity) replicated() bool {
	return i.standbys != "" && i.commit != "off" && i.commit != "local"
}

func identityOf(c *pgconn.PgConn) identity {
	is, _ := c.CustomData()[identityKey].(identity)
	return is
}

// The timeline in the name of the file that is written now is that of the
// server at this moment; the control file has it only after a checkpoint.
const (
	whoAmI = `SELECT pg_backend_pid(), pg_is_in_recovery(), current_setting('synchronous_commit'), ` +
		`current_setting('synchronous_standby_names')`
	where0 = `, CASE WHEN pg_is_in_recovery() THEN '' ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END, (SELECT ` +
		`system_identifier FROM pg_control_system())`
)

func identify(ctx context.Context, c *pgconn.PgConn) (identity, error) {
	r := c.ExecParams(ctx, whoAmI+where0, nil, nil, nil, nil).Read()
	switch code(r.Err) {
	case "42501", "42883", "0A000", "55000": // not for this user, or not PostgreSQL's own storage
		r = c.ExecParams(ctx, whoAmI+`, '', ''`, nil, nil, nil, nil).Read()
	}
	if r.Err != nil {
		return identity{}, r.Err
	}
	if len(r.Rows) != 1 {
		return identity{}, errors.New("the server does not say who it is")
	}
	row := r.Rows[0]
	pid, err := strconv.ParseUint(string(row[0]), 10, 32)
	if err != nil {
		return identity{}, fmt.Errorf("the server's process id: %w", err)
	}
	is := identity{pid: uint32(pid), standby: string(row[1]) == "t", commit: string(row[2]), standbys: string(row[3]), system: string(row[5])}
	if len(row[4]) > 0 {
		t, err := strconv.ParseUint(string(row[4]), 16, 32)
		if err != nil {
			return identity{}, fmt.Errorf("the server's timeline: %w", err)
		}
		is.timeline = uint32(t)
	}
	return is, nil
}

// warningKey is where noteWarning leaves its word.
const warningKey = "postino.warning"

// noteWarning notes warnings without a code of their own. The one that may come
// with a COMMIT says that it stopped waiting for the standbys: the transaction is
// on the server's own disk, and lost with it. The sentence itself is in the
// server's language.
func noteWarning(c *pgconn.PgConn, n *pgconn.Notice) {
	if n.SeverityUnlocalized == "WARNING" && n.Code == "01000" {
		c.CustomData()[warningKey] = true
	}
}

// watchCommit is called before a COMMIT; the function that it returns reports
// whether the standbys were waited for.
func watchCommit(c *pgconn.PgConn) (replicated func() bool) {
	delete(c.CustomData(), warningKey)
	return func() bool { return c.CustomData()[warningKey] == nil }
}

// errNotReplicated: a commit was not waited for. No one is told of it.
func errNotReplicated() *dbError {
	return &dbError{broken: true, inDoubt: true,
		err: errors.New("the database stopped waiting for its standby: the transaction may be lost with this server")}
}
