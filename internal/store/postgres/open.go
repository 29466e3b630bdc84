package postgres

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

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
	// Inline is the size up to which bodies live in their message's row; 0: 64 KiB.
	Inline int64
	// Acquire is how long a call waits for a connection of the pool before it
	// gives store.ErrUnavailable; 0: 5 s.
	Acquire time.Duration
	// Log tells of what the store recovers from by itself; nil: silent.
	Log *slog.Logger

	migrations fs.FS                        // for tests: in place of the embedded ones
	fault      func(stage, *pgx.Conn) error // for tests: asked at a stage of every shared transaction
}

// A stage of a transaction, for tests.
type stage string

const (
	beforeFlush stage = "flush"
	afterCommit stage = "commit"
)

// A Store implements store.Store.
type Store struct {
	engine.Ports
	opt         Options
	pool        *pgxpool.Pool
	incoming    engine.Incoming
	w           *writers
	large       chan struct{} // a slot for each large body that is written at once
	fetching    chan struct{} // and for each that is read
	inLane      sync.Map      // store.ID to key: lanes of the deliveries that this node has leased
	stuckLooked atomic.Int64  // when it was last looked for nodes that are cut off
	notifier    *notifier
	conf        *pgxpool.Config   // as the URL says
	settings    map[string]string // of every session
	primary     primary
	watchers    watchers
	recent      recent
	uncertain   uncertainLeases
	clock       clock
	skew        skew
	life        context.Context // ends with the store
	end         context.CancelFunc
	busy        sync.WaitGroup // calls that use the pool themselves
	entering    sync.RWMutex   // held for reading while a call enters busy
	shut        bool

	pooler    sync.Mutex // held while the pooler is looked at
	pooled    bool       // it pools sessions
	commitOff sync.Once
}

var _ store.Store = (*Store)(nil)

// Open opens the database and brings its schema up to date; several nodes may
// do so at once. Errors tell the administrator what to do; a server that
// cannot be reached is store.ErrUnavailable.
func Open(ctx context.Context, o Options) (_ *Store, err error) {
	if o.Acquire <= 0 {
		o.Acquire = 5 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{opt: o}
	s.Ports = engine.New(s.db(), rowSchema(), o.Sealer, o.Inline)
	// While it is leased no retention removes it.
	s.Claimed = &store.Recent{}
	s.primary = primary{s: s, lent: map[*pgxpool.Conn]time.Time{}}
	if s.conf, s.settings, err = poolConfig(o.URL); err != nil {
		return nil, err
	}
	s.life, s.end = context.WithCancel(context.WithoutCancel(ctx))
	s.Stop = s.life.Done()
	defer func() {
		if err != nil {
			s.end()
			err = errors.Join(err, s.release())
		}
	}()
	if s.incoming, err = engine.OpenIncoming(filepath.Join(o.Dir, "incoming")); err != nil {
		return nil, err
	}
	if len(hosts(s.conf.ConnConfig)) > 1 {
		s.primary.survey(ctx) // an old primary may come first in the URL
	}
	if err := s.migrate(ctx); err != nil {
		return nil, err
	}
	conf := s.conf.Copy()
	conf.ConnConfig = s.sessionConfig(conf.ConnConfig, nil, "")
	if s.pool, err = pgxpool.NewWithConfig(s.life, conf); err != nil {
		return nil, unavailable(err)
	}
	if s.notifier, err = openNotifier(ctx, s); err != nil {
		return nil, err
	}
	s.primary.watch(s.pool)
	quarter := int(max(1, conf.MaxConns/4))
	s.large, s.fetching = make(chan struct{}, quarter), make(chan struct{}, quarter)
	s.w = startWriters(s, quarter)
	return s, nil
}

// enter counts a call that uses the pool; leave ends it.
func (s *Store) enter() error {
	s.entering.RLock()
	defer s.entering.RUnlock()
	if s.shut {
		return engine.ErrClosed()
	}
	s.busy.Add(1)
	return nil
}

func (s *Store) leave() { s.busy.Done() }

// stop ends the store.
func (s *Store) stop() error {
	s.entering.Lock()
	s.shut = true
	s.entering.Unlock()
	s.Changed.All() // claims that wait see that it is over
	s.w.stop()
	s.busy.Wait()
	return s.release()
}

func (s *Store) release() error {
	if s.notifier != nil {
		s.notifier.close()
	}
	s.end()
	s.primary.done.Wait()
	if s.pool != nil {
		s.pool.Close()
	}
	return s.incoming.Close()
}

// SpoolDir implements store.Submitter.
func (s *Store) SpoolDir() string { return s.incoming.Dir }

// Sweep implements store.Admin. Bodies are rows of their message's transaction;
// what dead processes leave are local files.
func (s *Store) Sweep(ctx context.Context, age time.Duration) (int, error) {
	return s.incoming.Sweep(ctx, age)
}
