package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/postino-mail/postino/internal/store"
)

// DefaultInline is how large a body may be to live in its message's row.
const DefaultInline = 64 << 10

// Options of a store; all but URL and Dir may be zero.
type Options struct {
	// URL names the database, postgres://user:password@host:port/name; the
	// parameters are those of libpq (sslmode, search_path) and pool_max_conns
	// (16). The tables live in the first schema of search_path.
	URL string
	// Dir is a local folder for messages on their way in and for large ones on
	// their way out; it is made with mode 0700 when it is missing. Nothing in it
	// is needed after a restart.
	Dir string
	// Sealer keeps the connections' secrets; nil: none can be stored.
	Sealer store.Sealer
	// Inline is the size up to which bodies live in their message's row; 0: DefaultInline.
	Inline int64
	// Writers is how many transactions of submissions and outcomes this node
	// runs at once; 0: 2. More do not help: calls that wait share the next one.
	Writers int
	// Acquire is how long a call waits for a connection of the pool before it
	// gives store.ErrUnavailable; 0: 5 s.
	Acquire time.Duration
	// Log tells of what the store recovers from by itself; nil: silent.
	Log *slog.Logger

	fault func(stage, *pgx.Conn) error // for tests: asked at a stage of every shared transaction
}

// A stage of a transaction, for tests.
type stage string

const (
	beforeFlush stage = "flush"
	afterCommit stage = "commit"
)

// A Store implements store.Store.
type Store struct {
	opt      Options
	pool     *pgxpool.Pool
	incoming *incoming
	w        *writers
	large    chan struct{} // a slot for each large body that is written at once
	fetching chan struct{} // and for each that is read
	inLane   sync.Map      // store.ID to key: lanes of the deliveries that this node has leased
	fenced   atomic.Int64  // when it was last looked for nodes that are cut off
	changed  signal        // what is claimable, or when
	bell     *bell
	sync     *syncer
	doubt    doubt
	clock    clock
	skew     skew
	arrived  store.Recent    // small messages on their way into the database
	claimed  store.Recent    // those of them that this node has claimed
	life     context.Context // ends with the store
	end      context.CancelFunc
	busy     sync.WaitGroup // calls that use the pool themselves
	gate     sync.RWMutex   // held for reading while a call enters busy
	shut     bool
	closing  sync.Once
	closed   error
}

var _ store.Store = (*Store)(nil)

// Open opens the database and brings its schema up to date; several nodes may
// do so at once. Errors tell the administrator what to do; a server that
// cannot be reached is store.ErrUnavailable.
func Open(ctx context.Context, o Options) (_ *Store, err error) {
	if o.Inline == 0 {
		o.Inline = DefaultInline
	}
	if o.Writers <= 0 {
		o.Writers = 2
	}
	if o.Acquire <= 0 {
		o.Acquire = 5 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	conf, err := poolConfig(o.URL)
	if err != nil {
		return nil, err
	}
	s := &Store{opt: o}
	s.life, s.end = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			s.end()
			err = errors.Join(err, s.release())
		}
	}()
	if s.incoming, err = openIncoming(o.Dir); err != nil {
		return nil, err
	}
	if err := migrate(ctx, conf.ConnConfig); err != nil {
		return nil, err
	}
	if s.pool, err = pgxpool.NewWithConfig(s.life, conf); err != nil {
		return nil, unavailable(err)
	}
	if s.bell, err = openBell(ctx, s, conf.ConnConfig); err != nil {
		return nil, err
	}
	if s.sync, err = openSyncer(ctx, s, conf.ConnConfig); err != nil {
		return nil, err
	}
	quarter := int(max(1, conf.MaxConns/4))
	s.large, s.fetching = make(chan struct{}, quarter), make(chan struct{}, quarter)
	s.w = startWriters(s, o.Writers, quarter)
	return s, nil
}

// poolConfig reads the URL and settles how connections behave.
func poolConfig(url string) (*pgxpool.Config, error) {
	conf, err := pgxpool.ParseConfig(url)
	if err != nil {
		// pgx's error leaves the password out, but quotes the rest of the URL.
		return nil, fmt.Errorf("the database URL cannot be read (postgres://user:password@host:5432/name): %w", err)
	}
	if !strings.Contains(url, "pool_max_conns") {
		conf.MaxConns = 16
	}
	conf.MaxConns = max(conf.MaxConns, 4) // a writer must never wait for a reader alone
	p := conf.ConnConfig.RuntimeParams
	set := func(name, value string) {
		if _, ok := p[name]; !ok {
			p[name] = value
		}
	}
	set("application_name", "postino")
	// A node that is stopped or cut off in the middle of a transaction must not
	// keep its lanes locked for the others longer than its lease lasts.
	set("idle_in_transaction_session_timeout", "10000")
	set("tcp_keepalives_idle", "5")
	set("tcp_keepalives_interval", "3")
	set("tcp_keepalives_count", "3")
	set("lock_timeout", "15000")
	set("statement_timeout", "60000")
	// Everything here is a walk along an index. Statistics that lag behind a
	// queue that fills or empties must not make it another plan.
	set("enable_seqscan", "off")
	set("enable_hashjoin", "off")
	set("enable_mergejoin", "off")
	set("jit", "off")
	// Planning anew for each call costs as much as the rest of a transaction.
	set("plan_cache_mode", "force_generic_plan")
	if conf.ConnConfig.ConnectTimeout == 0 {
		conf.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	// A server's host that is gone is found out in a quarter of a minute.
	dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 3 * time.Second, Count: 3}}
	conf.ConnConfig.DialFunc = dialer.DialContext
	return conf, nil
}

// enter counts a call that uses the pool; leave ends it.
func (s *Store) enter() error {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.shut {
		return errClosed()
	}
	s.busy.Add(1)
	return nil
}

func (s *Store) leave() { s.busy.Done() }

func errClosed() error { return fmt.Errorf("%w: it was closed", store.ErrUnavailable) }

// Close implements store.Store.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.gate.Lock()
		s.shut = true
		s.gate.Unlock()
		s.changed.all() // claims that wait see that it is over
		s.w.stop()
		s.busy.Wait()
		s.closed = s.release()
	})
	return s.closed
}

func (s *Store) release() error {
	if s.sync != nil {
		s.sync.close()
	}
	if s.bell != nil {
		s.bell.close()
	}
	if s.pool != nil {
		s.pool.Close()
	}
	if s.incoming != nil {
		return s.incoming.close()
	}
	return nil
}

// Ping implements store.Store.
func (s *Store) Ping(ctx context.Context) error {
	if _, err := s.sync.begin(); err != nil {
		return outward(err)
	}
	return s.exec(ctx, `INSERT INTO settings VALUES ('ping', $1) ON CONFLICT (name) DO UPDATE SET value = $1`, time.Now().UTC().Format(time.RFC3339Nano))
}
